"""How many distinct records a day is too many, learnt from the clients of this log."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

FEWEST_CLIENTS = 50
"""Clients with a record read today before a tail is fitted: below it the upper tenth has fewer than five members."""

STEEPEST = 0.5
"""Smallest mean excess of ln D allowed: a tail as thin as D^-2. NASA's 1995 log shows .46, a data API 1.1 to 1.5; an
exponent below this would let a handful of equal clients declare everybody else impossible."""


TRIMMED = 0.01
"""Largest clients whose size the fit does not look at, at least one: whoever is weighed must not be his own excuse.
They count as known to be larger than the rest, as in the maximum likelihood estimate of a censored exponential."""


@dataclass(frozen=True)
class Tail:
    """A Pareto tail of distinct records a client and day.

    Attributes:
        begin: records at which the tail begins, the upper tenth.
        share: share of clients at or above it.
        excess: mean of ln(D / begin) above it (Hill's estimator): the inverse of the tail's exponent.
    """

    begin: float
    share: float
    excess: float

    def nats(self, distinct: float) -> float:
        """Minus the log of p, the share of ordinary clients with as many distinct records a day or more.

        The count only grows over a client's day and p speaks of whole days, so it may be looked at any time. Beside an
        independent e-value E, P(E / p >= t) <= 1 / t: minus ln p adds to ln E (Ignatiadis, Wang & Ramdas 2024).
        """
        if distinct <= self.begin:
            return 0.0
        return log(distinct / self.begin) / self.excess - log(self.share)

    def records_for(self, nats: float) -> float:
        """Distinct records a day at which `nats` reaches a value."""
        return float(self.begin * np.exp(max(0.0, (nats + log(self.share)) * self.excess)))


def fit_tail(distinct: npt.NDArray[np.float64]) -> Tail | None:
    """Fits the tail on one number a client; None with fewer than `FEWEST_CLIENTS` of them.

    Args:
        distinct: distinct records of clients with at least one today and no open incident.
    """
    if len(distinct) < FEWEST_CLIENTS:
        return None
    ordered = np.sort(distinct)
    begin = max(float(ordered[int(0.9 * len(ordered))]), 1.0)
    above = np.log(ordered[ordered >= begin] / begin)
    hidden = min(max(1, int(TRIMMED * len(ordered))), len(above) - 1)
    known = above[: len(above) - hidden]
    excess = float((known.sum() + hidden * known[-1]) / len(known))
    return Tail(begin, len(above) / len(ordered), max(excess, STEEPEST))
