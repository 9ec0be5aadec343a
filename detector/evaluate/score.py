"""Incidents against the truth: how much was gone at the first actionable alert, and who was named rightly.

The headline metric is records exposed before the first actionable alert. An alert is actionable when it names clients
that make at least half of the attacker's later requests and at most 0.1 % of everybody else's, or has a selector that
does: here by its own figures, for a truth on paper holds no columns to apply it to (the suite applies it, see
`figures`). The names are those of the incident's last state: a replay writes no other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from detector.errors import InputError
from detector.simulate.truth import Attack, Truth, iso

COVERS_ATTACKER = 0.5  # share of the attacker's later requests
COVERS_OTHERS = 0.001  # share of the others' requests


@dataclass(frozen=True)
class Evaluation:
    """What one replay was worth.

    Attributes:
        pattern, form: of the truth.
        detected: whether any alert was actionable.
        incident: id of the first actionable one.
        raised_at: its log time.
        minutes: from the attacker's first request to it; 0 where both fall into the same second.
        records_before_alert: distinct records the attacker had been given by the end of that second; all of them where
            nothing was actionable.
        records_taken: all he was given in this log.
        leak_share: the former as a share of the latter; 0 without an attacker.
        records_counted: what the incident says was exposed in all.
        count_error: records_counted / records_taken - 1.
        attack_incidents: incidents that name at least one of the attacker's clients; one is right.
        false_incidents: ids of those that name none, informational and suppressed ones left out.
        false_incidents_per_day: of log time.
        precision, recall: of the clients named in incidents above informational, against the attacker's. Where an
            incident's list is capped, its rest is taken to be as right as the list. None = undefined.
        attackers: the attacker's clients.
        selector_recall, selector_benign_share: what the first actionable incident says of its own selector; None
            without one.
    """

    pattern: str
    form: str
    detected: bool
    incident: str | None
    raised_at: str | None
    minutes: float | None
    records_before_alert: int
    records_taken: int
    leak_share: float
    records_counted: int | None
    count_error: float | None
    attack_incidents: int
    false_incidents: list[str]
    false_incidents_per_day: float
    precision: float | None
    recall: float | None
    attackers: int
    selector_recall: float | None = None
    selector_benign_share: float | None = None

    def record(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def evaluate(incidents: list[dict[str, Any]], truth: dict[str, Any] | Truth) -> Evaluation:
    """Judges what a replay found.

    Args:
        incidents: records of the contract (`Incident.record()`), in any order.
        truth: what `detector simulate` wrote, parsed or not.

    Raises:
        InputError: the truth is none, or an incident lacks a field.
    """
    known = truth if isinstance(truth, Truth) else Truth.parse(truth)
    try:
        loud = [i for i in incidents if i["severity"] != "informational" and not i["suppressed_by"]]
        loud.sort(key=lambda i: (_second(i["raised_at"]), i["incident"]))
        return _evaluate(loud, known)
    except KeyError as error:
        raise InputError(f"an incident lacks the field {error}") from error


def _evaluate(loud: list[dict[str, Any]], truth: Truth) -> Evaluation:
    attack = truth.attack
    attackers = set(attack.clients) if attack else set()
    ours = [i for i in loud if attack and _names_attacker(i, attack)]
    false = [i["incident"] for i in loud if i not in ours]
    first = next((i for i in ours if attack and _actionable(i, attack, truth)), None)
    raised = _second(first["raised_at"]) if first else None
    rule = (first["selector"] if first else None) or {}
    taken = attack.records if attack else 0
    before = taken if raised is None or attack is None else attack.records_by(raised)
    counted = int(first["records_exposed"]["estimate"]) if first else None
    days = (_second(truth.end) - _second(truth.start)) / 86_400
    precision, recall = _named(loud, attackers)
    return Evaluation(
        pattern=truth.pattern,
        form=truth.form,
        detected=first is not None,
        incident=first["incident"] if first else None,
        raised_at=iso(raised) if raised is not None else None,
        minutes=max(raised - int(attack.second[0]), 0) / 60 if raised is not None and attack else None,
        records_before_alert=before,
        records_taken=taken,
        leak_share=before / taken if taken else 0.0,
        records_counted=counted,
        count_error=counted / taken - 1 if counted is not None and taken else None,
        attack_incidents=len(ours),
        false_incidents=false,
        false_incidents_per_day=len(false) / days if days else 0.0,
        precision=precision,
        recall=recall if attackers else None,
        attackers=len(attackers),
        selector_recall=rule.get("recall"),
        selector_benign_share=rule.get("benign_share"),
    )


def _names_attacker(incident: dict[str, Any], attack: Attack) -> bool:
    if incident["selector"] and attack.route in incident["endpoints"]:
        return True
    return not set(attack.clients).isdisjoint(incident["clients"])


def _actionable(incident: dict[str, Any], attack: Attack, truth: Truth) -> bool:
    selector = incident["selector"]
    if selector and selector["recall"] >= COVERS_ATTACKER and selector["benign_share"] <= COVERS_OTHERS:
        return True
    if not incident["clients"]:
        return False
    named = set(incident["clients"])
    others = sum(truth.ordinary.get(name, 0) for name in named)
    if others > COVERS_OTHERS * sum(truth.ordinary.values()):
        return False
    later = attack.second > _second(incident["raised_at"])
    if not later.any():
        later = np.ones(len(attack.second), np.bool_)
    of_named = np.array([name in named for name in attack.clients])
    covered = of_named[attack.client[later]].mean()
    listed = len(incident["clients"])
    return bool(covered * max(incident["client_count"], listed) / max(listed, 1) >= COVERS_ATTACKER)


def _named(loud: list[dict[str, Any]], attackers: set[str]) -> tuple[float | None, float | None]:
    """Precision and recall of the clients named, capped lists extrapolated."""
    named: set[str] = set()
    unlisted = 0
    for incident in loud:
        named.update(incident["clients"])
        unlisted += max(incident["client_count"] - len(incident["clients"]), 0)
    if not named:
        return None, 0.0
    precision = len(named & attackers) / len(named)
    if not attackers:
        return precision, None
    hits = min(len(named & attackers) + precision * unlisted, len(attackers))
    return precision, hits / len(attackers)


def _second(moment: str) -> int:
    try:
        return int(datetime.fromisoformat(moment).timestamp() // 1)
    except ValueError as error:
        raise InputError(f"{moment!r} is not a moment in ISO 8601") from error
