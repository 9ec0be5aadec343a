"""Many clients work through one queue of ids in order (a sweep), whatever the number of addresses."""

from __future__ import annotations

from math import atanh, log, pi, sqrt
from typing import Any

from detector.detectors.signal import Budget, Finding, Signal

FEWEST_CLIENTS = 4.0
"""Of a block's readers: natural neighbourhood of ids read by one to three visitors gave false alarms in every one of
forty ten-minute logs, by four or more in none (simulation)."""

FEW_CLIENTS_HITS = 256
"""Hits that make up for fewer readers: a quarter of the block in one unbroken order."""

PURE_SHARE = 0.8
"""Where ids grow with time their owners read them in order, each his newest; such readers also do other things."""


def judge(block: Any, blocks_a_day: float, budget: Budget) -> Signal | None:
    """Convicts a block of 1,024 ids whose first reads by different clients come in the order of the ids.

    The statistic is the correlation of id and time over cold first reads, by Fisher's z-transform with as many
    independent reads as the reader changed: exchangeable readers of whatever ids show none, without any baseline.
    """
    clients, hits = readers(block), int(block["hits"])
    if clients < 2 or (clients < FEWEST_CLIENTS and hits < FEW_CLIENTS_HITS):
        return None
    if 2 * int(block["edge"]) > hits and block["pure"] < PURE_SHARE * hits:
        return None
    r = min(abs(correlation(block)), 0.9999)
    freedom = min(hits, int(block["switches"]) + 1) - 3
    if freedom < 1:
        return None
    z = atanh(r) * sqrt(freedom)
    nats = z * z / 2.0 + log(max(z, 1.0) * sqrt(2.0 * pi)) - log(2.0)
    threshold = budget.block_threshold(blocks_a_day)
    if nats < threshold:
        return None
    findings = [
        Finding("order_of_ids_over_time", round(r, 4), 0.0, round(nats, 1)),
        Finding("first_reads_in_block", hits, 0.0, 0.0),
        Finding("clients_in_block", round(clients, 1), 1.0, 0.0),
    ]
    return Signal("sweep", int(block["route"]), 0, int(block["last_us"]), nats, threshold, findings, block)


def readers(block: Any) -> float:
    """Distinct clients of a block, by linear counting in 64 bits; at most 266."""
    zeros = 64 - int(block["clients"]).bit_count()
    return 64.0 * log(64.0 / max(zeros, 1))


def correlation(block: Any) -> float:
    """Correlation of id and time over a block's cold first reads; 0 where either does not vary."""
    n = float(block["hits"])
    spread_t = n * float(block["sum_tt"]) - float(block["sum_t"]) ** 2
    spread_x = n * float(block["sum_xx"]) - float(block["sum_x"]) ** 2
    if spread_t <= 0.0 or spread_x <= 0.0:
        return 0.0
    return (n * float(block["sum_tx"]) - float(block["sum_t"]) * float(block["sum_x"])) / sqrt(spread_t * spread_x)
