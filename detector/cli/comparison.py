"""``detector replay --compare``: what another configuration, or another version, adds and hides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from detector.cli.printable import printable
from detector.report import words

NAMED = 50
QUIET = "informational"


def comparison(before: Path, after: Sequence[dict[str, Any]]) -> list[str]:
    """What is new, what is gone and what is told otherwise, a line each; incidents are the same by their ids, else by
    pattern and first client.

    Raises:
        InputError: the file cannot be read.
    """
    from detector.cli.explain import read_incidents

    old = [record for record in read_incidents(before) if _is_loud(record)]
    new = [record for record in after if _is_loud(record)]
    pairs, rest = [], list(new)
    gone = []
    for record in old:
        other = next((one for one in rest if one["incident"] == record["incident"]), None)
        other = other or next((one for one in rest if _alike(one) == _alike(record)), None)
        if other is None:
            gone.append(record)
            continue
        rest.remove(other)
        pairs.append((record, other))
    changed = [pair for pair in pairs if _told(pair[0]) != _told(pair[1])]
    same = len(pairs) - len(changed)
    counts = f"{same} as before, {len(changed)} told otherwise, {len(rest)} added, {len(gone)} hidden"
    lines = [f"compared  {counts}"]
    lines += [f"added     {_line(record)}" for record in rest[:NAMED]]
    lines += [f"hidden    {_line(record)}" for record in gone[:NAMED]]
    lines += [f"otherwise {_line(a)} -> {' '.join(map(str, _told(b)))}" for a, b in changed[:NAMED]]
    return [printable(line) for line in lines]


def _is_loud(record: dict[str, Any]) -> bool:
    return not (record.get("suppressed_by") or record.get("merged_into") or record.get("severity") == QUIET)


def _alike(record: dict[str, Any]) -> tuple[str, str]:
    return str(record.get("pattern")), str(next(iter(words.many(record.get("clients"))), ""))


def _told(record: dict[str, Any]) -> tuple[str, str, str, int]:
    gone = words.estimate(record.get("records_exposed"))
    return str(record.get("severity")), str(record.get("pattern")), gone, words.whole(record.get("records_at_alert"))


def _line(record: dict[str, Any]) -> str:
    severity, pattern, gone, at_alert = _told(record)
    return f"{str(record.get('incident'))[:12]} {severity} {pattern} {gone} {at_alert} {words.who(record)}"
