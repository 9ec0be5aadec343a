"""What would not have been seen: the least an extractor could have taken in this log without an incident."""

from __future__ import annotations

from detector.detectors.bulk import GROUP_NATS
from detector.detectors.sweep import FEWEST_CLIENTS
from detector.engines.coverage import Coverage
from detector.evidence.constants import BLOCK_IDS, BLOCK_MIN_HITS, RUN
from detector.pipeline import Pipeline


def floor_lines(pipeline: Pipeline, coverage: Coverage) -> list[str]:
    """The floor of this run, a line a kind of extraction."""
    null, rules = pipeline.null, pipeline.rules
    lines = [f"one client reading ids in order: below {RUN} ids in a row or in one stretch"]
    if null.tail is None:
        lines.append("one client reading ids out of order: anything, with fewer than 50 clients to compare with")
    else:
        least = max(float(rules.floor), null.tail.records_for(GROUP_NATS))
        lines.append(f"one client reading ids out of order: below about {least:,.0f} distinct records a day")
    lines.append(
        f"many clients sharing a queue of ids: below {BLOCK_MIN_HITS} first reads an hour in {BLOCK_IDS:,} ids, "
        f"or fewer than {FEWEST_CLIENTS:.0f} clients at a time"
    )
    lines.append("many clients reading from a list, each within ordinary limits: not judged yet")
    unknown = coverage.requests - coverage.with_object
    if unknown:
        lines.append(f"records read through the {unknown / coverage.requests:.0%} of requests that name no object")
    return lines
