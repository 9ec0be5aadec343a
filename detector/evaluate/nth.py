"""Counts of very many keys: the latest in a dictionary, the others in sorted columns of twelve bytes a key.

An hour of a large world asks on twenty million pairs of client and route; a dictionary of them takes gigabytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

RECENT = 1 << 20  # keys in the dictionary: a hundred megabytes

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


@dataclass
class Counter:
    """Which time it is that a key is seen.

    Args:
        recent: keys held in the dictionary before it is merged into the columns.
    """

    recent: int = RECENT
    _latest: dict[int, int] = field(default_factory=dict)
    _keys: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    _counts: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))

    def nth(self, keys: Keys) -> Numbers:
        """For each of these keys, in order, how often it has been seen with this time, over all calls."""
        found, place, count = np.unique(keys, return_inverse=True, return_counts=True)
        before = self._before(found)
        self._latest.update(zip(found.tolist(), (before + count).tolist(), strict=True))
        if len(self._latest) > self.recent:
            self._merge()
        order = np.argsort(place, kind="stable")
        nth = np.empty(len(keys), np.int64)
        nth[order] = np.arange(len(keys)) - np.repeat(np.cumsum(count) - count, count) + 1
        return nth + before[place]

    def _before(self, found: Keys) -> Numbers:
        before = np.zeros(len(found), np.int64)
        if len(self._keys):
            at = np.minimum(np.searchsorted(self._keys, found), len(self._keys) - 1)
            before = np.where(self._keys[at] == found, self._counts[at], 0).astype(np.int64)
        latest = np.array([self._latest.get(key, -1) for key in found.tolist()], np.int64)
        return np.where(latest >= 0, latest, before)

    def _merge(self) -> None:
        keys = np.concatenate([np.fromiter(self._latest, np.uint64, len(self._latest)), self._keys])
        counts = np.concatenate([np.fromiter(self._latest.values(), np.uint32, len(self._latest)), self._counts])
        self._keys, first = np.unique(keys, return_index=True)  # the dictionary's come first, and are the newer
        self._counts = counts[first]
        self._latest = {}
