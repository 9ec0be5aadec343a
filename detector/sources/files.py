"""Log files: found, opened by what they are rather than what they are called, read once in constant memory."""

from __future__ import annotations

import glob
import io
import os
import stat
import sys
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.errors import InputError
from detector.sources.chunk import Chunk
from detector.sources.delimited import Delimited
from detector.sources.inflate import FOREIGN, MAGIC_BYTES, Inflated, Raw, codec_of
from detector.sources.lines import Lines
from detector.sources.parquet import MAGIC as PARQUET
from detector.sources.parquet import ParquetText
from detector.sources.unroll import Unrolled

CHUNK_BYTES = 8 << 20  # some 54,000 lines of 150 bytes: large against a hundred calls, small against any memory
HEAD_BYTES = 256 << 10  # the first lines a format is detected from: about 1,700
STDIN = "-"


class LogFile:
    """One log on disk, a pipe, or standard input.

    Attributes:
        path: as given or found; ``-`` is standard input.
        direct: named by the user, not found in a folder or by a pattern: its faults are errors, not remarks.
        origin: index in the list of files, passed on in every chunk.
        size: bytes on disk (compressed, if it is), 0 = not known.
        skip: why it is not to be read (a socket, the same file again); empty = read it.
        loss: what part of it could not be read; empty = nothing was lost. Final when :meth:`read` has returned None.
    """

    def __init__(self, path: str, direct: bool, origin: int = 0) -> None:
        self.path = path
        self.direct = direct
        self.origin = origin
        self.size = 0
        self.skip = ""
        self.loss = ""
        self._lasting = False  # a regular file: it can be opened again
        self._raw: Raw | None = None
        self._table: ParquetText | None = None
        self._lines: Lines | None = None
        self._kept: list[Chunk] = []  # what was looked at of a pipe
        self._ended = False
        self._done = 0

    def look(self) -> tuple[int, int] | None:
        """Finds size and kind; returns what tells the file from others (device, inode), None for pipes.

        Raises:
            InputError: there is no such file, or it may not be read, and it was named by the user.
        """
        if self.path == STDIN:
            return None
        try:
            seen = Path(self.path).stat()
            if stat.S_ISREG(seen.st_mode):
                os.close(os.open(self.path, os.O_RDONLY))
        except OSError as error:
            self._fail(error)
            return None
        self._lasting = stat.S_ISREG(seen.st_mode)
        if self._lasting:
            self.size = seen.st_size
            return seen.st_dev, seen.st_ino
        if stat.S_ISDIR(seen.st_mode):
            self.loss = "cannot be read: a folder that may not be entered"
        elif not self.direct:
            self.skip = "not a regular file"
        return None

    def heads(self) -> Generator[Chunk, None, None]:
        """The first lines, ``HEAD_BYTES`` at a time, to see what they are; they will be read again.

        Of a pipe they are kept, so no more than needed should be taken. Close the iterator when done.

        Raises:
            InputError: the file was named by the user and cannot be opened.
        """
        kept: list[Chunk] = []
        try:
            while (chunk := self.read(HEAD_BYTES)) is not None:
                if not self._lasting:
                    kept.append(replace(chunk, buffer=chunk.buffer.copy()))  # scanners may write into what they get
                yield chunk
        finally:
            if self._lasting:
                self.close()
                self._ended, self._done = False, 0
            self._kept = kept

    def read(self, chunk_bytes: int = CHUNK_BYTES) -> Chunk | None:
        """The next lines, of about ``chunk_bytes`` of text; None at the end, where the file closes itself.

        Memory does not depend on the file's size, its compression or the length of its lines.

        Raises:
            InputError: the file was named by the user and cannot be opened.
        """
        if self._kept:
            return self._kept.pop(0)
        if self._ended:
            return None
        if self._lines is None:
            self._lines = self._open()
        chunk = self._lines.read(chunk_bytes) if self._lines is not None else None
        if chunk is None:
            self._ended = True
            self.loss = self._lines.stream.loss if self._lines is not None else self.loss
            self.close()
        return chunk

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Chunk]:
        """All lines, as :meth:`read` gives them."""
        while (chunk := self.read(chunk_bytes)) is not None:
            yield chunk

    def consumed(self) -> int:
        """Bytes of ``size`` read so far."""
        if self._table is not None:
            return round(self.size * self._table.share)
        return self._raw.consumed if self._raw is not None else self._done

    def close(self) -> None:
        """Closes the file where it is open; what was read so far stays counted."""
        if self._raw is not None:
            self._done = self._raw.consumed
            self._raw.close()
        self._raw = None
        self._lines = None

    def _open(self) -> Lines | None:
        try:
            file = io.FileIO(sys.stdin.fileno() if self.path == STDIN else self.path, "rb", self.path != STDIN)
        except OSError as error:
            self._fail(error)
            return None
        self._raw = Raw(file)
        magic = self._raw.peek(MAGIC_BYTES)
        codec = codec_of(magic)
        if magic.startswith(PARQUET) and self._lasting:
            self._table = ParquetText(self.path)
            return Lines(self._table, self.origin)
        foreign = next((name for start, name in FOREIGN.items() if magic.startswith(start)), "")
        if foreign and codec is None:
            self.close()
            self._fail_foreign(foreign)
            return None
        return Lines(Unrolled(Delimited(Inflated(self._raw, codec) if codec else self._raw)), self.origin)

    def _fail(self, error: OSError) -> None:
        if self.direct:
            raise InputError(f"{shown(self.path)}: cannot be read: {error.strerror}") from error
        self.loss = f"cannot be read: {error.strerror}"

    def _fail_foreign(self, name: str) -> None:
        if self.direct:
            allowed = "plain text, gzip, zstd, xz and bzip2 are read"
            raise InputError(f"{shown(self.path)}: {name} data; {allowed}: unpack it first")
        self.skip = f"{name} data: unpack it first"


def discover(paths: Iterable[str | os.PathLike[str]]) -> list[LogFile]:
    """The files that ``paths`` mean: files, patterns with ``*?[``, folders with all below them, ``-``.

    The order is that of ``paths``, within a folder or pattern that of the names. The same file met again, also by a
    link, stays in the list with ``skip`` set.

    Raises:
        InputError: a path means no file, or names one that cannot be read.
    """
    found: list[LogFile] = []
    seen: dict[tuple[int, int] | str, str] = {}
    for path in paths:
        for file in _expand(os.fspath(path)):
            file.origin = len(found)
            identity = file.look() or (STDIN if file.path == STDIN else None)
            if identity is not None and identity in seen:
                file.skip = f"the same file as {seen[identity]}"
            elif identity is not None:
                seen[identity] = file.path
            found.append(file)
    if len(found) > np.iinfo(np.uint16).max:
        raise InputError(f"{len(found)} files; at most {np.iinfo(np.uint16).max} in one run")
    return found


def _expand(path: str) -> list[LogFile]:
    if path == STDIN:
        return [LogFile(STDIN, direct=True)]
    if Path(path).is_dir():
        return [LogFile(p, direct=False) for p in _walk(path)]
    if not os.path.lexists(path) and glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207  Path.glob takes no absolute pattern
        if not matches:
            raise InputError(f"{shown(path)}: no file matches")
        inner = [_walk(m) if Path(m).is_dir() else [m] for m in matches]
        return [LogFile(p, direct=False) for group in inner for p in group]
    return [LogFile(path, direct=True)]


def _walk(folder: str) -> list[str]:
    """Every file below ``folder`` in the order of names, depth last; linked folders are not entered."""
    paths: list[str] = []
    failed: list[OSError] = []
    for base, folders, names in os.walk(folder, onerror=failed.append):
        folders.sort()
        paths += [str(Path(base) / name) for name in sorted(names)]
    if failed and not paths:
        raise InputError(f"{shown(folder)}: cannot be read: {failed[0].strerror}")
    return paths + [str(error.filename) for error in failed]


def shown(text: str | bytes, limit: int = 160) -> str:
    """Text from outside as printable ASCII for a terminal: other bytes as ``\\xNN``, cut to ``limit`` characters."""
    data = text if isinstance(text, bytes) else os.fsencode(text)
    parts = [chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in data[:limit]]
    line = "".join(parts)
    return line if len(data) <= limit and len(line) <= limit else line[: limit - 3] + "..."
