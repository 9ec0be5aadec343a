"""What selects a sweep, however many addresses it comes from: its route, or the ids at its fronts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.attribution import ACTIONABLE_RECALL, ACTIONABLE_SHARE, NONE_SEEN, SAFE_SHARE
from detector.incidents.front import Front, fronts
from detector.incidents.ordinary import Ordinary

MOST_USUAL = 1 << 14  # ordinary requests of its route kept: the share at the front is then known to .4 % of them
AHEAD_US = 600_000_000
"""Log time for which a front is told. While it moves on, its story is told anew when it has grown by a tenth: within
ten minutes in its first hour and a half, and by then its pace is known to a tenth."""

STEPS = 60  # moments of that time at which it is looked at what the front would hit


@dataclass(frozen=True)
class Usual:
    """A route's ordinary requests before a sweep.

    Attributes:
        numbers: int64, sorted: the ids they asked for; -1 = none.
        sampled: ordinary requests of the sample they come from, of whatever route.
    """

    numbers: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sampled: float = 0.0

    @classmethod
    def before(cls, ordinary: Ordinary, route: int, before_us: int) -> Usual:
        """Those of a sample that lie before a log time."""
        sample = ordinary.rows(before_us)
        found = sample["number"][sample["route"] == route]
        kept = found[:MOST_USUAL]  # by rank: as even a sample as the whole
        return cls(np.sort(kept), len(sample) * len(kept) / len(found) if len(found) else float(len(sample)))

    def share(self, hits: float) -> float:
        """So many of them, as a share of all ordinary requests; 1 where nothing is known."""
        return min((hits or NONE_SEEN) / self.sampled, 1.0) if self.sampled else 1.0


@dataclass(frozen=True)
class SweepRule:
    """A conjunction that selects a sweep, beside its route.

    Attributes:
        fronts: the ids it reads at a time, those of any; none = the route alone.
        recall: share of its last reads that it selects.
        benign_share: share of all ordinary requests that it selects.
    """

    fronts: tuple[Front, ...]
    recall: float
    benign_share: float

    @property
    def actionable(self) -> bool:
        """Whether somebody could act on it: it selects most of the sweep and next to nobody else."""
        return self.benign_share <= ACTIONABLE_SHARE and self.recall >= ACTIONABLE_RECALL


def sweep_rule(points: npt.NDArray[Any], reads: int, usual: Usual) -> SweepRule | None:
    """The shortest rule that hits next to nobody else: the route alone where hardly anybody uses it, else its fronts.

    Args:
        points: of the sweep (dtype `trail.POINT`), in log order, evenly thinned.
        reads: how many reads they stand for.
        usual: who else uses the route.

    None where the route is in use and no front can be seen.
    """
    whole = usual.share(len(usual.numbers))
    if whole <= SAFE_SHARE:
        return SweepRule((), 1.0, whole)
    found = fronts(points, reads)
    if not found:
        return None
    newest = points[len(points) // 2 :]
    covered = [front.covers(newest["time_us"], newest["number"]) for front in found]
    hits = sum(_hits(front, usual.numbers) for front in found)
    return SweepRule(found, float(np.mean(np.any(covered, axis=0))), min(usual.share(hits), whole))


def _hits(front: Front, numbers: npt.NDArray[np.int64]) -> float:
    """How many of these ids lie at a front, on average over the time it is told for."""
    low, high = front.between(front.at_us + np.arange(STEPS) * (AHEAD_US // STEPS))
    inside = np.searchsorted(numbers, high, side="right") - np.searchsorted(numbers, np.maximum(low, 0.0))
    return float(inside.mean())
