"""The table of incidents: a line each with who and how much, below it why, and the next command.

Everything that comes from a log passes ``printable``; names are never cut in the middle of a line of their own, so
that what is shown can be copied.
"""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from detector.cli.printable import printable
from detector.incidents.incident import SEVERITIES, Incident

ACTIONABLE = SEVERITIES.index("low")  # informational is for the curious: it is counted here, not told
CLIENTS_NAMED = 3
ID_SHOWN = 12  # enough of an id to be found by prefix
PIPE_WIDTH = 100  # columns where there is no terminal to ask
MARGIN = " " * 10

COLUMNS = (("SEVERITY", 8), ("PATTERN", 10), ("RECORDS GONE", 24), ("AT ALERT", 9), ("RAISED (UTC)", 19), ("WHO", 0))
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "informational": "dim"}


def console(*, stderr: bool = False) -> Console:
    """A terminal that honours ``NO_COLOR`` and ``COLUMNS`` and takes every text literally."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def shown(incidents: Sequence[Incident]) -> list[Incident]:
    """Those the table tells: above informational, not suppressed, and not closed by somebody."""
    return [i for i in incidents if SEVERITIES.index(i.severity) >= ACTIONABLE and not i.suppressed_by and not _over(i)]


def _over(incident: Incident) -> bool:
    return incident.status == "closed"


def print_table(out: Console, incidents: Sequence[Incident], file: Path | None) -> None:
    """Prints the incidents worth telling and counts the others.

    Args:
        out: where to.
        incidents: in the order they are printed.
        file: where they were written as JSON lines, for the next command; None = nowhere.
    """
    told = shown(incidents)
    if told:
        out.print(Text(_cells([name for name, _ in COLUMNS]), style="bold"))
    for incident in told:
        _print_incident(out, incident, file)
    suppressed = sum(1 for i in incidents if i.suppressed_by)
    over = sum(1 for i in incidents if _over(i) and not i.suppressed_by)
    quiet = len(incidents) - len(told) - suppressed - over
    tails = ((quiet, "informational"), (suppressed, "suppressed"), (over, "closed by somebody"))
    tail = [f"{count} {what}" for count, what in tails if count]
    beside = f" ({' and '.join(tail)} not shown)" if tail else ""
    out.print(Text(f"{len(told) or 'no'} incident{'s' * (len(told) != 1)}{beside}"))


def _print_incident(out: Console, incident: Incident, file: Path | None) -> None:
    width = max(out.width, 60)
    gone = incident.records_exposed
    who, more = _who(incident, width - len(_cells([""] * len(COLUMNS))))
    line = _cells(
        [
            incident.severity if incident.severity != "informational" else "info",
            incident.pattern,
            f"{gone.estimate:,}" + (f" ({gone.low:,}-{gone.high:,})" if gone.low != gone.high else ""),
            f"{incident.records_at_alert:,}".rjust(8),
            incident.raised_at[:19].replace("T", " "),
            who,
        ]
    )
    text = Text(line.rstrip())
    text.stylize(STYLES.get(incident.severity, ""), 0, len(incident.severity))
    out.print(text)
    for label, content in (
        ("who", more),
        ("on", ", ".join(printable(e) for e in incident.endpoints[:3]) + _and_more(len(incident.endpoints), 3)),
        ("why", "; ".join(evidence_words(f.name, f.value, f.expected) for f in incident.evidence)),
    ):
        _print_below(out, label, content, width)
    name = incident.incident[:ID_SHOWN]
    command = f"detector explain {shlex.quote(str(file))} {name}" if file else f"detector explain FILE {name}"
    out.print(Text(f"{MARGIN}next  {printable(command)}" + ("" if file else " (after replay --incidents FILE)")))


def _print_below(out: Console, label: str, content: str, width: int) -> None:
    indent = f"{MARGIN}{label:<6}"
    if content:
        lines = textwrap.wrap(
            content, width, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False
        )
        out.print(Text("\n".join(lines)))


def _cells(values: list[str]) -> str:
    return "  ".join(f"{printable(v):<{width}}" for v, (_, width) in zip(values, COLUMNS, strict=True))


def _who(incident: Incident, room: int) -> tuple[str, str]:
    """What fits the last column, and what needs a line of its own."""
    names = [printable(name) for name in incident.clients[:CLIENTS_NAMED]]
    text = ", ".join(names) + _and_more(incident.client_count, len(names))
    if len(text) <= room:
        return text, ""
    return f"{incident.client_count:,} {plural(incident.client_kind, incident.client_count)}", text


def _and_more(total: int, named: int) -> str:
    return f", +{total - named:,} more" if total > named else ""


def plural(noun: str, count: int) -> str:
    """``address`` or ``addresses``."""
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")


def evidence_words(name: str, value: Any, expected: Any) -> str:
    """One number that convicts, in words: ``ids in order 4,210 (ordinary: 59)``."""
    return f"{printable(str(name)).replace('_', ' ')} {number(value)} (ordinary: {number(expected)})"


def number(value: Any) -> str:
    """A number as people read it: thousands apart, four digits where it is no whole number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return printable(str(value))
    return f"{int(value):,}" if value == int(value) else f"{value:.4g}"
