"""``detector report --notice``: the facts a notice asks for, and what has changed since an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.sealing import Seal


def notice_lines(
    incidents: Path, wanted: str, cases: Path | None, since_revision: int | None, seal: Seal | None = None
) -> list[str]:
    """The facts about one incident, Markdown, a line each.

    Args:
        incidents: the file; a stream's has a line a revision.
        wanted: an id by its beginning, or ``latest``.
        cases: their folder.
        since_revision: also what has changed since.
        seal: opens encrypted cases.

    Raises:
        UsageError: there is no such incident, or no line of that revision or an earlier one.
    """
    from detector.cli.explain import find, newest, read_lines
    from detector.errors import UsageError
    from detector.report.notice import notice, revision
    from detector.sinks.case_files import read_case

    lines = read_lines(incidents)
    record = find(newest(lines), wanted, incidents)
    before = None
    if since_revision is not None:
        before = revision(lines, str(record["incident"]), since_revision)
        if before is None:
            raise UsageError(
                f"{incidents}: no revision {since_revision} or earlier of {record['incident']}; a stream's file keeps "
                "each revision, a replay's only the last"
            )
    return notice(record, read_case(cases, str(record["incident"]), seal), before)
