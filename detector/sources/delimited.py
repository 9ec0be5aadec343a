"""Files of OTLP protobuf, one request behind the other with its length in front, read as lines of OTLP JSON."""

from __future__ import annotations

import numpy as np

from detector.formats.otlp import FIRST_BYTE, unrolled
from detector.formats.otlp_words import WITH_BODY
from detector.sources.chunk import Chunk
from detector.sources.inflate import ByteStream

HEAD_BYTES = 512  # looked at to see what a stream is
# The collector's exporters send what one batch holds; gRPC takes 4 MiB unless told otherwise (grpc.io, "max receive
# message length"), Kafka 1 MB. Sixteen times that is no batch but a damaged length.
MAX_REQUEST_BYTES = 64 << 20
_FIXED = 4  # bytes of the collector's own length, big-endian (opentelemetry-collector-contrib, fileexporter, README)
_INNER = b"\n\x12\x1a"  # first bytes inside ResourceLogs and ResourceSpans: resource, scope_*, schema_url


class Delimited:
    """A stream of such requests as text; any other stream passes through as it is.

    Two ways of giving the length are known: the collector's file exporter's, four bytes, and protobuf's own
    ``writeDelimitedTo``, a varint. Positions are those of the text.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ahead = b""  # read and not yet given or framed
        self._text = memoryview(b"")
        self._looked = False
        self._frames = ""

    @property
    def loss(self) -> str:
        """What part of the stream could not be had."""
        return self._stream.loss

    @loss.setter
    def loss(self, text: str) -> None:
        """Says so of the stream itself."""
        self._stream.loss = text

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 at the end."""
        if not self._looked:
            self._looked = True
            self._ahead = self._read(HEAD_BYTES)
            self._frames = framing(self._ahead)
        if self._frames:
            return self._framed(view)
        if self._ahead:
            got = min(len(view), len(self._ahead))
            view[:got], self._ahead = self._ahead[:got], self._ahead[got:]
            return got
        return self._stream.readinto(view)

    def _framed(self, view: memoryview) -> int:
        while not self._text:
            request = self._next()
            if request is None:
                return 0
            self._text = memoryview(_lines(request))
        got = min(len(view), len(self._text))
        view[:got], self._text = self._text[:got], self._text[got:]
        return got

    def _next(self) -> bytes | None:
        """The next request, None at the end; one that is cut off, or could not be one, is a loss."""
        if len(self._ahead) < HEAD_BYTES:
            self._ahead += self._read(HEAD_BYTES - len(self._ahead))
        if not self._ahead or self.loss:
            return None
        size, begin = _length(self._ahead, self._frames)
        if size > MAX_REQUEST_BYTES:
            self.loss = f"a request of {size} bytes; at most {MAX_REQUEST_BYTES} are read: what follows is not"
            return None
        if size >= 0 and begin + size > len(self._ahead):
            self._ahead += self._read(begin + size - len(self._ahead))
        if size < 0 or begin + size > len(self._ahead):
            self.loss = self.loss or "ends inside an OTLP request"
            return None
        request, self._ahead = self._ahead[begin : begin + size], self._ahead[begin + size :]
        return request

    def _read(self, size: int) -> bytes:
        data = bytearray(size)
        filled = 0
        while filled < size and (got := self._stream.readinto(memoryview(data)[filled:])):
            filled += got
        return bytes(data[:filled])


def framing(head: bytes) -> str:
    """How lengths are given in a stream that begins so: ``fixed`` or ``varint``; empty = it is no such stream.

    The first request must begin with field 1 and that with one of its own: no text does so behind a length that fits.
    """
    for way in ("fixed", "varint"):
        size, begin = _length(head, way)
        is_cut = len(head) < HEAD_BYTES and begin + size > len(head)  # the stream ends before
        if not 0 < size <= MAX_REQUEST_BYTES or is_cut or not head[begin:].startswith(FIRST_BYTE):
            continue
        inner, first = _length(head[begin + 1 :], "varint")
        first += begin + 1
        is_last = inner >= 0 and first + inner == begin + size
        more = head[first + inner : first + inner + 1] if inner >= 0 else b""
        fits = is_last or (inner >= 0 and first + inner < begin + size and more in (b"", FIRST_BYTE))
        if fits and head[first : first + 1] in [bytes([c]) for c in _INNER]:
            return way
    return ""


def _length(data: bytes, way: str) -> tuple[int, int]:
    """A length and where what it counts begins; -1 where the bytes hold none."""
    if way == "fixed":
        return (int.from_bytes(data[:_FIXED], "big"), _FIXED) if len(data) >= _FIXED else (-1, 0)
    value = 0
    for place, byte in enumerate(data[:5]):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, place + 1
    return -1, 0


def _lines(request: bytes) -> bytes:
    buffer = np.frombuffer(bytearray(request) or bytearray(1), np.uint8)
    one = np.zeros(1, np.int64)
    chunk, _ = unrolled(Chunk(buffer, one, np.array([len(request)], np.int64), one, 0), WITH_BODY)
    return chunk.buffer.tobytes()
