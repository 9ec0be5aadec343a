"""OpenTelemetry's protobuf (`otlp_proto`, the default of its Kafka exporter) as lines of its JSON.

Each log record or span becomes one line, so that one preset reads both encodings. Nothing but the kernel looks at the
bytes: no generated classes, no object a record, and no more text than ``MAX_LINE_BYTES`` a record.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.formats.fields import MAX_LINE_BYTES
from detector.formats.otlp_words import WITHOUT_BODY, packed
from detector.sources.chunk import Chunk

UNROLL = Kernel(
    "detector.formats.otlp_kernel:unroll",
    [
        Array("u1"),  # buffer
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Array("u1"),  # words
        Array("i8"),  # places
        Scalar("i8"),  # bodies
        Scalar("i8"),  # first
        Array("u1"),  # out
        Array("i8"),  # record_starts
        Array("i8"),  # record_lengths
        Array("i8"),  # message
        Array("i8"),  # result
    ],
    "i8",
)
FIRST_BYTE = b"\n"  # of every export request that holds anything: field 1, length-delimited

_GROWTH = 3  # JSON bytes for a byte of protobuf, ordinary spans; where it is more the room is doubled
_RECORD_BYTES = 100  # of protobuf, an ordinary record's least
_SLACK = 4 * (MAX_LINE_BYTES + 2)


def unrolled(chunk: Chunk, bodies: int = WITHOUT_BODY) -> tuple[Chunk, int]:
    """The records of a chunk of export requests as lines of OTLP JSON, each with its message's position, and how many
    of the messages were such requests.

    One that is not, or is damaged, stays as one record of its first bytes (line feeds become blanks), for the scanner
    to reject; one without records becomes an empty record. The new chunk's buffer holds the lines one behind the other,
    a line feed behind each. Lists of texts are joined by commas; what is neither text nor a whole number is left out.

    Of log records whose body is text, ``bodies`` (of ``otlp_words``) says whether that is written too, or alone; too
    long for a line beside attributes, it is left out.
    """
    total = len(chunk.starts)
    if not total:
        return chunk, 0
    words, places = packed()
    result = np.zeros(3, np.int64)
    size = int(chunk.lengths.sum())
    room, rows = _GROWTH * size + _SLACK, total + size // _RECORD_BYTES + 1
    texts: list[npt.NDArray[np.uint8]] = []
    parts: list[npt.NDArray[np.int64]] = []
    used = 0
    while result[0] < total:
        out, found = np.empty(room, np.uint8), np.empty((3, rows), np.int64)
        first = int(result[0])
        n = UNROLL(chunk.buffer, chunk.starts, chunk.lengths, words, places, bodies, first, out, *found, result)
        found[0, :n] += used
        used += int(result[2])
        texts.append(out[: int(result[2])])
        parts.append(found[:, :n])
        room, rows = 2 * room, 2 * rows
    starts, lengths, message = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    text = texts[0] if len(texts) == 1 else np.concatenate(texts)
    return Chunk(text, starts, lengths, chunk.positions[message], chunk.origin), int(result[1])
