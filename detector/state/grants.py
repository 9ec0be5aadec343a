"""The consent ledger in memory: who has allowed what to whom, and taken it back, as changes of 16 bytes.

A change is two words. The first is its key, a mix of person, party and class of data. The second says, from its top,
when (32 bits, seconds since 1970), under which scope (24 bits of its keyed hash, 0 = any), and what happened and how
(8 bits). All changes of a key are kept in their order of time, so it does not matter in which order they come, and a
read is held against what was so at its own second.

Words stand sorted by key, each at the place its key asks for or behind it: linear probing in order (Amble and Knuth,
1974), which finds what is not there as fast as what is. A table that is full grows by a sixth within its own memory.
At a load between .76 and .88 a change takes 18 to 21 bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import SnapshotDamaged

GRANT, REVOKE = 1, 0  # bit 0 of a change's code; above it stands how it was given
FULL = 0.88  # beyond, a look-up that finds nothing passes 35 places (Knuth 6.4: (1 + 1 / (1 - load)^2) / 2)
GROWTH = 1.15
LEAST = 1 << 10
SLACK = 4096  # places behind the last home: the longest run there has been in trials of 10 M keys had 450

_WORDS = Array("u8", 2)
PUT = Kernel(
    "detector.state.grants_kernel:put_all",
    [_WORDS, Scalar("i8"), Array("u8"), Array("u8"), Scalar("i8"), Array("i1")],
)
SPREAD = Kernel("detector.state.grants_kernel:spread", [_WORDS, Scalar("i8"), Scalar("i8")])


def info(time_s: npt.NDArray[Any], scope: npt.NDArray[np.uint64], code: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The second word of changes."""
    upper = np.clip(time_s, 0, (1 << 32) - 1).astype(np.uint64) << np.uint64(32)
    middle = (scope & np.uint64((1 << 24) - 1)) << np.uint64(8)
    found: npt.NDArray[np.uint64] = upper | middle | code.astype(np.uint64)
    return found


class Grants:
    """The table.

    Attributes:
        words: uint64 (places, 2).
        capacity: places keys are spread over; behind them stand `SLACK` more.
        changes: how many it holds.
    """

    def __init__(self, expected: int = 0) -> None:
        self._make(expected)

    def _make(self, expected: int) -> None:
        self.capacity = max(LEAST, int(expected / FULL) + 1)
        self.words: npt.NDArray[np.uint64] = np.zeros((self.capacity + SLACK, 2), np.uint64)
        self.changes = 0

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.words.nbytes

    def put(self, keys: npt.NDArray[np.uint64], infos: npt.NDArray[np.uint64]) -> npt.NDArray[np.int8]:
        """Takes changes in, in any order.

        Args:
            keys, infos: the two words of each.

        Returns:
            int8 (n,): 1 = a key's first, 0 = one more of a known key, -1 = known already.
        """
        said = np.zeros(len(keys), np.int8)
        done = 0
        while done < len(keys):
            room = int(self.capacity * FULL) - self.changes
            if room <= 0:
                self._grow()
                continue
            part = slice(done, min(done + room, len(keys)))
            reached = PUT(self.words, self.capacity, keys[: part.stop], infos[: part.stop], done, said)
            self.changes += int(np.count_nonzero(said[done:reached] >= 0))
            if reached < part.stop:
                self._grow()
            done = reached
        return said

    def _grow(self) -> None:
        end = len(self.words)
        while True:
            self.capacity = int(self.capacity * GROWTH) + 1
            self.words.resize((self.capacity + SLACK, 2), refcheck=False)
            held = SPREAD(self.words, end, self.capacity)
            if held >= 0:
                self.changes = held
                return
            end = len(self.words)  # a run longer than the slack: what has been dealt out stays in order

    def save(self) -> npt.NDArray[np.uint64]:
        """The changes, uint64 (n, 2), in the order of their keys."""
        held: npt.NDArray[np.uint64] = self.words[self.words[:, 0] != 0]
        return held

    def load(self, kept: npt.NDArray[Any]) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotDamaged: it is no ledger.
        """
        if kept.ndim != 2 or kept.shape[1] != 2 or kept.dtype != np.uint64:
            raise SnapshotDamaged("snapshot: its consent ledger cannot be read")
        self._make(len(kept))
        self.put(np.ascontiguousarray(kept[:, 0]), np.ascontiguousarray(kept[:, 1]))
