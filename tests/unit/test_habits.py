"""What clients are like that mostly read on one route, and what follows for one that is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors import Budget, bulk, walk
from detector.evidence.client import ClientEvidence, Habit, Null
from detector.evidence.constants import DAY_US, RUN
from detector.evidence.learn import learn
from detector.evidence.likelihood import FEWEST_CLIENTS_FOR_FIT, hedged
from detector.evidence.volume import Tail
from detector.state.layout import CLIENT, COUNTER, Sizes, State

NOW = 100 * DAY_US
TAIL = Tail(begin=10.0, share=0.1, excess=0.5)
HABIT = Habit(clients=500, mean=0.2, strength=10.0, cold_strength=3.0, tail=TAIL)
NULL = Null(settled=True, tail=TAIL, clients_a_day=1e5, habits={1: HABIT})


def slot(fresh: int, requests: int, cold: float, expected: float = 0.98) -> npt.NDArray[Any]:
    """A client that reads on route 1."""
    one = np.zeros(1, CLIENT)[0]
    one["key"], one["lead"], one["distinct_before"] = 7, 1, fresh
    one["fresh"][0] = one["tries"][0] = one["reads"][0] = fresh
    one["requests"][0], one["cold"][0] = requests, round(cold * fresh)
    one["cold_expected"][0] = expected * fresh
    return one


def crowd(groups: dict[int, int], purity: float = 0.25, gallery: bool = False) -> State:
    """Clients by the route they mostly read on, some purer than others; of a gallery all is cold or nothing."""
    rng = np.random.default_rng(1)
    state = State(Sizes(clients=1 << 12, objects=1 << 8, blocks=1 << 4, routes=16))
    n = sum(groups.values())
    state.counters[COUNTER["clients"]] = n
    clients = state.in_use
    clients["key"], clients["first_us"], clients["last_us"] = np.arange(1, n + 1), NOW - DAY_US, NOW - 1
    clients["lead"] = np.repeat(list(groups), list(groups.values()))
    pure = rng.beta(10 * purity, 10 * (1 - purity), n)
    clients["requests"] = rng.integers(40, 80, (n, 2))
    clients["fresh"] = np.maximum(rng.binomial(clients["requests"], pure[:, None]), 2)
    clients["reads"] = clients["fresh"]
    clients["distinct_before"] = rng.pareto(2.0, n) + 1.0
    share = rng.random(n) < 0.3 if gallery else rng.beta(3, 7, n)
    clients["cold"][:, 1] = rng.binomial(clients["fresh"][:, 1], share)
    return state


def test_habits_are_learnt_for_routes_with_enough_clients() -> None:
    """Mean and spread are those of the route's own clients; a route of fewer than a fit needs has none."""
    null = learn(crowd({1: 1000, 2: FEWEST_CLIENTS_FOR_FIT - 1}), Null(), NOW)
    assert set(null.habits) == {1}
    habit = null.habits[1]
    assert habit.mean == pytest.approx(0.25, abs=0.03)
    assert 5 < habit.strength < 14
    assert habit.clients == 1000


def test_pictures_that_are_cold_together_prove_little() -> None:
    """Where a client's reads share their fate the null is as wide as it gets."""
    apart, together = (learn(crowd({1: 1000}, gallery=g), Null(), NOW).habits[1].cold_strength for g in (False, True))
    assert together == 1.0
    assert apart > 5.0


def test_who_is_in_an_incident_is_nobodys_habit() -> None:
    """Clients with an open incident are left out."""
    state = crowd({1: 1000})
    state.in_use["incident"][:900] = 1
    assert learn(state, Null(), NOW).habits == {}


def test_habits_outlive_a_snapshot() -> None:
    """What is kept gives the same null."""
    null = learn(crowd({3: 700, 1: 400}), Null(), NOW)
    assert Null.load(null.save()[0], null.floor, null.save_habits()) == null


def test_a_harvester_where_everything_is_cold_is_told_by_its_purity() -> None:
    """A thousand records nobody else reads, on a route where that is usual, and nothing else: bulk; not where it
    signs in, looks around and repeats itself as others do, and not where others read the same records."""
    judged = {
        "harvester": bulk.judge(ClientEvidence(slot(1000, 1010, 0.99), NULL), Budget()),
        "ordinary": bulk.judge(ClientEvidence(slot(1000, 5000, 0.99), NULL), Budget()),
        "popular": bulk.judge(ClientEvidence(slot(1000, 1010, 0.5), NULL), Budget()),
        "unknown": bulk.judge(ClientEvidence(slot(1000, 1010, 0.99), replace(NULL, habits={})), Budget()),
        "few": bulk.judge(ClientEvidence(slot(90, 91, 0.99), NULL), Budget()),
    }
    assert {name for name, signal in judged.items() if signal} == {"harvester"}
    signal = judged["harvester"]
    assert signal is not None
    shown = {f.name: (f.value, f.expected) for f in signal.evidence}
    assert shown["share_of_requests_for_new_records"] == (0.99, 0.2)


def test_a_hedge_costs_no_more_than_a_bit() -> None:
    """The mean of an e-value and of one: at most ln 2 less where it speaks for something, never below -ln 2."""
    for nats in (-1000.0, -3.0, 0.0, 2.0, 50.0, 1000.0):
        assert max(nats, 0.0) - np.log(2.0) - 1e-12 <= hedged(nats) <= max(nats, 0.0)


def test_jumping_about_in_two_galleries_is_no_walk() -> None:
    """A stretch that is read to half is in order only where the attempts lie next to its edge."""
    one = slot(150, 200, 0.5)
    one["low"], one["high"], one["inside"], one["advances"] = 1000, 1159, 150, 20
    assert walk.judge(ClientEvidence(one, NULL), Budget()) is None
    one["advances"] = 140
    signal = walk.judge(ClientEvidence(one, NULL), Budget())
    assert signal is not None
    assert signal.evidence[0].value >= RUN
