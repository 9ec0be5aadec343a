"""An inspected log on the terminal, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from detector.cli.printable import printable
from detector.cli.table import console
from detector.engines.inspecting import Inspection
from detector.engines.proposal import advice, identified_by

if TYPE_CHECKING:
    from rich.console import Console

RATES_SHOWN = 8
LABEL = 10


def as_json(seen: Inspection, configuration: str) -> str:
    """One JSON object on one ASCII line."""
    first, last = seen.period_us
    record: dict[str, Any] = {
        **{name: value for name, value in asdict(seen).items() if name not in ("period_us", "identities")},
        "first": _moment(first),
        "last": _moment(last),
        "identified_by": dict(identified_by(seen)),
        "advice": advice(seen) if not seen.trouble else [],
        "configuration": configuration,
    }
    return json.dumps(record, ensure_ascii=True)


def print_inspection(seen: Inspection, configuration: str) -> None:
    """Everything a person wants to know before the first run."""
    out = console()
    _heading(out, seen.name)
    if seen.trouble:
        _row(out, "format", f"none: {seen.trouble}")
        _rates(out, seen)
        return
    wrapped = f"; records are {seen.envelope_about}" if seen.envelope not in ("none", "lines") else ""
    _row(out, "format", f"{seen.format}{wrapped}")
    _rates(out, seen)
    rejected = ", ".join(f"{reason} {n:,}" for reason, n in seen.rejected.items()) or "none"
    _row(out, "sample", f"{seen.lines:,} records; rejected: {rejected}")
    for name, count in seen.mixed.items():
        _row(out, "mixed", f"{count:,} of these are {name}: split the log by format; one is read at a time")
    if seen.example:
        _row(out, "period", f"{_moment(seen.period_us[0])} to {_moment(seen.period_us[1])}")
        _example(out, seen)
        _learnt(out, seen)
    _heading(out, "what would be better")
    for line in advice(seen) or ["nothing: the log has all that is needed"]:
        _row(out, "", line)
    _heading(out, "configuration (detector inspect --output yaml)")
    out.print(configuration.rstrip("\n"))


def _rates(out: Console, seen: Inspection) -> None:
    """The share of the lines each preset takes; of those that take none only the names."""
    taking = [f"{name} {_share(rate)}" for name, rate in seen.rates.items() if rate > 0]
    none = [name for name, rate in seen.rates.items() if rate == 0] + seen.others
    more = f", +{len(taking) - RATES_SHOWN} more" if len(taking) > RATES_SHOWN else ""
    _row(out, "parsed by", ", ".join(taking[:RATES_SHOWN]) + more or "no preset")
    if none:
        _row(out, "not by", ", ".join(none))
    if seen.trouble and seen.closest:
        _row(out, "closest", seen.closest)


def _example(out: Console, seen: Inspection) -> None:
    _heading(out, "an example, secrets left out")
    for name, text in seen.example.items():
        _row(out, "time" if name == "time_us" else name, _moment(int(text)) if name == "time_us" else text)
    absent = [name for name, share in seen.present.items() if share == 0]
    _row(out, "absent", ", ".join(absent) or "nothing")


def _learnt(out: Console, seen: Inspection) -> None:
    kinds = ", ".join(f"{kind} {_share(share)}" for kind, share in identified_by(seen))
    _heading(out, f"clients: {seen.client_count:,}, told by {kinds}")
    for client in seen.clients:
        _row(out, f"{client.requests:,}", f"{client.name} ({client.kind})")
    _heading(out, f"routes: {seen.route_count:,} but for assets")
    for route in seen.routes:
        what = f"  {route.records:,} records" if route.is_record else ""
        _row(out, f"{route.requests:,}", f"{route.name}{what}")


def _heading(out: Console, text: str) -> None:
    out.print(printable(text), style="bold")


def _row(out: Console, label: str, text: str) -> None:
    out.print(f"  {label:<{LABEL}}{printable(text)}")


def _share(share: float) -> str:
    return f"{100 * share:.{0 if share in (0, 1) else 1}f} %"


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
