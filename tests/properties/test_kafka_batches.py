"""Record batches decoded by the kernel say what kafka-python's own record objects say, damaged ones included."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from detector.sources import kafka_batches
from detector.sources.kafka_batches import Counts, KafkaChunk, hook, unsupported
from detector.sources.kafka_inflate import GZIP, LZ4, NONE, PIECE_BYTES, SNAPPY, ZSTD, InflateError, inflate

ROOM = 1 << 26
HEADER_BYTES = 61
TIME_MS = 1_750_000_000_000
MAX_MS = 4_102_444_800_000

Row = tuple[int, int, bytes]  # offset, time in microseconds, value

TEXT = st.binary(max_size=20)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | TEXT), max_size=3)
RECORD = st.tuples(
    st.integers(0, 3),  # offsets missing before it
    st.integers(-1, 1 << 42),  # milliseconds
    st.none() | TEXT,  # key
    st.none() | TEXT | st.binary(min_size=60, max_size=300),  # value
    HEADERS,
)
RECORDS = st.lists(RECORD, min_size=1, max_size=12)
BATCH = st.tuples(st.sampled_from([NONE, LZ4, ZSTD, GZIP]), RECORDS)


def encode(batches: Sequence[tuple[int, Sequence[Any]]], first_offset: int = 100) -> bytes:
    """Record batches as a broker sends them, one behind the other."""
    out, offset = bytearray(), first_offset
    for codec, records in batches:
        builder = MemoryRecordsBuilder(2, codec, ROOM)
        for gap, milliseconds, key, value, headers in records:
            builder.skip(gap)
            builder.append(milliseconds, key, value, headers)
        builder.close()
        batch = bytearray(builder.buffer())
        struct.pack_into(">q", batch, 0, offset)
        offset += builder.next_offset()
        out += batch
    return bytes(out)


def seal(batch: bytearray) -> None:
    """Gives a batch that was changed the checksum it should have."""
    struct.pack_into(">I", batch, 17, calc_crc32c(memoryview(batch)[21:]))


def read(data: bytes, fetch_offset: int, fast: bool, aborted: Sequence[Any] = ()) -> tuple[list[Row], bool, int]:
    """The rows of a response, whether reading ended in an error, and where it would go on; by batches the same whether
    records stay where they were received or are copied."""
    found = _read(data, fetch_offset, fast, aborted)
    if fast:
        assert _read(memoryview(bytearray(data)), fetch_offset, fast, aborted) == found
    return found


def _read(
    data: bytes | memoryview, fetch_offset: int, fast: bool, aborted: Sequence[Any]
) -> tuple[list[Row], bool, int]:
    fetcher = SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords)
    if fast:
        hook(fetcher, Counts())
    part = fetcher.PartitionRecords(
        fetch_offset,
        TopicPartition("t", 0),
        MemoryRecords(data),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=list(aborted),
    )
    rows: list[Row] = []
    try:
        for item in part.record_iterator:
            rows += rows_of(item) if fast else plain_row(item)
    except CorruptRecordError:
        return rows, True, part.next_fetch_offset
    return rows, False, part.next_fetch_offset


def rows_of(chunk: KafkaChunk) -> list[Row]:
    """A chunk's rows; every value lies inside the buffer."""
    assert (chunk.starts >= 0).all()
    assert (chunk.lengths >= 0).all()
    assert (chunk.starts + chunk.lengths <= chunk.buffer.size).all()
    text = chunk.buffer.tobytes()
    ends = chunk.starts + chunk.lengths
    values = [text[a:b] for a, b in zip(chunk.starts.tolist(), ends.tolist(), strict=True)]
    return list(zip(chunk.positions.tolist(), chunk.timestamps_us.tolist(), values, strict=True))


def plain_row(record: Any) -> list[Row]:
    """The row of kafka-python's record; none for a tombstone."""
    if record.value is None:
        return []
    microseconds = record.timestamp * 1000 if 0 <= record.timestamp <= MAX_MS else -1
    return [(record.offset, microseconds, record.value)]


@given(st.lists(BATCH, max_size=5), st.integers(0, 120), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_batches_are_read_as_by_the_client(batches: list[Any], fetch_offset: int, cut: int) -> None:
    """Any batches, read from any offset on, the last cut off anywhere: same rows, same place to go on from."""
    data = encode(batches)
    data = data[: len(data) - cut]
    assert read(data, fetch_offset, fast=True) == read(data, fetch_offset, fast=False)


@given(st.lists(BATCH, min_size=1, max_size=3), st.data())
@settings(max_examples=120, deadline=None)
def test_a_flipped_byte_is_an_error_as_with_the_client(batches: list[Any], data: st.DataObject) -> None:
    """One byte changed anywhere: same rows before it, same verdict; the wrong checksum alone sees to most."""
    damaged = bytearray(encode(batches))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    fast, plain = read(bytes(damaged), 0, fast=True), read(bytes(damaged), 0, fast=False)
    assert fast[:2] == plain[:2]


@given(RECORDS, st.data())
@settings(max_examples=150, deadline=None)
def test_records_no_broker_would_write_never_crash(records: Any, data: st.DataObject) -> None:
    """Bytes changed behind the header under a right checksum: never a value outside the buffer, and what both paths
    read is the same; the kernel alone refuses offsets outside the batch, the client alone header names not in UTF-8."""
    damaged = bytearray(encode([(NONE, records)]))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(HEADER_BYTES, len(damaged) - 1))
        damaged[place] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]) | st.integers(0, 255))
    seal(damaged)
    last = 100 + struct.unpack_from(">i", damaged, 23)[0]
    fast, plain = read(bytes(damaged), 0, fast=True), read(bytes(damaged), 0, fast=False)
    both = min(len(fast[0]), len(plain[0]))
    assert fast[0][:both] == plain[0][:both]
    if len(plain[0]) > both:
        assert not 100 <= plain[0][both][0] <= last


@given(BATCH, st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_compression_never_crashes(batch: Any, data: st.DataObject) -> None:
    """Bytes changed in compressed data under a right checksum: rows or an error, nothing else."""
    damaged = bytearray(encode([batch]))
    damaged[data.draw(st.integers(HEADER_BYTES, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    seal(damaged)
    read(bytes(damaged), 0, fast=True)


@given(BATCH, st.integers(-5, 40))
@settings(max_examples=50, deadline=None)
def test_a_wrong_number_of_records_is_an_error(batch: Any, count: int) -> None:
    """A header that promises more or fewer records than there are, under a right checksum."""
    damaged = bytearray(encode([batch]))
    struct.pack_into(">i", damaged, 57, count)
    seal(damaged)
    rows, failed, _ = read(bytes(damaged), 0, fast=True)
    assert (rows, failed) == read(bytes(damaged), 0, fast=False)[:2]
    assert failed == (count != len(batch[1]))


@given(st.lists(BATCH, min_size=1, max_size=4), st.integers(16, 200))
@settings(max_examples=50, deadline=None)
def test_pieces_do_not_show(batches: list[Any], piece: int) -> None:
    """Text taken in pieces of any size, down to less than a record, gives the same rows."""
    data = encode(batches)
    whole = read(data, 0, fast=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka_batches, "PIECE_BYTES", piece)
        patch.setattr("detector.sources.kafka_inflate.PIECE_BYTES", piece)
        assert read(data, 0, fast=True) == whole


def test_aborted_transactions_and_markers_are_left_out() -> None:
    """Of two producers' transactions, one aborted, the other's records stay; markers move the position only."""

    def batch(producer: int, offset: int, records: int, control: bytes = b"") -> bytes:
        builder = MemoryRecordsBuilder(
            2, NONE, ROOM, transactional=True, producer_id=producer, producer_epoch=0, base_sequence=0
        )
        for n in range(records):
            builder.append(TIME_MS, control or None, b"%d:%d" % (producer, n))
        builder.close()
        data = bytearray(builder.buffer())
        struct.pack_into(">q", data, 0, offset)
        if control:
            struct.pack_into(">h", data, 21, 16 | 32)
            seal(data)
        return bytes(data)

    abort, commit = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)
    data = batch(7, 0, 2) + batch(8, 2, 2) + batch(7, 4, 1, abort) + batch(8, 5, 1, commit) + batch(7, 6, 1)
    data += batch(7, 7, 1, commit)
    aborted = [SimpleNamespace(first_offset=0, producer_id=7)]
    fast = read(data, 0, fast=True, aborted=aborted)
    assert fast == read(data, 0, fast=False, aborted=aborted)
    assert [value for _, _, value in fast[0]] == [b"8:0", b"8:1", b"7:0"]
    assert fast[2] == 8


def test_entries_of_old_formats_are_read_too() -> None:
    """Formats 0 and 1, from before Kafka 0.11, go through the client's own code."""
    for magic, codec in ((0, NONE), (1, NONE), (1, LZ4), (1, GZIP)):
        builder = MemoryRecordsBuilder(magic, codec, ROOM)
        for n in range(5):
            builder.append(TIME_MS + n, None, None if n == 3 else b"value %d" % n)
        builder.close()
        data = bytes(builder.buffer())
        rows, failed, _ = read(data, 2, fast=True)
        assert not failed
        assert [value for _, _, value in rows] == [b"value 2", b"value 4"], (magic, codec)


def test_this_client_is_supported() -> None:
    """The client installed has the private parts that reading by batches needs."""
    assert unsupported() == ""


def test_times_are_those_of_the_broker_where_it_sets_them() -> None:
    """With LogAppendTime all records of a batch have the batch's own time."""
    data = bytearray(encode([(NONE, [(0, TIME_MS, None, b"a", []), (0, TIME_MS + 5, None, b"b", [])])]))
    struct.pack_into(">h", data, 21, 8)
    seal(data)
    fast = read(bytes(data), 0, fast=True)
    assert fast == read(bytes(data), 0, fast=False)
    assert [time for _, time, _ in fast[0]] == [(TIME_MS + 5) * 1000] * 2
    assert np.all(np.diff([offset for offset, _, _ in fast[0]]) == 1)


@pytest.mark.parametrize("codec", [LZ4, ZSTD, GZIP])
def test_a_bomb_is_read_in_pieces(codec: int) -> None:
    """A batch that inflates a hundredfold comes in chunks of bounded size, and whole."""
    data = encode([(codec, [(0, TIME_MS, None, bytes(1_000_000), [])] * 40)], 0)
    assert len(data) < 400_000
    fetcher = SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords)
    hook(fetcher, Counts())
    chunks = list(fetcher.PartitionRecords(0, TopicPartition("t", 0), MemoryRecords(data)).record_iterator)
    assert sum(int(chunk.lengths.sum()) for chunk in chunks) == 40_000_000
    assert [offset for chunk in chunks for offset in chunk.positions.tolist()] == list(range(40))
    assert max(chunk.buffer.size for chunk in chunks) < PIECE_BYTES * 2


def test_snappy_is_read_without_its_library() -> None:
    """Snappy blocks, bare and in the stream of snappy-java; a block that lies about its size is refused unread."""
    text = b"abcdefgh" * 10_000
    block = pa.Codec("snappy").compress(text, asbytes=True)
    stream = b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, len(block)) + block
    for data in (block, stream):
        assert b"".join(inflate(SNAPPY, memoryview(data))) == text
    for damaged in (stream[:-1], block[:-1], b"\xff\xff\xff\xff\x0f" + block[3:], b"\xff"):
        with pytest.raises(InflateError):
            list(inflate(SNAPPY, memoryview(damaged)))


def test_another_client_is_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the private parts have changed, the reason is said and the plain path is taken."""
    monkeypatch.delattr(Fetcher.PartitionRecords, "take")
    assert unsupported() == "PartitionRecords has no take"
    monkeypatch.delattr(Fetcher, "PartitionRecords")
    assert unsupported() == "Fetcher has no class PartitionRecords"
