"""The report: one HTML file that asks nothing of the network, runs nothing, and shows hostile text as what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from detector.incidents.incident import NEW, SEVERITIES
from detector.report import words
from detector.report.section import Section, section
from detector.report.visible import visible
from detector.report.words import Told

MOST_TOLD = 50  # incidents told in full: 2 MB; the others are rows of the table
MOST_LISTED = 5_000  # rows of the table: 1.5 MB
QUIET = SEVERITIES[0]


def page(records: Iterable[Told], cases: Mapping[str, Told], about: Told, most_told: int = MOST_TOLD) -> str:
    """The whole page.

    Args:
        records: incidents as the contract has them, one each.
        cases: what stands behind them, by id, as far as it is there (`incidents.case`).
        about: ``made_at`` (wall clock), ``version``, ``source`` (the file of incidents), all texts.
        most_told: incidents told in full, the worst first.
    """
    ranked = sorted(records, key=_worst_first)
    told = [record for record in ranked if _is_told(record)]
    sections = [
        section(place, record, cases.get(str(record.get("incident")))) for place, record in enumerate(told[:most_told])
    ]
    covered = next((one.coverage for one in sections if one.coverage), {})
    return _template().render(
        sections=sections,
        rows=[_row(record, place, len(sections)) for place, record in enumerate(told[:MOST_LISTED])],
        left=max(len(told) - MOST_LISTED, 0),
        quiet=[_row(record, -1, 0) for record in ranked if not _is_told(record)][:MOST_LISTED],
        summary=_summary(told),
        coverage=coverage_lines(covered),
        floor=[str(line) for line in words.many(covered.get("floor"))],
        about=about,
    )


def chosen(records: Sequence[Told], most_told: int = MOST_TOLD) -> list[str]:
    """The ids of the incidents `page` tells in full: those whose cases it needs."""
    told = sorted((record for record in records if _is_told(record)), key=_worst_first)
    return [str(record.get("incident")) for record in told[:most_told]]


def coverage_lines(covered: Told) -> list[str]:
    """What was read and what was not seen, a line each (`engines.coverage.Coverage.told`)."""
    if not covered:
        return []
    n = {name: words.whole(covered.get(name)) for name in ("lines", "parsed", "requests", "with_object", "files")}
    period = [words.moment(covered.get(name)) for name in ("first", "last")]
    lines = [
        f"{words.count(n['lines'], 'line')} of {words.count(n['files'], 'file')}" * bool(n["files"])
        or words.count(n["lines"], "line"),
        f"from {period[0]} to {period[1]}" if all(period) else "",
        f"{_share(n['parsed'], n['lines'])} could be read, and {_share(n['with_object'], n['requests'])} of "
        f"{words.count(n['requests'], 'request')} name a record",
    ]
    rejected = ", ".join(f"{key} {words.whole(value):,}" for key, value in words.table(covered.get("rejected")).items())
    lines += [f"not understood, by reason: {rejected}"] if rejected else []
    for name, what in (
        ("filtered", "requests outside of what was asked for"),
        ("late", "requests out of order by more than is waited for: judged, but they say nothing about order"),
        ("future", "requests dated more than an hour ahead"),
        ("torn", "lines that end inside their last field, taken all the same"),
    ):
        if words.whole(covered.get(name)):
            lines.append(f"{words.whole(covered.get(name)):,} {what}")
    for name, what in (("skipped", "not read"), ("lost", "read in part")):
        for entry in words.many(covered.get(name)):
            lines.append(f"{what}: {': '.join(str(part) for part in words.many(entry))}")
    return [line for line in lines if line]


def _share(part: int, all_of_it: int) -> str:
    return f"{part / all_of_it:.1%}" if all_of_it else "none"


def _is_told(record: Told) -> bool:
    return record.get("severity") != QUIET and not record.get("suppressed_by") and not record.get("merged_into")


def _worst_first(record: Told) -> tuple[Any, ...]:
    severity = str(record.get("severity"))
    rank = SEVERITIES.index(severity) if severity in SEVERITIES else -1
    gone = words.whole(words.table(record.get("records_exposed")).get("estimate"))
    return -rank, -gone, str(record.get("raised_at")), str(record.get("incident"))


def _summary(told: Sequence[Told]) -> str:
    if not told:
        return "No incident."
    gone = sum(words.whole(words.table(record.get("records_exposed")).get("estimate")) for record in told)
    at_alert = sum(words.whole(record.get("records_at_alert")) for record in told)
    return (
        f"{words.count(len(told), 'incident')}, {words.count(gone, 'record')} exposed; {at_alert:,} had gone when the "
        f"alerts were raised."
    )


def _row(record: Told, place: int, sections: int) -> dict[str, Any]:
    return {
        "anchor": f"incident-{place + 1}" if 0 <= place < sections else "",
        "severity": str(record.get("severity")) if record.get("severity") in SEVERITIES else "informational",
        "pattern": str(record.get("pattern")),
        "gone": words.estimate(record.get("records_exposed")),
        "at_alert": f"{words.whole(record.get('records_at_alert')):,}",
        "raised": words.moment(record.get("raised_at")),
        "who": words.who(record),
        "status": " ".join(
            str(record.get(name)) for name in ("status", "verdict") if record.get(name, NEW) not in (NEW, None)
        ),
        "quiet": str(record.get("suppressed_by") or record.get("merged_into") or ""),
        "id": str(record.get("incident")),
    }


def _shown(value: Any) -> Any:
    """Every text that enters the page, but for what this package has drawn itself."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)


@cache
def _template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    made = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    return made.get_template("page.html.j2")


__all__ = ["MOST_TOLD", "Section", "chosen", "coverage_lines", "page"]
