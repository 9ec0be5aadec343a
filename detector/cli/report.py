"""``detector report``: the incidents of a file as a page for people, or the facts a notice of one of them asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_FILE = Path("incidents.jsonl")


def report(
    incidents: Annotated[
        Path, typer.Argument(metavar="[INCIDENTS.jsonl]", help="What replay --incidents or a sink wrote.")
    ] = DEFAULT_FILE,
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write the page there.")] = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What stands behind them. [cases, beside the file]")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where cases are encrypted: privacy.encryption_key_file.")
    ] = None,
    notice: Annotated[
        str | None, typer.Option(metavar="ID", help="Instead: the facts a notice of this incident asks for (Markdown).")
    ] = None,
    since_revision: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of --notice: what has changed since this revision.")
    ] = None,
    exposed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the records exposed (.csv or .parquet).")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--incident", metavar="ID", help="Of --exposed: this incident's alone.")
    ] = None,
) -> int:
    """Write the incident report for people, the facts of a notice, or the list of records exposed."""
    from detector.cli.explain import find, read_incidents
    from detector.errors import UsageError
    from detector.sinks.case_files import folder_of, key_of, read_case, read_records

    if out is None and notice is None and exposed is None:
        raise UsageError("report needs --out FILE.html, --notice ID or --exposed FILE")
    if since_revision is not None and notice is None:
        raise UsageError("--since-revision goes with --notice")
    folder, seal = folder_of(incidents, cases), key_of(key_file)
    if notice is not None:
        from detector.cli.notice import notice_lines

        for line in notice_lines(incidents, notice, folder, since_revision, seal):
            typer.echo(line)
    if exposed is not None:
        from detector.cli.exposed import write_exposed

        found = read_incidents(incidents)
        chosen = found if only is None else [find(found, only, incidents)]
        typer.echo(write_exposed(exposed, chosen, lambda incident: read_records(folder, incident, seal)))
    if out is not None:
        from detector.report.page import chosen as told_in_full

        found = read_incidents(incidents)
        known = {one: read_case(folder, one, seal) for one in told_in_full(found)}
        write_page(out, found, {one: case for one, case in known.items() if case}, str(incidents))
    return 0


def write_page(out: Path, records: Sequence[dict[str, Any]], cases: Mapping[str, dict[str, Any]], source: str) -> None:
    """Writes the page.

    Raises:
        SinkError: the file cannot be written.
    """
    from detector import __version__, clock
    from detector.errors import SinkError
    from detector.report.page import page

    made_at = clock.wall().strftime("%Y-%m-%d %H:%M:%S UTC")
    text = page(records, cases, {"made_at": made_at, "version": __version__, "source": source})
    scratch = out.with_name(f".{out.name}.part")
    try:
        scratch.write_text(text, encoding="utf-8", errors="replace")
        scratch.replace(out)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise SinkError(f"{out}: the report cannot be written: {error.strerror}") from error
