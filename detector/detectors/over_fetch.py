"""One client takes more in each answer than others do: deep pages, high limits, wildcards, batches."""

from __future__ import annotations

from math import exp

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.likelihood import hedged

GROUP_NATS = 2.0
"""What each of the two groups must say for itself: as in `detectors.bulk`, odds of seven to one."""


def statistic(evidence: ClientEvidence) -> float:
    """How many of its answers are large, far back or opened by nobody else; and how many records all of them hold, or
    how far back it went; in nats."""
    return hedged(evidence.over) + evidence.amount


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on two groups together: the share of large answers (over) and the records in all of them, or how far
    back it went among pages that nobody else opens (amount).

    An answer is over where fewer than one in a thousand other clients of the route ever gets one as large, or as far
    back (`evidence.answers_kernel`), or where nobody else opens that page (`evidence.pages_kernel`). How far back a
    client goes is its own choice, whether others have been there is theirs. A single large answer never convicts, nor
    does a client that gets many of the ordinary ones. Given the number of answers, the two are not independent: who
    takes large ones has more records. The sum is therefore held against the survival measured on ordinary client-days,
    not against theory alone.
    """
    slot = evidence.slot
    over, amount, nats = evidence.over, evidence.amount, statistic(evidence)
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if (
        slot["raised"] & 8
        or not evidence.null.settled
        or max(slot["rows"]) < evidence.null.floor
        or over < GROUP_NATS
        or amount < GROUP_NATS
        or nats < threshold
    ):
        return None
    usual = evidence.null.tail_rows.begin if evidence.null.tail_rows else 0.0
    depth = float(slot["depth"])
    findings = [
        Finding("large_answers", evidence.total("over"), round(evidence.over_expected, 2), round(over, 1)),
        Finding("records_in_lists_a_day", float(max(slot["rows"])), round(usual, 1), round(evidence.rows, 1)),
        *(
            [Finding("share_of_clients_going_so_far", round(exp(-depth), 5), 1.0, round(depth, 1))]
            if depth > 0.0
            else []
        ),
        Finding("answers", evidence.total("answers"), 0.0, 0.0),
    ]
    route = int(slot["over_route"])
    return Signal("over_fetch", route, int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
