"""A judge of consent by the letter: plain Python over the text of log, ledger and policy, sharing nothing with anybody.

It knows everything at once and needs neither grace nor statistics; what it counts is what was really broken.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Found:
    """What one party did: reads by what is wrong with them, and the persons of these."""

    reads: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    persons: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def moment(text: str) -> float:
    """ISO 8601 as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def changes_of(ledger: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The grants and revocations of each (partner, person), by time."""
    found = defaultdict(list)
    for line in ledger.splitlines():
        change = json.loads(line)
        if change["action"] in ("grant", "revoke"):
            found[change["partner"], change["subject"]].append(change)
    return {key: sorted(changes, key=lambda change: moment(change["time"])) for key, changes in found.items()}


def faults(
    party: dict[str, Any], data_class: str, request: dict[str, Any], changes: list[dict[str, Any]]
) -> Iterator[str]:
    """What is wrong with one read; a log's seconds are whole, so anything within the second is given to the reader."""
    at = moment(request["time_iso8601"])
    if data_class not in party["classes"]:
        yield "other class"
    if request["purpose"] not in party["purposes"]:
        yield "other purpose"
    hour = datetime.fromtimestamp(at, UTC).hour
    for text in party.get("hours", ()):
        if not int(text[:2]) <= hour < int(text[6:8]):
            yield "other hour"
    if data_class not in party.get("consent", {}).get("classes", ()):
        return
    before = [change for change in changes if moment(change["time"]) < at + 1]
    if not before:
        yield "no grant"
    elif before[-1]["action"] == "revoke":
        if moment(before[-1]["received_at"]) < at:
            yield "revoked"
    elif before[-1].get("manner", "explicit") not in party["consent"]["manners"]:
        yield "manner"


def judge(log: str, ledger: str, policy: dict[str, Any]) -> dict[str, Found]:
    """What each party of the policy broke, by its name; those that broke nothing have no reads."""
    classes = {t["route"].split(" ")[1].partition("{")[0]: t["data_classes"][0] for t in policy["routes"]["templates"]}
    parties = policy["policy"]["parties"]
    changes = changes_of(ledger)
    found = {party["name"]: Found() for party in parties}
    for line in log.splitlines():
        request = json.loads(line)
        account = request["remote_user"]
        front, _, person = request["request_uri"].rpartition("/")
        data_class = classes.get(front + "/")
        if data_class is None:
            continue
        for party in parties:
            match = party["match"]
            if account in match.get("accounts", ()) or account.startswith(tuple(match.get("account_prefixes", ()))):
                said = found[party["name"]]
                said.reads["all"] += 1
                for fault in faults(party, data_class, request, changes.get((party["name"], person), [])):
                    said.reads[fault] += 1
                    said.persons[fault].add(person)
    return found
