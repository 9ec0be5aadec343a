"""One client tries ids that mostly do not exist (key guessing)."""

from __future__ import annotations

from math import log

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.likelihood import hedged

GROUP_NATS = 2.0
"""What misses must say before the number of tries may add to it: as in `detectors.bulk`, odds of seven to one."""


def statistic(evidence: ClientEvidence) -> float:
    """How many of its tries miss, and how many tries there are, in nats.

    The first is judged given the second, so minus the log of the tail of tries adds to the misses' e-value (see
    `evidence.volume`).
    """
    return hedged(evidence.miss) + evidence.tries


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on misses alone, the fastest test there is, or on misses and the number of tries together.

    Tries count only once the log is long enough to know a day's.
    """
    slot = evidence.slot
    misses = evidence.miss - log(2.0)
    tries = evidence.tries if evidence.null.settled and misses >= GROUP_NATS else 0.0
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if slot["raised"] & 4 or misses + tries < threshold:
        return None
    usual = evidence.null.tail_tries.begin if evidence.null.tail_tries else 0.0
    findings = [
        Finding(
            "misses", evidence.total("misses"), round(evidence.total("misses_expected"), 1), round(evidence.miss, 1)
        ),
        Finding("tries", evidence.total("tries"), round(usual, 1), round(tries, 1)),
        Finding("records_read", evidence.total("fresh"), 0.0, 0.0),
    ]
    nats = misses + tries
    return Signal("guessing", int(slot["lead"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
