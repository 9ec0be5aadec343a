"""Who is named of a campaign: the bar that keeps the promise of 99 in 100."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest

from detector.incidents.naming import MOST_ASKED, SURE, bar, some
from detector.state.cells import CROSSING


def test_bar_stays_where_nobody_else_would_be_named() -> None:
    """Where those who crossed before say nothing of the kind, or nobody did, odds of 99 to 1 are enough."""
    observed = np.full(50, 6.0)
    assert bar(observed, np.full(1000, 1.0), 0.01) == log(SURE)
    assert bar(np.zeros(0), np.zeros(0), 0.01) == log(SURE)


def test_bar_is_lifted_over_what_ordinary_clients_say() -> None:
    """Three hundred ordinary clients say 7 nats, a tenth of them is expected now: only who says more is named."""
    rng = np.random.default_rng(1)
    before = np.concatenate([rng.uniform(4.6, 7.0, 300), np.full(9700, -2.0)])
    observed = np.concatenate([rng.uniform(4.6, 7.0, 30), rng.uniform(8.0, 12.0, 60)])
    lifted = bar(observed, before, 0.1)
    named = observed >= lifted
    assert named.sum() >= 60
    assert np.count_nonzero(named[:30]) <= 1


def test_nobody_is_named_where_nothing_tells_them_apart() -> None:
    """As many as ever say as much: no bar keeps the promise."""
    said = np.random.default_rng(2).uniform(4.6, 9.0, 200)
    assert bar(said, said, 1.0) == inf


@pytest.mark.parametrize(
    ("campaign", "scale", "least"), [(400, 0.1, 30), (400, 0.5, 0), (2000, 0.5, 100), (150, 0.02, 30)]
)
def test_promise_holds_in_simulation(campaign: int, scale: float, least: int) -> None:
    """Of campaigns with ordinary clients among them, all in all 99 of 100 named are its own, however much of what
    crosses is ordinary; where enough is seen of it, somebody is named."""
    rng, wrong, named = np.random.default_rng(3), 0, 0
    for _ in range(100):
        before = rng.exponential(1.5, 5000)
        mine, others = rng.uniform(2.0, 14.0, campaign), rng.exponential(1.5, rng.poisson(5000 * scale))
        lifted = bar(np.concatenate([mine, others]), before, scale)
        wrong += int(np.count_nonzero(others >= lifted))
        named += int(np.count_nonzero(others >= lifted) + np.count_nonzero(mine >= lifted))
    assert wrong <= 0.01 * named
    assert named >= 100 * least


def test_none_among_a_few_thousand_is_not_none() -> None:
    """Where half as many as before are expected now, one or two may be among them though none was: 250 named are too
    few."""
    before = np.zeros(4096)
    assert bar(np.full(250, 6.0), before, 0.5) == inf
    assert bar(np.full(350, 6.0), before, 0.5) == log(SURE)


def test_some_are_evenly_taken() -> None:
    """Few are all taken; of many no more than are asked, the first and one near the last among them."""
    few, many = np.zeros(10, CROSSING), np.zeros(3 * MOST_ASKED + 1, CROSSING)
    many["time_us"] = np.arange(len(many))
    assert len(some(few)) == 10
    assert len(some(few[:0])) == 0
    taken = some(many)["time_us"]
    assert MOST_ASKED // 2 < len(taken) <= MOST_ASKED
    assert taken[0] == 0
    assert taken[-1] > len(many) - 5
