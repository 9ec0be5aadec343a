"""Records per second out of a real Kafka, values thrown away: kafka-python, kafka-python by batches, the detector's own
source, confluent-kafka.

Run as a module, ``python -m tests.benchmarks.consume [RECORDS]``; needs Java, Maven the first time, and the rival
confluent-kafka, which is no dependency. Every row is its own process, reading one partition from its first record.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from detector.simulate.site import Popularity
from tests.benchmarks.log import ACTIVITY, CLIENTS, IDS, POPULARITY, SEED
from tests.e2e.broker import Broker

RECORDS = 1_000_000
RECORD_BYTES = 250
SHAPES = tuple((size, codec) for size in (1_000_000, 16_000) for codec in ("none", "lz4"))
A_SECOND = 5_000  # what a busy gateway writes
GROUP = "benchmark"


def values(count: int) -> Iterator[bytes]:
    """Gateway records of 250 bytes, JSON, all different, `A_SECOND` of them in every second of log time.

    Who reads what is drawn as in the log that replay is measured with: 200,000 clients, 500,000 records.
    """
    rng = np.random.default_rng(SEED)
    clients = Popularity(CLIENTS, ACTIVITY).draw(rng, count).tolist()
    ids = Popularity(IDS, POPULARITY).draw(rng, count).tolist()
    for n, (client, number) in enumerate(zip(clients, ids, strict=True)):
        second = n // A_SECOND
        record = {
            "time_local": f"2026-03-03T{second // 3_600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z",
            "remote_addr": f"10.{client >> 16}.{client >> 8 & 255}.{client & 255}",
            "request": f"GET /api/v1/items/{number} HTTP/1.1",
            "status": 200,
            "body_bytes_sent": n * 37 % 9_973,
            "http_user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "request_id": f"{n * 11_400_714_819_323_198_485 % (1 << 64):016x}",
        }
        text = json.dumps(record).encode()
        yield text + b" " * (RECORD_BYTES - len(text))


def fill(bootstrap: str, topic: str, batch_bytes: int, codec: str, records: list[bytes]) -> None:
    """Makes a topic of one partition and writes the records in batches of about so many bytes."""
    from confluent_kafka import Producer
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "2000000"})])
    admin.close()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "batch.size": batch_bytes,
            "linger.ms": 200,
            "batch.num.messages": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "message.max.bytes": 2_000_000,
        }
    )
    for n, value in enumerate(records):
        producer.produce(topic, value)
        if n % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def plain(bootstrap: str, topic: str) -> Callable[[], tuple[int, int]]:
    """kafka-python as its documentation has it."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 0)])

    def step() -> tuple[int, int]:
        got = [r for records in consumer.poll(1000, max_records=500).values() for r in records]
        return len(got), sum(len(r.value) for r in got)

    return step


def batches(bootstrap: str, topic: str) -> Callable[[], tuple[int, int]]:
    """kafka-python with nothing but the decoding of records replaced: it receives as it does."""
    from detector.sources import kafka_client

    vars(kafka_client)["receive_in_place"] = lambda manager: None
    return source(bootstrap, topic)


def source(bootstrap: str, topic: str, **settings: Any) -> Callable[[], tuple[int, int]]:
    """The detector's own source."""
    from detector.sources.kafka import KafkaSource
    from detector.sources.kafka_settings import KafkaSettings

    opened = KafkaSource(KafkaSettings((topic,), "earliest", {"bootstrap.servers": bootstrap}, **settings))

    def step() -> tuple[int, int]:
        chunks = opened.poll(1.0)
        return sum(len(c.starts) for c in chunks), sum(int(c.lengths.sum()) for c in chunks)

    return step


def source_plain(bootstrap: str, topic: str) -> Callable[[], tuple[int, int]]:
    """The detector's own source where it falls back."""
    return source(bootstrap, topic, fast_decode="off")


def confluent(bootstrap: str, topic: str) -> Callable[[], tuple[int, int]]:
    """confluent-kafka in bulk, with the settings it was fastest with."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": GROUP,
            "enable.auto.commit": False,
            "check.crcs": True,
            "queued.max.messages.kbytes": 65_536,
            "fetch.message.max.bytes": 8 << 20,
            "queued.min.messages": 500_000,
            "enable.auto.offset.store": False,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])

    def step() -> tuple[int, int]:
        got = [m.value() for m in consumer.consume(500, 1.0)]
        return len(got), sum(map(len, got))

    return step


READERS = {reader.__name__: reader for reader in (plain, source_plain, batches, source, confluent)}


def measure(reader: str, bootstrap: str, topic: str, records: int) -> None:
    """Reads a topic to its end in this process; prints records, bytes, seconds and processor seconds."""
    step = READERS[reader](bootstrap, topic)
    seen = size = 0
    begun, used = time.perf_counter(), time.process_time()
    while seen < records:
        got, more = step()
        seen, size = seen + got, size + more
        if time.perf_counter() - begun > 300:
            break
    print(json.dumps([seen, size, time.perf_counter() - begun, time.process_time() - used]), flush=True)


def main(records: int) -> None:
    """Starts a broker, fills four topics and prints a table."""
    text = list(values(records))
    with tempfile.TemporaryDirectory() as folder, Broker.start(Path(folder)) as broker:
        for batch_bytes, codec in SHAPES:
            fill(broker.bootstrap, f"b{batch_bytes}-{codec}", batch_bytes, codec, text)
        print(f"{'batches':>12} {'codec':>5} {'reader':>14} {'records/s':>12} {'CPU µs/record':>14}")
        for batch_bytes, codec in SHAPES:
            for reader in READERS:
                command = [sys.executable, "-m", "tests.benchmarks.consume", reader, broker.bootstrap]
                command += [f"b{batch_bytes}-{codec}", str(records)]
                best = (0.0, 0.0)
                for _ in range(1 if "plain" in reader else 2):
                    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    seen, size, seconds, used = json.loads(out)
                    assert (seen, size) == (records, records * RECORD_BYTES), (reader, seen, size)
                    best = max(best, (seen / seconds, used / seen * 1e6))
                print(f"{batch_bytes:>12,} {codec:>5} {reader:>14} {best[0]:>12,.0f} {best[1]:>14.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
