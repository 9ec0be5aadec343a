"""A scrape stays small and quick whatever there is to tell."""

from __future__ import annotations

import pytest

from detector.health import MAX_PARTITIONS, MAX_SERIES
from tests.benchmarks.scrape import CLIENTS, INCIDENTS, measure

CLIENTS_REMEMBERED = 0.99
MILLISECONDS = 50


@pytest.mark.parametrize("clients", [50_000, pytest.param(CLIENTS, marks=pytest.mark.slow)])
def test_clients_and_incidents_do_not_slow_a_scrape(clients: int) -> None:
    """With ten thousand incidents at most 500 series and one a partition, of those at most 200, and under 50 ms of
    processor a scrape."""
    cost = measure(clients, INCIDENTS)
    assert cost.clients > CLIENTS_REMEMBERED * clients
    assert 300 < cost.series <= MAX_SERIES
    assert cost.partitions == MAX_PARTITIONS
    assert cost.cpu_milliseconds < MILLISECONDS
    assert cost.telling_microseconds < 1_000, "telling must not look at all that is open"
