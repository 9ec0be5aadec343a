"""Bytes to whole lines: only a line feed ends a line, and no line takes more memory than the longest one allowed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.formats.fields import MAX_LINE_BYTES
from detector.sources.chunk import Chunk
from detector.sources.inflate import ByteStream

I64 = npt.NDArray[np.int64]

KEPT_BYTES = MAX_LINE_BYTES + 1  # what is kept of a longer line: enough for the scanner to see that it is too long

USUAL_BYTES = 32  # lines of logs are longer on the whole; room for the ends of lines is made accordingly

_LF = 10
_CR = 13

_FEEDS = Kernel("detector.sources.lines_kernel:feeds", [Array("u1"), Array("i8")])


def fill(stream: ByteStream, view: memoryview) -> int:
    """Reads until ``view`` is full or the stream ends; returns the bytes read."""
    got = 0
    while got < len(view):
        more = stream.readinto(view[got:])
        if more == 0:
            break
        got += more
    return got


class Lines:
    """A stream's lines, read once; which they are does not depend on where the chunks are cut.

    A carriage return before the line feed is dropped. A line over ``longest`` bytes is passed on cut to one more. The
    last line counts without a line feed, unless the stream broke off inside it.
    """

    def __init__(self, stream: ByteStream, origin: int, longest: int = MAX_LINE_BYTES) -> None:
        self.stream = stream
        self._origin = origin
        self._kept = longest + 1
        self._head = np.empty(0, np.uint8)  # the unfinished line, cut to `_kept`
        self._head_position = 0
        self._dropped = 0  # its bytes that were not kept
        self._offset = 0  # where the next byte read stands in the stream

    @property
    def position(self) -> int:
        """Where in the stream the first line stands that was not given yet."""
        return self._head_position

    def read(self, chunk_bytes: int, last: bool = True) -> Chunk | None:
        """The next lines, of about ``chunk_bytes`` of text; None at the end.

        Unless the end is the ``last`` there will be, a line without line feed waits for the rest of it.
        """
        while True:
            carried = self._head.size
            buffer = np.empty(carried + chunk_bytes, np.uint8)
            buffer[:carried] = self._head
            got = fill(self.stream, buffer.data[carried:])
            if got == 0:
                return self._last(buffer) if last else None
            chunk = self._cut(buffer, carried, got)
            if chunk is not None:
                return chunk

    def rest(self) -> Chunk | None:
        """The line begun and not ended, as one; None where there is none, or the stream broke off in it."""
        return self._last(self._head.copy())

    def _cut(self, buffer: npt.NDArray[np.uint8], carried: int, got: int) -> Chunk | None:
        """The lines that end in the ``got`` bytes behind the carried ones; the rest is kept for the next time."""
        size = carried + got
        shift = self._offset - carried
        self._offset += got
        ends = _line_feeds(buffer[carried:size])
        ends += carried
        last = 0
        chunk = None
        if ends.size:
            positions = np.empty_like(ends)
            positions[0] = self._head_position
            np.add(ends[:-1], shift + 1, out=positions[1:])
            last = int(ends[-1]) + 1
            chunk = _chunk(buffer, ends, self._dropped, positions, self._origin, self._kept)
            self._head_position = shift + last
            self._dropped = 0
        self._head = buffer[last : min(size, last + self._kept)].copy()
        self._dropped += size - last - self._head.size
        return chunk

    def _last(self, buffer: npt.NDArray[np.uint8]) -> Chunk | None:
        size, self._head = self._head.size, self._head[:0]
        if not size or self.stream.loss:
            return None
        position = np.array([self._head_position], np.int64)
        return _chunk(buffer, np.array([size], np.int64), self._dropped, position, self._origin, self._kept)


def _line_feeds(text: npt.NDArray[np.uint8]) -> I64:
    """Where line feeds are."""
    ends = np.empty(text.size // USUAL_BYTES + 64, np.int64)
    found = _FEEDS(text, ends)
    return ends[:found] if found >= 0 else np.flatnonzero(text == _LF)


def _chunk(buffer: npt.NDArray[np.uint8], ends: I64, dropped: int, positions: I64, origin: int, kept: int) -> Chunk:
    """Lines that lie one behind the other from the buffer's first byte; ``dropped`` bytes of the first are missing."""
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    lengths = ends - starts
    if dropped:
        lengths[0] += 1  # longer than what is kept, so that its last byte is not looked at
    carriage = (buffer[ends - 1] == _CR) & (lengths > 0) & (lengths <= kept)
    np.minimum(lengths, kept, out=lengths)
    lengths -= carriage
    return Chunk(buffer, starts, lengths, positions, origin)
