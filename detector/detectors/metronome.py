"""One client asks for the same list at the beat of a clock (a metronome): of interest, never an alarm."""

from __future__ import annotations

from math import log

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.constants import BEAT, BEAT_CV

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
        return None
    nats, threshold = -log(max(cv, 1e-3)), -log(BEAT_CV)
    findings = [
        Finding("variation_of_gaps", round(cv, 4), 0.54, round(nats, 1)),
        Finding("seconds_between_requests", round(float(slot["gap"]), 2), 0.0, 0.0),
        Finding("requests", int(slot["beats"]), 0.0, 0.0),
    ]
    route = int(slot["beat_route"])
    return Signal("metronome", route, int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
