"""The budget of false incidents: whatever is on, the detectors together take no more than all of it."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from detector.detectors import (
    BLOCK_DETECTORS,
    CELL_DETECTORS,
    CLIENT_DETECTORS,
    PATTERNS,
    RULE_DETECTORS,
    TALLY_DETECTORS,
    campaign,
)
from detector.detectors.again import SHARE
from detector.detectors.signal import Budget
from detector.detectors.tallies import limit
from detector.detectors.usage import TESTS
from detector.state.accounts import RATIOS
from detector.state.cells import CHANNELS, LAMBDAS
from detector.state.layout import COUNTER, Sizes, State

INFORMATIONAL = {"metronome"}  # alarms nobody
CELL_MINUTES, LOOKS = 5000, 70_000


def taken(budget: Budget, clients: float, blocks: float, pairs: int) -> dict[str, float]:
    """False incidents a day by detector, as its threshold allows them: tests a day times exp(-threshold)."""
    limits = np.zeros((len(CHANNELS), 3))
    campaign.limit(limits, CELL_MINUTES, budget, CELL_DETECTORS)
    state = State(Sizes(64, 64, 8, 64, 64, 64, 8, 64, 64))
    state.counters[COUNTER["looks"]] = LOOKS
    limit(state, budget, TALLY_DETECTORS)
    found = {"clients": clients * exp(-budget.client_threshold(clients))}
    found["sweep"] = 12 * blocks * exp(-budget.block_threshold(blocks))
    for name, cells in CELL_DETECTORS.items():
        looks = 24 * CELL_MINUTES * len(cells.statistics) * len(LAMBDAS)
        found[name] = looks * exp(-limits[CHANNELS.index(cells.channel), 0])
    for name, tally in TALLY_DETECTORS.items():
        found[name] = LOOKS * len(RATIOS) * exp(-state.tally_limits[tally.row, 0])
    found["again"] = SHARE * budget.per_day
    if pairs:
        found["uses of grants"] = TESTS * pairs * exp(-budget.partner_threshold(TESTS * pairs))
    return found


@pytest.mark.parametrize("per_day", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("pairs", [0, 1, 5, 400], ids=lambda n: f"{n} pairs of party and class")
@pytest.mark.parametrize(("clients", "blocks"), [(100.0, 100.0), (8e6, 1e5)], ids=["small", "large"])
def test_all_detectors_together_stay_within_the_budget(
    per_day: float, pairs: int, clients: float, blocks: float
) -> None:
    """Their thresholds allow as many false incidents a day as the user does, and use nearly all of it."""
    found = taken(Budget(per_day), clients, blocks, pairs)
    assert 0.8 * per_day < sum(found.values()) <= per_day * (1 + 1e-9)


def test_no_detector_is_left_out_of_the_sum() -> None:
    """Whatever can alarm is a rule, or informational, or takes its part of the budget here."""
    found = set(taken(Budget(), 1000.0, 1000.0, 1)) | set(CLIENT_DETECTORS)
    alarming = PATTERNS - set(RULE_DETECTORS) - INFORMATIONAL
    assert alarming <= found
    assert {*BLOCK_DETECTORS, *CELL_DETECTORS, *TALLY_DETECTORS} <= found


def test_what_is_asked_of_parties_is_counted_exactly() -> None:
    """Three questions a party and class: ten times the parties cost ln 10 nats, from the first one on."""
    budget = Budget()
    assert exp(-budget.partner_threshold(TESTS)) * TESTS == pytest.approx(Budget.PARTNERS)
    ten = budget.partner_threshold(10 * TESTS) - budget.partner_threshold(TESTS)
    assert exp(ten) == pytest.approx(10.0)
