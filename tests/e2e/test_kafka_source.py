"""The Kafka source against a real broker: both ways of decoding say the same, and no record is skipped in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions, NewTopic
from kafka.structs import TopicPartition

from detector.clock import monotonic
from detector.errors import InputError
from detector.sources.kafka import KafkaSource, OffsetGap
from detector.sources.kafka_settings import KafkaSettings
from tests.e2e.broker import Broker

pytestmark = pytest.mark.e2e

TIME_MS = 1_770_000_000_000
PATIENCE_SECONDS = 30.0

Row = tuple[int, int, bool, bytes]  # offset, time in microseconds, whether the broker set it, value
Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]  # key, value, headers


@pytest.fixture(scope="module")
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    """A client that makes topics."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    yield client
    client.close()


@pytest.fixture
def topic(admin: KafkaAdminClient, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes a topic named after the test, with settings of its own."""

    def make(partitions: int = 1, **settings: str) -> str:
        name = "".join(c if c.isalnum() else "-" for c in request.node.name)
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
        return name

    return make


@pytest.fixture
def producer(broker: Broker) -> Iterator[KafkaProducer]:
    """Writes what it is given at once, in batches as large as they come."""
    client = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=60_000, batch_size=900_000)
    yield client
    client.close()


@pytest.fixture
def source(broker: Broker) -> Iterator[Callable[..., KafkaSource]]:
    """Opens sources that are closed when the test ends."""
    opened: list[KafkaSource] = []

    def make(*topics: str, fast: bool = True, start: Any = "earliest", group: str = "", **more: Any) -> KafkaSource:
        consumer = {"bootstrap.servers": broker.bootstrap, "fetch.max.wait.ms": 50}
        if group:
            consumer["group.id"] = group
        decode: Any = "auto" if fast else "off"
        opened.append(KafkaSource(KafkaSettings(topics, start, consumer, fast_decode=decode, **more)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def rows_of(chunk: Any) -> list[Row]:
    """A chunk's records."""
    text, ends = chunk.buffer.tobytes(), chunk.starts + chunk.lengths
    values = [text[a:b] for a, b in zip(chunk.starts.tolist(), ends.tolist(), strict=True)]
    return list(
        zip(chunk.positions.tolist(), chunk.timestamps_us.tolist(), chunk.broker_time.tolist(), values, strict=True)
    )


def read(source: KafkaSource, partition: int = 0, enough: int | None = None) -> list[Row]:
    """Everything up to the end of a partition of the first topic, or ``enough`` rows."""
    key = (source.settings.topics[0], partition)
    rows: list[Row] = []
    deadline = monotonic() + PATIENCE_SECONDS
    while len(rows) < (enough if enough is not None else 1 << 60):
        assert monotonic() < deadline, f"{len(rows)} rows in {PATIENCE_SECONDS} s, at {source.position()}"
        for chunk in source.poll(0.2):
            if source.partitions[chunk.origin] == key:
                rows += rows_of(chunk)
        if enough is None and source.lag().get(key, 1) == 0:
            break
    return rows


def write(producer: KafkaProducer, topic: str, records: Sequence[Record], partition: int = 0) -> None:
    """Writes records as one batch or, over 900 kB, a few; a millisecond lies between one and the next."""
    for n, (key, value, headers) in enumerate(records):
        producer.send(topic, value, key, headers, partition, TIME_MS + n)
    producer.flush()


def values_of(rows: Sequence[Row]) -> list[bytes]:
    """The values alone."""
    return [value for _, _, _, value in rows]


def mixed(count: int) -> list[Record]:
    """Records with and without keys, headers and values."""
    records: list[Record] = []
    for n in range(count):
        key = None if n % 3 == 0 else b"key %d" % n
        value = None if key and n % 11 == 5 else b"" if n % 7 == 3 else b'{"n":%d,"text":"%s"}' % (n, b"x" * (n % 300))
        headers = [("trace", b"%d" % n), ("é", b"")] if n % 5 == 0 else []
        records.append((key, value, headers))
    return records


@pytest.mark.parametrize("codec", ["uncompressed", "lz4", "zstd", "gzip", "snappy"])
def test_both_paths_read_what_was_written(
    codec: str, topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """Batches of 1 to 10,000 records of every kind, as the broker compresses them: same rows, tombstones counted."""
    name = topic(compression_type=codec)
    written: list[Record] = []
    for size in (1, 2, 1, 60, 700, 10_000, 3):
        write(producer, name, mixed(size))
        written += mixed(size)
    expected = [value for _, value, _ in written if value is not None]
    fast = source(name)
    assert fast.fast_decode, fast.plain_reason
    rows = read(fast)
    assert values_of(rows) == expected
    assert fast.counts.tombstones == len(written) - len(expected)
    plain = source(name, fast=False)
    assert not plain.fast_decode
    if codec == "snappy":
        with pytest.raises(InputError, match="snappy"):  # the plain path needs python-snappy, which is no dependency
            read(plain)
        return
    assert read(plain) == rows
    assert plain.counts.tombstones == fast.counts.tombstones
    assert plain.position() == fast.position() == {(name, 0): len(written)}


def test_reading_begins_in_the_middle_of_a_batch(
    topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """From any offset of a batch on, and back again: the records before it are left out on both paths."""
    name = topic(compression_type="lz4")
    write(producer, name, mixed(500))
    write(producer, name, mixed(500))
    fast, plain = source(name), source(name, fast=False)
    whole = read(fast)
    read(plain)
    for offset in (1, 250, 499, 500, 501, 999, 0, 1000):
        for one in (fast, plain):
            one.seek((name, 0), offset)
            assert read(one, enough=None) == [row for row in whole if row[0] >= offset], (offset, one.fast_decode)


def test_transactions(
    broker: Broker, topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """Of transactions that overlap, committed and aborted, the committed records are read, in the log's order."""
    name = topic()
    writers = [
        KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=f"{name}-{n}", linger_ms=5) for n in (0, 1)
    ]
    for writer in writers:
        writer.init_transactions()
    for turn in range(6):
        for n, writer in enumerate(writers):
            writer.begin_transaction()
            writer.send(name, b"%d/%d" % (turn, n), partition=0)
            writer.flush()
        write(producer, name, [(None, b"%d" % turn, [])])
        for n, writer in enumerate(writers):
            if (turn + n) % 3 == 0:
                writer.abort_transaction()
            else:
                writer.commit_transaction()
    for writer in writers:
        writer.close()
    expected = []
    for turn in range(6):
        expected += [b"%d/%d" % (turn, n) for n in (0, 1) if (turn + n) % 3] + [b"%d" % turn]
    fast, plain = source(name), source(name, fast=False)
    rows = read(fast)
    assert values_of(rows) == expected
    assert read(plain) == rows
    assert fast.position() == plain.position()
    assert fast.counts.aborted == 4


def test_compacted_topics(
    topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """Where compaction has taken records out of batches, both paths read what is left and end at the same place."""
    name = topic(
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.001",
        max_compaction_lag_ms="100",
        delete_retention_ms="0",
    )
    for n in range(4):
        write(producer, name, [(b"%d" % (k % 40), b"%d of %d" % (k, n), []) for k in range(200)])
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        threading.Event().wait(0.5)
        producer.send(name, b"roll", b"roll", partition=0)  # only a segment that is rolled is compacted
        producer.flush()
        rows = read(source(name))
        if len(rows) < 300 or monotonic() > deadline:
            break
    assert len(rows) < 300, "the broker has compacted nothing"
    fast, plain = source(name), source(name, fast=False)
    assert read(fast) == read(plain)
    assert fast.position() == plain.position()


def test_log_append_time(
    topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """Times are the producer's; with ``LogAppendTime`` both paths give the broker's and say that it is the broker's."""
    name = topic(message_timestamp_type="LogAppendTime")
    write(producer, name, mixed(3))
    rows = read(source(name))
    assert all(broker_time and time_us > TIME_MS * 1000 for _, time_us, broker_time, _ in rows)
    assert read(source(name, fast=False)) == rows


@pytest.mark.parametrize("fast", [True, False])
def test_a_gap_is_an_error_with_its_size(
    fast: bool,
    admin: KafkaAdminClient,
    topic: Callable[..., str],
    producer: KafkaProducer,
    source: Callable[..., KafkaSource],
) -> None:
    """Records deleted while a group was away: an error that counts them, or a count, as the settings say."""
    name = topic()
    write(producer, name, [(None, b"%d" % n, []) for n in range(500)])
    first = source(name, fast=fast, group=name)
    read(first, enough=1)
    assert first.commit({(name, 0): 100})
    assert first.commit({(name, 0): 50}), "a lower offset is left out"
    first.close()
    admin.delete_records({TopicPartition(name, 0): 400})
    with pytest.raises(OffsetGap, match="300 records are gone, offsets 100 to 399") as caught:
        read(away := source(name, fast=fast, group=name))
    away.close()
    assert (caught.value.missing, caught.value.first) == (300, 400)
    going_on = source(name, fast=fast, group=name, gap="continue")
    assert values_of(read(going_on)) == [b"%d" % n for n in range(400, 500)]
    assert going_on.lost == {(name, 0): 300}


def test_a_topic_made_anew_is_an_error(
    admin: KafkaAdminClient, topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """A group that was further than the topic now reaches is told so, and not set back in silence."""
    name = topic()
    write(producer, name, [(None, b"new", [])])
    first = source(name, group=name)
    read(first, enough=1)
    assert first.commit({(name, 0): 77})
    first.close()
    with pytest.raises(OffsetGap, match="offset 77 was to be read next, but it ends at 1"):
        read(away := source(name, group=name))
    away.close()
    again = source(name, group=name, gap="continue")
    assert values_of(read(again)) == [b"new"]
    assert again.lost == {(name, 0): 0}


def test_where_a_group_starts(
    admin: KafkaAdminClient, topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """The first start is as the settings say and is remembered at once; a partition new to a group is read whole."""
    name = topic()
    write(producer, name, [(None, b"%d" % n, []) for n in range(10)])
    by_time = source(name, start="timestamp", start_ms=TIME_MS + 7)
    assert values_of(read(by_time)) == [b"7", b"8", b"9"]
    latest = source(name, start="latest", group=name)
    deadline = monotonic() + PATIENCE_SECONDS
    while not latest.position() and monotonic() < deadline:
        latest.poll(0.1)
    latest.close()  # dies before it has committed anything
    write(producer, name, [(None, b"later", [])])
    latest = source(name, start="latest", group=name)
    assert values_of(read(latest, enough=1)) == [b"later"]
    assert latest.commit({(name, 0): 11})
    latest.close()
    admin.create_partitions({name: NewPartitions(2)})
    other = KafkaProducer(bootstrap_servers=producer.config["bootstrap_servers"])
    other.send(name, b"first of its partition", partition=1).get(10)
    other.close()
    latest = source(name, start="latest", group=name)
    assert values_of(read(latest, partition=1, enough=1)) == [b"first of its partition"]


def test_pause_lag_and_close(
    topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """A paused partition gives nothing and its lag stays; closing twice does no harm."""
    name = topic(partitions=2)
    for partition in (0, 1):
        write(producer, name, mixed(20), partition)
    one = source(name)
    assert one.assignment == [(name, 0), (name, 1)]
    one.pause([(name, 1)])
    rows = read(one)
    assert [row[0] for row in rows] == [n for n in range(20) if n not in (5, 16)]
    assert not [chunk for chunk in one.poll(0.3) if one.partitions[chunk.origin] == (name, 1)]
    assert one.lag()[name, 0] == 0
    one.resume([(name, 1)])
    assert len(read(one, partition=1)) == len(rows)
    assert one.highwater() == {(name, 0): 20, (name, 1): 20}
    with pytest.raises(InputError, match="not assigned"):
        one.seek((name, 7), 0)
    one.close()
    one.close()


class Heard:
    """Partitions a member was told it has."""

    def __init__(self) -> None:
        self.held: set[tuple[str, int]] = set()

    def assigned(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Adds them."""
        self.held |= set(partitions)

    def revoked(self, partitions: Sequence[tuple[str, int]]) -> None:
        """Takes them away."""
        self.held -= set(partitions)

    lost = revoked


def test_members_share_and_take_over(broker: Broker, topic: Callable[..., str], producer: KafkaProducer) -> None:
    """A second member takes a partition over where the first committed; when it goes, the first has all again."""
    name = topic(partitions=2)
    consumer = {"bootstrap.servers": broker.bootstrap, "group.id": name, "heartbeat.interval.ms": 200}
    settings = KafkaSettings((name,), "earliest", consumer, sharing="spread")
    for partition in (0, 1):
        write(producer, name, [(None, b"%d" % n, []) for n in range(10)], partition)
    heard = Heard(), Heard()
    first = KafkaSource(settings, heard[0])
    taken: list[tuple[int, int]] = []

    def poll(source: KafkaSource) -> None:
        for chunk in source.poll(0.1):
            partition = source.partitions[chunk.origin]
            taken.extend((partition[1], offset) for offset in chunk.positions.tolist())
            source.commit({partition: chunk.next_offset})

    deadline = monotonic() + PATIENCE_SECONDS
    while len(taken) < 20 and monotonic() < deadline:
        poll(first)
    assert heard[0].held == {(name, 0), (name, 1)} == set(first.assignment)
    second = KafkaSource(settings, heard[1])
    while not (first.assignment and second.assignment) and monotonic() < deadline:
        poll(first)
        poll(second)
    assert [len(one.held) for one in heard] == [1, 1]
    second.close()
    while len(first.assignment) < 2 and monotonic() < deadline:
        poll(first)
    assert len(heard[0].held) == 2
    first.close()
    assert sorted(taken) == [(partition, n) for partition in (0, 1) for n in range(10)]


def test_what_cannot_be_read_is_said(broker: Broker, source: Callable[..., KafkaSource]) -> None:
    """A topic that is not there, and a broker that is not there."""
    with pytest.raises(InputError, match="no topic nowhere"):
        source("nowhere")
    nobody = {"bootstrap.servers": "127.0.0.1:1", "bootstrap_timeout_ms": 800}
    with pytest.raises(
        InputError, match=r"consumer\.bootstrap_servers: .* no broker answers in 0\.8 s: .*ECONNREFUSED"
    ):
        KafkaSource(KafkaSettings(("any",), "earliest", nobody))


def test_damage_on_disk_and_a_restart(
    broker: Broker, topic: Callable[..., str], producer: KafkaProducer, source: Callable[..., KafkaSource]
) -> None:
    """A byte flipped in the broker's log: both paths give what lies before, say the same error again and again, and go
    on behind it when told to. Sources that were open read on after the restart."""
    if broker.folder is None:
        pytest.skip("the broker is not ours to stop")
    name = topic()
    for n in range(3):
        write(producer, name, [(None, b"%d/%d" % (n, k), []) for k in range(100)])
    fast, plain = source(name), source(name, fast=False)
    for one in (fast, plain):
        read(one)
        one.seek((name, 0), 0)
    broker.stop()
    flip(broker.folder / "data" / f"{name}-0" / "00000000000000000000.log", b"1/50")
    broker.resume()
    said = []
    for one in (fast, plain):
        assert values_of(read(one, enough=100)) == [b"0/%d" % k for k in range(100)]
        for _ in range(2):
            with pytest.raises(InputError, match=f"{name}.*100.*c") as caught:
                read(one)
            said.append(str(caught.value))
            one.seek((name, 0), 100)
        one.seek((name, 0), 200)
        assert values_of(read(one)) == [b"2/%d" % k for k in range(100)]
    assert said[0] == said[1]
    assert said[2] == said[3]


def flip(log: Path, text: bytes) -> None:
    """Changes one byte of a file, where ``text`` stands."""
    data = bytearray(log.read_bytes())
    data[data.index(text)] ^= 1
    log.write_bytes(data)
