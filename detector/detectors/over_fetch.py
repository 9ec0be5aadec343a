"""One client takes more in each answer than others do: deep pages, high limits, wildcards, batches."""

from __future__ import annotations

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.likelihood import hedged

GROUP_NATS = 2.0
"""What each of the two groups must say for itself: as in `detectors.bulk`, odds of seven to one."""


def statistic(evidence: ClientEvidence) -> float:
    """How many of its answers are large, and how many records all of them hold, in nats."""
    return hedged(evidence.over) + evidence.rows


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on two groups together: the share of large answers (over) and the records in all of them (rows).

    An answer is over where fewer than one in a thousand other clients of the route ever gets one as large, or as far
    back (`evidence.answers_kernel`). A single large answer never convicts, nor does a client that gets many of the
    ordinary ones. Given the number of answers, the two are not independent: who takes large ones has more records. The
    sum is therefore held against the survival measured on ordinary client-days, not against theory alone.
    """
    slot = evidence.slot
    over, rows, nats = evidence.over, evidence.rows, statistic(evidence)
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if (
        slot["raised"] & 8
        or not evidence.null.settled
        or max(slot["rows"]) < evidence.null.floor
        or over < GROUP_NATS
        or rows < GROUP_NATS
        or nats < threshold
    ):
        return None
    usual = evidence.null.tail_rows.begin if evidence.null.tail_rows else 0.0
    expected = round(0.002 * evidence.total("answers"), 2)
    findings = [
        Finding("large_answers", evidence.total("over"), expected, round(over, 1)),
        Finding("records_in_lists_a_day", float(max(slot["rows"])), round(usual, 1), round(rows, 1)),
        Finding("answers", evidence.total("answers"), 0.0, 0.0),
    ]
    route = int(slot["over_route"])
    return Signal("over_fetch", route, int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
