"""One client tries ids that mostly do not exist (key guessing)."""

from __future__ import annotations

from math import log

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on misses alone: the fastest test there is, a client being proven in 8 to 20 tries."""
    slot = evidence.slot
    nats = evidence.miss - log(2.0)
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if slot["raised"] & 4 or nats < threshold:
        return None
    findings = [
        Finding(
            "misses", evidence.total("misses"), round(evidence.total("misses_expected"), 1), round(evidence.miss, 1)
        ),
        Finding("tries", evidence.total("tries"), 0.0, 0.0),
        Finding("records_read", evidence.total("fresh"), 0.0, 0.0),
    ]
    return Signal("guessing", int(slot["lead"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
