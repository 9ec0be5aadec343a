"""``detector incidents``: what there is, and what people have decided about it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.sealing import Seal
    from detector.sinks.journal import Decision, Journal

DEFAULT_FOLDER = Path("cases")
KEEP_DAYS = 400.0  # `config_privacy.PrivacyConfig.case_days`


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    SHOW = "show"
    ACK = "ack"
    CLOSE = "close"
    REOPEN = "reopen"
    BLOCK = "block"
    HOLD = "hold"
    RELEASE = "release"
    PURGE = "purge"


class Form(StrEnum):
    """What a block list is written for."""

    NGINX = "nginx"
    PLAIN = "plain"
    CROWDSEC = "crowdsec"


class Verdict(StrEnum):
    """What it turned out to be."""

    TRUE_POSITIVE = "true_positive"
    BENIGN_POSITIVE = "benign_positive"
    FALSE_POSITIVE = "false_positive"
    DUPLICATE = "duplicate"


def incidents(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    incident: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="An incident's id, its beginning, or latest.")
    ] = None,
    cases: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of cases: replay --cases, or cases in the sidecar's state.")
    ] = DEFAULT_FOLDER,
    verdict: Annotated[Verdict | None, typer.Option(help="Of close: what it turned out to be.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever reads it later.")] = None,
    assignee: Annotated[str | None, typer.Option(metavar="NAME", help="Who takes care of it.")] = None,
    form: Annotated[Form, typer.Option("--format", help="Of block: for what.")] = Form.PLAIN,
    keep_days: Annotated[
        float, typer.Option(metavar="DAYS", min=0, help="Of purge: delete cases of ended incidents older than that.")
    ] = KEEP_DAYS,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where cases are encrypted: privacy.encryption_key_file.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Of list: closed and informational ones too.")] = False,
) -> int:
    """List incidents, show one, say what became of it, print whom to block, or hold and delete cases. What is
    acknowledged pages nobody; what is on hold is never deleted."""
    from detector.cli.explain import find
    from detector.errors import UsageError
    from detector.sinks.case_files import key_of, read_all
    from detector.sinks.journal import FILE, Journal

    if (action is Action.CLOSE) != (verdict is not None):
        raise UsageError("close needs --verdict, and only close takes one")
    seal = key_of(key_file)
    if action is Action.PURGE:
        return _purge(cases, keep_days, incident, seal)
    known = read_all(cases, seal)
    journal = Journal(cases / FILE)
    if action is Action.LIST:
        for text in _listed([case["record"] for case in known], journal, everything, cases):
            typer.echo(text)
        return 0
    if incident is None:
        raise UsageError(f"incidents {action.value} needs an incident's id, its beginning, or latest")
    record = find([case["record"] for case in known], incident, cases)
    if action is Action.SHOW:
        case = next(case for case in known if case["record"] is record)
        for text in _shown(record, case, journal):
            typer.echo(text)
        return 0
    if action is Action.BLOCK:
        from detector.report.blocking import block_list

        typer.echo(block_list(form.value, record), nl=False)
        return 0
    if action in (Action.HOLD, Action.RELEASE):
        from detector.sinks import retention

        act = retention.hold if action is Action.HOLD else retention.release
        act(cases, str(record["incident"]), note or "")
        typer.echo(f"{record['incident']}: {'on hold' if action is Action.HOLD else 'no longer on hold'}")
        return 0
    decision = journal.append(str(record["incident"]), action.value, verdict=verdict, note=note, assignee=assignee)
    typer.echo(_told(record, decision))
    return 0


def _purge(cases: Path, keep_days: float, incident: str | None, seal: Seal | None) -> int:
    """Deletes the cases whose time has come, and says which."""
    from detector.errors import InputError, UsageError
    from detector.report.words import count
    from detector.sinks.retention import delete, due, is_open_on_disk

    if incident is not None:
        raise UsageError("purge takes no incident: it deletes all that are older than --keep-days")
    if not cases.is_dir():
        raise InputError(f"{cases}: no such folder of cases; --cases says where they are")
    found = due(cases, keep_days, sys.maxsize, is_open_on_disk(cases, seal))
    for one, why in found:
        delete(cases, one, why)
        typer.echo(f"{one}: deleted, {why}")
    typer.echo(f"{count(len(found), 'case')} deleted")
    return 0


def _listed(records: list[dict[str, Any]], journal: Journal, everything: bool, cases: Path) -> list[str]:
    from detector.cli.printable import printable
    from detector.report import words
    from detector.sinks.journal import Decision
    from detector.sinks.retention import is_held

    decisions = journal.decisions()
    lines = [f"{'ID':<14}{'STATUS':<35}{'SEVERITY':<15}{'PATTERN':<12}{'RECORDS':>12}  RAISED (UTC)         WHO"]
    for record in sorted(records, key=lambda one: (str(one.get("raised_at")), str(one.get("incident")))):
        decision = decisions.get(str(record.get("incident")), Decision())
        if not everything and (decision.status == "closed" or record.get("severity") == "informational"):
            continue
        status = decision.status + (f" {decision.verdict}" if decision.verdict else "")
        status += " held" if is_held(cases, str(record.get("incident"))) else ""
        gone = words.whole(words.table(record.get("records_exposed")).get("estimate"))
        lines.append(
            printable(
                f"{str(record.get('incident'))[:12]:<14}{status:<35}{record.get('severity')!s:<15}"
                f"{record.get('pattern')!s:<12}{gone:>12,}  {words.moment(record.get('raised_at'))[:19]:<21}"
                f"{words.who(record)}"
            )
        )
    return lines if len(lines) > 1 else ["no incidents" + ("" if everything else " that wait for anybody")]


def _shown(record: dict[str, Any], case: dict[str, Any], journal: Journal) -> list[str]:
    from detector.cli.case_lines import case_lines
    from detector.cli.printable import printable
    from detector.cli.story import story_lines

    mine = [line for line in journal.lines() if line["incident"] == record["incident"]]
    history = [
        f"  {str(line.get('at'))[:19]} {line.get('by')}: {line['action']}"
        + "".join(f", {name} {line[name]}" for name in ("verdict", "assignee", "note") if line.get(name))
        for line in mine
    ]
    return [*story_lines(record), *case_lines(record, case), *([""] * bool(history)), *map(printable, history)]


def _told(record: dict[str, Any], decision: Decision) -> str:
    from detector.cli.printable import printable

    more = f" ({decision.verdict})" if decision.verdict else ""
    return printable(f"{record['incident']}: {decision.status}{more}")
