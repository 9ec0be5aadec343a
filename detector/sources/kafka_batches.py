"""Whole record batches to chunks: what kafka-python does a record at a time in Python, done by a kernel.

kafka-python spends 21 µs a record on objects nobody wants here (measured, 250-byte records). Its `Fetcher` makes a
`PartitionRecords` of each partition's part of a response; :func:`hook` puts a subclass there which hands out chunks
instead of records. Nothing else of the client changes: positions, pauses, transactions and sessions stay its own. That
place is private, so :func:`unsupported` looks whether it is still what it was, and the plain path stands in.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.sources.chunk import Chunk
from detector.sources.kafka_inflate import NONE, PIECE_BYTES, InflateError, inflate

_RECORDS = Kernel(
    "detector.sources.kafka_batches_kernel:records",
    [
        Array("u1"),  # data
        Array("i8", 2),  # parts
        Scalar("i8"),  # fetch_offset
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Array("i8"),  # offsets
        Array("i8"),  # times_us
        Array("u1"),  # broker
        Array("i8"),  # result
    ],
    "i8",
)
_STOPPED, _DONE = 8, 9  # columns of the kernel's `parts`, behind the eight of `_Part`
_FAULTY, _TOMBSTONES, _NEXT_OFFSET = 0, 1, 2  # of its `result`

NO_TIME = -1  # Kafka's own "no timestamp"
MAX_MS = 4_102_444_800_000  # 2100-01-01: what lies behind is no time, as in the formats
MAX_RECORD_BYTES = 256 << 20  # 256 times what a broker takes by default (message.max.bytes), inflated
MIN_RECORD_BYTES = 7  # length, attributes, time, offset, key, value, headers: a byte each

# Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last time, producer id,
# producer epoch, base sequence, records (kafka.apache.org/documentation/#messageformat, "Record Batch").
_HEADER = struct.Struct(">qiibIhiqqqhii")
_FRAME_BYTES = 12  # base offset and length, which counts what follows it
_LEGACY_BYTES = 26  # the shortest entry of magic 0
_MAGIC = 16
_CHECKED_FROM = 21  # the checksum covers everything behind itself
_CODEC, _BROKER_TIME, _TRANSACTIONAL, _CONTROL = 7, 8, 16, 32  # bits of the attributes


@dataclass
class KafkaChunk(Chunk):
    """Values of one partition, a record each; records without a value (tombstones) are left out.

    Attributes:
        timestamps_us: int64 (n,), microseconds since 1970, -1 where the record has none or none before 2100.
        broker_time: bool (n,), whether the broker set it on writing (``LogAppendTime``), not the producer.
        next_offset: where reading goes on after this chunk.
    """

    timestamps_us: npt.NDArray[np.int64]
    broker_time: npt.NDArray[np.bool_]
    next_offset: int


@dataclass
class Counts:
    """What was met since the start; ``tombstones`` are records without a value, ``aborted`` batches of transactions."""

    batches: int = 0
    aborted: int = 0
    tombstones: int = 0


class _Batch(NamedTuple):
    """A batch's header, and where it lies in the response."""

    magic: int
    attributes: int
    base_offset: int
    last_delta: int
    first_ms: int
    last_ms: int
    producer: int
    records: int
    begin: int
    end: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_delta + 1

    def part(self, begin: int, end: int, left: int, more: bool) -> tuple[int, ...]:
        """The kernel's first eight columns for some of its records, ``left`` at most, inflated to [begin, end)."""
        broker_ms = max(self.last_ms, 0) if self.attributes & _BROKER_TIME else NO_TIME
        return begin, end, left, self.base_offset, self.last_delta, self.first_ms, broker_ms, more


class Response:
    """One partition's part of a fetch response, read once.

    Args:
        data: record batches one behind the other, the last perhaps cut off; where it is writable, chunks of plain
            records are stretches of it.
        client: kafka-python's ``PartitionRecords`` for it, which knows what was asked for and which transactions were
            aborted, and is told how far reading has come.
        counts: added to.
    """

    def __init__(self, data: bytes | bytearray | memoryview, client: Any, counts: Counts) -> None:
        self._data = memoryview(data)
        self._client = client
        self._counts = counts
        self._pieces: list[bytes | memoryview] = []  # text not yet decoded
        self._size = 0
        self._parts: list[tuple[int, ...]] = []
        self._stays = False  # the parts lie in `_data`, else in `_pieces`
        self._begun: int = client.next_fetch_offset  # where the text not yet decoded begins
        self._reached = self._begun  # where it ends, skipped batches included

    def chunks(self) -> Iterator[KafkaChunk]:
        """Chunks of about ``PIECE_BYTES`` or less, none empty.

        Raises:
            kafka.errors.CorruptRecordError: a batch has a wrong checksum or does not hold the records it should; what
                lies before it has been given by then.
        """
        from kafka.errors import CorruptRecordError

        fault: Exception | None = None
        try:
            for batch in self._wanted():
                yield from self._legacy(batch) if batch.magic < 2 else self._add(batch)
        except (CorruptRecordError, InflateError) as error:
            fault = error
        yield from self._flush()
        self._client.next_fetch_offset = self._reached
        if isinstance(fault, InflateError):
            raise self._corrupt(str(fault)) from fault
        if fault is not None:
            raise fault

    def _corrupt(self, what: str) -> Exception:
        from kafka.errors import CorruptRecordError

        topic, partition = self._client.topic_partition
        error: Exception = CorruptRecordError(
            f"topic {topic}, partition {partition}: record batch at or behind offset {self._reached}: {what}"
        )
        return error

    def _wanted(self) -> Iterator[_Batch]:
        """Batches of records, checksums checked, without control batches and aborted ones."""
        from kafka.record.util import calc_crc32c

        place, data = 0, self._data
        while place + _FRAME_BYTES <= len(data):
            (length,) = struct.unpack_from(">i", data, place + 8)
            begin, place = place, place + _FRAME_BYTES + length
            if place > len(data):
                return  # cut off where the response was full
            if place - begin < _LEGACY_BYTES or (data[begin + _MAGIC] > 1 and place - begin < _HEADER.size):
                raise self._corrupt(f"{length} bytes are no batch")
            self._counts.batches += 1
            if data[begin + _MAGIC] < 2:
                yield _Batch(data[begin + _MAGIC], 0, 0, 0, 0, 0, 0, 0, begin, place)
                continue
            base, _, epoch, magic, checksum, attributes, last_delta, first, last, producer, _, _, count = (
                _HEADER.unpack_from(data, begin)
            )
            if self._client.check_crcs and calc_crc32c(data[begin + _CHECKED_FROM : place]) != checksum:
                raise self._corrupt(f"the checksum of the batch from offset {base} is wrong")
            self._client.leader_epoch = epoch
            batch = _Batch(magic, attributes, base, last_delta, first, last, producer, count, begin, place)
            if self._skipped(batch):
                self._reached = batch.next_offset
            else:
                yield batch

    def _skipped(self, batch: _Batch) -> bool:
        """Whether it is a control batch or belongs to an aborted transaction; the client keeps account of those."""
        client, control = self._client, bool(batch.attributes & _CONTROL)
        if client.isolation_level and batch.producer >= 0:
            client._consume_aborted_transactions_up_to(batch.next_offset - 1)
            if control and self._aborts(batch):
                client.aborted_producer_ids.discard(batch.producer)
            elif batch.attributes & _TRANSACTIONAL and batch.producer in client.aborted_producer_ids:
                self._counts.aborted += not control
                return True
        return control

    def _aborts(self, control: _Batch) -> bool:
        from kafka.record.default_records import DefaultRecordBatch

        batch = DefaultRecordBatch(self._data[control.begin : control.end])
        return bool(self._client._contains_abort_marker(batch))

    def _add(self, batch: _Batch) -> Iterator[KafkaChunk]:
        """Takes a batch in; gives chunks where its text fills one up."""
        stays = batch.attributes & _CODEC == NONE and not self._data.readonly
        if stays != self._stays:
            yield from self._flush()
            self._stays = stays
        yield from self._point_at(batch) if stays else self._inflate(batch)

    def _point_at(self, batch: _Batch) -> Iterator[KafkaChunk]:
        """Plain records stay where they were received."""
        begin = batch.begin + _HEADER.size
        self._parts.append(batch.part(begin, batch.end, batch.records, False))
        self._size += batch.end - begin
        self._reached = batch.next_offset
        if self._size >= PIECE_BYTES:
            yield from self._flush()

    def _inflate(self, batch: _Batch) -> Iterator[KafkaChunk]:
        begin, left, before = self._size, batch.records, len(self._pieces)
        try:
            for piece in inflate(batch.attributes & _CODEC, self._data[batch.begin + _HEADER.size : batch.end]):
                self._pieces.append(piece)
                self._size += len(piece)
                if self._size >= PIECE_BYTES:
                    self._parts.append(batch.part(begin, self._size, left, True))
                    left -= yield from self._flush()
                    begin = before = 0
        except InflateError:
            del self._pieces[before:]  # as the plain path: a damaged batch has no records
            self._size = begin
            raise
        self._parts.append(batch.part(begin, self._size, left, False))
        self._reached = batch.next_offset

    def _flush(self) -> Generator[KafkaChunk, None, int]:
        """Decodes the text held; what an unfinished part has left over stays. Returns how many records of that part
        were read."""
        if not self._parts:
            return 0
        data = np.frombuffer(self._data if self._stays else bytearray().join(self._pieces), np.uint8)
        parts = np.zeros((len(self._parts), 10), np.int64)
        parts[:, :_STOPPED] = self._parts
        if self._stays:  # a chunk's own stretch of the answer
            data = data[parts[0, 0] : parts[-1, 1]]
            parts[:, :2] -= parts[0, 0]
        rows, result = _decode(data, parts, self._client.fetch_offset)
        faulty, unfinished = int(result[_FAULTY]), bool(parts[-1, _STOPPED - 1])
        if faulty or unfinished:
            self._reached = max(self._begun, int(result[_NEXT_OFFSET]))
        self._counts.tombstones += int(result[_TOMBSTONES])
        rest = data[parts[-1, _STOPPED] : parts[-1, 1]].tobytes() if unfinished else b""
        self._pieces, self._size, self._parts = [rest] if rest else [], len(rest), []
        self._begun = self._client.next_fetch_offset = self._reached
        if len(rows.starts):
            rows.next_offset = self._reached
            yield rows
        if faulty:
            self._pieces, self._size = [], 0
            raise self._corrupt("its records do not have the structure they should")
        if len(rest) > MAX_RECORD_BYTES:
            self._pieces, self._size = [], 0
            raise self._corrupt(f"a record of more than {MAX_RECORD_BYTES} bytes")
        return int(parts[-1, _DONE])

    def _legacy(self, batch: _Batch) -> Iterator[KafkaChunk]:
        """An entry written before Kafka 0.11, read by the client's own code."""
        from kafka.record.legacy_records import LegacyRecordBatch

        yield from self._flush()
        entry = LegacyRecordBatch(self._data[batch.begin : batch.end], batch.magic)
        if self._client.check_crcs and not entry.validate_crc():
            raise self._corrupt("its checksum is wrong")
        records = [record for record in entry if record.offset >= self._client.fetch_offset]
        if records:
            self._begun = self._reached = self._client.next_fetch_offset = records[-1].offset + 1
            chunk = from_records(records, self._counts)
            if len(chunk.starts):
                yield chunk


def _decode(data: npt.NDArray[np.uint8], parts: npt.NDArray[np.int64], fetch_offset: int) -> Any:
    """The chunk of some parts, its origin and next offset unset, and the kernel's ``result``."""
    room = np.minimum(parts[:, 2], (parts[:, 1] - parts[:, 0]) // MIN_RECORD_BYTES)
    most = int(np.maximum(room, 0).sum())
    columns = np.empty((4, most), np.int64)
    broker = np.empty(most, np.uint8)
    result = np.zeros(3, np.int64)
    n = _RECORDS(data, parts, fetch_offset, *columns, broker, result)
    starts, lengths, offsets, times = (column[:n] for column in columns)
    return KafkaChunk(data, starts, lengths, offsets, -1, times, broker[:n].view(np.bool_), -1), result


def from_records(records: Sequence[Any], counts: Counts) -> KafkaChunk:
    """A chunk of kafka-python's own records, at least one, without its origin; tombstones are counted."""
    kept = [record for record in records if record.value is not None]
    counts.tombstones += len(records) - len(kept)
    buffer = np.frombuffer(bytearray().join([record.value for record in kept]), np.uint8)
    lengths = np.array([len(record.value) for record in kept], np.int64)
    offsets = np.array([record.offset for record in kept], np.int64)
    times_us = np.array([_microseconds(record.timestamp) for record in kept], np.int64)
    broker = np.array([record.timestamp_type == 1 for record in kept], np.bool_)
    starts = np.cumsum(lengths) - lengths
    return KafkaChunk(buffer, starts, lengths, offsets, -1, times_us, broker, records[-1].offset + 1)


def _microseconds(milliseconds: int | None) -> int:
    return milliseconds * 1000 if milliseconds is not None and 0 <= milliseconds <= MAX_MS else NO_TIME


def hook(fetcher: Any, counts: Counts) -> None:
    """Makes a consumer's fetcher hand out :class:`KafkaChunk` where it handed out records."""
    from kafka.consumer.fetcher import Fetcher

    class BatchRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
        """A partition's part of a response, a chunk at a time."""

        def _unpack_records(self, tp: Any, records: Any, *_: Any) -> Iterator[KafkaChunk]:
            self.bytes_read += records.size_in_bytes()
            for chunk in Response(records._buffer, self, counts).chunks():
                self.records_read += len(chunk.starts)
                yield chunk
            self.drain()

        def _maybe_skip_record(self, record: Any) -> bool:
            return False  # the kernel has left out what lies before the offset asked for

    _RECORDS.load()  # now, and not while the first records wait
    fetcher.PartitionRecords = BatchRecords


_CONSTRUCTOR = (
    *("self", "fetch_offset", "tp", "records", "key_deserializer", "value_deserializer", "check_crcs"),
    *("isolation_level", "aborted_transactions", "metric_aggregator", "on_drain"),
)
_KEPT = ("drain", "take", "_unpack_records", "_maybe_skip_record")
_CALLED = ("_consume_aborted_transactions_up_to", "_contains_abort_marker")


def unsupported() -> str:
    """Why this kafka-python cannot be read by batches, empty where it can: the private parts used here, looked at."""
    from kafka.consumer.fetcher import Fetcher
    from kafka.record import MemoryRecords

    records = getattr(Fetcher, "PartitionRecords", None)
    if not inspect.isclass(records):
        return "Fetcher has no class PartitionRecords"
    if tuple(inspect.signature(records.__init__).parameters) != _CONSTRUCTOR:
        return "PartitionRecords takes other arguments"
    missing = [name for name in _KEPT + _CALLED if not hasattr(records, name)]
    if missing:
        return f"PartitionRecords has no {missing[0]}"
    if "PartitionRecords" not in Fetcher._parse_fetched_data.__code__.co_names:
        return "Fetcher does not look PartitionRecords up where it uses it"
    if not hasattr(MemoryRecords(b""), "_buffer"):
        return "MemoryRecords has no _buffer"
    return ""
