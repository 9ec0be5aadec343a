"""A sample of ordinary requests: what a rule would hit beside those it is meant for.

The rows with the lowest hashes of their place in the log, of the running day and of the one before. Which rows those
are depends on the log alone, so the sample is the same whatever the batches, and samples of two processes merge by
keeping the lowest of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import SnapshotDamaged
from detector.evidence.judge import COLD, READ, JudgedBatch, cohort_of
from detector.packing import Arrays, raw
from detector.records.batch import Batch

CAPACITY = 1 << 16
"""Rows kept of each day (3.1 MB): a share of one in a thousand is known to a quarter (99 %), and one of 4.6e-5 or more
is not missed (95 %)."""

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
ANY = (1 << 64) - 1
MINUTES = 1440  # of which it is known how many ordinary requests they had

OFFER = Kernel(
    "detector.evidence.ordinary_kernel:offer",
    [
        *(Scalar("i8"), Scalar("i8"), Scalar("u8")),
        *[Array(code) for code in ("i8", "u1", "u2", "i8", "i8", "i4")],
        *(Array("i8", 2), Array("i8"), Array("u8")),
    ],
)

ORDINARY = np.dtype(
    [
        ("rank", "u8"),
        ("time_us", "i8"),
        ("number", "i8"),  # the id asked for; -1 = none
        ("agent", "u8"),
        ("network", "u4"),
        ("route", "u4"),
        ("cohort", "u1"),
        ("read", "?"),
        ("cold", "?"),
    ]
)


class Ordinary:
    """Two generations of a day, the lowest ranks of each.

    Args:
        capacity: rows kept of each.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._day = 0
        self._minutes = np.full((MINUTES, 2), -1, np.int64)  # minute since 1970, requests in it
        self._before: npt.NDArray[Any] = np.zeros(0, ORDINARY)
        self._parts: list[npt.NDArray[Any]] = []
        self._held = 0
        self._pruned = True
        self._bound = ANY  # above the highest rank that can still be among the lowest
        self._waiting: tuple[Batch, JudgedBatch, int, int] | None = None

    def add(self, batch: Batch, judged: JudgedBatch, first: int, last: int) -> None:
        """Offers judged rows: first ones of requests, of nobody declared and of nobody in an incident. They are counted
        when somebody looks or at `write`: parts of a thousand rows cost as much as whole batches.

        Args:
            batch: the rows, in log order.
            judged: what was made of them.
            first, last: which rows: those that follow the last ones offered.
        """
        if self._waiting is not None and self._waiting[0] is batch:
            first = self._waiting[2]
        else:
            self.write()
        self._waiting = (batch, judged, first, last)

    def write(self) -> None:
        """Counts what has been offered so far, before its batch may be changed."""
        if self._waiting is not None:
            offered, self._waiting = self._waiting, None
            self._count(*offered)

    def _count(self, batch: Batch, judged: JudgedBatch, first: int, last: int) -> None:
        if first >= last:
            return
        days = batch.time_us[[first, last - 1]] // DAY_US
        if days[0] != days[1]:
            turn = int(np.searchsorted(batch.time_us[first:last], days[1] * DAY_US)) + first
            self._count(batch, judged, first, turn)
            first = turn
        self._turn(int(days[1]))
        rows, rank = np.empty(last - first, np.int64), np.empty(last - first, np.uint64)
        b, j = batch, judged
        columns = (b.time_us, b.requests, b.origin, b.position, j.slot, j.incident)
        found = OFFER(first, last, self._bound, *columns, self._minutes, rows, rank)
        if not found:
            return
        rows = rows[:found]
        new = np.empty(len(rows), ORDINARY)
        for column in ("time_us", "number", "agent", "network", "route"):
            new[column] = getattr(batch, column)[rows]
        new["rank"], new["cohort"] = rank[:found], cohort_of(judged.flags[rows])
        new["read"], new["cold"] = judged.flags[rows] & READ != 0, judged.flags[rows] & COLD != 0
        self._parts.append(new)
        self._pruned = False
        self._held += len(new)
        if self._held > 2 * self._capacity:
            self._thin()

    def requests(self, since_us: int, until_us: int) -> int:
        """Ordinary requests from one log time to another, by whole minutes of the last day."""
        self.write()
        minute, count = self._minutes.T
        between = (minute >= since_us // MINUTE_US) & (minute < -(-until_us // MINUTE_US))
        return int(count[between].sum())

    def since_us(self) -> int:
        """Log time of the first minute it has counted, of the last day; 0 before the first."""
        self.write()
        known = self._minutes[:, 0]
        return int(known[known >= 0].min(initial=1 << 32)) * MINUTE_US if np.any(known >= 0) else 0

    def _turn(self, day: int) -> None:
        if day > self._day:
            self._prune()
            self._before = self._parts[0] if self._parts and day == self._day + 1 else np.zeros(0, ORDINARY)
            self._parts, self._held, self._bound, self._day = [], 0, ANY, day

    def _prune(self) -> None:
        """Keeps the lowest ranks, in their order: what is left does not depend on the parts it came in."""
        if not self._parts or self._pruned:
            return
        if self._held > self._capacity:
            self._thin()
        rows = _joined(self._parts)
        self._parts, self._pruned = [raw(rows)[np.argsort(rows["rank"], kind="stable")].view(ORDINARY)], True
        if self._held >= self._capacity:
            self._bound = _above(self._parts[0]["rank"][-1])

    def _thin(self) -> None:
        """Lets go of all but the lowest ranks, in whatever order."""
        rows = _joined(self._parts)
        bound = np.partition(rows["rank"], self._capacity - 1)[self._capacity - 1]
        kept = raw(rows)[rows["rank"] <= bound].view(ORDINARY)
        self._parts, self._held, self._bound, self._pruned = [kept], len(kept), _above(bound), False

    def rows(self, before_us: int) -> npt.NDArray[Any]:
        """An even sample of both days (dtype ORDINARY) of rows before a log time, by rank."""
        return _joined([raw(part)[even].view(ORDINARY) for part, even in self._even(before_us)])

    def read_on(self, route: int, before_us: int, since_us: int) -> tuple[npt.NDArray[Any], int]:
        """What `rows` has of reads on one route, and how many of its rows are not older than a log time."""
        parts = self._even(before_us)
        reads = [raw(part)[even & (part["route"] == route) & part["read"]].view(ORDINARY) for part, even in parts]
        return _joined(reads), sum(int(np.count_nonzero(even & (part["time_us"] >= since_us))) for part, even in parts)

    def _even(self, before_us: int) -> list[tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]]:
        """Both days, and which of their rows make an even sample before a log time."""
        self.write()
        self._prune()
        parts = [self._before, *self._parts]
        full = [int(part["rank"][-1]) for part in parts if len(part) >= self._capacity]
        bound = np.uint64(min(full, default=ANY))
        return [(part, (part["rank"] <= bound) & (part["time_us"] < before_us)) for part in parts]

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of both days."""
        self.write()
        self._prune()
        today = self._parts[0].copy() if self._parts else np.zeros(0, ORDINARY)
        told = np.array([self._day, len(self._before), len(today)], np.int64)
        return {"before": self._before.copy(), "today": today, "day": told, "minutes": self._minutes.copy()}

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave, into an empty sample.

        Raises:
            SnapshotDamaged: it is no sample.
        """
        before, today = arrays["before"], arrays["today"]
        minutes = arrays["minutes"]
        lengths = before.dtype == today.dtype == ORDINARY and [len(before), len(today)] == arrays["day"][1:].tolist()
        if not lengths or minutes.shape != self._minutes.shape:
            raise SnapshotDamaged("snapshot: its sample of ordinary requests does not fit")
        self._before, self._day, self._minutes = before.copy(), int(arrays["day"][0]), minutes.astype(np.int64)
        self._parts, self._held, self._pruned = [today.copy()], len(today), False
        self._prune()


def _above(rank: np.uint64) -> int:
    """A bound that lets more of the same rank in: records of one message share theirs."""
    return min(int(rank) + 1, ANY)


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate([raw(part) for part in parts]).view(ORDINARY)
