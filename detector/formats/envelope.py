"""What a log record is wrapped in on its way here: line, JSON object of a shipper, array, several lines a message.

Opening is a pure function of each message. Nothing is dropped: of every message comes one record at least, and one that
cannot be opened stays as it is, so that the scanner rejects it under a reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import UsageError
from detector.formats.detection import ENOUGH, Detection, detect
from detector.formats.fields import MAX_LINE_BYTES, Fields
from detector.formats.jsonlines import JsonFormat
from detector.formats.otlp import FIRST_BYTE, unrolled
from detector.formats.otlp_words import BODY_ALONE
from detector.sources.chunk import Chunk

UNWRAP = Kernel(
    "detector.formats.envelope_kernel:open_messages",
    [
        Array("u1"),  # buffer
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Array("u1"),  # keys
        Scalar("i8"),  # dot
        Scalar("i8"),  # arrays
        Scalar("i8"),  # first
        Array("i8"),  # record_starts
        Array("i8"),  # record_lengths
        Array("i8"),  # message
        Array("i8"),  # result
    ],
    "i8",
)

AUTO = "auto"
NONE, LINES, ARRAY, RECORDS = "none", "lines", "array", "records"
OTLP = "otlp_proto"  # as OpenTelemetry's Kafka exporter calls its default encoding
BODY = "otlp_body"  # the lines that the collector's filelog receiver has read, in either encoding
_BODY_KEY = "body.stringValue"  # of a log record, once its request is unrolled (opentelemetry-proto, logs.proto)

# Arrays of records inside a message's object, at whatever depth: CloudTrail, Azure, OTLP's log records and spans.
RECORD_ARRAYS = ("Records", "records", "logRecords", "spans")
_NESTED = 2  # as in envelope_kernel.py

# Keys under which shippers put the line they read, the usual ones first, and who does so by default.
KEYS = {
    "message": "Vector, Filebeat or Logstash",
    "log": "Fluent Bit, Docker or containerd",
    "event.original": "the Elastic Common Schema",
    "MESSAGE": "journald",
    "msg": "a JSON logger",
    "line": "Promtail or Loki",
    "body": "OpenTelemetry",
}
MAX_KEY_BYTES = 256
SHOWN_RECORDS = 200  # of those in the samples, evenly spread, shown to the detection: as many as of a file

_SPARE_ROWS = 64  # for the first arrays among messages that hold a record each; later ones make their own room


def packed_names() -> npt.NDArray[np.uint8]:
    """RECORD_ARRAYS as bytes, each with its length in front: how kernels want them."""
    return np.frombuffer(b"".join(bytes([len(n)]) + n.encode() for n in RECORD_ARRAYS), np.uint8).copy()


class Scanner(Protocol):
    """What is needed of a format."""

    @property
    def name(self) -> str:
        """Preset name, or ``custom``."""

    def scan(self, chunk: Chunk) -> Fields:
        """The lines of a chunk as columns."""


@dataclass(frozen=True)
class Envelope:
    """How records lie in messages. Made by :meth:`named` or :func:`detect_envelope`.

    Attributes:
        name: ``none``, ``lines``, ``array``, ``records``, ``otlp_proto``, ``otlp_body`` or the key that holds it.
        key: that key; empty for none. It counts at the top level of the message's object and nowhere else; a dot in it
            also means one object inside another. Keys are compared as written: one with escapes in it is another key.
        arrays: whether a message that is a JSON array of objects or strings is as many records.
        splits: whether line feeds part records; a message that is one JSON object as a whole is never parted.
    """

    name: str
    key: str = ""
    arrays: bool = True
    splits: bool = True
    _keys: npt.NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys = packed_names() if self.name == RECORDS else np.frombuffer(self.key.encode(), np.uint8).copy()
        object.__setattr__(self, "_keys", keys)

    @classmethod
    def named(cls, name: str) -> Envelope:
        """The envelope of a name: ``none``, ``lines``, ``array``, ``records`` or a key such as ``message``.

        Raises:
            UsageError: no key could be called that.
        """
        if name == NONE:
            return cls(NONE, arrays=False, splits=False)
        if name in (RECORDS, OTLP):
            return cls(name)
        if name == BODY:
            return cls(name, key=_BODY_KEY)
        if name in (LINES, ARRAY):
            return cls(name, arrays=name == ARRAY)
        odd = any(c < " " or c in '"\\' for c in name)
        if not name or name == AUTO or odd or len(name.encode("utf-8", "replace")) > MAX_KEY_BYTES:
            known = ", ".join((NONE, LINES, ARRAY, RECORDS, OTLP, BODY, *KEYS))
            shown = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in name[:80])
            raise UsageError(f"no envelope is called '{shown}'; there are {known}, or give the key that holds the line")
        return cls(name, key=name)

    @property
    def about(self) -> str:
        """The envelope in words, to follow "records are"."""
        if self.name == BODY:
            return f"the bodies of OpenTelemetry's log records ({BODY})"
        if self.key:
            return f"wrapped by {KEYS[self.key]} (`{self.key}`)" if self.key in KEYS else f"wrapped under `{self.key}`"
        about = {NONE: "not wrapped", LINES: "lines", ARRAY: "JSON objects or arrays of them"}
        about[OTLP] = "in OpenTelemetry's protobuf requests (otlp_proto)"
        return about.get(self.name, f"in arrays inside ({', '.join(RECORD_ARRAYS)})")

    def open(self, chunk: Chunk) -> Chunk:
        """The records of a chunk of messages, in the same buffer, each with its message's position. Protobuf is written
        as JSON into a buffer of its own.

        A string under the key is unescaped in place and becomes the record; an object there is the record as it
        stands. A key that comes twice opens nothing: which of the two the scanner should believe cannot be known. Line
        feeds inside a string do not part it, since whoever wrote the string may be the client. Open a chunk once.
        """
        return self.opened(chunk)[0]

    def opened(self, chunk: Chunk) -> tuple[Chunk, int]:
        """:meth:`open`, and how many of the records were found under the key; of protobuf, how many messages opened."""
        if self.name == OTLP:
            return unrolled(chunk)
        if not self.splits or not len(chunk.starts):
            return chunk, 0
        if self.name == BODY:
            records, _ = self._walked(_without_protobuf(chunk), packed_names(), _NESTED)
            return self._walked(records, self._keys, 1)
        return self._walked(chunk, self._keys, _NESTED if self.name == RECORDS else int(self.arrays))

    def _walked(self, chunk: Chunk, keys: npt.NDArray[np.uint8], arrays: int) -> tuple[Chunk, int]:
        total = len(chunk.starts)
        dot = 0 if arrays == _NESTED else max(self.key.encode().find(b"."), 0)
        result = np.zeros(2, np.int64)
        parts: list[npt.NDArray[np.int64]] = []
        room = total + _SPARE_ROWS
        while result[0] < total:
            rows = np.empty((3, room), np.int64)
            first = int(result[0])
            n = UNWRAP(chunk.buffer, chunk.starts, chunk.lengths, keys, dot, arrays, first, *rows, result)
            parts.append(rows[:, :n])
            room *= 2
        starts, lengths, message = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        positions = chunk.positions if len(message) == total else chunk.positions[message]
        return Chunk(chunk.buffer, starts, lengths, positions, chunk.origin), int(result[1])


def _without_protobuf(chunk: Chunk) -> Chunk:
    """The chunk with its protobuf messages written as JSON, bodies alone, in the order they came; each message is told
    by its own first byte, so that what it gives does not depend on those beside it."""
    binary = (chunk.lengths > 0) & (chunk.buffer[np.minimum(chunk.starts, chunk.buffer.size - 1)] == FIRST_BYTE[0])
    if not binary.any():
        return chunk
    own = np.flatnonzero(binary)
    told, _ = unrolled(Chunk(chunk.buffer, chunk.starts[own], chunk.lengths[own], own, chunk.origin), BODY_ALONE)
    if len(own) == len(chunk.starts):
        return Chunk(told.buffer, told.starts, told.lengths, chunk.positions[told.positions], chunk.origin)
    rest = np.flatnonzero(~binary)
    message = np.concatenate([rest, told.positions])
    order = np.argsort(message, kind="stable")
    starts = np.concatenate([chunk.starts[rest], told.starts + chunk.buffer.size])[order]
    lengths = np.concatenate([chunk.lengths[rest], told.lengths])[order]
    buffer = np.concatenate([chunk.buffer, told.buffer])
    return Chunk(buffer, starts, lengths, chunk.positions[message[order]], chunk.origin)


def detect_envelope(samples: list[bytes], given: Scanner | None = None) -> tuple[Envelope, Detection]:
    """Finds the envelope of some messages (200 are plenty) and the format of what is in it.

    Records as they stand come first: only where no format takes half of them is a shipper's key looked for, and of
    several keys the one counts whose records are recognised best, then the one more usual. So a gateway's own JSON that
    happens to have a ``body`` is never opened at it.

    Args:
        samples: whole messages, as they came.
        given: the format the records are known to have; nothing else is tried.

    Returns:
        The envelope, and what was found out about its records: ``format`` is None where no format takes half of them,
        and ``given`` is told from ``rates`` and ``closest`` by its name alone.
    """
    best, detection = _plain(samples, given)
    best_rate = _rate(detection)
    if best_rate >= ENOUGH:
        return best, detection
    binary = [OTLP] if any(sample.startswith(FIRST_BYTE) for sample in samples) else []
    for key in (*binary, RECORDS, BODY, *KEYS):
        wrapped = Envelope.named(key)
        records, found = _records(samples, wrapped)
        other = _detect(records, given) if found or key == RECORDS else Detection(None, {}, None)
        if _rate(other) > best_rate:
            best, detection, best_rate = wrapped, other, _rate(other)
    return best, detection


def detect_in(wanted: Envelope, samples: list[bytes], given: Scanner | None = None) -> Detection:
    """What :func:`detect_envelope` finds out about the records of messages whose envelope is known."""
    return _detect(_records(samples, wanted)[0], given)


def _plain(samples: list[bytes], given: Scanner | None) -> tuple[Envelope, Detection]:
    """The messages as lines of text, or as JSON and arrays of it."""
    both = [Envelope.named(name) for name in (LINES, ARRAY)]
    lines, arrays = (_detect(_records(samples, each)[0], given) for each in both)
    is_text = _rate(lines) >= ENOUGH and not isinstance(given or lines.format, JsonFormat)
    return (both[0], lines) if is_text or _rate(lines) > _rate(arrays) else (both[1], arrays)


def _rate(detection: Detection) -> float:
    """The share of records that the best format takes."""
    return detection.rates[detection.closest] if detection.closest is not None else 0.0


def _detect(records: list[bytes], given: Scanner | None) -> Detection:
    if given is None:
        return detect(records)
    if not records:
        return Detection(None, {}, None)
    rate = float((given.scan(_chunk(records)).reason == 0).mean())
    return Detection(None, {given.name: rate}, given.name if rate else None)


def _records(samples: list[bytes], wanted: Envelope) -> tuple[list[bytes], int]:
    """Some of the records in the samples, and how many the key was found in."""
    if not samples:
        return [], 0
    chunk, found = wanted.opened(_chunk(samples))
    rows = np.flatnonzero(chunk.lengths > 0)
    rows = rows[:: max(1, -(-len(rows) // SHOWN_RECORDS))]
    starts = chunk.starts[rows].tolist()
    lengths = np.minimum(chunk.lengths[rows], MAX_LINE_BYTES + 1).tolist()
    text = chunk.buffer.tobytes()
    return [text[start : start + length] for start, length in zip(starts, lengths, strict=True)], found


def _chunk(texts: list[bytes]) -> Chunk:
    """Texts, one behind the other."""
    lengths = np.array([len(text) for text in texts], np.int64)
    starts = np.cumsum(lengths) - lengths
    buffer = np.frombuffer(bytearray(b"".join(texts) or b"\0"), np.uint8)
    return Chunk(buffer, starts, lengths, np.arange(len(texts)), 0)


def foreign(samples: list[bytes]) -> str:
    """What most of the messages are where that is nothing to be read, and what to do; empty where they may be text."""
    filled = [sample for sample in samples if sample.strip()]
    for what, test in _FOREIGN.items():
        if filled and sum(map(test, filled)) * 2 > len(filled):
            return what
    return ""


def _msgpack(sample: bytes) -> bool:
    """A map whose first key is a short string, or an array of two: what Fluent Bit sends (MessagePack's spec, formats).

    No UTF-8 text begins with 0x81 to 0x8F or 0x92.
    """
    if sample[0] == 0x92:
        return True
    head = 1 if 0x81 <= sample[0] <= 0x8F else {0xDE: 3, 0xDF: 5}.get(sample[0], 0)
    return 0 < head < len(sample) and 0xA0 <= sample[head] <= 0xBF


_FOREIGN = {
    "MessagePack, which is not read: let Fluent Bit's kafka output write `format json`": _msgpack,
    "compressed by the producer's own hand (gzip), which is not read: let the Kafka client compress instead": (
        lambda sample: sample.startswith(b"\x1f\x8b\x08")
    ),
    "Avro, Protobuf or JSON behind a schema registry's header, which is not read: let the producer write plain JSON": (
        lambda sample: len(sample) > 5 and sample[0] == 0
    ),
}
