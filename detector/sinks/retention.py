"""How long cases are kept: those of incidents that have ended go when they are old, one that is on hold never."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector import clock
from detector.errors import DetectorError, SinkError
from detector.sealing import Seal
from detector.sinks.case_files import read_case
from detector.sinks.custody import DELETE, HOLD, RELEASE, write_down

KEPT_BESIDE = (".json", ".records", ".names")  # the files of a case, the one that makes it a case first
ON_HOLD = ".hold"
PAGES = "pages"  # the folder of incidents' pages, beside that of the cases
OPEN_DAYS = 30.0  # longer, where the case says that its incident is open: detection.close_after_hours is at most that
DAY_S = 86_400.0


def is_held(folder: Path, incident: str) -> bool:
    """Whether a case is kept whatever its age."""
    return (folder / f"{incident}{ON_HOLD}").exists()


def hold(folder: Path, incident: str, reason: str) -> None:
    """Keeps a case until it is released (legal hold).

    Raises:
        SinkError: that cannot be written.
    """
    write_down(folder, HOLD, reason, incident=incident)
    try:
        (folder / f"{incident}{ON_HOLD}").touch(mode=0o640)
    except OSError as error:
        raise SinkError(f"{folder}: the hold cannot be written: {error.strerror}") from error


def release(folder: Path, incident: str, reason: str) -> None:
    """Lets a case go when its time has come.

    Raises:
        SinkError: that cannot be written.
    """
    write_down(folder, RELEASE, reason, incident=incident)
    try:
        (folder / f"{incident}{ON_HOLD}").unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the hold cannot be taken away: {error.strerror}") from error


def due(folder: Path, keep_days: float, most: int, is_open: Callable[[str], bool]) -> list[tuple[str, str]]:
    """The cases whose time has come, oldest first, and why.

    Age counts from when a case was written last (the file's time, wall clock); a case on hold never comes.

    Args:
        folder: of the cases.
        keep_days: how long that of an incident that has ended is kept; of an open one `OPEN_DAYS` more.
        most: cases kept; the oldest beyond that go whatever their age.
        is_open: tells of an incident whether it may still grow; asked of those that are old enough.
    """
    now_s = clock.wall().timestamp()
    by_age = sorted((path.stat().st_mtime, path.stem) for path in folder.glob("*.json"))
    spare = len(by_age) - most
    found = []
    for place, (touched_s, incident) in enumerate(by_age):
        age_days = (now_s - touched_s) / DAY_S
        if is_held(folder, incident):
            continue
        if place < spare:
            found.append((incident, f"more than {most:,} cases"))
        elif age_days > keep_days and (age_days > keep_days + OPEN_DAYS or not is_open(incident)):
            found.append((incident, f"kept {keep_days:g} days"))
    return found


def is_open_on_disk(folder: Path, seal: Seal | None) -> Callable[[str], bool]:
    """Asks a case itself whether its incident is open; one that cannot be read may be."""

    def ask(incident: str) -> bool:
        try:
            case = read_case(folder, incident, seal)
        except DetectorError:
            return True
        record = (case or {}).get("record")
        return not isinstance(record, dict) or record.get("state") != "closed"

    return ask


def delete(folder: Path, incident: str, why: str) -> None:
    """Deletes a case with all that lies beside it, and the incident's page; written down before it is done.

    Raises:
        SinkError: it cannot be written down, or not be deleted.
    """
    write_down(folder, DELETE, why, incident=incident)
    try:
        for suffix in KEPT_BESIDE[::-1]:
            (folder / f"{incident}{suffix}").unlink(missing_ok=True)
        (folder.absolute().parent / PAGES / f"{incident}.json").unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: a case cannot be deleted: {error.strerror}") from error
