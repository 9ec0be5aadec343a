"""``detector reads``: who read a class of data, or one person's records."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from detector.engines.readers import Answer, ReaderSeen, Said

EXIT_LOST = 4
SHOWN = 100  # rows of the table; JSON has them all
_COLUMNS = (
    *(("READER", 24), ("KIND", 8), ("PARTNER", 12), ("PURPOSE", 12), ("CONSENT", 14), ("READS", 10), ("PERSONS", 10)),
    *(("FIRST (UTC)", 19), ("LAST (UTC)", 19)),
)
_RIGHT = ("READS", "PERSONS")


class Output(StrEnum):
    """What standard output carries."""

    TABLE = "table"
    JSON = "json"


def reads(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Logs: plain, .gz, .zst, .xz, .bz2, folders, globs, - for standard input."),
    ],
    data_class: Annotated[
        str, typer.Option("--class", metavar="NAME", help="Who read this class of data (routes.templates says where).")
    ] = "",
    subject: Annotated[str, typer.Option(metavar="ID", help="Who read this person's records.")] = "",
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration (YAML).")] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format", "--format", metavar="NAME|STRING", help="A preset or a log_format string. [detected]"
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="First moment read (log time, ISO 8601).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="First moment no longer read.")] = None,
    vhost: Annotated[str | None, typer.Option(metavar="NAME", help="Only requests to this virtual host.")] = None,
    output: Annotated[Output, typer.Option(help="What to print.")] = Output.TABLE,
) -> int:
    """Name every reader of a class of data or of one person's records, and what was not read."""
    from detector.cli.progress import progress
    from detector.config import ReplaySettings, load_config, parse_moment
    from detector.engines.readers import Question, who_read

    settings = ReplaySettings(
        config=load_config(config),
        log_format=log_format,
        since_us=None if since is None else parse_moment(since, "--since"),
        until_us=None if until is None else parse_moment(until, "--until"),
        vhost=vhost,
    )
    with progress(True) as on_progress:
        answer = who_read(paths, settings, Question(data_class, subject), on_progress)
    if output is Output.JSON:
        typer.echo(json.dumps(_document(answer), indent=1, ensure_ascii=True))
    else:
        for line in _lines(answer):
            typer.echo(line)
    return EXIT_LOST if answer.coverage.lost else 0


def _document(answer: Answer) -> dict[str, Any]:
    from detector.incidents.moments import iso

    seen = answer.coverage
    readers = []
    for reader in answer.readers:
        said = asdict(reader)
        said |= {"first": iso(said.pop("first_us")), "last": iso(said.pop("last_us"))}
        readers.append(said)
    return {
        "class": answer.question.data_class or None,
        "subject": answer.question.subject or None,
        "routes": answer.routes,
        "readers": readers,
        "said": [{"time": iso((one := asdict(said)).pop("time_us")), **one} for said in answer.said],
        "refused": answer.refused,
        "gaps": [asdict(gap) for gap in answer.gaps],
        "read": {
            "lines": seen.lines,
            "requests": seen.requests,
            "filtered": seen.filtered,
            "first": None if seen.first_us is None else iso(seen.first_us),
            "last": None if seen.last_us is None else iso(seen.last_us),
        },
    }


def _lines(answer: Answer) -> list[str]:
    """The answer for a terminal."""
    from detector.cli.printable import printable

    lines = [_cells([name for name, _ in _COLUMNS])] if answer.readers else []
    lines += [_row(reader) for reader in answer.readers[:SHOWN]]
    left = answer.readers[SHOWN:]
    if left:
        total = sum(reader.reads for reader in left)
        lines.append(f"and {len(left):,} more readers with {total:,} reads together; --output json names them all")
    lines += [_change(said) for said in answer.said]
    if answer.routes:
        lines.append("through   " + ", ".join(answer.routes))
    lines += _ending(answer)
    return [printable(line) for line in lines]


def _ending(answer: Answer) -> list[str]:
    """What was read, that nobody else read it there, and what is not known."""
    from detector.cli.closing import moment

    seen = answer.coverage
    period = ""
    if seen.first_us is not None and seen.last_us is not None:
        period = f", {moment(seen.first_us)} to {moment(seen.last_us)} UTC"
    lines = [f"read      {seen.lines:,} lines, {seen.requests:,} requests asked for{period}"]
    if answer.refused:
        lines.append(f"refused   {answer.refused:,} requests for it were answered with an error and got nothing")
    who = "no one else" if answer.readers else "no one"
    lines.append(f"{who} in what was read{'' if answer.gaps else ', and all of it was read'}")
    return lines + [f"gap       {gap.about}" for gap in answer.gaps]


def _change(said: Said) -> str:
    """One change of the consent ledger: when, what, to whom."""
    from detector.cli.closing import moment

    more = [text.replace("_", " ") for text in (said.manner, said.consent) if text]
    about = f"{said.action} to {said.party} of {said.data_class or 'all classes'}"
    return f"said      {moment(said.time_us)} {', '.join([about, *more])}"


def _row(reader: ReaderSeen) -> str:
    from detector.cli.closing import moment

    consent = reader.consent or (f"{reader.consents:,} consents" if reader.consents else "-")
    return _cells(
        [
            *(reader.client or "-", reader.kind, reader.partner or "-", reader.purpose or "-", consent),
            *(f"{reader.reads:,}", f"{reader.persons:,}", moment(reader.first_us), moment(reader.last_us)),
        ]
    )


def _cells(values: list[str]) -> str:
    placed = (
        f"{value:>{width}}" if name in _RIGHT else f"{value:<{width}}"
        for value, (name, width) in zip(values, _COLUMNS, strict=True)
    )
    return "  ".join(placed).rstrip()
