"""What stands behind an incident, for a terminal: what would have stopped it, when, by what, and how it looks."""

from __future__ import annotations

import textwrap
from typing import Any

from detector.cli.printable import printable
from detector.report import words

WIDTH = 100
SHARES, SAMPLES = 5, 5
TOP = 8  # eighths of a line's height: what the block elements of Unicode tell apart; in ASCII by letters
LEVELS = " .:-=+*#%"


def case_lines(record: dict[str, Any], case: dict[str, Any] | None) -> list[str]:
    """The case, a line each, printable; empty without one."""
    if not case:
        return []
    lines = ["", "  what would have stopped it"]
    for said in words.stopped(case.get("limits"), record):
        lines += textwrap.wrap(printable(said), WIDTH, initial_indent="    ", subsequent_indent="    ")
    lines += _curve(case) + _hours(case)
    for key, title in (("networks", "networks"), ("agents", "user agents")):
        entries = [one for one in words.many(case.get(key)) if isinstance(one, list) and len(one) == 2][:SHARES]
        if entries:
            lines += ["", f"  {title}"]
            lines += [f"    {words.real(share):7.1%}  {printable(str(text))[: WIDTH - 14]}" for text, share in entries]
    samples = [words.table(one) for one in words.many(case.get("samples"))][:SAMPLES]
    if samples:
        lines += ["", "  requests, for example (masked)"]
        lines += [
            f"    {words.moment(one.get('time'))[:19]}  {printable(str(one.get('request')))}  "
            f"{words.whole(one.get('status'))}, {words.whole(one.get('bytes_out')):,} bytes"
            for one in samples
        ]
    noticed = words.moment(words.table(case.get("manifest")).get("noticed_at"))
    return lines + (["", f"  noticed        {noticed} (this machine's clock)"] if noticed else [])


def _curve(case: dict[str, Any]) -> list[str]:
    """Five moments of how the records went."""
    steps = [one for one in words.many(case.get("exposed")) if isinstance(one, list) and len(one) == 2]
    if len(steps) < 2:
        return []
    at = sorted({round(n * (len(steps) - 1) / 4) for n in range(5)})
    rows = [f"    {words.moment(steps[n][0])[:19]}  {words.whole(steps[n][1]):>12,}" for n in at]
    return ["", "  records gone", *rows]


def _hours(case: dict[str, Any]) -> list[str]:
    reads = [words.whole(n) for n in words.many(case.get("hours"))]
    if len(reads) != 24 or not any(reads):
        return []
    most = max(reads)
    bars = "".join(LEVELS[-(-n * TOP // most)] for n in reads)
    return ["", "  hours of the day (UTC, 0 to 23)", f"    |{bars}|  at most {most:,} an hour of the day"]
