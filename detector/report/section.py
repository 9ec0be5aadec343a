"""What the page says of one incident, made of its record and, as far as there is one, its case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from detector.incidents.incident import NEW
from detector.report import plots, words
from detector.report.words import Told

CONVICTED = "What convicted"
SHARES = 8  # agents, networks and routes told one by one
CLIENTS = 12
SAMPLES = 10
MOST_POINTS = 500  # contract.md: a case has no more


@dataclass(frozen=True)
class Plot:
    """A drawing, and what it shows in words."""

    title: str
    text: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """One incident, ready for the template; texts are as the log had them, the template makes them harmless.

    Attributes:
        anchor: its place in the page.
        facts: name and text.
        shares: title, and rows of text and share.
        evidence: name, seen, ordinary, nats.
        coverage: of its case's manifest.
    """

    anchor: str
    title: str
    severity: str
    identity: str
    sentence: str
    facts: list[tuple[str, str]]
    clients: list[str]
    more_clients: int
    stopped: list[str]
    plots: list[Plot]
    shares: list[tuple[str, list[tuple[str, str, float]]]]
    evidence: list[tuple[str, str, str, str]]
    samples: list[dict[str, str]]
    coverage: Told
    has_case: bool


def section(place: int, record: Told, case: Told | None) -> Section:
    """One incident.

    Args:
        place: from 0, in the page.
        record: as the contract has it; what is missing or of another kind is left out.
        case: see `incidents.case.case`; None = there is none.
    """
    known = case or {}
    severity = str(record.get("severity"))
    clients = [str(client) for client in words.many(record.get("clients"))]
    return Section(
        anchor=f"incident-{place + 1}",
        title=str(record.get("pattern")).replace("_", " "),
        severity=severity if severity.isalpha() else "informational",
        identity=str(record.get("incident")),
        sentence=words.sentence(record),
        facts=_facts(record, known),
        clients=clients[:CLIENTS],
        more_clients=max(words.whole(record.get("client_count")) - len(clients[:CLIENTS]), 0),
        stopped=words.stopped(known.get("limits"), record) if case else [],
        plots=_plots(record, known),
        shares=_shares(known),
        evidence=_evidence(record),
        samples=[_sample(words.table(one)) for one in words.many(known.get("samples"))[:SAMPLES]],
        coverage=words.table(words.table(known.get("manifest")).get("coverage")),
        has_case=case is not None,
    )


def _facts(record: Told, case: Told) -> list[tuple[str, str]]:
    by = words.table(record.get("detector"))
    manifest = words.table(case.get("manifest"))
    kept = words.table(case.get("records"))
    facts = [
        ("records gone", words.estimate(record.get("records_exposed"))),
        ("before the alert", f"{words.whole(record.get('records_at_alert')):,}"),
        ("persons", words.estimate(record["persons_exposed"]) if record.get("persons_exposed") else ""),
        ("data", ", ".join(str(name) for name in words.many(record.get("data_classes")))),
        ("first signal", words.moment(record.get("first_seen"))),
        ("raised (log time)", words.moment(record.get("raised_at"))),
        ("last seen", words.moment(record.get("last_seen"))),
        ("noticed (this machine's clock)", words.moment(manifest.get("noticed_at"))),
        ("requests", f"{words.whole(record.get('requests')):,}"),
        ("bytes out", f"{words.whole(record.get('bytes_out')):,}"),
        ("selected by", _selector(words.table(record.get("selector")))),
        ("partner", str(record.get("partner") or "")),
        ("wanting", "; ".join(words.missing(record))),
        ("state", _state(record)),
        ("confidence", f"{words.real(record.get('confidence')):.4g}"),
        ("records listed one by one", _kept(kept) if kept else ""),
        ("found by", " ".join(str(by.get(name, "")) for name in ("name", "version"))),
        ("configuration", str(by.get("config", ""))),
    ]
    return [(name, text) for name, text in facts if text.strip()]


def _kept(kept: Told) -> str:
    how = "all of them" if kept.get("complete") else "a part: the number above is an estimate"
    named = words.table(kept.get("named"))
    if not kept.get("complete") and named.get("listed"):
        said = "all of them" if named.get("complete") else f"of {words.estimate(named)}"
        how += f"; of the named clients {words.whole(named.get('listed')):,}, {said}"
    return f"{words.whole(kept.get('kept')):,}, {how}"


def _state(record: Told) -> str:
    said = [str(record.get("state") or ""), f"revision {words.whole(record.get('revision'))}"]
    said += [str(record[name]) for name in ("status", "verdict") if record.get(name) and record[name] != NEW]
    if record.get("assignee"):
        said.append(f"assigned to {record['assignee']}")
    if record.get("warming"):
        said.append("raised while lost state was read again")
    return ", ".join(part for part in said if part)


def _selector(rule: Told) -> str:
    if not rule:
        return ""
    recall, others = words.real(rule.get("recall")), words.real(rule.get("benign_share"))
    acts = "" if rule.get("actionable") else "; too wide to act on"
    return f"{rule.get('text', '')} ({recall:.0%} of it, and {others:.2g} of ordinary requests{acts})"


def _evidence(record: Told) -> list[tuple[str, str, str, str]]:
    found = []
    for finding in map(words.table, words.many(record.get("evidence"))):
        seen, usual, nats = (words.figure(finding.get(key)) for key in ("value", "expected", "weight"))
        found.append((str(finding.get("name")).replace("_", " "), seen, usual, nats))
    return found


def _shares(case: Told) -> list[tuple[str, list[tuple[str, str, float]]]]:
    found = []
    for key, title in (("routes", "Routes"), ("networks", "Networks"), ("agents", "User agents")):
        entries = [one for one in words.many(case.get(key)) if isinstance(one, list) and len(one) >= 2]
        total = sum(words.real(one[1]) for one in entries) if key == "routes" else 1.0
        rows = []
        for one in entries[:SHARES]:
            share = min(max(words.real(one[1]) / max(total, 1e-9), 0.0), 1.0)
            classes = ", ".join(str(name) for name in words.many(one[2])) if len(one) > 2 else ""
            rows.append((f"{one[0]} [{classes}]" if classes else str(one[0]), f"{share:.1%}", share))
        if rows:
            found.append((title, rows))
    return found


def _sample(one: Told) -> dict[str, str]:
    return {
        "time": words.moment(one.get("time")),
        "client": str(one.get("client") or ""),
        "request": str(one.get("request")),
        "answer": f"{words.whole(one.get('status'))}, {words.whole(one.get('bytes_out')):,} bytes",
        "agent": str(one.get("agent")),
    }


def _pairs(value: Any) -> list[tuple[datetime, int]]:
    """Moments and numbers, in the order of time."""
    pairs = [one for one in words.many(value) if isinstance(one, list) and len(one) == 2]
    found = [(words.parsed(t), words.whole(n)) for t, n in pairs]
    return sorted((when, n) for when, n in found if when is not None)


def _plots(record: Told, case: Told) -> list[Plot]:
    raised = words.parsed(record.get("raised_at"))
    curve, minutes, points = (_pairs(case.get(key)) for key in ("exposed", "minutes", "points"))
    drawn: list[tuple[str, str, plots.Draw]] = []
    if curve:
        text = f"{words.whole(record.get('records_at_alert')):,} had gone at the alert, {curve[-1][1]:,} in the end."
        drawn.append(("Records exposed", text, plots.exposure(curve, raised)))
    if minutes:
        drawn.append(_requests(record, case, minutes))
    if points:
        text = "A line is an enumeration; a cloud is a list, or somebody who knows what he looks for."
        drawn.append(("Ids asked for", text, plots.scatter(points[:MOST_POINTS])))
    hours = [words.whole(n) for n in words.many(case.get("hours"))]
    if len(hours) == 24 and any(hours):
        active = sum(1 for n in hours if n)
        drawn.append(("Hours of the day", f"Active in {active} of 24 hours (UTC).", plots.hours(hours)))
    weights = [
        (str(one.get("name")).replace("_", " "), words.real(one.get("weight")))
        for one in map(words.table, words.many(record.get("evidence")))
        if words.real(one.get("weight")) > 0
    ]
    if len(weights) > 1:
        text = "Each piece of evidence as the logarithm of its odds."
        drawn.append((CONVICTED, text, plots.waterfall(weights)))
    found = []
    for title, text, draw in drawn:
        left = plots.LABELS if title == CONVICTED else plots.LEFT
        found.append(Plot(title, text, Markup(plots.svg(draw, title, left))))
    return found


def _requests(record: Told, case: Told, minutes: list[tuple[datetime, int]]) -> tuple[str, str, plots.Draw]:
    clients = max(words.whole(record.get("client_count")), 1)
    usual = [words.real(n) for n in words.many(words.table(case.get("ordinary")).get("records_a_day"))]
    if len(usual) != 2:
        text = f"Per {plots.bar(minutes)}; there are no other clients to compare with."
        return "Reads against the expected", text, plots.requests(minutes, 0.0)
    whom = "the busiest one in a hundred" if clients == 1 else f"{clients:,} clients like the busiest one in a hundred"
    text = (
        f"Per {plots.bar(minutes)}. Dashed: {whom} of ordinary clients ({usual[1]:,.4g} records a day each; half of "
        f"them read at most {usual[0]:,.4g})."
    )
    return "Reads against the expected", text, plots.requests(minutes, usual[1] * clients)
