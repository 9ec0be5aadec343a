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
        """Minus the log of the share of ordinary clients with as many records or more, made an e-value.

        The calibrator is ``1 / (2 sqrt p)`` (Vovk & Wang 2021, kappa = 1/2).
        """
        if distinct <= self.begin:
            return 0.0
        surprise = log(distinct / self.begin) / self.excess - log(self.share)
        return max(0.0, surprise / 2.0 - log(2.0))

    def records_for(self, nats: float) -> float:
        """Distinct records a day at which `nats` reaches a value."""
        surprise = 2.0 * (nats + log(2.0))
        return float(self.begin * np.exp(max(0.0, (surprise + log(self.share)) * self.excess)))


def fit_tail(distinct: npt.NDArray[np.float64]) -> Tail | None:
    """Fits the tail on one number a client; None with fewer than `FEWEST_CLIENTS` of them.

    Args:
        distinct: distinct records of clients with at least one today and no open incident.
    """
    if len(distinct) < FEWEST_CLIENTS:
        return None
    ordered = np.sort(distinct)
    begin = max(float(ordered[int(0.9 * len(ordered))]), 1.0)
    above = ordered[ordered >= begin]
    excess = float(np.mean(np.log(above / begin)))
    return Tail(begin, len(above) / len(ordered), max(excess, STEEPEST))
