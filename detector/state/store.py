"""Snapshots in a folder: the last two of each name, each in a file that is there as a whole or not at all.

A name's files are ``name.GENERATION-SEQUENCE.snapshot``; the pair orders them, so that what a member of the group
wrote who has long been replaced never counts as newer than what its successor wrote. The folder may be shared by
several machines; files that are not called so are left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from detector import clock
from detector.crash import crash_here
from detector.errors import InputError, SinkError, UsageError

KEPT = 2  # the newest, and the one before it in case that cannot be read
ABANDONED_S = 3600.0  # a file half written an hour ago has no writer any more: the largest takes seconds
NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,99}")
_FILE = re.compile(r"(?P<name>[a-z0-9_-][a-z0-9._-]{0,99})\.(?P<generation>\d{10})-(?P<sequence>\d{16})\.snapshot")

Order = tuple[int, int]


class FolderStore:
    """Keeps and finds snapshots in a folder.

    Called by one thread at a time; blocks for as long as the disk does.

    Args:
        folder: where; made, for its owner only, if it is not there.

    Raises:
        SinkError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder}: snapshots cannot be kept there: {error.strerror or error}") from error

    def put(self, name: str, order: Order, data: bytes) -> None:
        """Keeps a snapshot and lets go of all but the newest two of that name; durable when it returns.

        Args:
            name: small letters, figures, ``.``, ``_`` and ``-``.
            order: generation of the group and number within it; the larger is the newer.
            data: the snapshot.

        Raises:
            UsageError: the name cannot be a file's.
            SinkError: it cannot be written; what was kept before still is.
        """
        path = self.folder / f"{_checked(name)}.{order[0]:010d}-{order[1]:016d}.snapshot"
        scratch = self.folder / f".{path.name}.{os.getpid()}"
        try:
            with open(scratch, "wb", opener=_owners_only) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            crash_here("inside_snapshot")
            scratch.replace(path)
            self._keep_names()
            self._tidy(name)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise SinkError(f"{path}: the snapshot cannot be written: {error.strerror or error}") from error

    def newest(self, name: str) -> Iterator[tuple[Order, bytes]]:
        """What is kept under a name, newest first, read one at a time.

        Raises:
            UsageError: the name cannot be a file's.
            InputError: the folder or a file in it cannot be read.
        """
        for order, path in self._kept(_checked(name)):
            try:
                yield order, path.read_bytes()
            except FileNotFoundError:
                continue  # another member has just put a newer one
            except OSError as error:
                raise InputError(f"{path}: the snapshot cannot be read: {error.strerror or error}") from error

    def names(self) -> list[str]:
        """The names something is kept under, sorted.

        Raises:
            InputError: the folder cannot be read.
        """
        return sorted({found["name"] for _, found in self._files()})

    def _kept(self, name: str) -> list[tuple[Order, Path]]:
        kept = [
            ((int(found["generation"]), int(found["sequence"])), self.folder / file)
            for file, found in self._files()
            if found["name"] == name
        ]
        return sorted(kept, reverse=True)

    def _files(self) -> list[tuple[str, re.Match[str]]]:
        try:
            files = [path.name for path in self.folder.iterdir()]
        except OSError as error:
            raise InputError(f"{self.folder}: snapshots cannot be read: {error.strerror or error}") from error
        return [(file, found) for file in files if (found := _FILE.fullmatch(file))]

    def _tidy(self, name: str) -> None:
        for _, path in self._kept(name)[KEPT:]:
            path.unlink(missing_ok=True)
        now = clock.wall().timestamp()
        for scratch in self.folder.glob(f".{name}.*.snapshot.*"):
            try:
                if now - scratch.stat().st_mtime > ABANDONED_S:
                    scratch.unlink(missing_ok=True)
            except FileNotFoundError:
                continue

    def _keep_names(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _owners_only(path: str, flags: int) -> int:
    """Snapshots hold the names of clients."""
    return os.open(path, flags, 0o600)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a snapshot: up to 100 small letters, figures, '.', '_' and '-'")
    return name
