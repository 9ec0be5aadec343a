"""Who was seen when, as bits: a ring of Bloom filters, one for each span of log time.

Persons are not listed, so the memory is fixed. A filter errs one way only: somebody may be taken for seen who was not,
never the other way round, so nobody is wrongly said to have been away (Bloom 1970; two hashes stand for any number,
Kirsch and Mitzenmacher 2006). A bit set twice is a bit set, so neither the cuts of batches nor repeats change anything.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import SnapshotVersion
from detector.packing import Arrays

PROBES = 3
"""Bits a person: at eight bits of filter each, three in a hundred are taken for seen who were not (Bloom's formula)."""

ADD = Kernel(
    "detector.evidence.seen_kernel:add",
    [
        *(Array("u1", 2), Array("i8")),  # filters, and which span each is of
        *(Array("u8"), Array("i8")),  # persons, and when each was seen
        *(Scalar("i8"), Scalar("u8"), Scalar("i8")),  # length of a span, bits of a filter less one, bits a person
    ],
    returns="",
)


class Seen:
    """Filters of the last spans of log time.

    Args:
        span_us: log time one filter covers.
        spans: filters kept.
        bits: of each filter, a power of two; memory is ``spans * bits / 8`` bytes.
    """

    def __init__(self, span_us: int, spans: int, bits: int) -> None:
        self._span_us = span_us
        self._mask = np.uint64(bits - 1)
        self._rows = np.zeros((spans, bits >> 3), np.uint8)
        self._held = np.full(spans, -1, np.int64)  # which span each row is of

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self._rows.nbytes

    def add(self, person: npt.NDArray[np.uint64], time_us: npt.NDArray[np.int64]) -> None:
        """Persons were seen at these moments; what is older than the ring is left out.

        Args:
            person: uint64 (n,), keyed hashes; 0 = nobody.
            time_us: int64 (n,), of each.
        """
        persons, moments = np.ascontiguousarray(person), np.ascontiguousarray(time_us)
        ADD(self._rows, self._held, persons, moments, self._span_us, int(self._mask), PROBES)

    def __call__(
        self, person: npt.NDArray[np.uint64], time_us: npt.NDArray[np.int64], back: int
    ) -> npt.NDArray[np.bool_]:
        """Whether persons were seen in the span a moment lies in, or in one of those before it.

        Args:
            person: uint64 (n,).
            time_us: int64 (n,), the moment asked about.
            back: how many spans before that one.
        """
        found = np.zeros(len(person), np.bool_)
        span = time_us // self._span_us
        place = self._places(person)
        bit = np.uint8(1) << (place & 7).astype(np.uint8)
        for row, held in zip(self._rows, self._held.tolist(), strict=True):
            near = np.flatnonzero((held <= span) & (span - held <= back)) if held >= 0 else ()
            if len(near):
                found[near] |= (row[place[near] >> 3] & bit[near] != 0).all(axis=1)
        return found

    def _places(self, person: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """int64 (n, PROBES): the bits of each; hashes are keyed, so nobody can aim."""
        step = person >> np.uint64(32) | np.uint64(1)
        probe = np.arange(PROBES, dtype=np.uint64)
        found: npt.NDArray[np.int64] = ((person[:, None] + probe * step[:, None]) & self._mask).astype(np.int64)
        return found

    def save(self) -> dict[str, npt.NDArray[np.int64] | npt.NDArray[np.uint8]]:
        """A copy of the filters in use, and of which spans they are."""
        used = self._held >= 0
        return {"rows": self._rows[used], "held": self._held.copy(), "span": np.array([self._span_us], np.int64)}

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotVersion: filters have another size, or other spans.
        """
        used = arrays["held"] >= 0
        if int(arrays["span"][0]) != self._span_us:
            raise SnapshotVersion("snapshot: persons count as dormant after another time")
        if len(used) != len(self._held) or arrays["rows"].shape != (int(used.sum()), self._rows.shape[1]):
            raise SnapshotVersion("snapshot: its filters of persons seen have another size")
        self._held[:] = arrays["held"]
        self._rows[:] = 0
        self._rows[used] = arrays["rows"]
