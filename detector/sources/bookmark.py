"""Where reading of a log stands, and how its file is found again when it has been rotated, copied or compressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detector.errors import InputError
from detector.sources.files import shown
from detector.sources.growing import GrowingFile, Mark, begins_as, text_bytes
from detector.sources.rotated import PACKED, Known, Rotated


class FileGap(InputError):
    """Bytes that were to be read next are gone with their file.

    Attributes:
        partition: which log.
        position: the place that was to be read next.
        first: the place reading would go on at.
        missing: how many bytes are gone: at least that many, for of what was never seen the size is not known.
    """

    def __init__(self, partition: tuple[str, int], position: int, missing: int, what: str) -> None:
        self.partition = partition
        self.position = position
        self.first = position + missing
        self.missing = missing
        lost = f"at least {missing} bytes" if missing else "nobody knows how many bytes"
        where = f"are lost from position {position} on"
        super().__init__(
            f"{shown(partition[0])}: {what}; {lost} {where}; `source.files.gap: continue` goes on behind them"
        )


@dataclass(frozen=True)
class Bookmark:
    """Where reading stands and in which file.

    Attributes:
        mark: of the file.
        base: position of its first byte.
        size: bytes of text known to be in it.
        position: what is read next.
        real: what the log's path pointed to.
    """

    mark: Mark
    base: int
    size: int
    position: int
    real: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Bookmark:
        """From JSON."""
        return cls(**{**document, "mark": Mark(**document["mark"])})


@dataclass(frozen=True)
class Place:
    """Where to go on.

    Attributes:
        file: the file.
        base: position of its first byte.
        missing: bytes between the position wanted and what is there.
        what: why they are missing, empty where nothing is.
    """

    file: Rotated
    base: int
    missing: int = 0
    what: str = ""


def last_like(files: Sequence[Rotated], mark: Mark) -> int | None:
    """Index of the last of the files whose text begins as noted."""
    return next((i for i in reversed(range(len(files))) if begins_as(files[i].path, mark)), None)


def find(files: Sequence[Rotated], bookmark: Bookmark, position: int) -> Place | None:
    """The file a position lies in, of those of a log, oldest first; None where it may still appear.

    By what it was on disk and how it begins, else by how it begins; before its beginning, in the files before it.

    Raises:
        OSError: a file cannot be read.
    """
    mark, base = bookmark.mark, bookmark.base
    same = [i for i, file in enumerate(files) if file.key == (mark.device, mark.inode)]
    if mark.head_bytes == 0:
        return _since_empty(files, same, bookmark, position)
    place = next((i for i in same if begins_as(files[i].path, mark)), None)
    if place is None:
        place = last_like(files, mark)
    if place is None:
        return _after(files, bookmark, position)
    while base > position and place > 0:
        place -= 1
        base -= text_bytes(files[place].path)
    if base > position:
        return Place(files[place], base, base - position, "older files are gone")
    return Place(files[place], base)


def after(files: Sequence[Rotated], path: str, file: GrowingFile, known: Known) -> list[Rotated]:
    """The files of the log at ``path`` that were written after one that is open, oldest first.

    Where that one is not among them, under whatever name: what was written since it was, and is not ``known`` as older.
    """
    place = next((i for i, other in enumerate(files) if other.key == file.key), None)
    if place is None:
        place = last_like(files, file.mark)
    if place is not None:
        return list(files[place + 1 :])
    return [other for other in files if other.path == path or is_new(other, file.written_ns, known)]


def is_new(file: Rotated, since_ns: int, known: Known) -> bool:
    """Whether it was written since a time, and is none of the files known before, renamed or compressed or neither.

    A compressed file has the time of the plain one. Where times are coarse, an older file may have the very time asked
    for.
    """
    if file.written_ns < since_ns or file.state in known:
        return False
    return not (file.path.endswith(PACKED) and any(file.written_ns == written_ns for _, _, written_ns, _ in known))


def copies_since(files: Sequence[Rotated], current: tuple[int, int], since_ns: int, known: Known) -> list[Rotated]:
    """Copies made of the file at the log's path between two looks that both found it empty, or as good as new."""
    older = files[:-1] if files and files[-1].key == current else []
    return [other for other in older if not other.path.endswith(PACKED) and is_new(other, since_ns, known)]


def _newer(files: Sequence[Rotated], mark: Mark) -> list[Rotated]:
    return [file for file in files if file.written_ns > mark.written_ns]


def _since_empty(files: Sequence[Rotated], same: list[int], bookmark: Bookmark, position: int) -> Place | None:
    """Nothing was in the file when it was noted: what was written since begins with it, or with a copy of it."""
    found = [*_newer(files, bookmark.mark)[:1], *(files[i] for i in same), *files[-1:]]
    return Place(found[0], position) if found else None


def _after(files: Sequence[Rotated], bookmark: Bookmark, position: int) -> Place | None:
    """The file is gone: the first one written after it."""
    newer = _newer(files, bookmark.mark)
    if not newer:
        return None
    missing = max(bookmark.base + bookmark.size - position, 0)
    return Place(newer[0], position + missing, missing, "the file that was being read is gone")
