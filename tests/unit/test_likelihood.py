"""The likelihood ratios: their guarantee, their speed, and the fit of the null."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evidence.likelihood import EXTRACTOR, GUESSER, PRIOR_STRENGTH, fit_strength, log_ratio


def _records_until(threshold: float, mean: float, strength: float) -> int:
    return next(n for n in range(1, 5000) if log_ratio(n, n, mean * n, EXTRACTOR, strength) >= threshold)


def test_published_speed_is_met() -> None:
    """A reader of nothing but cold records is proven in about the published 40 and 49 reads."""
    assert _records_until(17.1, 0.15, 9.0) <= 45
    assert _records_until(17.1, 0.043, 1 / 0.15 - 1) <= 55


def test_guessing_is_fast() -> None:
    """A client that misses 97 of 100 times is proven within twenty tries at one in a million."""
    assert next(n for n in range(1, 100) if log_ratio(n, n, 0.03 * n, GUESSER, 1 / 0.05 - 1) >= 13.8) <= 20


def test_no_trials_say_nothing() -> None:
    """Without a trial there is no evidence either way."""
    assert log_ratio(0, 0, 0.0, EXTRACTOR) == 0.0


@pytest.mark.parametrize("mean", [0.05, 0.3, 0.6])
def test_ville_bound_holds_under_the_null(mean: float) -> None:
    """Clients drawn from the null exceed exp(x) at any time at most in a share exp(-x) of cases."""
    rng = np.random.default_rng(7)
    clients, reads = 4000, 200
    p = rng.beta(mean * PRIOR_STRENGTH, (1 - mean) * PRIOR_STRENGTH, clients)
    k = np.cumsum(rng.random((clients, reads)) < p[:, None], axis=1)
    checks = range(7, reads, 16)
    worst = np.array([max(log_ratio(row[n], n + 1, mean * (n + 1), EXTRACTOR) for n in checks) for row in k])
    for x in (2.0, 3.0, 4.0):
        bound = np.exp(-x)
        assert np.mean(worst >= x) <= bound + 3 * np.sqrt(bound / clients)


def test_fit_recovers_over_dispersion() -> None:
    """The fitted strength lies below the true one (a generous null), but not below a third of it."""
    rng = np.random.default_rng(3)
    true = 9.0
    p = rng.beta(0.15 * true, 0.85 * true, 3000)
    n = rng.integers(5, 40, 3000)
    k = rng.binomial(n, p)
    fitted = fit_strength(k, n)
    assert true / 3 <= fitted <= true * 1.1


def test_few_clients_keep_the_prior() -> None:
    """Under two hundred clients nothing is fitted."""
    assert fit_strength(np.ones(50), np.full(50, 3)) == PRIOR_STRENGTH
