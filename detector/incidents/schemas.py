"""The incident record in the words of others: OCSF's Detection Finding and the Elastic Common Schema.

OCSF 1.8.0, class 2004 with the incident profile (https://schema.ocsf.io/1.8.0/classes/detection_finding). ECS 8.17,
fields of event, rule, threat, source, user and related (https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html).
What neither has a place for travels as it is: in OCSF under ``unmapped``, in ECS under ``detector``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from detector.incidents.incident import NEW, SEVERITIES
from detector.incidents.pseudonyms import is_pseudonym

Record = dict[str, Any]

OCSF_VERSION, ECS_VERSION = "1.8.0", "8.17.0"
CREATE, UPDATE, CLOSE = 1, 2, 3
VERDICTS = {
    "false_positive": (1, "False Positive"),
    "true_positive": (2, "True Positive"),
    "benign_positive": (5, "Benign"),
    "duplicate": (10, "Duplicate"),
}
STATUSES = {NEW: (1, "New"), "acknowledged": (2, "In Progress"), "closed": (4, "Resolved")}
SUPPRESSED = (3, "Suppressed")
ADDRESS, USER, OTHER = 2, 4, 99  # types of observables
BEHAVIORAL, RULE = 2, 1  # types of analytics
RULES = frozenset(("contract", "consent", "tripwire"))
NAMED = 100  # clients told one by one; the record under ``unmapped`` has them all


def ocsf(record: Record) -> Record:
    """A Detection Finding (class 2004)."""
    activity = CLOSE if record["state"] == "closed" else CREATE if record["revision"] == 1 else UPDATE
    severity = SEVERITIES.index(record["severity"]) + 1
    status_id, status = SUPPRESSED if record["suppressed_by"] else STATUSES[record["status"]]
    product = {"name": "detector", "vendor_name": "detector", "version": record["detector"].get("version", "")}
    found: Record = {
        "activity_id": activity,
        "activity_name": {CREATE: "Create", UPDATE: "Update", CLOSE: "Close"}[activity],
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity,
        "type_name": "Detection Finding: " + {CREATE: "Create", UPDATE: "Update", CLOSE: "Close"}[activity],
        "time": _ms(record["last_seen"] if activity != CREATE else record["raised_at"]),
        "start_time": _ms(record["first_seen"]),
        "end_time": _ms(record["last_seen"]),
        "count": record["requests"],
        "severity_id": severity,
        "severity": record["severity"].capitalize(),
        "status_id": status_id,
        "status": status,
        "is_alert": activity != CLOSE and severity > 1 and record["status"] == NEW and not record["suppressed_by"],
        "confidence_score": round(100 * record["confidence"]),
        "message": title(record),
        "metadata": {
            "version": OCSF_VERSION,
            "product": product,
            "profiles": ["incident"],
            "uid": f"{record['incident']}:{record['revision']}",
            "correlation_uid": record["incident"],
            "logged_time": _ms(record["raised_at"]),
        },
        "finding_info": _finding(record, product),
        "evidences": [
            {"data": {"evidence": record["evidence"]}, "api": {"operation": endpoint}}
            for endpoint in record["endpoints"][:1]
        ],
        "resources": [{"name": endpoint, "type": "API route"} for endpoint in record["endpoints"]],
        "observables": [_observable(client, record["client_kind"]) for client in record["clients"][:NAMED]],
        "is_suspected_breach": severity >= 4,
        "priority_id": min(severity, 4),
        "unmapped": {"detector": record},
    }
    if record["verdict"]:
        found["verdict_id"], found["verdict"] = VERDICTS[record["verdict"]]
    if record["assignee"]:
        found["assignee"] = {"name": record["assignee"]}
    return {name: value for name, value in found.items() if value != []}


def _finding(record: Record, product: Record) -> Record:
    attacks = [{"technique": {"uid": uid}, "version": "18"} for uid in record["tags"].get("attack", [])]
    return {
        "uid": record["incident"],
        "title": title(record),
        "analytic": {
            "name": record["pattern"],
            "type_id": RULE if record["pattern"] in RULES else BEHAVIORAL,
            "type": "Rule" if record["pattern"] in RULES else "Behavioral",
            "version": record["detector"].get("version", ""),
        },
        **({"attacks": attacks} if attacks else {}),
        "created_time": _ms(record["raised_at"]),
        "first_seen_time": _ms(record["first_seen"]),
        "last_seen_time": _ms(record["last_seen"]),
        "modified_time": _ms(record["last_seen"]),
        "product": product,
        "types": [*record["tags"].get("owasp_oat", []), *record["tags"].get("owasp_api", [])],
    }


def _observable(client: str, kind: str) -> Record:
    if kind == "address" and "/" not in client and not is_pseudonym(client):
        return {"name": "evidences[].src_endpoint.ip", "type_id": ADDRESS, "type": "IP Address", "value": client}
    if kind == "account":
        return {"name": "evidences[].actor.user.name", "type_id": USER, "type": "User Name", "value": client}
    return {"name": f"client.{kind}", "type_id": OTHER, "type": kind, "value": client}


def ecs(record: Record) -> Record:
    """An alert in the Elastic Common Schema."""
    named = [
        c for c in record["clients"][:NAMED] if not is_pseudonym(c)
    ]  # others are no addresses for a field of type ip
    hashes = [c for c in record["clients"][:NAMED] if is_pseudonym(c)]
    addresses = [c for c in named if record["client_kind"] == "address" and "/" not in c]
    users = [c for c in named if record["client_kind"] == "account"]
    version = record["detector"].get("version", "")
    found: Record = {
        "@timestamp": record["last_seen"],
        "ecs": {"version": ECS_VERSION},
        "message": title(record),
        "event": {
            "kind": "alert",
            "category": ["web", "threat"],
            "type": ["indicator" if record["state"] == "closed" else "info"],
            "module": "detector",
            "dataset": "detector.incident",
            "id": f"{record['incident']}:{record['revision']}",
            "action": record["pattern"],
            "created": record["raised_at"],
            "start": record["first_seen"],
            "end": record["last_seen"],
            "severity": SEVERITIES.index(record["severity"]) + 1,
            "risk_score": round(100 * record["confidence"]),
        },
        "rule": {"id": record["pattern"], "name": record["pattern"], "version": version, "ruleset": "detector"},
        "threat": {"framework": "MITRE ATT&CK", "technique": {"id": record["tags"].get("attack", [])}},
        "url": {"path": record["endpoints"][0].rpartition(" ")[2]} if record["endpoints"] else {},
        "source": {"ip": addresses[0]} if len(addresses) == 1 else {},
        "user": {"name": users[0]} if len(users) == 1 else {},
        "related": {"ip": addresses, "user": users, **({"hash": hashes} if hashes else {})},
        "observer": {"product": "detector", "version": version, "type": "sidecar"},
        "detector": record,
    }
    return {name: value for name, value in found.items() if value != {}}


def title(record: Record) -> str:
    """A line for lists of alerts."""
    gone, clients = record["records_exposed"]["estimate"], record["client_count"]
    by = "one client" if clients == 1 else f"{clients:,} clients"
    return f"{record['pattern']}: {gone:,} records exposed by {by}"


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def native(record: Record) -> Record:
    """The record as it is."""
    return record


SCHEMAS: dict[str, Callable[[Record], Record]] = {"native": native, "ocsf": ocsf, "ecs": ecs}

BEGINNINGS = {"native": b'{"incident":"', "ocsf": b'{"activity_id":', "ecs": b'{"@timestamp":"'}
"""How every line of a schema begins, by which a file's own lines are known."""


def identity_of(told: Record, schema: str) -> tuple[str, int]:
    """The incident's id and revision, in whatever schema it is told.

    Raises:
        KeyError, TypeError, ValueError: it is no incident of that schema.
    """
    if schema == "native":
        return str(told["incident"]), int(told["revision"])
    identity, _, revision = str(told["metadata"]["uid"] if schema == "ocsf" else told["event"]["id"]).partition(":")
    return identity, int(revision)
