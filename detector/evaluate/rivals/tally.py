"""Counts by key in one array: exact but for collisions of hashes, which only make a count larger."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.state.sketch import mix_each

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


class Tally:
    """Counts events a key within a window that is emptied as a whole.

    Args:
        bits: the table has 2^bits places; at a quarter full every fourth key shares its place.
        distinct: whether an item counts once a key and window.
    """

    def __init__(self, bits: int, distinct: bool) -> None:
        self._mask = np.uint64((1 << bits) - 1)
        self._counts = np.zeros(1 << bits, np.float64)
        self._seen = np.zeros(1 << (bits + 2), np.bool_) if distinct else None
        self._seen_mask = np.uint64((1 << (bits + 2)) - 1)

    def empty(self) -> None:
        """A new window begins."""
        self._counts[:] = 0
        if self._seen is not None:
            self._seen[:] = False

    def add(self, keys: Keys, items: Keys) -> Floats:
        """Counts events in log order; returns the count of each event's key up to and with it."""
        at = (keys & self._mask).astype(np.int64)
        counts = np.ones(len(at))
        if self._seen is not None:
            place = (mix_each(keys, items) & self._seen_mask).astype(np.int64)
            _, first = np.unique(place, return_index=True)
            fresh = first[~self._seen[place[first]]]
            self._seen[place[fresh]] = True
            counts = np.zeros(len(at))
            counts[fresh] = 1.0
        order = np.argsort(at, kind="stable")
        place, running = at[order], np.cumsum(counts[order])
        start = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]])[: len(place)])
        group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(place))))
        before = running[start] - counts[order][start]
        out = np.empty(len(at))
        out[order] = running - before[group] + self._counts[place]
        np.add.at(self._counts, at, counts)
        return out


class Bucket:
    """A leaky bucket a key.

    Args:
        bits: as in `Tally`.
        leak: events a second that drip away.
    """

    def __init__(self, bits: int, leak: float) -> None:
        self._mask = np.uint64((1 << bits) - 1)
        self._level = np.zeros(1 << bits, np.float64)
        self._last_us = np.zeros(1 << bits, np.int64)
        self._leak = leak / 1e6

    def add(self, keys: Keys, time_us: npt.NDArray[np.int64]) -> Floats:
        """Pours events in log order; returns the level after each."""
        at = (keys & self._mask).astype(np.int64)
        order = np.argsort(at, kind="stable")
        place, time = at[order], time_us[order]
        opens = np.concatenate([[True], place[1:] != place[:-1]])[: len(place)]
        group = np.cumsum(opens) - 1
        start = np.flatnonzero(opens)
        before, last = self._level[place[start]], self._last_us[place[start]]
        carried = np.maximum(before - self._leak * (time[start] - last), 0.0)
        rank = np.arange(len(place)) - start[group]
        # level_j = max over i <= j of (events from i to j, less what leaked since i); the first also carries the rest
        drift = rank - self._leak * (time - time[start][group])
        floor = drift.copy()
        floor[start] -= carried
        step = float(np.ptp(floor)) + 1.0 if len(floor) else 1.0
        lowest = np.minimum.accumulate(floor - group * step) + group * step  # restarts with every key
        level = drift - lowest + 1.0
        ends = np.concatenate([start[1:], [len(place)]]) - 1 if len(start) else start
        self._level[place[ends]], self._last_us[place[ends]] = level[ends], time[ends]
        out = np.empty(len(place))
        out[order] = level
        return out
