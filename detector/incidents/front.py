"""Where a queue of ids has got to and how fast it moves: it selects whoever reads at its front, by whatever name."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import BLOCK_IDS
from detector.incidents.sweepers import SIGMAS, SLACK

NEWEST = 256
"""Points the line is laid through, the newest: 32,640 pairs (2 ms), and a median of slopes that a quarter of strays
leaves where it is (Theil-Sen; Sen 1968: breakdown at 29 %)."""

FEWEST = 16  # points of a front: its pace is then known to three quarters of itself, at three standard deviations

QUEUES_APART, STRIDES_APART = 4 * BLOCK_IDS, 8
"""Ids in a row that nobody reads between two queues: more than a worker that lags behind by a few blocks leaves, and
than lie between two points of one queue where those are thinned, eight times over."""

NORMAL = 1.4826  # standard deviations in a median absolute deviation, of a normal distribution

PACE_SIGMAS = 3.0
UNSTEADY = 0.1
"""Share of its pace by which a front may be off later, at least: a story is told again when it has grown by a tenth."""

SECOND_US = 1e6


@dataclass(frozen=True)
class Front:
    """A front of ids that moves in log time.

    Attributes:
        at_us: log time it was seen at last.
        number: the id it had reached then.
        per_second: ids it moves a second; negative = downwards.
        within: ids to either side of it at that time.
        widening: further ids to either side for each second before or after.
    """

    at_us: int
    number: int
    per_second: float
    within: int
    widening: float

    def covers(self, time_us: npt.NDArray[np.int64], number: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which ids lie at the front at these log times; a negative number is no id."""
        low, high = self.between(time_us)
        return np.asarray((number >= 0) & (number >= low) & (number <= high))

    def between(self, time_us: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The smallest and the largest id at the front at these log times (float64)."""
        seconds = (time_us - self.at_us) / SECOND_US
        middle = self.number + self.per_second * seconds
        away = self.within + self.widening * np.abs(seconds)
        return middle - away, middle + away


def fronts(points: npt.NDArray[Any], reads: int) -> tuple[Front, ...]:
    """The fronts that the newest points lie at, from the smallest id on: one for each queue that is worked through at a
    time; none where there are too few points, or they do not move.

    Args:
        points: ids over log time (dtype `trail.POINT`), in log order, evenly thinned.
        reads: how many reads they stand for.
    """
    newest = points[-NEWEST:]
    stride = reads / max(len(points), 1)
    found = [_front(part, len(part) * stride) for part in _queues(newest, QUEUES_APART + STRIDES_APART * stride)]
    return tuple(front for front in found if front is not None)


def _queues(points: npt.NDArray[Any], apart: float) -> list[npt.NDArray[Any]]:
    """The points of each queue, in log order: parted where no id is read for so many ids."""
    order = np.argsort(points["number"], kind="stable")
    queue = np.empty(len(points), np.int64)
    queue[order] = np.cumsum(np.diff(points["number"][order], prepend=points["number"][order][:1]) > apart)
    return [points[queue == number] for number in range(int(queue.max(initial=-1)) + 1)]


def _front(points: npt.NDArray[Any], reads: float) -> Front | None:
    """The front of one queue. Rounded as it is told, so that what is told is what was measured."""
    if len(points) < FEWEST:
        return None
    at_us = int(points["time_us"][-1])
    seconds = (points["time_us"] - at_us) / SECOND_US
    number = points["number"].astype(np.float64)
    one, other = np.triu_indices(len(points), 1)
    apart = seconds[other] - seconds[one]
    moved = (number[other] - number[one])[apart > 0] / apart[apart > 0]
    pace = round(float(np.median(moved)), 3) if len(moved) else 0.0
    if not pace:
        return None
    begin = number - pace * seconds
    middle = float(np.median(begin))
    spread = NORMAL * float(np.median(np.abs(begin - middle)))
    widening = abs(pace) * max(UNSTEADY, PACE_SIGMAS / sqrt(max(reads, 1.0)))
    return Front(at_us, round(middle), pace, round(SIGMAS * spread + SLACK), round(widening, 3))
