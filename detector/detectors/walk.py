"""One client reads ids in order (a walk)."""

from __future__ import annotations

from math import log

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.constants import RUN


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts a client whose last 128 ids or more follow one another.

    A run this long stands alone: it needs no baseline, so it holds from the first minute of a log. Its weight is that
    of as many steps against an ordinary client that takes every second step to a neighbour, which nobody was seen
    to do.
    """
    slot = evidence.slot
    if evidence.in_order < RUN or slot["raised"] & 1:
        return None
    nats = evidence.in_order * log(2.0)
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if nats < threshold:
        return None
    findings = [
        Finding("ids_in_order", evidence.in_order, 59.0, round(nats, 1)),
        Finding("share_of_stretch_read", round(evidence.density, 3), 0.0, 0.0),
        Finding("records_read_by_nobody_else", evidence.total("cold"), round(evidence.total("cold_expected"), 1), 0.0),
    ]
    return Signal("walk", int(slot["lead"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
