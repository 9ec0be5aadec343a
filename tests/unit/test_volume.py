"""The tail of distinct records a day."""

from __future__ import annotations

import numpy as np

from detector.evidence.volume import FEWEST_CLIENTS, fit_tail


def test_tail_of_a_pareto_population_is_found() -> None:
    """Hill's estimator finds the exponent of a Pareto tail within an eighth, although the largest are left out."""
    rng = np.random.default_rng(1)
    tail = fit_tail(1.0 + rng.pareto(1.2, 20_000))
    assert tail is not None
    assert abs(tail.excess - 1 / 1.2) < 0.15 / 1.2


def test_few_clients_have_no_tail() -> None:
    """Below the least number of clients nothing is fitted."""
    assert fit_tail(np.ones(FEWEST_CLIENTS - 1)) is None


def test_share_beyond_is_as_printed() -> None:
    """Of fresh clients from the same population, at most about exp(-x) reach x nats."""
    rng = np.random.default_rng(2)
    tail = fit_tail(1.0 + rng.pareto(1.5, 50_000))
    assert tail is not None
    nats = np.array([tail.nats(d) for d in 1.0 + rng.pareto(1.5, 200_000)])
    for x in (3.0, 5.0, 7.0):
        bound = np.exp(-x)
        assert np.mean(nats >= x) <= 1.25 * bound + 3 * np.sqrt(bound / 200_000)


def test_records_for_is_the_inverse() -> None:
    """The floor printed for a number of nats reaches just that many."""
    tail = fit_tail(1.0 + np.random.default_rng(3).pareto(1.5, 5_000))
    assert tail is not None
    assert abs(tail.nats(tail.records_for(3.0)) - 3.0) < 1e-6
