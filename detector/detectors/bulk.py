"""One client carries away far more records than others, and records nobody else reads (bulk extraction)."""

from __future__ import annotations

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence

GROUP_NATS = 2.0
"""What each of the two groups, amount and object, must say for itself: odds of seven to one. The bound on false alarms
lies in the sum; this keeps one of them from convicting alone. At 3 a harvester of a data API (coldness .97 where
ordinary clients show .55) would need a third day."""


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on two groups of evidence together: how many records (volume) and which (cold).

    Volume alone never convicts: gateways of a whole company, monitors and readers of the popular are large. An e-value
    over a p-value of something else is a valid statistic: the coldness of reads is judged given how many they are.
    """
    slot = evidence.slot
    if not evidence.null.settled:
        return None
    cold, volume = evidence.cold, evidence.volume
    nats = cold + volume
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if (
        evidence.distinct < evidence.null.floor
        or slot["raised"] & 2
        or cold < GROUP_NATS
        or volume < GROUP_NATS
        or nats < threshold
    ):
        return None
    usual = evidence.null.tail.begin if evidence.null.tail else 0.0
    findings = [
        Finding(
            "records_read_by_nobody_else",
            evidence.total("cold"),
            round(evidence.total("cold_expected"), 1),
            round(cold, 1),
        ),
        Finding("distinct_records_a_day", round(evidence.distinct), round(usual, 1), round(volume, 1)),
        Finding("repeats", evidence.total("reads") - evidence.total("fresh"), 0.0, 0.0),
    ]
    return Signal("bulk", int(slot["lead"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
