"""Lines appended to files that people's decisions are kept in: whole, durable, from any number of processes."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from pathlib import Path

from detector import clock


def append_line(path: Path, told: Mapping[str, object]) -> None:
    """Adds a JSON line that begins with when (wall clock) and by whom, and waits until it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    line = json.dumps({"at": clock.wall().isoformat(), "by": whoever(), **told}, ensure_ascii=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # a crash has cut the last line short
        os.write(file, b"\n" * torn + line.encode("ascii") + b"\n")  # one write: lines do not mix
        os.fsync(file)
    finally:
        os.close(file)


def whoever() -> str:
    """The user this process runs as."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return str(os.getuid())
