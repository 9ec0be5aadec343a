"""The last record reads of the whole log: what an incident looks back on when it is raised."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.judge import COLD, OWN, READ, Judged
from detector.records.batch import NAME_BYTES, Batch

READS = np.dtype(
    [
        ("time_us", "i8"),
        ("client", "u8"),
        ("object", "u8"),
        ("number", "i8"),
        ("agent", "u8"),
        ("position", "i8"),
        ("bytes_out", "i8"),
        ("route", "u4"),
        ("network", "u4"),
        ("slot", "i4"),
        ("rows", "i4"),
        ("status", "u2"),
        ("origin", "u2"),
        ("requests", "u1"),
        ("kind", "u1"),
        ("cold", "?"),
        ("own", "?"),
        ("name", "u1", NAME_BYTES),
    ]
)


def reads_of(batch: Batch, judged: Judged, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The named rows of a judged batch as records of dtype READS."""
    reads = np.empty(len(rows), READS)
    for column in READS.names or ():
        if column in ("cold", "own", "slot"):
            continue
        reads[column] = getattr(batch, column)[rows]
    reads["slot"] = judged.slot[rows]
    reads["cold"] = (judged.flags[rows] & COLD) != 0
    reads["own"] = (judged.flags[rows] & OWN) != 0
    return reads


class Recent:
    """A ring of the last record reads, in log order.

    Args:
        capacity: reads kept; 2^18 (45 MB) is the last 90 s at 3,000 record reads a second, hours on an ordinary API.
    """

    def __init__(self, capacity: int = 1 << 18) -> None:
        self._ring = np.zeros(capacity, READS)
        self._written = 0

    def add(self, batch: Batch, judged: Judged) -> None:
        """Appends the record reads among the rows just judged."""
        first = judged.first
        rows = np.flatnonzero(judged.flags[first : judged.last] & READ) + first
        capacity = len(self._ring)
        for at in range(0, len(rows), capacity):
            part = rows[at : at + capacity]
            places = (self._written + np.arange(len(part))) % capacity
            self._ring[places] = reads_of(batch, judged, part)
            self._written += len(part)

    def _ordered(self, field: str) -> npt.NDArray[Any]:
        return self._ring[field][: min(self._written, len(self._ring))]

    def of_client(self, client: int, since_us: int) -> npt.NDArray[Any]:
        """The reads of one client since a time, in log order."""
        mask = (self._ordered("client") == np.uint64(client)) & (self._ordered("time_us") >= since_us)
        return self._in_order(mask)

    def of_route(self, route: int, since_us: int) -> npt.NDArray[Any]:
        """The reads on one route since a time, in log order."""
        mask = (self._ordered("route") == route) & (self._ordered("time_us") >= since_us)
        return self._in_order(mask)

    def _in_order(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        found = np.flatnonzero(mask)
        age = (found - self._written) % len(self._ring)  # the oldest slot is the next to be written
        return self._ring[found[np.argsort(age, kind="stable")]]
