"""``detector explain``: one incident in words and numbers, or how one log line is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_FILE = Path("incidents.jsonl")
LATEST = "latest"


def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INCIDENTS.jsonl] ID",
            help="What replay --incidents wrote [incidents.jsonl]; an incident's id, its beginning, or latest.",
        ),
    ] = None,
    line: Annotated[str | None, typer.Option(metavar="TEXT", help="A log line: show how it is read.")] = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", "--format", metavar="NAME|STRING", help="The line's format. [detected]"),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration (YAML).")] = None,
    behind: Annotated[
        bool, typer.Option("--lines", help="Print the log lines behind it, the first hundred; needs its case.")
    ] = False,
    cases: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What stands behind incidents. [cases, beside the file]")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where cases are encrypted: privacy.encryption_key_file.")
    ] = None,
) -> int:
    """Tell one incident in words and numbers, or show how one log line is read (--line)."""
    from detector.errors import UsageError

    if line is not None:
        if words:
            raise UsageError("explain takes an incident or --line, not both")
        from detector.cli.reading import reading_lines
        from detector.config import load_config

        lines = reading_lines(line, log_format, load_config(config))
    elif words and len(words) <= 2:
        from detector.cli.case_lines import case_lines
        from detector.cli.story import story_lines
        from detector.sinks.case_files import folder_of, key_of, read_case

        file = Path(words[0]) if len(words) == 2 else DEFAULT_FILE
        record = find(read_incidents(file), words[-1], file)
        case = read_case(folder_of(file, cases), str(record["incident"]), key_of(key_file))
        if behind:
            from detector.cli.log_lines import log_lines

            lines = log_lines(case)
        else:
            lines = [*story_lines(record), *case_lines(record, case)]
    else:
        raise UsageError("explain needs an incident's id, with the file it stands in, or --line 'LOG LINE'")
    for text in lines:
        typer.echo(text)
    return 0


def read_incidents(file: Path) -> list[dict[str, Any]]:
    """The incidents of a JSON lines file, the newest revision of each, in the order of their first line.

    Raises:
        InputError: the file cannot be read, or a line is no incident; with its number.
    """
    return newest(read_lines(file))


def newest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last line of each incident, in the order of their first."""
    return list({record["incident"]: record for record in lines}.values())


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Every line of a file of incidents: a stream appends a revision a line.

    Raises:
        InputError: the file cannot be read, or a line is no incident; with its number.
    """
    from detector.errors import InputError

    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    lines: list[dict[str, Any]] = []
    for at, row in enumerate(text.split("\n"), 1):
        if not row.strip():
            continue
        try:
            record = json.loads(row)
            record["incident"]
            lines.append(record)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{file}:{at}: not an incident: {row[:80]!r}") from error
    return lines


def find(incidents: list[dict[str, Any]], wanted: str, file: Path) -> dict[str, Any]:
    """The incident whose id begins with ``wanted``, or the one raised last for ``latest``.

    Raises:
        UsageError: none or several begin so; those there are, are named.
    """
    from detector.errors import UsageError

    if wanted == LATEST and incidents:
        return max(incidents, key=lambda record: str(record.get("raised_at", "")))
    found = [record for record in incidents if str(record["incident"]).startswith(wanted)]
    if len(found) == 1:
        return found[0]
    what = "no incident begins with" if not found else f"{len(found)} incidents begin with"
    known = ", ".join(str(record["incident"]) for record in (found or incidents)[:10]) or "none: the file is empty"
    raise UsageError(f"{file}: {what} {wanted!r}; there: {known}")
