"""Ids nobody may read: planted and retired records, found among a batch's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.evidence.outcome import READING
from detector.records.batch import Batch
from detector.records.route_names import names_route
from detector.records.routes import MAX_ROUTES
from detector.records.shape import METHODS

BLOOM_WORDS = 1024  # 65,536 bits, 8 kB: with a thousand ids one object in 66 is looked up in vain
LEAST_SLOTS = 64

FIND = Kernel(
    "detector.evidence.tripwire_kernel:find",
    [
        *[Array(code) for code in ("u8", "u4", "u1")],
        *[Array("u8"), Array("u8"), Array("i4")],
        Array("u1", 2),
        *[Array("i8"), Array("i4")],
    ],
)


@dataclass(frozen=True)
class Wire:
    """Some records nobody may read.

    Attributes:
        name: what the incident calls it.
        objects: keyed hashes of the ids, as rows carry them.
        route: the template they are read through (`records.templates`); empty = any.
    """

    name: str
    objects: tuple[int, ...]
    route: str = ""


class Tripwires:
    """All tripwires as one table: 8 kB of bits asked first, then open addressing, at most half full.

    Args:
        wires: the tripwires.
        route_name: the printable template of a route.
    """

    def __init__(self, wires: Sequence[Wire], route_name: Callable[[int], str]) -> None:
        self.wires = tuple(wires)
        self._route_name = route_name
        pairs = [(value, number) for number, wire in enumerate(self.wires) for value in wire.objects]
        slots = LEAST_SLOTS
        while slots < 2 * len(pairs):
            slots *= 2
        self._keys, self._wire = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        self._bits = np.zeros(BLOOM_WORDS, np.uint64)
        for value, number in pairs:
            self._put(value, number)
        self._applies = np.zeros((len(self.wires), MAX_ROUTES + 1), np.uint8)
        self._known = 0
        self._readable = np.array([m in READING for m in METHODS])

    def _put(self, value: int, number: int) -> None:
        bit = value >> 48
        self._bits[bit >> 6] |= np.uint64(1 << (bit & 63))
        place = value & (len(self._keys) - 1)
        while self._keys[place]:
            place = (place + 1) & (len(self._keys) - 1)
        self._keys[place], self._wire[place] = value, number

    def __bool__(self) -> bool:
        return bool(self.wires)

    def find(self, batch: Batch, routes: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Rows in which undeclared clients read such a record, the first of each client, and which tripwire it is.

        Args:
            batch: in log order, with routes assigned.
            routes: how many routes are known.
        """
        for route in range(self._known + 1, routes + 1):
            name = self._route_name(route)
            self._applies[:, route] = [not wire.route or names_route(wire.route, name) for wire in self.wires]
        self._known = routes
        rows, which = np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int32)
        n = FIND(
            *(batch.object, batch.route, batch.flags, self._bits, self._keys, self._wire, self._applies, rows, which)
        )
        rows, which = rows[:n], which[:n]
        at = batch.status[rows]
        answered = ((at == 0) | ((at >= 200) & (at < 300)) | (at == 304)) & self._readable[batch.method[rows]]
        rows, which = rows[answered], which[answered]
        _, first = np.unique(batch.client[rows], return_index=True)
        first.sort()
        return rows[first], which[first]
