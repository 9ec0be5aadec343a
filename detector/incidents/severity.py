"""How bad it is: the published table of records exposed, and what the numbers behind it are."""

from __future__ import annotations

from math import exp

from detector.incidents.incident import SEVERITIES

BY_RECORDS = ((1_000_000, "critical"), (10_000, "high"), (500, "medium"), (0, "low"))
"""A million persons is the Chinese four-hour reporting line, 500 the mark above which US health breaches are published,
10,000 lies between (detection facts, finding 10)."""

HALF_SURE = 0.5


def severity(records: int, confidence: float) -> str:
    """Severity by records exposed, one step lower where the evidence is no better than even."""
    level = next(SEVERITIES.index(name) for least, name in BY_RECORDS if records >= least)
    if confidence < HALF_SURE:
        level = max(level - 1, SEVERITIES.index("low"))
    return SEVERITIES[level]


def confidence(nats: float, threshold: float) -> float:
    """1 less the odds that so much evidence comes of chance: .5 at the threshold, rising with the nats above it."""
    return round(1.0 - 0.5 * exp(-max(0.0, nats - threshold) / 2.0), 4)
