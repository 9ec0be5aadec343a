"""Watches how parties use the grants they have: whom they read, and what for, beside what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Budget
from detector.detectors.usage import TESTS, Verdict, drift, long_gone, while_away
from detector.evidence.consent import DRIFTED, OF_DORMANT, WHILE_AWAY, person_of
from detector.evidence.policy import Policy
from detector.evidence.seen import Seen
from detector.evidence.usage import ABSENT, DORMANT, DRIFT, HOUR_US, Usage, Uses
from detector.incidents.consent_waiting import FOUND, Portion, found, pairs_of
from detector.packing import Arrays, adopted, under, within
from detector.records.batch import Batch
from detector.records.ledger import DECLINE, GRANT, VIEW
from detector.state.sketch import mix_each

MINUTE_US = 60_000_000
DAY_US = 24 * HOUR_US
AWAY_MINUTES = 10
"""Minutes without anything of their own before persons count as away (detection facts, 5.1 C7)."""

NEAR_MINUTES = 32
"""Minutes remembered: those ten, the ledger's fifteen of grace, and what lies between two ticks."""

NEAR_BITS, LATELY_BITS, TODAY_BITS = 1 << 20, 1 << 24, 1 << 22
"""Filters for 130,000 persons a minute, two million a third of `Policy.dormant_us`, half a million trials a day at
eight bits a person; with more, persons away are missed and nobody is accused. 15 MB in all."""

MOST_UNUSUAL = 1 << 16
"""Reads kept while suspicion grows (12 MB)."""

BITS = {ABSENT: WHILE_AWAY, DORMANT: OF_DORMANT, DRIFT: DRIFTED}
UNUSUAL = np.dtype([("found", FOUND), ("bit", "u4")])


class Convicted(NamedTuple):
    """A party that uses a class of data unlike itself and the others: what speaks against it, and the reads meant."""

    party: int
    place: int
    verdict: Verdict
    threshold: float
    reads: npt.NDArray[Any]
    bit: int


class UsageWatch:
    """Keeps what is usual, and tells what is not.

    Args:
        policy: the parties.
    """

    def __init__(self, policy: Policy) -> None:
        self._near = Seen(MINUTE_US, NEAR_MINUTES, NEAR_BITS)
        self._lately = Seen(max(policy.dormant_us // 3, DAY_US // 3), 5, LATELY_BITS)
        self._today = Seen(DAY_US, 2, TODAY_BITS)
        self._usage = Usage()
        self._unusual = np.zeros(0, UNUSUAL)
        self._since_us = 0
        self.policy = policy

    def see(self, batch: Batch, rows: npt.NDArray[np.int64]) -> None:
        """Persons have read what is theirs: rows of a batch, in log order."""
        if len(rows):
            self._meet(person_of(batch, rows), batch.time_us[rows])

    def hear(self, changes: npt.NDArray[Any]) -> None:
        """Persons were asked, or have answered (dtype `ledger.CHANGE`); a revocation may be anybody's, or an expiry."""
        said = changes[np.isin(changes["action"], (GRANT, VIEW, DECLINE))]
        if len(said):
            self._meet(said["subject"], np.minimum(said["time_us"], said["moment_us"]))

    def _meet(self, person: npt.NDArray[np.uint64], time_us: npt.NDArray[np.int64]) -> None:
        self._near.add(person, time_us)
        self._lately.add(person, time_us)

    def begin(self, now_us: int) -> None:
        """The first row of the log: from here on it is known who is there, before it only as the owner says it."""
        if self._since_us:
            return
        self._since_us = now_us
        if self.policy.last_seen is not None:
            person, time_us = self.policy.last_seen
            self._lately.add(person, np.minimum(time_us, now_us))  # seen later: not known to have been away

    def weigh(
        self,
        reads: dict[str, npt.NDArray[Any]],
        place: npt.NDArray[np.int64],
        due: Sequence[tuple[Portion, int]],
        now_us: int,
        budget: Budget,
    ) -> list[Convicted]:
        """Takes reads in and holds them against what is usual.

        Args:
            reads: columns of PENDING.
            place: the class of data each is told under.
            due: where they stand.
            now_us: log time.
            budget: false incidents allowed.
        """
        meant = np.flatnonzero(self.policy.watched[reads["party"]] & (reads["subject"] != 0))
        touched = pairs_of(reads["party"][meant], place[meant])
        rows = {(p, c): meant[(reads["party"][meant] == p) & (place[meant] == c)] for p, c in touched}
        for (p, c), own in rows.items():
            self._try(self._usage.of(p, c, int(reads["time_us"][own[0]])), reads, own, now_us)
        threshold = budget.partner_threshold(TESTS * len(self._usage))
        self._unusual = self._unusual[self._unusual["found"]["time_us"] > now_us - DAY_US]
        convicted = []
        for (p, c), own in rows.items():
            uses = self._usage.of(p, c, 0)
            for verdict in self._verdicts(p, c, uses, now_us):
                self._keep(verdict, uses, reads, own, (due, place))
                if verdict.nats >= threshold:
                    uses.mark(verdict.bit, now_us)
                    convicted.append(Convicted(p, c, verdict, threshold, self._taken(p, c, verdict), BITS[verdict.bit]))
        return convicted

    def _try(self, uses: Uses, reads: dict[str, npt.NDArray[Any]], own: npt.NDArray[np.int64], now_us: int) -> None:
        """Counts the persons who are read for the first time today; of very many a sample by their hashes."""
        if few := uses.thinned(now_us):
            own = own[reads["subject"][own] >> np.uint64(40) & np.uint64((1 << few) - 1) == 0]
        person, time_us = reads["subject"][own], reads["time_us"][own]
        pair = np.uint64(int(uses.past["party"][0]) << 8 | int(uses.past["place"][0]))
        key = mix_each(person, np.full(len(own), pair))
        first = np.sort(np.unique(mix_each(key, (time_us // DAY_US).astype(np.uint64)), return_index=True)[1])
        new = first[~self._today(key[first], time_us[first], 0)]
        self._today.add(key[new], time_us[new])
        person, time_us, purpose = person[new], time_us[new], reads["purpose"][own[new]]
        away = ~self._near(person, time_us, AWAY_MINUTES)
        known = self._knows(time_us)
        dormant = known & ~self._lately(person, time_us, 3)
        for hour in np.unique(time_us // HOUR_US).tolist():
            at = time_us // HOUR_US == hour
            uses.add(hour, away[at], known[at], dormant[at], purpose[at])

    def _knows(self, time_us: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        if self.policy.last_seen is not None:
            return np.ones(len(time_us), np.bool_)
        found: npt.NDArray[np.bool_] = time_us - self._since_us >= self.policy.dormant_us
        return found

    def _verdicts(self, party: int, place: int, uses: Uses, now_us: int) -> list[Verdict]:
        """What speaks against a party, most of it aside that says nothing."""
        others = self._usage.others(party)
        parties = self.policy.parties
        asking = [o for p, _, o in others if not parties[p].background]
        found = [
            None if parties[party].background else while_away(uses, asking, now_us),
            long_gone(uses, [o for _, _, o in others], now_us),
            drift(uses, [o for _, c, o in others if c == place], self._usage.everybody(), now_us),
        ]
        return [verdict for verdict in found if verdict is not None and verdict.nats > 0]

    def _keep(
        self,
        verdict: Verdict,
        uses: Uses,
        reads: dict[str, npt.NDArray[Any]],
        own: npt.NDArray[np.int64],
        source: tuple[Sequence[tuple[Portion, int]], npt.NDArray[np.int64]],
    ) -> None:
        """Remembers the reads a suspicion is about, all of them and not only the first of each person."""
        due, place = source
        if verdict.bit == DRIFT and verdict.more is not None:
            unlike = np.isin(uses.places(reads["purpose"][own]), verdict.more)
        else:
            seen, back = (self._near, AWAY_MINUTES) if verdict.bit == ABSENT else (self._lately, 3)
            unlike = ~seen(reads["subject"][own], reads["time_us"][own], back)
        at = own[unlike]
        made = np.zeros(len(at), UNUSUAL)
        made["found"], made["bit"] = found(due, at, np.zeros_like(place), place), verdict.bit
        self._unusual = np.concatenate([self._unusual, made])[-MOST_UNUSUAL:]

    def _taken(self, party: int, place: int, verdict: Verdict) -> npt.NDArray[Any]:
        """The reads meant, which are told and need not be kept."""
        row = self._unusual["found"]
        meant = (row["party"] == party) & (row["place"] == place) & (self._unusual["bit"] == verdict.bit)
        taken: npt.NDArray[Any] = row[meant]
        self._unusual = self._unusual[~meant]
        return taken

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        kept: dict[str, npt.NDArray[Any]] = {
            "unusual": self._unusual.copy(),
            "since": np.array([self._since_us], np.int64),
            **under("usage", self._usage.save()),
        }
        for name, seen in self._filters().items():
            kept |= under(name, seen.save())
        return kept

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave; nothing where a snapshot is older than this watch.

        Raises:
            SnapshotDamaged, SnapshotVersion: it does not fit.
        """
        if not arrays:
            return
        self._unusual = adopted(arrays["unusual"], UNUSUAL).copy()
        self._since_us = int(arrays["since"][0])
        self._usage.load(within("usage", arrays))
        for name, seen in self._filters().items():
            seen.load(within(name, arrays))

    def _filters(self) -> dict[str, Seen]:
        return {"near": self._near, "lately": self._lately, "today": self._today}
