"""Owners of what is new or workers: what is asked of those who read a route's newest ids in order."""

from __future__ import annotations

import numpy as np
import pytest

from detector.detectors.signal import Budget
from detector.detectors.sweep import Company, judge
from detector.incidents.company import HOUR_US, company
from detector.incidents.recent import READS, Recent
from detector.state.layout import BLOCK, COUNTER, Sizes, State

NOW = 1_700_000_000_000_000


def edge_block() -> np.void:
    """A block of a route's newest ids, read in order by hundreds of clients."""
    block = np.zeros(1, BLOCK)[0]
    n = np.arange(400.0)
    block["hits"] = block["reads"] = block["edge"] = 400
    block["switches"], block["clients"], block["route"] = 399, np.uint64((1 << 64) - 1), 1
    block["sum_t"], block["sum_x"] = n.sum(), n.sum()
    block["sum_tt"] = block["sum_xx"] = block["sum_tx"] = (n * n).sum()
    block["begin_us"], block["last_us"] = NOW - 40_000_000, NOW
    return block


@pytest.mark.parametrize(
    ("seen", "convicted"),
    [
        (Company(100, 95, 0.1, sudden=False), True),
        (Company(100, 75, 0.1, sudden=False), False),
        (Company(100, 75, 0.1, sudden=True), True),
        (Company(100, 35, 0.1, sudden=True), False),
        (Company(31, 31, 0.1, sudden=True), False),
        (Company(100, 100, 0.6, sudden=True), False),
        (Company(100, 0, 0.1, sudden=True, young=70, usual_young=0.2), True),
        (Company(100, 0, 0.1, sudden=False, young=70, usual_young=0.2), False),
        (Company(100, 0, 0.1, sudden=True, young=60, usual_young=0.2), False),
        (Company(100, 0, 0.1, sudden=True, young=70, usual_young=0.3), False),
        (Company(31, 0, 0.1, sudden=True, young=31, usual_young=0.2), False),
    ],
)
def test_half_of_them_are_enough_where_ids_stood_still(seen: Company, convicted: bool) -> None:
    """Steady growth asks for nine in ten readers that do nothing else, a sudden one for half, or for two in three
    that did not exist a minute before; few readers, a log in which hardly anybody has asked twice, or one read by such
    clients anyway, convict nobody."""
    assert (judge(edge_block(), lambda: seen, 1000.0, Budget()) is not None) == convicted


@pytest.mark.parametrize(
    ("then", "before", "hours", "sudden"),
    [
        (0, 0, 10, True),
        (0, 0, 1, False),
        (70_000, 70_000, 10, True),
        (73_000, 70_000, 10, True),
        (90_000, 70_000, 10, False),
    ],
)
def test_growth_is_sudden_against_the_hour_before(then: int, before: int, hours: int, sudden: bool) -> None:
    """At ten reads a second, 36,000 new ids an hour, it is where there were a tenth of them; nobody can say in the
    first two hours of a log."""
    state = State(Sizes(clients=1 << 4, objects=1 << 4, blocks=1 << 4, cells=1 << 4))
    state.routes["high_then"][1], state.routes["high_before"][1] = then, before
    seen = company(state, Recent(state, 16), edge_block(), NOW - hours * HOUR_US)
    assert (seen.aged, seen.sudden) == (0, sudden)


def test_clients_made_for_their_read_are_young() -> None:
    """A read within a minute of its client's first request counts as a young one; others are read elsewhere."""
    state = State(Sizes(clients=1 << 8, objects=1 << 4, blocks=1 << 4, cells=1 << 4))
    reads = np.zeros(120, READS)
    reads["time_us"], reads["slot"] = NOW - 60_000_000, np.arange(120)
    reads["client"] = np.arange(1, 121)
    reads["route"], reads["cold"] = np.where(np.arange(120) < 80, 1, 2), True
    state.counters[COUNTER["clients"]] = 120
    state.in_use["key"] = reads["client"]
    age = np.where(np.arange(120) < 60, 50, 70)
    age[80:90] = 50
    state.in_use["first_us"] = reads["time_us"] - age * 1_000_000
    recent = Recent(state, 256)
    recent.append(reads)
    seen = company(state, recent, edge_block(), NOW - 10 * HOUR_US)
    assert (seen.aged, seen.young, seen.usual_young) == (80, 60, 0.25)
