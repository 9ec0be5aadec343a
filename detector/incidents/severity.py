"""How bad it is: the published table of records exposed, and what the numbers behind it are."""

from __future__ import annotations

from math import exp

from detector.incidents.incident import SEVERITIES

BY_RECORDS = ((1_000_000, "critical"), (10_000, "high"), (500, "medium"), (0, "low"))
"""A million persons is the Chinese four-hour reporting line, 500 the mark above which US health breaches are published,
10,000 lies between (detection facts, finding 10)."""

HALF_SURE = 0.5

INFORMATIONAL = frozenset({"metronome"})
"""Patterns that say how somebody asks, not that he takes what he should not: for the curious, whatever the records."""

LEAST = {"tripwire": "critical", "contract": "medium", "": "low"}
"""What some incidents are at least, however few records: one that nobody may read was planted to be heard of at once; a
key given to a partner opens much, and what is outside of a contract is always loud (judgement)."""


def severity(records: int, confidence: float, least: str = "low") -> str:
    """Severity by records exposed, a step lower where the evidence is no better than even, not below ``least``."""
    level = next(SEVERITIES.index(name) for mark, name in BY_RECORDS if records >= mark)
    if confidence < HALF_SURE:
        level = max(level - 1, SEVERITIES.index("low"))
    return SEVERITIES[max(level, SEVERITIES.index(least))]


def confidence(nats: float, threshold: float) -> float:
    """1 less the odds that so much evidence comes of chance: .5 at the threshold, rising with the nats above it."""
    return round(1.0 - 0.5 * exp(-max(0.0, nats - threshold) / 2.0), 4)
