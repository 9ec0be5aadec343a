"""What agent-census makes of the suite's cases, as a section of the suite's Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.evaluate.cases import Case
from detector.evaluate.rivals.census import NAMED

Line = dict[str, Any]
Kinds = dict[str, int]

ABSENT = (
    "agent-census: not among the packages of this environment, so it was not run; it names no moment and no records."
)


def section(attacks: Sequence[tuple[Case, Line]], lines: int) -> list[str]:
    """The section.

    Args:
        attacks: cases and what came of them.
        lines: which it reads at most.
    """
    done = [(case, line, rival) for case, line in attacks for rival in line["rivals"] if rival["as"] == "census"]
    said = ["## agent-census on the same rows", ""]
    if not done:
        return [*said, ABSENT, ""]
    said += [
        f"{done[0][2]['rival']} reads the first {lines:,} lines of each case when it is over: combined format, "
        "everybody's lines from a minute before the attack on. It names no moment and no records, so names are all "
        "that is compared. A client is an address and its agent, as it has it; *named* are those it calls "
        f"{_words(sorted(NAMED))}; `unknown`, browsers, apps, feed readers and services are not. Declared partners "
        "and crawlers are left out. *Precision*: the attacker's share of all named; *people*: among the others named, "
        "clients all of whose requests are a person's. *Detector*: precision and recall of the clients it lists, and "
        "of requests by its selector where it gives one, on the whole case, and what was gone when its alert was "
        "first actionable. The census looks nothing up over the network.",
        "",
    ]
    head = ["case", "lines", "minutes", "attackers", "named", "recall", "precision", "others named", "people named"]
    head += ["attackers as", "others as", "lines/CPU s", "Detector: names p / r", "selector p / r", "records then"]
    rows = [_row(case, line["figures"], rival) for case, line, rival in done]
    cells = [head, ["---"] * len(head), *rows]
    return [*said, *("| " + " | ".join(row) + " |" for row in cells), ""]


def _row(case: Case, figures: dict[str, Any], rival: dict[str, Any]) -> list[str]:
    theirs, others, people = rival["attackers"], rival["others"], rival["people"]
    named, beside = _named(theirs), _named(others)
    return [
        case.key,
        f"{rival['lines']:,}" + (f" ({rival['unread']:,} unread)" if rival["unread"] else ""),
        f"{rival['seconds'] / 60:.1f}",
        f"{sum(theirs.values()):,}",
        f"{named:,}",
        _share(named, sum(theirs.values())),
        _share(named, named + beside),
        f"{beside:,} of {sum(others.values()):,}",
        f"{_named(people):,} of {sum(people.values()):,}",
        _kinds(theirs),
        _kinds(others),
        f"{rival['lines'] / max(rival['processor_seconds'], 0.1):,.0f}",
        _pair(figures["listed_precision"], figures["listed_recall"]),
        _pair(figures["selector_precision"], figures["selector_recall"]),
        "–" if figures["records"] is None else f"{figures['records']:,}",
    ]


def _named(kinds: Kinds) -> int:
    return sum(count for kind, count in kinds.items() if kind in NAMED)


def _kinds(kinds: Kinds) -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.items()) or "–"


def _words(kinds: Sequence[str]) -> str:
    return ", ".join(kind.replace("_", " ") for kind in kinds)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _pair(precision: float | None, recall: float | None) -> str:
    return "–" if precision is None or recall is None else f"{precision:.1%} / {recall:.1%}"
