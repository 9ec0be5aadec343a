"""A client has read a record nobody may read: planted, or retired and still there (a tripwire).

One read is enough, and the reader's history is judged again by a lower bar: it is one client that is asked about, not
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence

FINDING = "read_of_tripwire_"
"""What the finding's name begins with; the tripwire's own follows."""

NATS = 13.8
"""Weight of one such read, a million to one: no page, list or search names the record, so who has its id has gone
through ids. That is the owner's promise, not a measurement."""

NAME_BYTES = 64 - len(FINDING)  # a finding's name, as snapshots keep it


def judge(
    evidence: ClientEvidence, name: str, route: int, detectors: Mapping[str, tuple[int, Any]], budget: Budget
) -> Signal:
    """The signal of one read.

    Args:
        evidence: of the reader, as of that row.
        name: of the tripwire.
        route: it was read through.
        detectors: of single clients, asked again.
        budget: the user's; what one of a day's clients needs is left of it.
    """
    slot = evidence.slot
    hit = Finding(finding_name(name), 1, 0.0, NATS)
    suspect = _again(evidence)
    found: dict[str, Finding] = {}
    for _, detect in detectors.values():
        signal = detect(suspect, Budget(budget.per_day * max(evidence.null.clients_a_day, 100.0)))
        for finding in signal.evidence if signal else ():
            found.setdefault(finding.name, finding)
    for finding in _history(suspect):
        found.setdefault(finding.name, finding)
    rest = sorted(found.values(), key=lambda f: -f.weight)
    return Signal("tripwire", route, int(slot["key"]), int(slot["last_us"]), NATS, 0.0, [hit, *rest])


def _again(evidence: ClientEvidence) -> ClientEvidence:
    """The client's evidence as if nothing had been raised about it yet, any amount being worth an alert."""
    slot = evidence.slot.copy()
    slot["raised"] = 0
    return ClientEvidence(slot, replace(evidence.null, floor=1))


def _history(evidence: ClientEvidence) -> list[Finding]:
    """What it has done so far, whether it would convict or not."""
    usual = evidence.null.tail.begin if evidence.null.tail else 0.0
    cold = max(evidence.cold, 0.0) if evidence.null.settled else 0.0  # before, everybody reads what nobody has read
    return [
        Finding("ids_in_order", evidence.in_order, 59.0, 0.0),
        Finding(
            "records_read_by_nobody_else",
            evidence.total("cold"),
            round(evidence.total("cold_expected"), 1),
            round(cold, 1),
        ),
        Finding(
            "distinct_records_a_day", round(evidence.distinct), round(usual, 1), round(max(evidence.volume, 0.0), 1)
        ),
    ]


def finding_name(name: str) -> str:
    """What the finding of a tripwire is called."""
    return FINDING + name.replace(" ", "_")[:NAME_BYTES]
