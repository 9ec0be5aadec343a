"""One followed log through its rotations: every file of it read once, in the order they were written.

The log is one long text, and a position counts the bytes of it since the first one followed: over the ends of files
it goes on. A file that is open stays so until it is read to its end, whatever it is called by then; what comes after it
is found by its place among the files beside the log (`rotated.py`). A file that was cut is looked for where it may have
been copied to, by the beginning of its text.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Literal

from detector import clock
from detector.errors import InputError
from detector.sources.bookmark import Bookmark, FileGap, Place, after, copies_since, find, is_new, last_like
from detector.sources.chunk import Chunk
from detector.sources.files import shown
from detector.sources.growing import GrowingFile
from detector.sources.lines import Lines
from detector.sources.requests import Requests, records_of
from detector.sources.rotated import Known, Rotated, alike, history, seen_at

Gap = Literal["error", "continue"]

QUIET_S = 5.0  # how long writers may go on with a renamed file: Fluent Bit's Rotate_Wait
LONGEST_WAIT_S = 60.0  # after that a renamed file that is still written to is left, and what comes to it is a gap
LOOK_S = 0.25  # between two looks at a file without news


class Trail:
    """Follows one path. Used by one thread.

    Args:
        path: the log.
        origin: its index, for chunks.
        gap: what to do where bytes are gone.
        quiet_s: see QUIET_S.
        look_s: see LOOK_S.

    Attributes:
        lost: bytes that were gone before they were read, as far as known (``gap: continue``).
        gaps: how often that was so.
        cuts: how often the file was emptied with everything known of it read.
        status: what is waited for, empty where nothing is.
    """

    def __init__(self, path: str, origin: int, gap: Gap, quiet_s: float = QUIET_S, look_s: float = LOOK_S) -> None:
        self.path = path
        self.lost = 0
        self.gaps = 0
        self.cuts = 0
        self.status = ""
        self._origin = origin
        self._gap_policy = gap
        self._quiet_s = quiet_s
        self._look_s = look_s
        self._file: GrowingFile | None = None
        self._lines: Lines | Requests | None = None
        self._base = 0  # position of the file's first byte
        self._begin = 0  # the file's byte that `_lines` began at
        self._place = 0  # the position, while no file is open
        self._bookmark: Bookmark | None = None  # where to look for it
        self._real = ""
        self._empty_ns = 0  # when the file was last written to before it was opened
        self._known: Known = set()  # rotated files older than the one that is written to
        self._beyond = 0  # bytes in newer files
        self._due_s = 0.0
        self._grew_s = 0.0
        self._left_s: float | None = None  # since when the file open is no longer the one at `path`
        self._former: tuple[GrowingFile, float] | None = None  # the file before, and how long it is watched

    @property
    def position(self) -> int:
        """Where the first line stands that was not given yet."""
        return self._base + self._begin + self._lines.position if self._lines else self._place

    @property
    def highwater(self) -> int:
        """Where the text ends, as of the last look; where all that is there was read, the position.

        Compressed files count with their size on disk, a line without end not at all once it was read.
        """
        if self._file is None or not (self._file.unread or self._beyond):
            return self.position
        return self._base + self._file.offset + self._file.unread + self._beyond

    @property
    def due_s(self) -> float:
        """When :meth:`read` looks again, by the monotonic clock."""
        return self._due_s

    def remember(self) -> dict[str, Any]:
        """Which file is being read, and from where; JSON. Empty before there was one."""
        found = self._here() if self._file else self._bookmark
        return replace(found, position=self.position).document() if found else {}

    def recall(self, document: dict[str, Any]) -> None:
        """Goes on where :meth:`remember` was called, perhaps in another process, and in a file by now rotated."""
        self.close()
        self._bookmark = Bookmark.of(document) if document else None
        self._place = self._bookmark.position if self._bookmark else 0

    def seek(self, position: int) -> None:
        """Goes on at a position, also in files rotated since; the start of a line, or its rest counts as one."""
        self.close()
        self._place = position

    def close(self) -> None:
        """Closes its files; where it stands stays known."""
        if self._file is not None:
            self._bookmark, self._place = self._here(), self.position
        for file in (self._file, self._former and self._former[0]):
            if file:
                file.close()
        self._file = self._lines = self._former = None
        self._due_s = 0.0

    def read(self, most: int) -> Chunk | None:
        """The next whole lines, of about ``most`` bytes; None where there are none now, or none were looked for yet.

        Raises:
            FileGap: bytes are gone (``gap: error``).
            InputError: a file cannot be read.
        """
        now = clock.monotonic()
        if now < self._due_s:
            return None
        self._due_s = now + self._look_s
        try:
            self._watch(now)
            if self._file is None and not self._open(now):
                return None
            return self._next(most, now)
        except OSError as error:
            raise InputError(f"{shown(error.filename or self.path)}: cannot be read: {error.strerror}") from error

    def _next(self, most: int, now: float) -> Chunk | None:
        file, lines = self._file, self._lines
        assert file is not None
        assert lines is not None
        if isinstance(lines, Requests) and lines.skipped:
            self._gap(lines.forget(), f"{shown(file.path)}: {lines.damage}")
        was_empty = file.size == 0
        file.look()
        if was_empty and file.written_ns != self._empty_ns:
            files = self._history()
            copies = copies_since(files, file.key, self._empty_ns, self._known)
            if copies and self._is_still(files):
                return self._move(copies[0], files, now)
        if file.replaced:
            return self._replaced(file, lines, now)
        if file.size < file.offset and not file.settled:
            self._shorten(file)
        if not file.unread:
            return self._at_end(file, now)
        if file.offset == 0:  # what it is only its first bytes tell, and there were perhaps none when it was opened
            self._lines = lines = records_of(file, self._origin)
        chunk = lines.read(most if file.packed else min(most, file.unread), last=False)
        self._grew_s = now
        has_more = file.unread or file.replaced or file.packed
        self._due_s = now if has_more else now + self._look_s
        return self._placed(chunk)

    def _placed(self, chunk: Chunk | None) -> Chunk | None:
        if chunk is not None:
            chunk.positions += self._base + self._begin
        return chunk

    def _at_end(self, file: GrowingFile, now: float) -> Chunk | None:
        """All that is there was read: waits for more, or goes on to the file that follows."""
        current = seen_at(self.path)
        if current is not None and current.key == file.key:
            self._left_s, self._beyond, self.status = None, 0, ""
            return None
        if self._left_s is None:
            self._left_s = now
        files = self._history()
        following = after(files, self.path, file, self._known)
        self._beyond = sum(rotated.size for rotated in following)
        if not following:
            self.status = f"{shown(self.path)}: rotated away, and there is no new file yet"
            return None
        if following[0].path == self.path and not file.settled and not self._is_over(following[0], now):
            return None
        file.look()
        if file.unread or file.replaced or not self._is_still(files):
            self._due_s = now
            return None
        return self._move(following[0], files, now)

    def _is_over(self, following: Rotated, now: float) -> bool:
        """Whether a renamed file has been left by all who write to it, as far as one can tell."""
        assert self._left_s is not None
        is_quiet = now - max(self._left_s, self._grew_s) >= self._quiet_s
        return following.size > 0 and (is_quiet or now - self._left_s >= LONGEST_WAIT_S)

    def _history(self) -> list[Rotated]:
        return history(self.path, self._real, self._bookmark.real if self._bookmark else "")

    def _is_still(self, files: list[Rotated]) -> bool:
        """Whether the files are called as they were when listed, so that what was found out under these names holds."""
        return alike(files, self._history())

    def _move(self, following: Rotated, files: list[Rotated], now: float) -> Chunk | None:
        """Goes on to another file; what is left of the last line counts as one."""
        file, lines = self._file, self._lines
        assert file is not None
        assert lines is not None
        other = self._opened(following, 0, now)
        if other is None:
            return None
        try:
            if file.loss:
                self._gap(0, f"{shown(file.path)}: {file.loss}")
        except FileGap:
            other.close()
            raise
        rest = self._placed(lines.rest())
        self._leave(file, now)
        self._take(other, self._base + file.offset, files, now)
        return rest

    def _replaced(self, file: GrowingFile, lines: Lines | Requests, now: float) -> Chunk | None:
        """The file was cut: goes on in its copy, if there is one, else at its new beginning."""
        files = self._history()
        others = [other for other in files if other.key != file.key]
        place = last_like(others, file.mark)
        if not self._is_still(files):
            return None
        if place is not None:
            copy = self._opened(others[place], file.offset, now)
            if copy is not None:
                copy.settled = True
                lines.stream = copy  # the line begun goes on there
                file.close()
                self._file, self._left_s, self._due_s = copy, now, now
            return None
        unseen = [other for other in others if is_new(other, file.written_ns, self._known)]
        again = [other for other in files if other.key == file.key]
        other = self._opened((unseen or again)[0], 0, now) if unseen or again else None
        if other is None:  # renamed in this very moment
            return None
        missing = file.unread
        try:
            if missing:
                self._gap(missing, "the file was cut before it was read to its end")
        except FileGap:
            other.close()
            raise
        self.cuts += not missing
        rest = self._placed(lines.rest())
        file.close()
        self._take(other, self._base + file.offset + missing, files, now)
        return rest

    def _shorten(self, file: GrowingFile) -> None:
        """Only the end of the file is gone, as after a crash of the machine; it had been read."""
        self._place = self.position
        file.offset = file.size
        self._base, self._begin, self._lines = self._place - file.size, file.size, records_of(file, self._origin)

    def _leave(self, file: GrowingFile, now: float) -> None:
        """Keeps an eye on a renamed file, and on one at a time."""
        if self._former:
            self._former[0].close()
        is_renamed = self._left_s is not None and not file.settled
        self._former = (file, now + LONGEST_WAIT_S) if is_renamed else None
        if not is_renamed:
            file.close()

    def _watch(self, now: float) -> None:
        """Sees whether somebody still writes to the file that was left."""
        if self._former is None:
            return
        file, until = self._former
        file.look()
        if file.unread:
            self._gap(file.unread, "a renamed file was still written to after the new one had been begun")
        if file.unread or now >= until:
            file.close()
            self._former = None

    def _take(self, file: GrowingFile, base: int, files: list[Rotated], now: float) -> None:
        """From now on reads this file, chosen among those listed before it was opened."""
        self._file = file  # so that it is closed where it is none that can be followed
        self._lines = records_of(file, self._origin)
        self._base, self._begin = base, file.offset
        self._bookmark, self._left_s, self._grew_s, self.status = None, None, now, ""
        self._real = os.path.realpath(self.path)
        self._due_s = now
        self._empty_ns = file.written_ns
        place = next((i for i, other in enumerate(files) if other.key == file.key), 0)
        self._known = {other.state for other in files[:place]}
        self._beyond = sum(other.size for other in files[place + 1 :])

    def _opened(self, wanted: Rotated, offset: int, now: float) -> GrowingFile | None:
        """The file, if it is still what was found there; else None, and the next look will find out."""
        try:
            file = GrowingFile(wanted.path, offset, rotated=wanted.path != self.path)
        except FileNotFoundError:
            return None
        except PermissionError:
            # A file is made before it is given to its owner.
            if self._left_s is not None and now - self._left_s < self._quiet_s:
                return None
            raise
        if file.key == wanted.key:
            return file
        file.close()
        return None

    def _open(self, now: float) -> bool:
        """Finds the file the position lies in, and opens it; False where there is nothing to open yet."""
        files = self._history()
        place = self._first(files)
        is_still = place is not None and self._is_still(files)
        file = self._opened(place.file, max(self._place - place.base, 0), now) if place and is_still else None
        if place is None or file is None:
            self.status = f"{shown(self.path)}: not there yet"
            return False
        try:
            if place.what:
                self._gap(place.missing, place.what)
        except FileGap:
            file.close()
            raise
        self._place = max(self._place, place.base)
        if not file.packed:
            file.offset = min(file.offset, file.size)
        self._take(file, self._place - file.offset, files, now)
        return True

    def _first(self, files: list[Rotated]) -> Place | None:
        """Where to begin: by the bookmark, else in the file at the path."""
        if self._bookmark is not None:
            return find(files, self._bookmark, self._place)
        if not files or files[-1].path != self.path:
            return None
        if self._place > files[-1].size:
            return Place(files[-1], self._place, 0, "the file ends before the position")
        return Place(files[-1], 0)

    def _here(self) -> Bookmark:
        assert self._file is not None
        file = self._file
        size = file.offset if file.packed else max(file.size, file.offset)
        return Bookmark(file.mark, self._base, size, self.position, self._real)

    def _gap(self, missing: int, what: str) -> None:
        """Says what is missing, or counts it."""
        if self._gap_policy == "error":
            raise FileGap((self.path, 0), self.position, missing, what)
        self.lost += missing
        self.gaps += 1
