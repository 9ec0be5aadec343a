"""What a followed file holds: lines, or OpenTelemetry's export requests one behind the other.

The collector's file exporter writes requests as lines of JSON (`format: json`), or as protobuf with four bytes of
length in front (`format: proto`). Each is one message, opened as one of a topic is.
"""

from __future__ import annotations

import numpy as np

from detector.errors import InputError
from detector.formats.otlp import FIRST_BYTE
from detector.sources.chunk import Chunk
from detector.sources.delimited import MAX_REQUEST_BYTES, framing
from detector.sources.files import shown
from detector.sources.growing import GrowingFile
from detector.sources.inflate import ByteStream
from detector.sources.lines import KEPT_BYTES, Lines, fill

LENGTH_BYTES = 4  # big-endian (opentelemetry-collector-contrib, fileexporter, README)
REQUESTS_OF_JSON = (b'{"resourceLogs":', b'{"resourceSpans":')


def records_of(file: GrowingFile, origin: int) -> Lines | Requests:
    """What reads a file on from its offset, told from its first bytes.

    Raises:
        InputError: it holds requests in a way that is not followed.
    """
    if is_framed(file.head):
        return Requests(file, origin)
    if framing(file.head) == "varint":
        allowed = "four bytes of length in front of each, as the collector writes, are followed"
        raise InputError(f"{shown(file.path)}: requests with varints in front; {allowed}: `detector replay` reads this")
    return Lines(file, origin, *([MAX_REQUEST_BYTES] if file.head.startswith(REQUESTS_OF_JSON) else []))


def is_framed(head: bytes) -> bool:
    """Whether a file that begins so holds lengths and requests; no text begins with a byte that a length may have."""
    if len(head) <= LENGTH_BYTES:
        return bool(head) and head[0] <= MAX_REQUEST_BYTES >> 24
    size = int.from_bytes(head[:LENGTH_BYTES], "big")
    return 0 < size <= MAX_REQUEST_BYTES and head[LENGTH_BYTES:].startswith(FIRST_BYTE)


class Requests:
    """A stream's requests, read once; the position of each is that of its length. Stands where :class:`Lines` does.

    Attributes:
        stream: where from.
        skipped: bytes behind a damaged length that were not read.
        damage: what was wrong there, empty where nothing was.
    """

    def __init__(self, stream: ByteStream, origin: int) -> None:
        self.stream = stream
        self.skipped = 0
        self.damage = ""
        self._origin = origin
        self._head = np.empty(0, np.uint8)  # the request begun, with its length
        self._position = 0

    @property
    def position(self) -> int:
        """Where in the stream the first request stands that was not given yet."""
        return self._position

    def read(self, chunk_bytes: int, last: bool = True) -> Chunk | None:
        """The next whole requests, of about ``chunk_bytes``; None where there are none, or a length was damaged."""
        while True:
            carried = self._head.size
            buffer = np.empty(carried + chunk_bytes, np.uint8)
            buffer[:carried] = self._head
            got = fill(self.stream, buffer.data[carried:])
            if self.damage:
                self.skipped += got
                return None
            if got == 0:
                return self.rest() if last else None
            chunk = self._cut(buffer, carried + got)
            if chunk is not None or self.damage:
                return chunk

    def rest(self) -> Chunk | None:
        """The request begun and not ended, as one that will be rejected; None where there is none."""
        head, self._head = self._head[:KEPT_BYTES], self._head[:0]
        if not head.size or self.damage or self.stream.loss:
            return None
        return self._chunk(head.copy(), [0], [head.size], [self._position])

    def forget(self) -> int:
        """The bytes skipped since this was last asked."""
        skipped, self.skipped = self.skipped, 0
        return skipped

    def _cut(self, buffer: np.ndarray[tuple[int], np.dtype[np.uint8]], size: int) -> Chunk | None:
        """The requests that end within the buffer's first ``size`` bytes; the rest is kept for the next time."""
        starts, lengths, positions = [], [], []
        at = 0
        while size - at >= LENGTH_BYTES:
            length = int.from_bytes(buffer[at : at + LENGTH_BYTES].tobytes(), "big")
            if length > MAX_REQUEST_BYTES:
                self.damage = f"a request of {length} bytes; at most {MAX_REQUEST_BYTES} are read: what follows is not"
                self.skipped, size = size - at, at
                break
            if size - at - LENGTH_BYTES < length:
                break
            starts.append(at + LENGTH_BYTES)
            lengths.append(length)
            positions.append(self._position)
            at += LENGTH_BYTES + length
            self._position += LENGTH_BYTES + length
        self._head = buffer[at:size].copy()
        return self._chunk(buffer, starts, lengths, positions) if starts else None

    def _chunk(
        self,
        buffer: np.ndarray[tuple[int], np.dtype[np.uint8]],
        starts: list[int],
        lengths: list[int],
        positions: list[int],
    ) -> Chunk:
        first, sizes, places = (np.array(column, np.int64) for column in (starts, lengths, positions))
        return Chunk(buffer, first, sizes, places, self._origin)
