"""One client carries away far more records than others, and records nobody else reads (bulk extraction)."""

from __future__ import annotations

from detector.detectors.signal import Budget, Finding, Signal
from detector.evidence.client import ClientEvidence
from detector.evidence.likelihood import hedged

GROUP_NATS = 2.0
"""What each of the two groups, amount and object or context, must say for itself: odds of seven to one. The bound on
false alarms lies in the sum; this keeps one of them from convicting alone. At 3 a harvester of a data API (coldness .97
where ordinary clients show .55) would need a third day."""


def statistic(evidence: ClientEvidence) -> float:
    """How many records (volume), which ones (cold, foreign), how little else it does (pure, no_login), in nats.

    An e-value over a p-value of something else is a valid statistic: which records are read, and what is asked for
    beside them, is judged given how many they are.
    """
    return hedged(evidence.harvest) + evidence.volume


def judge(evidence: ClientEvidence, budget: Budget) -> Signal | None:
    """Convicts on two groups of evidence together: how many records, and which or how.

    Volume alone never convicts: gateways of a whole company, monitors and readers of the popular are large. On a route
    where everybody reads records nobody else reads (orders, warranties, a key's own data) coldness says nothing, but
    must not speak against it; there it tells that people come from somewhere, sign in, look around and repeat
    themselves, while a harvester asks for one new record after the other. Where owners come back to their records every
    day it does speak against whoever reads all of them; whose they are (foreign) then answers it. That is no third
    group, and purity must say its part: a clerk reads other people's records as well, but looks them up first.
    """
    slot = evidence.slot
    if not evidence.null.settled:
        return None
    cold, pure, volume = evidence.cold, evidence.pure, evidence.volume
    foreign, whose = evidence.foreign, evidence.whose
    nats = statistic(evidence)
    threshold = budget.client_threshold(evidence.null.clients_a_day)
    if (
        evidence.distinct < evidence.null.floor
        or slot["raised"] & 2
        or not (cold >= GROUP_NATS or (whose >= 0.0 and pure >= GROUP_NATS))
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
    if foreign > 0.0:
        usual = round(evidence.total("foreign_expected"), 2)
        findings.append(
            Finding("records_of_other_accounts_sampled", evidence.total("foreign"), usual, round(foreign, 1))
        )
    if evidence.habit is not None:
        share = min(evidence.total("fresh") / max(evidence.total("requests"), 1.0), 1.0)
        usual = round(evidence.habit.mean, 3)
        findings.append(Finding("share_of_requests_for_new_records", round(share, 3), usual, round(pure, 1)))
    if evidence.no_login > 0.0 and evidence.habit is not None:
        usual = round(1.0 - evidence.habit.unsigned, 4)
        findings.append(Finding("has_signed_in", 0.0, usual, round(evidence.no_login, 1)))
    return Signal("bulk", int(slot["lead"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)
