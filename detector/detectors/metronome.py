"""One client asks for the same list at the beat of a clock (a metronome), or for nothing else and more than others get
in a day: of interest, never an alarm."""

from __future__ import annotations

from math import log

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.constants import BEAT, BEAT_CV
from detector.evidence.likelihood import hedged

GROUP_NATS = 2.0
"""What devotion and amount must each say for themselves: as in `detectors.bulk`, odds of seven to one."""

HOURS = 8
"""Hours of the day it must have been at it where the log does not say that records go out: an open browser tab keeps
time as well, but not for a working day and longer. Where answers carry several records it is said at once."""


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Names a client whose gaps are a machine's: informational by its pattern, and out of the budget.

    People and programs that wait for one another have gaps that vary by half their mean or more (`constants.BEAT_CV`).
    What is convicted of anything else is not told twice.
    """
    slot = evidence.slot
    if slot["raised"] or slot["incident"] or slot["beats"] < BEAT:
        return None
    if slot["beat_rows"] < 2 and int(slot["beat_hours"]).bit_count() < HOURS:
        return None
    cv = evidence.unsteadiness
    if cv > BEAT_CV:
        return _devoted(evidence, budget, cv)
    nats, threshold = -log(max(cv, 1e-3)), -log(BEAT_CV)
    return _signal(evidence, nats, threshold, _gaps(evidence, cv, nats))


def _devoted(evidence: ClientEvidence, budget: Budget, cv: float) -> Signal | None:
    """Gaps drawn like a person's hide a clock, not that nothing else is ever asked for, nor how much that comes to.
    Devotion is judged given how many requests there are, so it adds to the records' p-value (`evidence.volume`)."""
    devotion, rows = evidence.devotion, evidence.rows
    nats, threshold = hedged(devotion) + rows, budget.client_threshold(evidence.null.clients_a_day)
    if not evidence.null.settled or devotion < GROUP_NATS or rows < GROUP_NATS or nats < threshold:
        return None
    slot = evidence.slot
    usual = evidence.null.tail_rows.begin if evidence.null.tail_rows else 0.0
    findings = [
        Finding("requests_for_anything_else", int(slot["beats_away"]), 0.0, round(devotion, 1)),
        Finding("records_in_lists_a_day", float(max(slot["rows"])), round(usual, 1), round(rows, 1)),
    ]
    return _signal(evidence, nats, threshold, [*findings, *_gaps(evidence, cv, 0.0)])


def _gaps(evidence: ClientEvidence, cv: float, nats: float) -> list[Finding]:
    slot = evidence.slot
    return [
        Finding("variation_of_gaps", round(cv, 4), 0.54, round(nats, 1)),
        Finding("seconds_between_requests", round(float(slot["gap"]), 2), 0.0, 0.0),
        Finding("requests", int(slot["beats"]), 0.0, 0.0),
    ]


def _signal(evidence: ClientEvidence, nats: float, threshold: float, findings: list[Finding]) -> Signal:
    slot = evidence.slot
    route = int(slot["beat_route"])
    return Signal("metronome", route, int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
