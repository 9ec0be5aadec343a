"""The tail of distinct records a day."""

from __future__ import annotations

import numpy as np

from detector.evidence.volume import FEWEST_CLIENTS, fit_tail


def test_tail_of_a_pareto_population_is_found() -> None:
    """Hill's estimator finds the exponent of a Pareto tail within a tenth."""
    rng = np.random.default_rng(1)
    tail = fit_tail(1.0 + rng.pareto(1.2, 20_000))
    assert tail is not None
    assert abs(tail.excess - 1 / 1.2) < 0.1 / 1.2


def test_few_clients_have_no_tail() -> None:
    """Below the least number of clients nothing is fitted."""
    assert fit_tail(np.ones(FEWEST_CLIENTS - 1)) is None


def test_evidence_is_a_bet_with_fair_odds() -> None:
    """The mean of exp(nats) over ordinary clients is at most about one."""
    rng = np.random.default_rng(2)
    population = 1.0 + rng.pareto(1.5, 50_000)
    tail = fit_tail(population)
    assert tail is not None
    above = population[population > tail.begin]
    bets = np.exp(np.array([tail.nats(x) for x in above[:20_000]]))
    capped = np.minimum(bets, 100)  # the mean of the calibrator has no variance; its bulk shows the odds
    assert capped.mean() * len(above) / len(population) < 1.0


def test_records_for_is_the_inverse() -> None:
    """The floor printed for a number of nats reaches just that many."""
    tail = fit_tail(1.0 + np.random.default_rng(3).pareto(1.5, 5_000))
    assert tail is not None
    assert abs(tail.nats(tail.records_for(3.0)) - 3.0) < 1e-6
