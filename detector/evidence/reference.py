"""What was usual in the first week holds: what is learnt later may exceed it by one in a hundred a day, no more.

Whoever raises what all clients do slowly enough is part of what was learnt yesterday at every moment (Rubinstein et
al., ANTIDOTE, IMC 2009: the boiling frog). So each fitted number that shields an extractor when it grows has a ceiling:
its largest fit of a pinned week of log and, from then on, at most `CREEP` a day. What lies below its ceiling counts as
it is. How cold a route is in this hour has none: a back-fill or a hole in the log moves it for a day, and rightly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from detector.evidence.client import Habit, Null
from detector.evidence.constants import CREEP, DAY_US

WEEK_US = 7 * DAY_US
"""Every hour of a week once, so that the largest of them knows the weekend."""

LEVEL_NATS = log(1e4)
"""Where the amount of a tail is measured: what one ordinary client in 10,000 reads, the last of the levels at which
`detector evaluate` prints how tails hold."""

NOTED = CREEP**10
"""How far above its ceiling a fit is told of: ten days of the growth that is allowed."""

AMOUNTS = ("tail", "tail_tries", "tail_rows")
STRENGTHS = ("cold_strength", "miss_strength", "over_strength", "foreign_strength", "strength")
OF_SITE = (*AMOUNTS, *STRENGTHS[:4])
OF_HABIT = ("tail", "mean", "strength", "cold_strength", "unsigned", "strangers")
"""The numbers that are held, by their names in `Null` and `Habit`: how much clients read, how widely they differ, and
the shares of what they do."""

SITE = 0
"""The route whose ceilings are those of the whole site."""

CEILING = np.dtype([("route", "u4"), ("number", "S24"), ("since_us", "i8"), ("moved_us", "i8"), ("most", "f8")])

Fit = TypeVar("Fit", Null, Habit)


@dataclass
class Ceiling:
    """How far one number may grow.

    Attributes:
        since_us: log time of its first fit, with which its pinned week begins.
        moved_us: of its last.
        most: what it may be.
    """

    since_us: int
    moved_us: int
    most: float

    def hold(self, value: float, now_us: int) -> float:
        """Takes the value fitted now; returns what of it counts. A month without a fit allows what a day does."""
        days = min(now_us - self.moved_us, DAY_US) / DAY_US
        pinned = now_us - self.since_us < WEEK_US
        self.most = max(self.most, value if pinned else min(value, self.most * CREEP**days))
        self.moved_us = now_us
        return min(value, self.most)


@dataclass(frozen=True)
class Held:
    """A fit above its ceiling by more than `NOTED`.

    Attributes:
        route: where; `SITE` = everywhere.
        number: a name of `OF_SITE` or `OF_HABIT`.
        learnt, counts: what was fitted, and what of it counts: records a day, an over-dispersion, a share.
    """

    route: int
    number: str
    learnt: float
    counts: float


class Reference:
    """The ceilings of everything that is fitted from hour to hour."""

    def __init__(self) -> None:
        self._ceilings: dict[tuple[int, str], Ceiling] = {}
        self.held: list[Held] = []
        """What the last fit was held back in, by route."""

    def hold(self, null: Null, now_us: int, anew_us: int = 0) -> Null:
        """What counts of a null that has just been fitted.

        Args:
            null: of at least a day of log: before, everything still grows.
            now_us: log time.
            anew_us: weeks that were pinned before this moment count no more, once it has come; the user's.
        """
        if anew_us <= now_us:
            self._ceilings = {key: c for key, c in self._ceilings.items() if c.since_us >= anew_us}
        self.held = []
        habits = {route: self._hold(habit, route, OF_HABIT, now_us) for route, habit in sorted(null.habits.items())}
        return replace(self._hold(null, SITE, OF_SITE, now_us), habits=habits)

    def _hold(self, fit: Fit, route: int, names: tuple[str, ...], now_us: int) -> Fit:
        changed: dict[str, Any] = {}
        for name in names:
            learnt = _grown(fit, name)
            if learnt is None:
                continue
            ceiling = self._ceilings.setdefault((route, name), Ceiling(now_us, now_us, 0.0))
            counts = ceiling.hold(learnt, now_us)
            if counts < learnt:
                changed[name] = _lowered(fit, name, counts)
            if counts * NOTED < learnt:
                self.held.append(Held(route, name, learnt, counts))
        return replace(fit, **changed)

    def save(self) -> npt.NDArray[Any]:
        """The ceilings, a row each (dtype CEILING), ordered by route and number."""
        rows = [
            (route, name.encode(), c.since_us, c.moved_us, c.most)
            for (route, name), c in sorted(self._ceilings.items())
        ]
        return np.array(rows, CEILING)

    def load(self, rows: Iterable[Any]) -> None:
        """Takes back what `save` gave; a version without ceilings gives none."""
        names = {*OF_SITE, *OF_HABIT}
        for row in rows:
            name = bytes(row["number"]).decode("ascii")
            if name in names:
                ceiling = Ceiling(int(row["since_us"]), int(row["moved_us"]), float(row["most"]))
                self._ceilings[int(row["route"]), name] = ceiling


def _grown(fit: Null | Habit, name: str) -> float | None:
    """A number as something that shields whoever hides in it when it grows; None where it is not known."""
    value: Any = getattr(fit, name)
    if name in AMOUNTS:
        return float(value.records_for(LEVEL_NATS)) if value else None
    if name in STRENGTHS:
        return float(1.0 / (1.0 + value))
    return float(value) if value < 1.0 else None


def _lowered(fit: Null | Habit, name: str, counts: float) -> Any:
    """The number itself where no more than this counts of it: of a tail, one that begins earlier."""
    value = getattr(fit, name)
    if name in AMOUNTS:
        return replace(value, begin=value.begin * counts / value.records_for(LEVEL_NATS))
    return 1.0 / counts - 1.0 if name in STRENGTHS else counts
