"""A declared partner or crawler does what was not agreed: other networks, routes or hours, or too much (a contract
broken). Rules, not statistics: inside the contract nothing is said, outside always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detector.detectors.signal import Finding
from detector.evidence.contract import DAYS, WINDOW, Terms, recent

FEWEST = 3
"""Requests outside within ten minutes: one is a typing error, a person trying something out makes two (judgement)."""

BURST = 3.0
"""Times the agreed day's rate over the agreed hours, for ten minutes: a batch may begin with its largest part (facts of
detection: a stolen key reads 3 to 100 times its owner's norm)."""

LEARNT = 2.0
"""Times the largest hour of the last `DAYS` days with reads, where no amount was agreed."""

SETTLED = 3
"""Closed days with reads before an amount is learnt."""

DRIFT = 2.0
"""Times the reference hour (the first week's largest, growing 1 % a day) that the last days' largest may count for: who
doubles every week is not his own excuse."""

NATS = 9.2
"""Weight of a broken rule: confidence .995. That a rule was broken is certain; what is left are wrong clocks and
addresses."""


@dataclass(frozen=True)
class Break:
    """What one partner does that was not agreed, as of a tick.

    Attributes:
        findings: the numbers, a rule each.
        too_much: whether the amount is among them, so that all it reads now counts as exposed.
        since_us: from when on, log time.
        column: of the slots of its routes, by which the lead route is chosen.
    """

    findings: list[Finding]
    too_much: bool
    since_us: int
    column: str


_OUTSIDE = (
    ("foreign", "requests_from_other_networks"),
    ("elsewhere", "requests_on_other_routes"),
    ("at_other_hours", "requests_outside_its_hours"),
)


def judge(total: Any, terms: Terms, minute: int, floor: int) -> Break | None:
    """What a partner's total says at the beginning of a log minute.

    Args:
        total: its slot, dtype ``evidence.contract.CONTRACT``.
        terms: what was agreed.
        minute: the log minute that begins.
        floor: fewest records that are worth an alert by their amount.
    """
    if total["first_us"] == 0 or int(total["minute"]) < minute - WINDOW:
        return None
    outside = [(column, name, recent(total, column, minute)) for column, name in _OUTSIDE]
    findings = [Finding(name, n, 0.0, NATS) for _, name, n in outside if n >= FEWEST]
    column = next((column for column, _, n in outside if n >= FEWEST), "by_minute")
    amounts, begin = _amounts(total, terms, minute, floor)
    findings += amounts
    if not findings:
        return None
    since = min(begin, minute - WINDOW) if amounts else minute - WINDOW
    told = {finding.name for finding in findings}
    findings += [finding for finding in _beside(total, terms, minute) if finding.name not in told]
    return Break(findings, bool(amounts), since * 60_000_000, column)


def _beside(total: Any, terms: Terms, minute: int) -> list[Finding]:
    """What else a person wants to know: how much it reads as itself, against what was agreed or is known of it."""
    hour = learnt_hour(total)
    today = int(total["day_records"]) if int(total["minute"]) // 1440 == (minute - 1) // 1440 else 0
    agreed = terms.records_a_day if terms.records_a_day is not None else hour * terms.minutes_a_day / 60
    ten = recent(total, "by_minute", minute)
    return [
        Finding("records_today", today, round(agreed, 1), 0.0),
        Finding("records_in_ten_minutes", ten, round(agreed * WINDOW / terms.minutes_a_day, 1), 0.0),
    ]


def _amounts(total: Any, terms: Terms, minute: int, floor: int) -> tuple[list[Finding], int]:
    """Amounts beyond what was agreed or learnt, and the minute from which on they were counted."""
    last = minute - 1
    day, hour, ten = int(total["day_records"]), int(total["hour_records"]), recent(total, "by_minute", minute)
    stands = int(total["minute"])
    agreed = terms.records_a_day
    if agreed is not None:
        found = []
        if stands // 1440 == last // 1440 and day > agreed:
            found.append(Finding("records_today", day, agreed, NATS))
        usual = agreed * WINDOW / terms.minutes_a_day
        if terms.hours and ten > max(BURST * usual, floor):
            found.append(Finding("records_in_ten_minutes", ten, round(usual, 1), NATS))
        return found, last // 1440 * 1440
    if terms.learn and int(total["days"]) >= SETTLED and stands // 60 == last // 60:
        usual = learnt_hour(total)
        if hour > max(LEARNT * usual, floor):
            return [Finding("records_this_hour", hour, round(usual, 1), NATS)], last // 60 * 60
    return [], last


def learnt_hour(total: Any) -> float:
    """The largest hour a partner is known by: of its last `DAYS` days with reads, bounded by the reference."""
    assert len(total["peaks"]) == DAYS
    return min(float(total["peaks"].max()), DRIFT * float(total["reference"]))
