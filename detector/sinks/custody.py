"""What became of cases themselves: held, released, deleted, and whose names were looked up; one JSON object a line.

It lies beside the cases and outlives them. Nothing is looked up or deleted that could not be written down first.
"""

from __future__ import annotations

from pathlib import Path

from detector.errors import SinkError
from detector.sinks.appending import append_line

FILE = "custody.jsonl"
HOLD, RELEASE, DELETE, UNMASK = "hold", "release", "delete", "unmask"


def write_down(folder: Path, action: str, reason: str, **facts: object) -> None:
    """Adds a line to the file beside the cases: when, by whom, what, why.

    Args:
        folder: of the cases.
        action: of the four above.
        reason: why, for whoever reads it later.
        facts: what it was about.

    Raises:
        SinkError: it cannot be written.
    """
    try:
        append_line(folder / FILE, {"action": action, **facts, "reason": reason})
    except OSError as error:
        raise SinkError(f"{folder / FILE}: cannot be written, so nothing was done: {error.strerror}") from error
