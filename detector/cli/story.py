"""One incident told to people: what happened in a sentence, then the numbers anybody can check by hand."""

from __future__ import annotations

import textwrap
from typing import Any

from detector.cli.printable import printable
from detector.cli.table import number, plural
from detector.report.words import WHAT

WIDTH = 100
CLIENTS_TOLD = 20


def story_lines(record: dict[str, Any]) -> list[str]:
    """The incident, a line each, printable.

    Args:
        record: one line of an incident file; fields of newer versions are ignored, missing ones left out.
    """
    lines = [
        f"incident {_text(record, 'incident')}  ({_text(record, 'severity')}, "
        f"confidence {number(record.get('confidence', 0))}, "
        f"{_text(record, 'state')}, revision {number(record.get('revision', 0))})",
        "",
        *textwrap.wrap(_sentence(record), WIDTH),
        "",
    ]
    lines += [
        f"  {label:<14} {value}"
        for label, value in (
            ("first signal", _moment(record, "first_seen")),
            ("raised", _moment(record, "raised_at")),
            ("last seen", _moment(record, "last_seen")),
            ("requests", number(record.get("requests", 0))),
            ("bytes out", number(record.get("bytes_out", 0))),
            ("records gone", _estimate(record.get("records_exposed"))),
            ("at the alert", number(record.get("records_at_alert", 0))),
            ("persons", _estimate(record.get("persons_exposed"))),
            ("data", ", ".join(printable(str(c)) for c in record.get("data_classes") or [])),
            ("selected by", _selector(record.get("selector"))),
            ("suppressed by", _text(record, "suppressed_by")),
            ("merged into", _text(record, "merged_into")),
            ("found by", _detector(record)),
        )
        if value
    ]
    lines += _evidence(record) + _list("endpoints", record.get("endpoints") or [], None)
    lines += _list(_text(record, "client_kind") or "clients", record.get("clients") or [], record.get("client_count"))
    return lines


def _selector(rule: Any) -> str:
    """The rule that selects a campaign, what it covers and what it would cost others."""
    if not isinstance(rule, dict):
        return ""
    return (
        f"{printable(str(rule.get('text', '')))}: {float(rule.get('recall', 0.0)):.0%} of it, "
        f"{float(rule.get('benign_share', 1.0)):.2g} of ordinary requests"
        f"{'' if rule.get('actionable') else '; not actionable'}"
    )


def _sentence(record: dict[str, Any]) -> str:
    clients = record.get("clients") or []
    count = int(record.get("client_count") or len(clients))
    kind = _text(record, "client_kind") or "client"
    who = f"{kind} {printable(str(clients[0]))}" if count == 1 and clients else f"{count:,} {plural(kind, count)}"
    what = WHAT.get(str(record.get("pattern")), "{who}: " + _text(record, "pattern")).format(who=who)
    where = ", ".join(printable(str(e)) for e in (record.get("endpoints") or [])[:3])
    gone = _estimate(record.get("records_exposed"))
    return (
        f"{what[:1].upper()}{what[1:]}{' on ' + where if where else ''}, "
        f"from {_moment(record, 'first_seen')} to {_moment(record, 'last_seen')}. "
        f"{gone or 'An unknown number'} records are gone; {number(record.get('records_at_alert', 0))} were when it was "
        f"raised."
    )


def _evidence(record: dict[str, Any]) -> list[str]:
    findings = [f for f in record.get("evidence") or [] if isinstance(f, dict)]
    if not findings:
        return []
    rows = [
        f"  {printable(str(f.get('name', ''))).replace('_', ' '):<32} {number(f.get('value', 0)):>12} "
        f"{number(f.get('expected', 0)):>12} {number(f.get('weight', 0)):>10}"
        for f in findings
    ]
    return ["", f"  {'evidence':<32} {'seen':>12} {'ordinary':>12} {'nats':>10}", *rows]


def _list(label: str, values: list[Any], total: Any) -> list[str]:
    shown = [printable(str(value)) for value in values[:CLIENTS_TOLD]]
    more = int(total if total is not None else len(values)) - len(shown)
    text = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    wrapped = textwrap.wrap(text, WIDTH - 17, break_on_hyphens=False) if shown else []
    return [""] * bool(wrapped) + [f"  {label if i == 0 else '':<14} {part}" for i, part in enumerate(wrapped)]


def _estimate(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    low, high = value.get("low", 0), value.get("high", 0)
    between = "" if low == high else f" (between {number(low)} and {number(high)})"
    return f"{number(value.get('estimate', 0))}{between}"


def _detector(record: dict[str, Any]) -> str:
    by = record.get("detector")
    if not isinstance(by, dict):
        return ""
    return printable(f"{by.get('name', '')} {by.get('version', '')}, configuration {by.get('config', '')}")


def _moment(record: dict[str, Any], key: str) -> str:
    return f"{_text(record, key)[:19].replace('T', ' ')} UTC"


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    return "" if value is None else printable(str(value))
