"""Bounds of a rate from a count: how many false incidents a day may be behind the few that were seen."""

from __future__ import annotations

from math import exp, sqrt

_STEPS = 60  # halvings: far below any figure printed


def upper_bound(count: int, confidence: float = 0.95) -> float:
    """The largest Poisson mean under which ``count`` or fewer still come with probability ``1 - confidence``.

    Exact and one-sided (Garwood 1936): 3.0 where nothing was seen.
    """
    low, high = 0.0, count + 10.0 * sqrt(count + 1.0) + 10.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(count, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    term = total = exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return total
