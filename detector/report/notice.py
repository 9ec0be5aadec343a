"""The facts a notice of a breach asks for, as far as a log can tell them: Markdown that a lawyer can edit.

What is asked: GDPR Art. 33 (3): nature of the breach with categories and approximate numbers of persons and of records;
PIPL Art. 57: kinds of information, cause and possible harm, measures. Nothing here claims that there is a duty to
notify, or that none is. The marks of 4, 24 and 72 hours are those of China's incident-reporting measures (network
operators 4 h, from 1 November 2025), of its network-data regulations (24 h) and of GDPR Art. 33 (1).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from detector.report import words
from detector.report.page import coverage_lines
from detector.report.visible import visible
from detector.report.words import Told

MARKS_H = (4, 24, 72)
ROUTES = 10
PEOPLE = (
    "These persons agreed on a screen that did not ask them; formally they have granted it. They are to be told apart "
    "from others (`--exposed`, column why)."
)
COMPARED = ("records_exposed", "persons_exposed", "client_count", "requests", "last_seen", "data_classes", "endpoints")


def notice(record: Told, case: Told | None, before: Told | None = None) -> list[str]:
    """The facts, a line each.

    Args:
        record: the incident, newest revision.
        case: what stands behind it; None = there is none.
        before: the same incident in the revision the first notice was written from.
    """
    known = case or {}
    manifest = words.table(known.get("manifest"))
    lines = [
        f"# Facts about incident {_code(record.get('incident'))}",
        "",
        f"Revision {words.whole(record.get('revision'))}, {_safe(record.get('state'))}. Times are UTC and the log's "
        "own unless said. Numbers are what the log shows; they are no legal assessment.",
        "",
        *(_changes(record, before) if before is not None else []),
        *_nature(record),
        *_numbers(record, known),
        *_times(record, words.parsed(manifest.get("noticed_at"))),
        *_measures(record, known),
        *_unknown(record, known, manifest),
    ]
    return lines


def _nature(record: Told) -> list[str]:
    """GDPR Art. 33 (3) a, PIPL Art. 57 (1): what happened, which categories."""
    classes = [_safe(name) for name in words.many(record.get("data_classes"))]
    endpoints = [_code(name) for name in words.many(record.get("endpoints"))[:ROUTES]]
    return [
        "## Nature of the incident",
        "",
        _safe(words.sentence(record), 1500),
        "",
        f"- Read through: {', '.join(endpoints) or 'not known'}",
        f"- Kinds of data, as configured: {', '.join(classes) or 'not declared, to be filled in'}",
        *(f"- Wanting: {line}" for line in words.missing(record)),
        f"- Severity and confidence of the detection: {_safe(record.get('severity'))}, "
        f"{words.real(record.get('confidence')):.4g}",
        "",
    ]


def _numbers(record: Told, case: Told) -> list[str]:
    """GDPR Art. 33 (3) a: approximate numbers of persons and of records."""
    persons = record.get("persons_exposed")
    kept = words.table(case.get("records"))
    one_by_one = "not kept"
    if kept:
        one_by_one = f"{words.whole(kept.get('kept')):,} ({'all' if kept.get('complete') else 'a part'} of them)"
    return [
        "## Approximate numbers",
        "",
        f"- Records: {words.estimate(record.get('records_exposed'))}",
        f"- Persons: {words.estimate(persons) if persons else 'not known: the log does not say whose they are'}",
        f"- Records listed one by one (`--exposed`): {one_by_one}",
        f"- Requests: {words.whole(record.get('requests')):,}; bytes sent: {words.whole(record.get('bytes_out')):,}",
        *([f"- {PEOPLE}"] if "reads_on_smelling_grant" in words.findings(record) else []),
        "",
    ]


def _times(record: Told, noticed: datetime | None) -> list[str]:
    lines = [
        "## When",
        "",
        f"- First signal: {words.moment(record.get('first_seen'))} (log time)",
        f"- Last seen: {words.moment(record.get('last_seen'))} (log time)",
        f"- Enough had been seen to raise it: {words.moment(record.get('raised_at'))} (log time)",
    ]
    if noticed is None:
        return [*lines, "- Noticed: not known, there is no case of it; to be filled in", ""]
    lines.append(f"- Noticed: {words.moment(noticed.isoformat())} (clock of the machine that ran the detector)")
    lines += [
        f"- {hours} hours from there: {words.moment((noticed + timedelta(hours=hours)).isoformat())}"
        for hours in MARKS_H
    ]
    return [*lines, "", "When a person became aware of it, the log cannot know; to be filled in.", ""]


def _measures(record: Told, case: Told) -> list[str]:
    """PIPL Art. 57 (2) asks for measures: what a limit would have done is a fact, what was done is not known here."""
    return [
        "## Cause and measures",
        "",
        "- Cause: to be filled in (which fault let records be read in such numbers)",
        "- Measures taken: to be filled in",
        *(f"- {_safe(line, 500)}" for line in words.stopped(case.get("limits"), record) if case),
        "",
    ]


def _unknown(record: Told, case: Told, manifest: Told) -> list[str]:
    covered = words.table(manifest.get("coverage"))
    classes = words.many(record.get("data_classes"))
    open_points = [
        "" if classes else "which kinds of data the routes hand out (routes.templates may declare it)",
        "" if record.get("persons_exposed") else "whose records they are (policy.persons may tell)",
        "whether what was read has been passed on or published",
        "who is behind the clients named",
        "" if record.get("state") == "closed" else "whether it goes on: the incident is still open",
    ]
    sources = [_code(name) for name in words.many(manifest.get("sources"))[:ROUTES]]
    return [
        "## What remains unknown",
        "",
        *(f"- {point}" for point in open_points if point),
        "",
        "## What this is based on",
        "",
        *(f"- {_safe(line)}" for line in coverage_lines(covered)),
        *([f"- read: {', '.join(sources)}"] if sources else []),
        f"- detector {_safe(words.table(record.get('detector')).get('version'))}, configuration "
        f"{_code(words.table(record.get('detector')).get('config'))}",
    ]


def _changes(record: Told, before: Told) -> list[str]:
    lines = []
    for name in COMPARED:
        old, new = before.get(name), record.get(name)
        if old != new:
            lines.append(f"- {name.replace('_', ' ')}: {_value(old)} → {_value(new)}")
    added = [
        name
        for name in words.many(record.get("clients"))
        if name not in set(map(str, words.many(before.get("clients"))))
    ]
    if added:
        lines.append(f"- clients named since: {len(added):,}")
    first = f"## Changed since revision {words.whole(before.get('revision'))}"
    return [first, "", *(lines or ["- nothing"]), ""]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return words.estimate(value)
    if isinstance(value, list):
        return ", ".join(_safe(one) for one in value[:ROUTES]) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else _safe(value)


def _safe(value: Any, longest: int = 200) -> str:
    """Text in Markdown: what could become a tag, a link, an image or a code span is escaped
    (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""
    text = visible("" if value is None else str(value), longest)
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|!" else c for c in text).replace("\\_", "_")


def _code(value: Any) -> str:
    """A code span: escapes do not work in it, so the one letter that ends it is replaced."""
    return f"`{visible('' if value is None else str(value), 200).replace('`', chr(0x2019))}`"


def revision(records: Sequence[Told], incident: str, number: int) -> Told | None:
    """The newest revision of an incident not above a number, out of all lines of a stream's file."""
    found = [
        record
        for record in records
        if record.get("incident") == incident and words.whole(record.get("revision")) <= number
    ]
    return max(found, key=lambda record: words.whole(record.get("revision")), default=None)
