"""Where a queue of ids has got to and how fast it moves: it selects whoever reads at its front, by whatever name."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.sweepers import SIGMAS, SLACK

NEWEST = 256
"""Points the line is laid through, the newest: 32,640 pairs (2 ms), and a median of slopes that a quarter of strays
leaves where it is (Theil-Sen; Sen 1968: breakdown at 29 %)."""

FEWEST = 16
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


def front(points: npt.NDArray[Any], reads: int) -> Front | None:
    """The front that the newest points lie at; None where there are too few, or they do not move.

    Args:
        points: ids over log time (dtype `trail.POINT`), in log order, evenly thinned.
        reads: how many reads they stand for.

    Rounded as it is told, so that what is told is what was measured.
    """
    newest = points[-NEWEST:]
    if len(newest) < FEWEST:
        return None
    at_us = int(newest["time_us"][-1])
    seconds = (newest["time_us"] - at_us) / SECOND_US
    number = newest["number"].astype(np.float64)
    one, other = np.triu_indices(len(newest), 1)
    apart = seconds[other] - seconds[one]
    moved = (number[other] - number[one])[apart > 0] / apart[apart > 0]
    pace = round(float(np.median(moved)), 3) if len(moved) else 0.0
    if not pace:
        return None
    begin = number - pace * seconds
    middle = float(np.median(begin))
    spread = NORMAL * float(np.median(np.abs(begin - middle)))
    seen = max(reads * len(newest) / len(points), 1.0)
    widening = abs(pace) * max(UNSTEADY, PACE_SIGMAS / sqrt(seen))
    return Front(at_us, round(middle), pace, round(SIGMAS * spread + SLACK), round(widening, 3))
