"""The last record reads of the whole log: what an incident looks back on when it is raised."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import SnapshotDamaged
from detector.evidence.judge import COLD, LISTED, OWN, READ, Judged, cohort_of
from detector.packing import Arrays
from detector.records.batch import NAME_BYTES, Batch
from detector.records.shape import METHODS
from detector.state.layout import State
from detector.state.sketch import mix_each

IN_BODY = np.array([name in {"POST", "PUT", "PATCH"} for name in METHODS])
"""By method, whether what is asked for stands in the body, which a log does not show."""

READS = np.dtype(
    [
        ("time_us", "i8"),
        ("client", "u8"),
        ("object", "u8"),
        ("number", "i8"),
        ("agent", "u8"),
        ("position", "i8"),
        ("bytes_out", "i8"),
        ("subject", "u8"),
        ("route", "u4"),
        ("network", "u4"),
        ("slot", "i4"),
        ("rows", "i4"),
        ("omitted", "u4"),
        ("status", "u2"),
        ("origin", "u2"),
        ("requests", "u1"),
        ("kind", "u1"),
        ("cold", "?"),
        ("own", "?"),
        ("cohort", "u1"),
        ("listed", "?"),
        ("name", "u1", NAME_BYTES),
    ]
)


def reads_of(batch: Batch, judged: Judged, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The named rows of a judged batch as records of dtype READS."""
    reads = np.empty(len(rows), READS)
    for column in READS.names or ():
        if column in ("object", "cold", "own", "slot", "cohort", "listed"):
            continue
        reads[column] = getattr(batch, column)[rows]
    reads["slot"] = judged.slot[rows]
    reads["cold"] = (judged.flags[rows] & COLD) != 0
    reads["own"] = (judged.flags[rows] & OWN) != 0
    reads["cohort"] = cohort_of(judged.flags[rows])
    reads["listed"] = (judged.flags[rows] & LISTED) != 0
    reads["object"] = _objects(batch, rows, reads["listed"])
    return reads


def _objects(batch: Batch, rows: npt.NDArray[np.int64], listed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """What rows read. A list that names nothing is the same list each time it is asked for; but where the question
    stands in the body (a batch of numbers), each answer is one of its own, known by where its line stands."""
    found: npt.NDArray[np.uint64] = batch.object[rows]
    at = np.flatnonzero(listed & (found == 0))
    at = at[IN_BODY[batch.method[rows[at]]]]
    if len(at):
        line, origin = batch.position[rows[at]].astype(np.uint64), batch.origin[rows[at]].astype(np.uint64)
        found[at] = mix_each(line, origin + np.uint64(1)) | np.uint64(1)
    return found


class Recent:
    """A ring of the last record reads, in log order, as columns.

    Args:
        state: the tables, for names: the ring itself holds none.
        capacity: reads kept; 2^18 (20 MB) is the last 90 s at 3,000 record reads a second, hours on an ordinary API.
    """

    def __init__(self, state: State, capacity: int = 1 << 18) -> None:
        self._state = state
        self._columns = {name: np.zeros(capacity, READS[name]) for name in READS.names or () if name != "name"}
        self._capacity = capacity
        self._written = 0
        self._batch: Batch | None = None  # whose rows below are not written yet
        self._judged: Judged | None = None  # the last part of it
        self._first = 0

    def add(self, batch: Batch, judged: Judged) -> None:
        """Appends the record reads and large answers among the rows just judged; written when somebody looks or at
        `write`: parts of a thousand rows cost as much as whole batches."""
        if batch is not self._batch or self._judged is None or judged.first != self._judged.last:
            self.write()
            self._batch, self._first = batch, judged.first
        self._judged = judged  # of one batch all have the same columns

    def write(self) -> None:
        """Writes what has been added so far, before its batch may be changed."""
        if self._batch is None or self._judged is None:
            return
        batch, judged = self._batch, self._judged
        self._batch, self._judged = None, None
        rows = np.flatnonzero(judged.flags[self._first : judged.last] & (READ | LISTED)) + self._first
        while len(rows):
            at = self._written % self._capacity
            part, rows = rows[: self._capacity - at], rows[self._capacity - at :]
            self._put(slice(at, at + len(part)), part, batch, judged)
            self._written += len(part)

    def append(self, reads: npt.NDArray[Any]) -> None:
        """Appends reads another process has seen (dtype READS, in log order, with this table's slots and routes)."""
        self.write()
        for part in np.array_split(reads, -(-len(reads) // self._capacity) or 1):
            at = (self._written + np.arange(len(part))) % self._capacity
            for name, column in self._columns.items():
                column[at] = part[name]
            self._written += len(part)

    def _put(self, place: slice, rows: npt.NDArray[np.int64], batch: Batch, judged: Judged) -> None:
        flags = judged.flags[rows]
        made = {
            "slot": judged.slot[rows],
            "cold": (flags & COLD) != 0,
            "own": (flags & OWN) != 0,
            "cohort": cohort_of(flags),
            "listed": (flags & LISTED) != 0,
        }
        made["object"] = _objects(batch, rows, made["listed"])
        for name, column in self._columns.items():
            if name in made:
                column[place] = made[name]
            else:  # without a mode numpy would write into a copy
                getattr(batch, name).take(rows, out=column[place], mode="clip")

    def _held(self, name: str) -> npt.NDArray[Any]:
        self.write()
        return self._columns[name][: min(self._written, self._capacity)]

    @property
    def since_us(self) -> int:
        """Log time back to which every read is held; 0 where that is all of them."""
        self.write()
        if self._written <= self._capacity:
            return 0
        return int(self._columns["time_us"][self._written % self._capacity])

    def of_client(self, client: int, since_us: int) -> npt.NDArray[Any]:
        """The reads of one client since a time (dtype READS), in log order."""
        return self._in_order((self._held("client") == np.uint64(client)) & (self._held("time_us") >= since_us))

    def of_clients(self, clients: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
        """The reads of several clients (dtype READS), in log order."""
        return self._in_order(np.isin(self._held("client"), clients))

    def of_route(self, route: int, since_us: int) -> npt.NDArray[Any]:
        """The reads on one route since a time (dtype READS), in log order."""
        return self._in_order((self._held("route") == route) & (self._held("time_us") >= since_us))

    def elsewhere(
        self, route: int, since_us: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
        """Moment, slot and client of the reads on other routes since a time, in no order."""
        mask = (self._held("route") != route) & (self._held("time_us") >= since_us)
        return self._held("time_us")[mask], self._held("slot")[mask], self._held("client")[mask]

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of the ring as far as it is filled, by column, and how many reads were ever written to it."""
        columns = {name: self._held(name).copy() for name in self._columns}
        return {**columns, "written": np.array([self._written], np.int64)}

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave, into an empty ring of the same capacity.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        self._written = int(arrays["written"][0])
        held = min(self._written, self._capacity)
        for name, column in self._columns.items():
            kept = arrays[name]
            if len(kept) != held or kept.dtype != column.dtype:
                raise SnapshotDamaged("snapshot: its ring of recent reads does not fit")
            column[:held] = kept

    def move(self, slots: npt.NDArray[np.int64]) -> None:
        """Client slots have got other numbers: by old number, the new one."""
        held = self._held("slot")
        held[:] = slots[held]

    def _in_order(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        found = np.flatnonzero(mask)
        age = (found - self._written) % self._capacity  # the oldest slot is the next to be written
        found = found[np.argsort(age, kind="stable")]
        reads = np.zeros(len(found), READS)
        for name, column in self._columns.items():
            reads[name] = column[found]
        held = self._state.clients["key"][reads["slot"]] == reads["client"]
        reads["name"][held] = self._state.names[reads["slot"][held]]
        return reads


def reads_here(
    reads: npt.NDArray[Any],
    keys: npt.NDArray[np.uint64],
    slots: npt.NDArray[np.int64],
    routes: npt.NDArray[np.uint32],
) -> npt.NDArray[Any]:
    """Reads of another process under this one's slots and routes; those of clients left out are left out."""
    order = np.argsort(keys)
    slot = slots[order][np.searchsorted(keys[order], reads["client"])]
    reads = reads[slot >= 0].copy()
    reads["slot"], reads["route"] = slot[slot >= 0], routes[reads["route"]]
    return reads
