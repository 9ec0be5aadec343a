"""Incidents as JSON lines: one object a line, ASCII only, in the fields and order of the contract."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from detector.errors import SinkError
from detector.incidents.incident import Incident
from detector.incidents.schemas import BEGINNINGS, SCHEMAS, identity_of
from detector.sinks.sink import Revisions

TAIL_BYTES = 64 << 20  # read when a log is opened, for the revisions in it: over 30,000 incidents of 2 kB
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}  # by number: where it is a socket, the name cannot be opened


def json_line(incident: Incident, schema: str = "native") -> str:
    """One incident as one line without its line end, in a schema of `incidents.schemas`; what is not ASCII is escaped.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot say.
    """
    return _line(SCHEMAS[schema](incident.record()))


def rendered(incident_json: str, schema: str) -> str:
    """A line of `json_line` in the native schema as one of another."""
    return incident_json if schema == "native" else _line(SCHEMAS[schema](json.loads(incident_json)))


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("\x7f", "\\u007f")


class JsonLinesFile:
    """A file of incidents, replaced as a whole.

    Called once at the end of a replay, by the main thread; may block for as long as the disk does. A reader sees the
    old file or the new one, never a part: the lines go to a file beside it, which then takes its name. What is no
    regular file (``/dev/stdout``, a pipe) is written to as it stands.

    Args:
        path: the file.
        schema: see `json_line`.
        durable: the file's bytes and its name are on the disk (``fsync``) before ``write`` returns.
    """

    def __init__(self, path: Path, *, schema: str = "native", durable: bool = True) -> None:
        self.path = path
        self.schema = schema
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
                    file.write(json_line(incident, self.schema) + "\n")
                file.flush()
                if self.durable and not special:
                    os.fsync(file.fileno())
            if not special:
                scratch.replace(self.path)
                if self.durable:
                    keep_names(self.path.parent)
        except OSError as error:
            if not special:
                scratch.unlink(missing_ok=True)
            raise SinkError(f"{self.path}: incidents cannot be written: {error.strerror}") from error


class JsonLinesLog:
    """A file that incidents are appended to, revision after revision (a ``Sink``).

    What lies in the last 64 MiB of the file when it is opened is remembered, and a revision that is not above what is
    there is left out. A last line that a crash has cut short is taken away, or ended where it is whole. The file may be
    renamed or removed at any time (rotation): the next incident goes to a new one under the name. What is no regular
    file (``/dev/stdout``, a pipe) is written to as it stands.

    Args:
        path: the file; it need not exist, its folder must.
        name: of the sink.
        schema: see `json_line`. Lines of another one in the file are not known as incidents.
    """

    def __init__(self, path: Path, name: str = "jsonl", *, schema: str = "native") -> None:
        self.path = path
        self.name = name
        self.schema = schema
        self._ours = BEGINNINGS[schema]
        self._seen = Revisions()
        self._file = -1
        self._regular = True

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Appends a line and waits until it is on the disk.

        Raises:
            SinkError: the file cannot be opened or written.
        """
        try:
            self._follow_name()
            if self._seen.has(incident, revision):
                return
            self._append(rendered(incident_json, self.schema).encode("ascii") + b"\n")
        except OSError as error:
            self.close()  # what came of the line is found out when it is opened again
            raise SinkError(f"{self.path}: incidents cannot be appended: {error.strerror}") from error
        self._seen.add(incident, revision)

    def close(self) -> None:
        """Closes the file; delivering again would open it again."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _append(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        if self._regular:
            os.fsync(self._file)

    def _follow_name(self) -> None:
        """Opens the file, or what has its name now."""
        if self._file >= 0:
            if not self._regular:
                return
            held = os.fstat(self._file)
            try:
                named = self.path.stat()
            except FileNotFoundError:
                named = None
            if named is not None and (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino):
                return
            self.close()
        standard = _STANDARD.get(str(self.path))
        if standard is not None:
            self._file, self._regular = os.dup(standard), False
            return
        special = self.path.exists() and not self.path.is_file()
        how = os.O_WRONLY if special else os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._file = os.open(self.path, how | os.O_CLOEXEC, 0o640)
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        if self._regular:
            keep_names(self.path.parent)
            self._learn()

    def _learn(self) -> None:
        """Reads the end of the file: what has been delivered, and whether its last line is whole."""
        size = os.fstat(self._file).st_size
        begin = max(0, size - TAIL_BYTES)
        lines = _read(self._file, begin, size).split(b"\n")
        torn = lines.pop()
        for line in lines[begin > 0 :]:
            self._note(line)
        if not torn:
            return
        whole = self._note(torn)
        if not whole and (torn.startswith(self._ours) or self._ours.startswith(torn) or not torn.strip(b"\0")):
            os.ftruncate(self._file, size - len(torn))
            os.fsync(self._file)
        else:
            self._append(b"\n")

    def _note(self, line: bytes) -> bool:
        """Remembers the incident of a line, if it is one."""
        if not line.startswith(self._ours):
            return False
        try:
            self._seen.add(*identity_of(json.loads(line), self.schema))
        except (ValueError, KeyError, TypeError):
            return False
        return True


def keep_names(folder: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _read(file: int, begin: int, end: int) -> bytes:
    parts = []
    while begin < end:
        part = os.pread(file, min(end - begin, 1 << 24), begin)
        if not part:
            break
        parts.append(part)
        begin += len(part)
    return b"".join(parts)
