"""``detector replay``: logs in, incidents out."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detector.config import ReplaySettings
    from detector.engines.local import ReplayResult

EXIT_FOUND = 1
EXIT_LOST = 4
SWITCH_SECONDS = 0.0005
"""How long the thread that judges waits for the interpreter's lock until the one that reads must let go of it: kernels
end every few milliseconds, and at Python's own 0.005 s a replay of 4 M lines took 2 to 14 % longer (three pairs)."""


class Output(StrEnum):
    """What standard output carries."""

    TABLE = "table"
    JSON = "json"


class Schema(StrEnum):
    """How incidents are written."""

    NATIVE = "native"
    OCSF = "ocsf"
    ECS = "ecs"


class Severity(StrEnum):
    """The severities, lowest first."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def replay(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Logs: plain, .gz, .zst, .xz, .bz2, folders, globs, - for standard input."),
    ],
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
    incidents: Annotated[Path | None, typer.Option(metavar="FILE", help="Write incidents as JSON lines.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write OpenMetrics in log time, for promtool and Grafana.")
    ] = None,
    metrics_step: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, max=3600, help="Log time between two samples of --metrics.")
    ] = 15,
    cases: Annotated[Path | None, typer.Option(metavar="DIR", help="Write what stands behind each incident.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write the report for people.")] = None,
    exposed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the records exposed, one a row (.csv or .parquet).")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Write the features of every client, a row each.")
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="ID", help="Print all that is known about one client.")] = None,
    top: Annotated[
        int, typer.Option(metavar="N", min=0, max=1000, help="Print the N most unusual clients, three reasons each.")
    ] = 0,
    compare: Annotated[
        Path | None, typer.Option(metavar="OLD.jsonl", help="Print what these incidents lacked or had besides.")
    ] = None,
    incident_schema: Annotated[Schema, typer.Option(help="Of --incidents and --output json.")] = Schema.NATIVE,
    output: Annotated[Output, typer.Option(help="What to print.")] = Output.TABLE,
    fail_on: Annotated[
        Severity | None, typer.Option(help="End with code 1 if an incident is at least this severe.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=2, help="1 reads and judges in turn; the result is the same.")] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Incidents and losses only.")] = False,
) -> int:
    """Read access logs and print who carries records away, and how many are gone."""
    from detector.cli.outcome import check_outcome, write_incidents, write_outcome
    from detector.cli.progress import progress
    from detector.config import ReplaySettings, load_config, parse_moment
    from detector.engines.local import replay as run
    from detector.pages import keep_freed_pages

    keep_freed_pages()
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = ReplaySettings(
        config=load_config(config),
        log_format=log_format,
        since_us=None if since is None else parse_moment(since, "--since"),
        until_us=None if until is None else parse_moment(until, "--until"),
        vhost=vhost,
        threads=threads,
        cases=cases,
        features=features is not None or client is not None,
        top=top,
        metrics=metrics,
        metrics_step=metrics_step,
        command=shlex.join(sys.argv),
        exact=exposed is not None,
    )
    _check(settings, features)
    check_outcome(report, exposed)
    with progress(not quiet) as on_progress:
        result = run(paths, settings, on_progress=on_progress)
    if incidents:
        write_incidents(incidents, result.incidents, incident_schema.value)
    if features:
        from detector.cli.features import write_features

        write_features(result.features(), features)
    _print(result, output if output is Output.TABLE else incident_schema, incidents, client, quiet)
    if report or exposed:
        _say(write_outcome(result, report, exposed, paths), err=True)
    if compare:
        from detector.cli.comparison import comparison

        _say(comparison(compare, [i.record() for i in result.incidents]), err=output is Output.JSON)
    if fail_on and _worst(result) >= list(Severity).index(fail_on):
        return EXIT_FOUND
    return EXIT_LOST if result.lost else 0


def _check(settings: ReplaySettings, features: Path | None) -> None:
    """What can be seen to fail before hours of reading."""
    from detector.errors import UsageError

    if settings.since_us is not None and settings.until_us is not None and settings.since_us >= settings.until_us:
        raise UsageError("--since must lie before --until")
    if features and features.suffix != ".parquet":
        raise UsageError(f"--features {features}: the name must end in .parquet")
    for option, file in (("--features", features), ("--metrics", settings.metrics)):
        if file and not file.absolute().parent.is_dir():
            raise UsageError(f"{option} {file}: no such folder")


def _print(result: ReplayResult, output: Output | Schema, file: Path | None, client: str | None, quiet: bool) -> None:
    from detector.cli.closing import closing_lines, loss_lines
    from detector.cli.printable import printable

    notes = [] if quiet else [printable(note) for note in result.notes]
    closing = [] if quiet else closing_lines(result.coverage, result.floor)
    as_json = isinstance(output, Schema)
    if isinstance(output, Schema):
        from detector.sinks.jsonl import json_line

        for incident in result.incidents:
            typer.echo(json_line(incident, output.value))
    else:
        from detector.cli.table import console, print_table

        _say(notes, err=False)
        print_table(console(), result.incidents, file)
    if client is not None:
        from detector.cli.features import client_lines

        _say(client_lines(result.features(), result.incidents, client), err=as_json)
    if result.unusual:
        from detector.cli.unusual import unusual_lines

        _say(unusual_lines(result.unusual), err=as_json)
    _say([*(notes if as_json else []), *closing], err=as_json)
    _say(loss_lines(result.coverage), err=True)


def _say(lines: list[str], *, err: bool) -> None:
    for line in lines:
        typer.echo(line, err=err)


def _worst(result: ReplayResult) -> int:
    ranks = [
        list(Severity).index(Severity(i.severity))
        for i in result.incidents
        if not i.suppressed_by and i.status == "new"
    ]
    return max(ranks, default=-1)
