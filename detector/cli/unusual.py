"""The most unusual clients on the terminal: who, and in what, each with what is typical."""

from __future__ import annotations

from collections.abc import Sequence

from detector.cli.printable import printable
from detector.cli.table import number
from detector.ranking import Unusual


def unusual_lines(found: Sequence[Unusual]) -> list[str]:
    """A line a client and one for its three reasons; ids come from the log, so they are escaped."""
    lines = [f"the {len(found)} most unusual clients (a second opinion for people; it raises nothing)"]
    for one in found:
        named = "  named by an incident" if one.named else ""
        lines.append(f"{one.rank:4d}  {printable(one.client)}{named}")
        reasons = [f"{r.words} {_shown(r.seen)} (typical {_shown(r.typical)})" for r in one.reasons]
        lines.append("      " + "; ".join(reasons))
    return lines


def _shown(value: float) -> str:
    return number(round(value)) if abs(value) >= 100 else number(float(f"{value:.3g}"))
