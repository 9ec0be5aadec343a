"""Reads of declared parties while they wait for the ledger: what is judged of them, and where the rest of them stands.

Hardly any of them turns out to be wrong, so what a story needs of a read is copied only when it is, or when it has to
wait beyond a minute and the batch it came in is let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.consent import PENDING
from detector.evidence.judge import Judged
from detector.incidents.recent import READS, reads_of
from detector.records.batch import Batch

FOUND = np.dtype([("read", READS), *PENDING, ("since_s", "i8"), ("place", "i4")])
"""A read as it was judged: with the second in which its grant was given, and the class of data that decided it."""


class Portion:
    """Some reads in log order.

    Args:
        light: what is judged of them (dtype PENDING).
        reads: what a story needs of them (dtype READS); None = it stands in a batch.
        source: the batch, what judging said of it, and which of its rows these are.
    """

    def __init__(
        self,
        light: npt.NDArray[Any],
        reads: npt.NDArray[Any] | None = None,
        source: tuple[Batch, Judged, npt.NDArray[np.int64]] | None = None,
    ) -> None:
        self.light = light
        self._reads = reads
        self._source = source

    def __len__(self) -> int:
        return len(self.light)

    def reads(self, which: npt.NDArray[np.int64] | slice) -> npt.NDArray[Any]:
        """What a story needs of some of them (dtype READS); persons are counted by whom a read was taken to be of."""
        if self._source is not None:
            batch, judged, rows = self._source
            found = reads_of(batch, judged, rows[which])
        else:
            assert self._reads is not None
            found = self._reads[which].copy()
        found["subject"] = self.light["subject"][which]
        return found

    def behind(self, start: int) -> Portion:
        """Those from a place on, on their own."""
        if start == 0 and self._source is None:
            return self
        return Portion(self.light[start:].copy(), self.reads(slice(start, None)))


def columns(portions: Sequence[tuple[Portion, int]]) -> dict[str, npt.NDArray[Any]]:
    """The columns of PENDING over several portions, of each as many reads as said."""
    return {name: np.concatenate([p.light[name][:stop] for p, stop in portions]) for name, _ in PENDING}


def found(
    portions: Sequence[tuple[Portion, int]],
    which: npt.NDArray[np.int64],
    since_s: npt.NDArray[np.int64],
    place: npt.NDArray[np.int64],
) -> npt.NDArray[Any]:
    """Some of the reads that `columns` has, whole (dtype FOUND).

    Args:
        portions: as given to `columns`.
        which: places there, ascending.
        since_s, place: the verdict on all of them.
    """
    made = np.zeros(len(which), FOUND)
    start = done = 0
    for portion, stop in portions:
        end = int(np.searchsorted(which, start + stop))
        if end > done:
            own = which[done:end] - start
            made["read"][done:end] = portion.reads(own)
            for name, _ in PENDING:
                made[name][done:end] = portion.light[name][own]
        start, done = start + stop, end
    made["since_s"], made["place"] = since_s[which], place[which]
    return made


def pairs_of(party: npt.NDArray[Any], place: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """The parties and places that occur together, in order; both are small numbers."""
    if not len(party):
        return []
    width = int(place.max()) + 1
    found = np.flatnonzero(np.bincount(party.astype(np.int64) * width + place))
    return [divmod(pair, width) for pair in found.tolist()]
