"""Precision by pattern, of what people have decided: an incident is right where it was really extraction.

A benign positive is behaviour rightly seen and wrongly feared; it counts against precision like a false one, and is
told apart. Duplicates say nothing about the detector.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

SIGMAS_95 = 1.96
RIGHT, WRONG = "true_positive", ("benign_positive", "false_positive")


def precision(records: Sequence[Mapping[str, Any]], verdicts: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """A row a pattern, and one for all: how many were judged, how many right, and precision with its Wilson interval
    (95 %; Wilson 1927).

    Args:
        records: incidents, one each.
        verdicts: by incident.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        verdict = verdicts.get(str(record.get("incident")))
        for pattern in (str(record.get("pattern")), "all"):
            counts[pattern][verdict or "none"] += 1
    patterns = sorted(pattern for pattern in counts if pattern != "all")
    return [_row(pattern, counts[pattern]) for pattern in [*patterns, *(["all"] if patterns else [])]]


def _row(pattern: str, count: Counter[str]) -> dict[str, Any]:
    right, wrong = count[RIGHT], sum(count[name] for name in WRONG)
    judged = right + wrong
    low, high = wilson(right, judged)
    return {
        "pattern": pattern,
        "incidents": count.total(),
        "judged": judged,
        **{name: count[name] for name in (RIGHT, *WRONG, "duplicate")},
        "precision": round(right / judged, 4) if judged else None,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def wilson(right: int, n: int) -> tuple[float, float]:
    """The Wilson score interval of a share; everything is possible where nothing was seen."""
    if not n:
        return 0.0, 1.0
    z2, share = SIGMAS_95**2, right / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = SIGMAS_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)
