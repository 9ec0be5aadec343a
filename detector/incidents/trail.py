"""What a case keeps beside the counts: when, by which means, which ids, where in the log.

All of it is a pure function of the reads in log order, whatever the portions they come in, and takes bounded memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.packing import raw
from detector.state.sketch import mix_each

POINTS = 500  # (time, id) points a case keeps: enough for a scatter plot, small enough for any report
SAMPLES = 10
POSITIONS = 10_000
MINUTES = 131_072  # 91 days
KINDS_KEPT = 10_000  # agents and networks told apart: whoever takes a new one for each request must not fill memory

SAMPLE = np.dtype(
    [
        ("time_us", "i8"),
        ("route", "i8"),
        ("number", "i8"),
        ("status", "i8"),
        ("bytes_out", "i8"),
        ("origin", "i8"),
        ("position", "i8"),
        ("client", "u8"),
        ("agent", "u8"),
        ("network", "u4"),
        ("rank", "u8"),
    ]
)
POINT = np.dtype([("time_us", "i8"), ("number", "i8")])
POSITION = np.dtype([("origin", "i8"), ("position", "i8")])


class Trail:
    """The trail of one incident.

    Attributes:
        minutes: record reads by log minute since 1970, of the first `MINUTES` minutes with any.
        hours: record reads by hour of the day, UTC.
        agents, networks: record reads by keyed hash, of the first `KINDS_KEPT`.
        points: dtype POINT, numbered reads, thinned evenly by doubling the stride whenever they exceed POINTS.
        positions: dtype POSITION, of the first reads.
        samples: dtype SAMPLE, the rows whose places in the log hash lowest: as even a choice as any, by rank.
        reads: record reads in all.
    """

    def __init__(self) -> None:
        self.minutes: Counter[int] = Counter()
        self.hours: Counter[int] = Counter()
        self.agents: Counter[int] = Counter()
        self.networks: Counter[int] = Counter()
        self.points: npt.NDArray[Any] = np.zeros(0, POINT)
        self.positions: npt.NDArray[Any] = np.zeros(0, POSITION)
        self.samples: npt.NDArray[Any] = np.zeros(0, SAMPLE)
        self.stride = 1
        self.numbered = 0
        self.reads = 0

    def add(self, reads: npt.NDArray[Any]) -> None:
        """Takes reads (dtype READS) in log order."""
        self.reads += len(reads)
        minute = reads["time_us"] // 60_000_000
        _tally(self.minutes, minute, MINUTES)
        _tally(self.hours, minute // 60 % 24, 24)
        _tally(self.agents, reads["agent"], KINDS_KEPT)
        _tally(self.networks, reads["network"], KINDS_KEPT)
        self.positions = _first(self.positions, reads, POSITIONS)
        self.samples = _lowest(self.samples, reads)
        self._thin(reads[reads["number"] >= 0])

    def _thin(self, numbered: npt.NDArray[Any]) -> None:
        chosen = numbered[-self.numbered % self.stride :: self.stride]
        self.numbered += len(numbered)
        self.points = _first(self.points, chosen, len(self.points) + len(chosen))
        while len(self.points) > POINTS:
            self.points = self.points[::2].copy()
            self.stride *= 2


def _first(kept: npt.NDArray[Any], reads: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """What is kept and the reads behind it in the same columns, as far as there is room."""
    reads = reads[: max(0, most - len(kept))]
    if not len(reads):
        return kept
    new = np.empty(len(reads), kept.dtype)
    for field in kept.dtype.names or ():
        new[field] = reads[field]
    return np.concatenate([raw(kept), raw(new)]).view(kept.dtype)


def _lowest(kept: npt.NDArray[Any], reads: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of what is kept and the reads behind it the `SAMPLES` of lowest rank; of equal ones, those that came first."""
    place = (reads["origin"].astype(np.uint64) << np.uint64(48)) | reads["position"].astype(np.uint64)
    rank = mix_each(place, np.ones(1, np.uint64))
    if len(kept) == SAMPLES:
        reads, rank = reads[rank < kept["rank"][-1]], rank[rank < kept["rank"][-1]]
    if not len(reads):
        return kept
    lowest = np.sort(np.argsort(rank, kind="stable")[:SAMPLES])
    new = np.empty(len(lowest), SAMPLE)
    for field in SAMPLE.names or ():
        new[field] = rank[lowest] if field == "rank" else reads[field][lowest]
    rows = np.concatenate([raw(kept), raw(new)]).view(SAMPLE)
    return np.asarray(raw(rows)[np.argsort(rows["rank"], kind="stable")[:SAMPLES]].view(SAMPLE))


def _tally(counter: Counter[int], values: npt.NDArray[Any], most: int) -> None:
    """Counts values in, of new ones those that came first."""
    keys, first, count = np.unique(values, return_index=True, return_counts=True)
    order = np.argsort(first)
    for key, n in zip(keys[order].tolist(), count[order].tolist(), strict=True):
        if key in counter or len(counter) < most:
            counter[key] += n
