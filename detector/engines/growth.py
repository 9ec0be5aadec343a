"""What is learnt faster than it may grow: said to people, who know whether it is there to stay."""

from __future__ import annotations

from detector.evidence.reference import AMOUNTS, SITE, STRENGTHS, Held
from detector.pipeline import Pipeline

_MEANT = {
    "tail": "records a client reads a day, one in 10,000",
    "tail_tries": "ids a client tries a day, one in 10,000",
    "tail_rows": "records in lists a client gets a day, one in 10,000",
    "cold_strength": "spread among clients of reading what nobody else reads",
    "miss_strength": "spread among clients of trying what does not exist",
    "over_strength": "spread among clients of large answers",
    "foreign_strength": "spread among clients of reading others' records",
    "strength": "spread among clients of doing nothing but read",
    "mean": "share of requests that read something new",
    "unsigned": "accounts without a sign-in, of those that read most",
    "strangers": "accounts that read others' records",
}
MOST_SAID = 5  # lines


def growth_lines(pipeline: Pipeline) -> list[str]:
    """What is held back at the moment, a line each, the largest growth first."""
    held = sorted(pipeline.reference.held, key=lambda h: (-round(h.learnt / h.counts, 2), h.route))
    lines = [f"{_where(pipeline, one)}: {_MEANT[one.number]}: {_amounts(one)}" for one in held[:MOST_SAID]]
    if len(held) > MOST_SAID:
        lines.append(f"and {len(held) - MOST_SAID} more")
    return lines


def _where(pipeline: Pipeline, one: Held) -> str:
    return "all routes" if one.route == SITE else pipeline.routes.name(one.route)


def _amounts(one: Held) -> str:
    form = ",.0f" if one.number in AMOUNTS else ".3f" if one.number in STRENGTHS else ".0%"
    return f"{one.learnt:{form}} learnt, {one.counts:{form}} count"
