"""What a replay leaves for people beside its table: the report, and the list of records exposed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import UsageError

if TYPE_CHECKING:
    from detector.engines.local import ReplayResult
    from detector.incidents.incident import Incident


def check_outcome(report: Path | None, exposed: Path | None) -> None:
    """What can be seen to fail before hours of reading.

    Raises:
        UsageError: a file cannot be there.
    """
    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError(f"--report {report}: no such folder")
    if exposed is not None:
        from detector.cli.exposed import check_exposed

        check_exposed(exposed)


def write_incidents(path: Path, incidents: Sequence[Incident], schema: str) -> None:
    """Writes incidents as JSON lines, or as Parquet where the name ends so: the columns of `incidents.incident`, what
    is nested as JSON text.

    Raises:
        SinkError: the file cannot be written.
        UsageError: another schema as Parquet.
    """
    if path.suffix != ".parquet":
        from detector.sinks.jsonl import JsonLinesFile

        JsonLinesFile(path, schema=schema).write(incidents)
        return
    from detector.cli.incident_table import write_table

    if schema != "native":
        raise UsageError(f"--incidents {path}: Parquet has the fields of the native schema alone")
    write_table(path, [incident.record() for incident in incidents])


def write_outcome(result: ReplayResult, report: Path | None, exposed: Path | None, paths: Sequence[str]) -> list[str]:
    """Writes what was asked for; returns what is to be said of it.

    Raises:
        SinkError: it cannot be written.
    """
    assert result.cases is not None
    records = [incident.record() for incident in result.incidents]
    said = []
    if exposed is not None:
        from detector.cli.exposed import write_exposed

        told = [one for one in records if one["severity"] != "informational" and not one["suppressed_by"]]
        said.append(write_exposed(exposed, told, result.cases.records))
    if report is not None:
        from detector.cli.report import write_page
        from detector.report.page import chosen

        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        write_page(report, records, result.cases.told(chosen(records)), ", ".join(paths[:3]) + more)
    return said
