"""Incidents as JSON lines: one object a line, ASCII only, in the fields and order of the contract."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from detector.errors import SinkError
from detector.incidents.incident import Incident


def json_line(incident: Incident) -> str:
    """One incident as one line without its line end; what is not ASCII is escaped.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
    """
    return json.dumps(incident.record(), ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace(
        "\x7f", "\\u007f"
    )


class JsonLinesFile:
    """A file of incidents, replaced as a whole.

    Called once at the end of a replay, by the main thread; may block for as long as the disk does. A reader sees the
    old file or the new one, never a part: the lines go to a file beside it, which then takes its name. What is no
    regular file (``/dev/stdout``, a pipe) is written to as it stands.

    Args:
        path: the file.
        durable: the file's bytes and its name are on the disk (``fsync``) before ``write`` returns.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self.durable = durable

    def write(self, incidents: Iterable[Incident]) -> None:
        """Writes all incidents.

        Raises:
            SinkError: the file cannot be written; the old one is as it was.
        """
        special = self.path.exists() and not self.path.is_file()
        scratch = self.path if special else self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with scratch.open("w", encoding="ascii", newline="\n") as file:
                for incident in incidents:
                    file.write(json_line(incident) + "\n")
                file.flush()
                if self.durable and not special:
                    os.fsync(file.fileno())
            if not special:
                scratch.replace(self.path)
                self._keep_name()
        except OSError as error:
            if not special:
                scratch.unlink(missing_ok=True)
            raise SinkError(f"{self.path}: incidents cannot be written: {error.strerror}") from error

    def _keep_name(self) -> None:
        if self.durable:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
