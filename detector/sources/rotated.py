"""The files a log was rotated into: found by name beside it, put in the order they were written in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PACKED = (".gz", ".zst", ".xz", ".bz2")
Known = set[tuple[int, int, int, int]]  # of `Rotated.state`

LISTINGS = 20  # a folder is listed until two listings agree: a rotation renames its files one after the other
LEAST_DATE_DIGITS = 6  # yymmdd

_NUMBER = re.compile(r"[._-](\d{1,5})")
_DATE = re.compile(r"[._-]?(\d[\dT:._-]*)")
_WORDS = (".old", ".prev")  # the rotated file where there is one only
_CONTAINER = re.compile(r"\d+\.log")  # what kubelet calls a container's log: its restarts, counted


@dataclass(frozen=True)
class Rotated:
    """A file of the log.

    Attributes:
        path: where it lies now.
        device, inode, written_ns, size: what it is on disk.
        number: what it is numbered with, -1 for none.
        date: the digits of the date in its name, empty for none.
    """

    path: str
    device: int
    inode: int
    written_ns: int
    size: int
    number: int = -1
    date: str = ""

    @property
    def key(self) -> tuple[int, int]:
        """Tells it from others."""
        return self.device, self.inode

    @property
    def state(self) -> tuple[int, int, int, int]:
        """Tells it from others also when an inode is used again."""
        return self.device, self.inode, self.written_ns, self.size


def alike(one: list[Rotated], other: list[Rotated]) -> bool:
    """Whether two listings show the same files under the same names."""
    return [(file.path, file.key) for file in one] == [(file.path, file.key) for file in other]


def history(path: str, *others: str) -> list[Rotated]:
    """The rotated files of a log, oldest first, and last the file at ``path`` itself where there is one.

    Behind a link the next file may be there before the link names it: it is none of these yet.

    Args:
        path: the log; a link is followed.
        others: other names the log has gone by: what a link pointed to before.
    """
    before: list[Rotated] = []
    for _ in range(LISTINGS):
        found = _listed(path, others)
        if alike(found, before):
            break
        before = found
    return found


def _listed(path: str, others: tuple[str, ...]) -> list[Rotated]:
    real = os.path.realpath(path)
    names = list(dict.fromkeys([path, real, *filter(None, others)]))
    found: dict[tuple[int, int], Rotated] = {}
    containers = False
    for name in names:
        folder, base = os.path.split(name)
        is_container = name != path and _CONTAINER.fullmatch(base) is not None
        containers |= is_container
        for file in _beside(folder or ".", base, is_container):
            found.setdefault(file.key, file)
        if name != path and (seen := seen_at(name)):
            found.setdefault(seen.key, seen)
    current = seen_at(path)
    if current:
        found.pop(current.key, None)
    files = list(found.values())
    if current and real != path:
        files = [file for file in files if (_count(file) <= _count_of(real) if containers else file.size)]
    paths = {file.path for file in files}
    files = [f for f in files if not (f.path.endswith(PACKED) and f.path[: f.path.rindex(".")] in paths)]
    ordered = sorted(files, key=_by_container) if containers else _ordered(files)
    return [*ordered, current] if current else ordered


def _beside(folder: str, base: str, is_container: bool) -> list[Rotated]:
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []
    found = []
    for name in sorted(names):
        place = _place(name, base)
        if place is None and is_container:
            number, dot, rest = name.partition(".log")
            is_other = number.isdecimal() and dot and name != base
            place = ((-1, "") if not rest else _place(name, number + dot)) if is_other else None
        if place is not None and (seen := seen_at(str(Path(folder) / name), *place)):
            found.append(seen)
    return found


def seen_at(path: str, number: int = -1, date: str = "") -> Rotated | None:
    """The file at a path as it is now, None where there is none."""
    try:
        seen = os.stat(path)  # noqa: PTH116  paths are strings here
    except OSError:
        return None
    return Rotated(path, seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size, number, date)


def _place(name: str, base: str) -> tuple[int, str] | None:
    """Number and date in a rotated file's name; None where the name is not one.

    ``access.log`` becomes ``access.log.1``, ``access.log-20261122``, ``access-20261122.log``, ``access.log.old``, each
    also compressed. Anything else beside a log is not read.
    """
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    stem, dot, extension = base.rpartition(".")
    if name.startswith(base):
        middle = name[len(base) :]
    elif dot and stem and name.startswith(stem) and name.endswith(dot + extension):
        middle = name[len(stem) : -len(extension) - 1]
    else:
        return None
    if middle in _WORDS:
        return 0, ""
    if found := _NUMBER.fullmatch(middle):
        return int(found[1]), ""
    if found := _DATE.fullmatch(middle):
        digits = "".join(c for c in found[1] if c.isdigit())
        return (-1, digits) if len(digits) >= LEAST_DATE_DIGITS else None
    return None


def _by_time(file: Rotated) -> tuple[int, str, int]:
    return file.written_ns, file.date, -file.number


def _by_container(file: Rotated) -> tuple[int, bool, str]:
    """``7.log`` is older than ``8.log``, and what was rotated out of it, which has a date, older still."""
    return _count(file), not file.date, file.date


def _count(file: Rotated) -> int:
    return _count_of(file.path)


def _count_of(path: str) -> int:
    count = os.path.basename(path).partition(".")[0]  # noqa: PTH119  paths are strings here
    return int(count) if count.isdecimal() else -1


def _ordered(files: list[Rotated]) -> list[Rotated]:
    """Oldest first: by number or date where all have one, else by the time of writing.

    The lowest number is the newest, as logrotate and most others count, unless the times say that numbers rise.
    """
    if all(file.number >= 0 for file in files):
        rising = sorted(files, key=lambda file: file.number)
        return rising if _rises(rising) else rising[::-1]
    if all(file.date for file in files):
        return sorted(files, key=lambda file: (file.date, file.written_ns))
    return sorted(files, key=_by_time)


def _rises(files: list[Rotated]) -> bool:
    """Whether later numbers were written later. Compressed files are compared among themselves: some compressors give
    them the time of compression."""
    known = False
    for packed in (False, True):
        times = [file.written_ns for file in files if file.path.endswith(PACKED) == packed]
        if times != sorted(times):
            return False
        known |= len(times) > 1 and times[0] < times[-1]
    return known
