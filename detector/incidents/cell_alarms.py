"""Alarms of cells as the book takes them: one signal a route, in words and numbers that anybody can check."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from detector.detectors.campaign import CellAlarm
from detector.detectors.signal import Finding, Signal

STATISTICS = {
    "c1": "clients_whose_first_{0}_nobody_else_makes",
    "cs": "sampled_{1}_nobody_else_makes",
    "w5": "clients_with_5_of_8_{1}_nobody_else_makes",
    "w7": "clients_with_7_of_8_{1}_nobody_else_makes",
}
"""What a cell's statistics are called in an incident, where the gap says of what; others keep their own name."""

OF = {"cold": ("read", "reads"), "miss": ("miss", "misses")}


def signal_of(alarms: Sequence[CellAlarm], now_us: int) -> Signal:
    """The alarms of one route and tick as one signal about many clients: its numbers are those of the clearest cell."""
    lead = max(alarms, key=lambda a: (a.nats - a.threshold, a.excess_clients, a.kind, a.value))
    name = STATISTICS.get(lead.statistic, lead.statistic).format(*OF[lead.channel])
    findings = [
        Finding(name, round(lead.observed, 1), round(lead.expected, 1), round(lead.nats, 1)),
        Finding("clients_more_than_usual", round(max(a.excess_clients for a in alarms)), 0.0, 0.0),
    ]
    return Signal(lead.pattern, lead.route, 0, now_us, lead.nats, lead.threshold, findings)


def hash_of(alarm: CellAlarm) -> int:
    """A number for the cell an alarm comes from: cells of different kinds may have the same value."""
    return int.from_bytes(blake2b(f"{alarm.kind} {alarm.value}".encode(), digest_size=8).digest())
