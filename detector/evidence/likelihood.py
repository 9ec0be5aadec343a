"""Beta-binomial likelihood ratios: how much more likely an extractor's counts are than an ordinary client's."""

from __future__ import annotations

from math import exp, lgamma, log
from typing import Any

import numpy as np
import numpy.typing as npt

EXTRACTOR = ((17.0, 3.0), (20.0, 0.5))
"""The alternative: half the extractors succeed at .85 on average, half at .98 (shape of the simulated crawlers). The
second half keeps the evidence growing where the first alone would saturate at (b0 - 3) ln n."""

GUESSER = ((5.0, 3.0), (20.0, 0.5))
"""The same for misses: key guessing was published with 32 % to 98 % of misses."""

PRIOR_STRENGTH = 4.0
"""a0 + b0 of the null while fewer than 200 clients have been seen: over-dispersion rho = 1 / (1 + 4) = .2, wider than
the .15 to .17 measured on a public portal's record pages."""

FEWEST_CLIENTS_FOR_FIT = 200
"""A fit of rho on 200 clients had 1.1 times the nominal tail, one on 60 had 7 times (simulation)."""


def log_beta(a: float, b: float) -> float:
    """Natural logarithm of the beta function."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_ratio(
    k: float, n: float, expected: float, alternative: tuple[tuple[float, float], ...], strength: float = PRIOR_STRENGTH
) -> float:
    """Log likelihood ratio in nats of ``k`` successes in ``n`` trials, alternative against null.

    The null is Beta-binomial with mean ``expected / n`` (``expected`` is the sum over the trials of what others show on
    the same route at the same time) and ``a0 + b0 = strength``; the alternative an even mixture of Beta-binomials. If a
    client's own probability is a draw from the null, ``exp`` of this is a martingale and exceeds ``1 / alpha`` ever
    with probability at most ``alpha`` (Ville's inequality).
    """
    if n <= 0:
        return 0.0
    mean = min(max(expected / n, 1e-3), 1.0 - 1e-3)
    a0, b0 = mean * strength, (1.0 - mean) * strength
    null = log_beta(a0 + k, b0 + n - k) - log_beta(a0, b0)
    terms = [log_beta(a + k, b + n - k) - log_beta(a, b) for a, b in alternative]
    top = max(terms)
    mixed = top + log(sum(exp(t - top) for t in terms) / len(terms))
    return mixed - null


def hedged(nats: float) -> float:
    """The log of the mean of an e-value and of 1, which is an e-value, too: it costs ``ln 2`` where there is evidence
    and keeps what speaks against it from hiding what another statistic says."""
    return max(nats, 0.0) + log((1.0 + exp(-abs(nats))) / 2.0)


def fit_strength(k: npt.NDArray[Any], n: npt.NDArray[Any]) -> float:
    """``a0 + b0`` of a Beta-binomial from many clients' counts, by moments; its lower bound (95 %), at least 1.

    Args:
        k, n: successes and trials, one entry a client; clients with fewer than two trials are left out.

    Under `FEWEST_CLIENTS_FOR_FIT` clients the prior's strength. The bound takes the variance of the pair-agreement
    estimator over clients as its error.
    """
    enough = n >= 2
    a, b = k[enough].astype(np.float64), n[enough].astype(np.float64)
    if len(a) < FEWEST_CLIENTS_FOR_FIT:
        return PRIOR_STRENGTH
    mean = float(np.mean(a / b))
    spread = mean * (1.0 - mean)
    if spread <= 0:
        return PRIOR_STRENGTH
    both = (a * (a - 1)) / (b * (b - 1))  # probability that two of a client's trials both succeed
    error = float(np.std(both, ddof=1)) / len(both) ** 0.5
    rho = min(max((float(np.mean(both)) - mean**2) / spread, 1e-3), 0.9)
    upper = min(rho + 1.645 * error / spread, 0.9)
    return float(max(1.0 / upper - 1.0, 1.0))
