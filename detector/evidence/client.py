"""What one client's requests say for and against extraction, read from its slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import OVER_SHARE
from detector.evidence.likelihood import EXTRACTOR, GUESSER, PRIOR_STRENGTH, hedged, log_ratio
from detector.evidence.volume import Tail
from detector.records.batch import KINDS
from detector.state.layout import SIGNED
from detector.state.sketch import distinct

NULL = np.dtype(
    [
        ("cold_strength", "f8"),
        ("miss_strength", "f8"),
        ("has_tail", "?"),
        ("tail_begin", "f8"),
        ("tail_share", "f8"),
        ("tail_excess", "f8"),
        ("clients_a_day", "f8"),
        ("blocks_a_day", "f8"),
        ("settled", "?"),
        ("carried", "?"),
        ("over_strength", "f8"),
        ("foreign_strength", "f8"),
        ("main_mean", "f8"),
        ("main_strength", "f8"),
        *((f"tail_{what}_{number}", "f8") for what in ("tries", "rows") for number in ("begin", "share", "excess")),
        ("has_tail_tries", "?"),
        ("has_tail_rows", "?"),
    ]
)

_TAIL_NUMBERS = ("begin", "share", "excess")
HABIT = np.dtype(
    [
        ("route", "u4"),
        ("clients", "u4"),
        ("mean", "f8"),
        ("strength", "f8"),
        ("cold_strength", "f8"),
        *((number, "f8") for number in _TAIL_NUMBERS),
        ("unsigned", "f8"),
        ("strangers", "f8"),
    ]
)

_HABITS = ("clients", "mean", "strength", "cold_strength", "unsigned", "strangers")
_PLAIN = (
    *("cold_strength", "miss_strength", "over_strength", "foreign_strength", "main_mean", "main_strength"),
    *("clients_a_day", "blocks_a_day", "settled", "carried"),
)
_TAILS = ("tail", "tail_tries", "tail_rows")


MOST_UNSIGNED = 0.135
"""Share of accounts without a sign-in above which its lack says nothing, nor does a sign-in: odds of seven to one, what
other groups of evidence must say (`detectors.bulk.GROUP_NATS`). Of simulated accounts a third never sign in all day."""


MOST_STRANGERS = 0.135
"""The same for accounts that mostly read other people's records: a habit that one in seven may have says nothing."""


@dataclass(frozen=True)
class Habit:
    """What clients are like that mostly read on one route.

    Attributes:
        clients: how many there were.
        mean, strength: how purely they read: the Beta-binomial null of the share of requests that are fresh reads.
        cold_strength: as `Null.cold_strength`; a gallery's sixty pictures are cold together.
        tail: as `Null.tail`.
        unsigned: share of accounts that were never seen to sign in, among those that read most and most purely (upper
            95 % bound); 1 = not known.
        strangers: the same of those who mostly read other people's records, among accounts that read as many records
            whose owners are known; 1 = not known for a week yet, or it is somebody's work there.
    """

    clients: int
    mean: float
    strength: float
    cold_strength: float
    tail: Tail
    unsigned: float = 1.0
    strangers: float = 1.0


@dataclass(frozen=True)
class Null:
    """What ordinary clients are like, as far as it has been learnt.

    Attributes:
        cold_strength, miss_strength: a0 + b0 of the Beta-binomial null of each channel.
        tail: the upper tail of distinct records a client and day; None while there are too few clients.
        clients_a_day: clients judged a day, for the budget.
        blocks_a_day: blocks of ids opened a day.
        settled: whether the log is long enough for coldness to mean anything.
        floor: fewest distinct records a day whose loss by volume is worth an alert; the user's, not learnt.
        carried: whether it was learnt by an earlier run, from more than the tables hold.
        over_strength: as ``miss_strength``, of the channel of large answers.
        foreign_strength: the same of reads of other people's records.
        main_mean, main_strength: the share of a client's requests that go to its main route; 0 = not known yet.
        tail_tries, tail_rows: as ``tail``, of tries and of records in lists a client and day.
        habits: by route, what those are like who mostly read there; routes of few clients are left out.
    """

    cold_strength: float = PRIOR_STRENGTH
    miss_strength: float = PRIOR_STRENGTH
    tail: Tail | None = None
    clients_a_day: float = 100.0
    blocks_a_day: float = 100.0
    settled: bool = False
    floor: int = 100
    carried: bool = False
    over_strength: float = PRIOR_STRENGTH
    foreign_strength: float = PRIOR_STRENGTH
    main_mean: float = 0.0
    main_strength: float = 0.0
    tail_tries: Tail | None = None
    tail_rows: Tail | None = None
    habits: Mapping[int, Habit] = made(default_factory=dict)

    def save(self) -> npt.NDArray[Any]:
        """All that is learnt of it, as one row (dtype NULL)."""
        row = np.zeros(1, NULL)
        for field in _PLAIN:
            row[field] = getattr(self, field)
        for name in _TAILS:
            tail: Tail | None = getattr(self, name)
            if tail is not None:
                row[f"has_{name}"] = True
                for number in _TAIL_NUMBERS:
                    row[f"{name}_{number}"] = getattr(tail, number)
        return row

    def save_habits(self) -> npt.NDArray[Any]:
        """The habits, a row a route (dtype HABIT), ordered by route."""
        rows = np.zeros(len(self.habits), HABIT)
        for place, (route, habit) in enumerate(sorted(self.habits.items())):
            rows["route"][place] = route
            for name in _HABITS:
                rows[name][place] = getattr(habit, name)
            for number in _TAIL_NUMBERS:
                rows[number][place] = getattr(habit.tail, number)
        return rows

    @classmethod
    def load(cls, row: Any, floor: int, habits: npt.NDArray[Any] | None = None) -> Null:
        """What `save` and `save_habits` gave, with the user's floor."""
        learnt: dict[str, Any] = {field: row[field].item() for field in _PLAIN}
        for name in ("over_strength", "foreign_strength"):
            learnt[name] = learnt[name] or PRIOR_STRENGTH  # a version that did not know it gives 0
        for name in _TAILS:
            numbers = [float(row[f"{name}_{number}"]) for number in _TAIL_NUMBERS]
            learnt[name] = Tail(*numbers) if row[f"has_{name}"] else None
        found = {}
        for kept in () if habits is None else habits:
            tail = Tail(*(float(kept[number]) for number in _TAIL_NUMBERS))
            known = {name: kept[name].item() for name in _HABITS if name in (kept.dtype.names or ())}
            found[int(kept["route"])] = Habit(**known, tail=tail)
        return cls(**learnt, floor=floor, habits=found)


class ClientEvidence:
    """Evidence of one client over the running day and the one before.

    Args:
        slot: a record of dtype ``state.layout.CLIENT``, as of the row that is weighed.
        null: what ordinary clients are like.
    """

    def __init__(self, slot: Any, null: Null) -> None:
        self.slot = slot
        self.null = null

    def total(self, field: str) -> float:
        """Sum of a paired count over both generations."""
        return float(self.slot[field][0] + self.slot[field][1])

    @property
    def habit(self) -> Habit | None:
        """What clients are like that mostly read where this one does; None where they are too few to know."""
        return self.null.habits.get(int(self.slot["lead"]))

    @property
    def cold(self) -> float:
        """Nats for reading what nobody else reads."""
        habit = self.habit
        strength = habit.cold_strength if habit else self.null.cold_strength
        return log_ratio(self.total("cold"), self.total("fresh"), self.total("cold_expected"), EXTRACTOR, strength)

    @property
    def foreign(self) -> float:
        """Nats for an account that reads records others come back to day after day: against the route's own share, but
        never more than against how few accounts there do such a thing at all. Whoever does so for a living does nothing
        else, so his hundredth such read proves no more than his second."""
        habit, n = self.habit, self.total("established")
        if habit is None or habit.strangers > MOST_STRANGERS or n < 2 or KINDS[int(self.slot["kind"])] != "account":
            return 0.0
        k, expected = self.total("foreign"), self.total("foreign_expected")
        return min(log_ratio(k, n, expected, EXTRACTOR, self.null.foreign_strength), -log(habit.strangers))

    @property
    def whose(self) -> float:
        """Nats for which records it reads: those nobody else reads, or those of other people. The mean of two e-values,
        which is one, and never less than coldness alone: at the worst half as many false ones more."""
        cold, foreign = self.cold, self.foreign
        return cold if foreign <= max(cold, 0.0) else foreign + log((1.0 + exp(cold - foreign)) / 2.0)

    @property
    def pure(self) -> float:
        """Nats for doing little but reading records it has not read before, against those who mostly read in the same
        place; 0 where they are too few to know. Objects of one request are one."""
        habit = self.habit
        if habit is None:
            return 0.0
        n = self.total("requests")
        return log_ratio(min(self.total("fresh"), n), n, habit.mean * n, EXTRACTOR, habit.strength)

    @property
    def no_login(self) -> float:
        """Nats for an account that was never seen to sign in, where hardly any does that reads as much and does as
        little else. A long-lived token does the same, so it never convicts without coldness or purity, and volume."""
        habit = self.habit
        if habit is None or habit.unsigned > MOST_UNSIGNED or KINDS[int(self.slot["kind"])] != "account":
            return 0.0
        return -inf if int(self.slot["crossed"]) & SIGNED else -log(habit.unsigned)

    @property
    def harvest(self) -> float:
        """Nats for reading what nobody else reads, or what is others', or for reading that and doing nothing else: the
        mean of the e-value of which records and of its product with the one of purity, which is an e-value, too. The
        same of that and its product with no sign-in's, whose share is that of pure readers: a quarter of harvesters is
        taken to have none (judgement: forged and stolen tokens among accounts made or taken over by signing in)."""
        found = self.whose + hedged(self.pure)
        return found if self.no_login == 0.0 else found + log(0.75 + 0.25 * exp(self.no_login))

    @property
    def miss(self) -> float:
        """Nats for trying ids that do not exist. Where a route's own share is not known, the null is as wide as it was
        before anything was learnt: the first to look up strangers' numbers misses as often as a guesser."""
        tries = self.total("tries")
        known = min(self.total("familiar") / tries, 1.0) if tries else 0.0
        strength = PRIOR_STRENGTH + known * max(self.null.miss_strength - PRIOR_STRENGTH, 0.0)
        strength = min(strength, self.null.miss_strength)
        return log_ratio(self.total("misses"), tries, self.total("misses_expected"), GUESSER, strength)

    @property
    def distinct(self) -> float:
        """Distinct records of the larger of the two days (HyperLogLog, standard error 13 %)."""
        today = distinct(self.slot["registers"])
        return max(today, float(self.slot["distinct_before"]))

    @property
    def volume(self) -> float:
        """Nats for reading more distinct records a day than others do who mostly read in the same place, or, where they
        are few, than anybody: who looks through galleries reads no more than is usual there."""
        tail = self.habit.tail if self.habit else self.null.tail
        return tail.nats(self.distinct) if tail else 0.0

    @property
    def tries(self) -> float:
        """Nats for trying more ids a day than others do, found or not; from the larger of the two days."""
        return self.null.tail_tries.nats(float(max(self.slot["tries"]))) if self.null.tail_tries else 0.0

    @property
    def over(self) -> float:
        """Nats for answers larger, or further back, than nearly anybody else's, or of pages nobody else opens."""
        n = self.total("answers")
        return log_ratio(self.total("over"), n, self.over_expected, EXTRACTOR, self.null.over_strength)

    @property
    def over_expected(self) -> float:
        """How many such answers an ordinary client would have had: two sizes are looked at in each, and each page."""
        return 2.0 * OVER_SHARE * self.total("answers") + self.total("unread_expected")

    @property
    def rows(self) -> float:
        """Nats for getting more records in lists a day than others do."""
        return self.null.tail_rows.nats(float(max(self.slot["rows"]))) if self.null.tail_rows else 0.0

    @property
    def amount(self) -> float:
        """Nats for getting more records in lists a day than others do, or for going further back than others ever go
        in a list whose pages nobody else opens: a weighted Bonferroni bound over the two, three quarters and one."""
        return max(self.rows - log(4.0 / 3.0), float(self.slot["depth"]) - log(4.0), 0.0)

    @property
    def devotion(self) -> float:
        """Nats for asking for one thing only, over and over; 0 where it is not known how others share their requests
        out."""
        if not self.null.main_strength:
            return 0.0
        k = float(self.slot["beats"])
        n = k + float(self.slot["beats_away"])
        return log_ratio(k, n, self.null.main_mean * n, EXTRACTOR, self.null.main_strength)

    @property
    def unsteadiness(self) -> float:
        """Coefficient of variation of the last gaps between its requests on its main route."""
        mean, square = float(self.slot["gap"]), float(self.slot["gap_square"])
        return sqrt(max(square - mean * mean, 0.0)) / mean if mean > 0 else inf

    @property
    def in_order(self) -> int:
        """Attempts in order: the longer of its present run of one step and its present stretch, where that is read to
        half and a quarter of the attempts lay next to its edge: who looks through two galleries jumps about in them.
        A quarter, for rows of one second come partition by partition: of four reads a second over three partitions 29 %
        lie there."""
        advances = 4 * int(self.slot["advances"]) >= int(self.slot["inside"])
        return max(int(self.slot["run"]), int(self.slot["inside"]) if self.density >= 0.5 and advances else 0)

    @property
    def density(self) -> float:
        """Share of the ids in its present stretch that it has tried."""
        return min(float(self.slot["inside"]) / (float(self.slot["high"] - self.slot["low"]) + 1.0), 1.0)
