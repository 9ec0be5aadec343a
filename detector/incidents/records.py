"""Which records an incident has exposed, one by one: what a notice to the people concerned is written from.

The count is `exposure`'s; here stands what is behind it, as far as it fits: each distinct pair of record and client
with its first reading. Beyond `MOST` the records with the lowest hashes are kept: a sample that is the same whatever
the batches, and even, so that it tells how many there are.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.exposure import SIGMAS_99
from detector.incidents.incident import Estimate
from detector.packing import raw
from detector.state.sketch import mix_each

MOST = 1 << 20  # pairs kept one by one (46 MB)
ALL = (1 << 64) - 1

RECORD = np.dtype(
    [
        ("key", "u8"),  # of the object and its route, as in the table of objects; of a list, of its page
        ("client", "u8"),
        ("number", "i8"),  # the id as an integer, or -1
        ("time_us", "i8"),  # of the first reading
        ("route", "u4"),
        ("rows", "i4"),  # records behind it: 1, of a list as many as its largest answer held
    ]
)


class Records:
    """Distinct pairs of record and client.

    Args:
        most: pairs kept.

    Attributes:
        bound: records whose hash lies above are left out; `ALL` while every one is kept.
        texts: by key, ids that are no numbers, where they have been looked up (`engines.id_texts`); never in snapshots.
    """

    def __init__(self, most: int = MOST) -> None:
        self.bound = ALL
        self.texts: dict[int, str] = {}
        self._most = most
        self._settled: npt.NDArray[Any] = np.zeros(0, RECORD)
        self._new: list[npt.NDArray[Any]] = []
        self._waiting = 0

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        self.rows()
        return self.bound == ALL

    def add(self, reads: npt.NDArray[Any]) -> None:
        """Takes reads (dtype `recent.READS`); of each pair the earliest counts, in whatever order they come."""
        taken = np.empty(len(reads), RECORD)
        taken["key"] = mix_each(reads["object"], reads["route"].astype(np.uint64))
        for field in ("client", "number", "time_us", "route"):
            taken[field] = reads[field]
        taken["rows"] = np.where(reads["listed"], np.maximum(reads["rows"], 1), 1)
        if self.bound != ALL:
            taken = taken[_rank(taken["key"]) <= np.uint64(self.bound)]
        self._new.append(taken)
        self._waiting += len(taken)
        if self._waiting > max(4096, len(self._settled)):
            self.rows()

    def rows(self) -> npt.NDArray[Any]:
        """What is kept (dtype RECORD), by key and client."""
        if self._new:
            rows = np.concatenate([raw(self._settled), *map(raw, self._new)]).view(RECORD)
            self._new, self._waiting = [], 0
            self._settled = self._thinned(_distinct(rows))
        return self._settled

    def _thinned(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if len(rows) <= self._most:
            return rows
        rank = _rank(rows["key"])
        # readers of one record stay together: the bound is the highest rank at which all below it fit
        self.bound = int(np.partition(rank, self._most)[self._most]) - 1
        return np.asarray(raw(rows)[rank <= np.uint64(self.bound)].view(RECORD))

    def of(self, clients: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
        """What these clients have read (dtype RECORD)."""
        rows = self.rows()
        return np.asarray(rows[np.isin(rows["client"], clients)])

    def estimate(self, rows: npt.NDArray[Any]) -> Estimate:
        """How many distinct records some of the `rows` stand for, with a nominal 99 % interval: each was kept with the
        same chance, so their number is binomial."""
        seen = first_readings(rows)["rows"].astype(np.float64)
        share = self.bound / ALL
        error = 0.0 if share == 1.0 else SIGMAS_99 * sqrt(float(np.sum(seen**2)) * (1.0 - share)) / share
        total = float(seen.sum()) / share
        return Estimate(round(total), round(max(total - error, float(seen.sum()))), round(total + error))

    def save(self) -> npt.NDArray[Any]:
        """What is kept with what came since (dtype RECORD), repeats included: sorting is left for when it is asked."""
        return np.concatenate([raw(self._settled), *map(raw, self._new)]).view(RECORD)

    def load(self, rows: npt.NDArray[Any], bound: int) -> None:
        """Takes back what `save` gave."""
        self.bound, self._settled = bound or ALL, np.zeros(0, RECORD)
        self._new, self._waiting = [rows.copy()] if len(rows) else [], len(rows)

    def rename_routes(self, numbers: npt.NDArray[Any]) -> None:
        """Routes have got other numbers: by old number, the new one."""
        for rows in (self._settled, *self._new):
            rows["route"] = numbers[rows["route"]]


def first_readings(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each record once (dtype RECORD, by key): its first reading, and the most rows anybody got of it."""
    order = np.lexsort((rows["time_us"], rows["key"]))
    rows = raw(rows)[order].view(RECORD)
    return _merged(rows, np.flatnonzero(np.diff(rows["key"], prepend=~rows["key"][:1])))


def _distinct(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    order = np.lexsort((rows["time_us"], rows["client"], rows["key"]))  # who is named late is looked up later
    rows = raw(rows)[order].view(RECORD)
    new = np.diff(rows["key"], prepend=~rows["key"][:1]) != 0
    new |= np.diff(rows["client"], prepend=~rows["client"][:1]) != 0
    return _merged(rows, np.flatnonzero(new))


def _merged(rows: npt.NDArray[Any], first: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The first of each group of rows, with the group's largest answer."""
    kept = raw(rows)[first].view(RECORD)
    if len(first):
        kept["rows"] = np.maximum.reduceat(rows["rows"], first)
    return kept


def _rank(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return mix_each(keys, np.ones(1, np.uint64))
