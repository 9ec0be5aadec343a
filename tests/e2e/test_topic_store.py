"""Snapshots in a compacted topic of a real broker: what is whole is seen, what is not is not, and old ones go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from detector.clock import monotonic
from detector.errors import InputError, SinkError
from detector.sources import kafka_store
from detector.sources.kafka_store import PART_BYTES, TopicStore
from tests.e2e.broker import Broker

pytestmark = pytest.mark.e2e


@pytest.fixture
def store(broker: Broker, request: pytest.FixtureRequest) -> Iterator[Callable[..., TopicStore]]:
    """Opens stores on a topic named after the test."""
    opened: list[TopicStore] = []
    topic = "state-" + "".join(c if c.isalnum() else "-" for c in request.node.name)

    def make() -> TopicStore:
        opened.append(TopicStore(topic, {"bootstrap.servers": broker.bootstrap, "group.id": "any"}))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
        one.close()


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that nothing compresses."""
    return np.random.default_rng(seed).bytes(size)


@pytest.fixture
def single(broker: Broker, request: pytest.FixtureRequest) -> None:
    """A topic of one partition, made by hand."""
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        topic = "state-" + "".join(c if c.isalnum() else "-" for c in request.node.name)
        configs = {"cleanup.policy": "compact"}
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
        admin.wait_for_topics([topic])


def check_newest(store: Callable[..., TopicStore]) -> None:
    """Puts and reads, by one member and by another."""
    one, other = store(), store()
    assert one.names() == []
    assert list(one.newest("window")) == []
    sizes = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7]
    for n, size in enumerate(sizes):
        one.put("window", (1, n), noise(size, n))
        assert next(other.newest("window")) == ((1, n), noise(size, n))
    one.put("learnt.p-0", (1, 0), b"x")
    other.put("window", (2, 0), b"taken over")
    assert one.names() == ["learnt.p-0", "window"]
    assert list(one.newest("window")) == [((2, 0), b"taken over"), ((1, 5), noise(sizes[5], 5))]
    assert list(store().newest("window")) == list(one.newest("window"))


def test_the_newest_two_are_kept(store: Callable[..., TopicStore]) -> None:
    """Of any size, by name, newest first, by every member the same."""
    check_newest(store)


@pytest.mark.usefixtures("single")
def test_a_topic_of_one_partition_serves_too(store: Callable[..., TopicStore]) -> None:
    """Where the topic was made by hand with one partition, manifests and parts share it."""
    check_newest(store)


def test_an_older_one_does_not_win(store: Callable[..., TopicStore]) -> None:
    """A member that was thought dead writes with an older generation: the newer one stays the newest."""
    one = store()
    one.put("window", (5, 1), b"new owner")
    one.put("window", (4, 9), b"old owner")
    assert [order for order, _ in one.newest("window")] == [(5, 1), (4, 9)]
    one.put("window", (5, 2), b"new owner again")
    assert [order for order, _ in store().newest("window")] == [(5, 2), (5, 1)]


def test_what_is_not_whole_is_not_there(
    store: Callable[..., TopicStore], monkeypatch: pytest.MonkeyPatch, broker: Broker
) -> None:
    """A crash between the parts and the manifest leaves nothing to be seen, and its parts are deleted later; a part
    that is changed is found out and the snapshot before is given."""
    one = store()
    one.put("window", (1, 1), b"first")

    class Crash(Exception):
        """The process ends here."""

    send = TopicStore._send

    def crashing(self: TopicStore, records: list[tuple[int, str, bytes | None]]) -> list[int]:
        if b'"offsets":[]' not in (records[0][2] or b"") and records[0][1].endswith("manifest"):
            raise Crash
        return send(self, records)

    monkeypatch.setattr(TopicStore, "_send", crashing)
    with pytest.raises(Crash):
        store().put("window", (1, 2), noise(2 * PART_BYTES))
    monkeypatch.undo()
    other = store()
    assert [order for order, _ in other.newest("window")] == [(1, 1)]
    assert (1, 2) in other._known["window"]
    for n in (3, 4):
        other.put("window", (1, n), b"later")
    assert sorted(other._known["window"]) == [(1, 3), (1, 4)]
    manifest = other._known["window"][1, 4]
    damaged = kafka_store._Manifest(manifest.parts, manifest.size, "00" * 32, manifest.offsets)
    with KafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        producer.send(other.topic, damaged.encoded(), b"window/1-4/manifest", partition=1).get(10)
        producer.send(other.topic, b"{", b"window/1-9/manifest", partition=1).get(10)
        producer.send(other.topic, b"\xff", b"\xff", partition=1).get(10)
    again = store()
    assert [order for order, _ in again.newest("window")] == [(1, 3)]
    assert "window/1-4/" in again.passed_over[0]


def test_a_large_one_is_quick(store: Callable[..., TopicStore]) -> None:
    """180 MB are durable within 20 s and read by another member within 20 s."""
    one, data = store(), noise(180_000_000)
    began = monotonic()
    one.put("window", (1, 1), data)
    written = monotonic()
    ((order, back),) = store().newest("window")
    took = monotonic() - written
    assert (order, back == data) == ((1, 1), True)
    assert written - began < 20
    assert took < 20


def test_a_topic_that_forgets_is_refused(broker: Broker) -> None:
    """A topic whose records expire would lose snapshots: one error that names the setting."""
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        admin.create_topics({"forgetful": {"num_partitions": 1, "replication_factor": 1}})
        admin.wait_for_topics(["forgetful"])
    with pytest.raises(InputError, match=r"^state\.shared\.topic: forgetful has cleanup\.policy=delete"):
        TopicStore("forgetful", {"bootstrap.servers": broker.bootstrap})
    with pytest.raises(InputError, match=r"^state\.shared\.topic: no/name"):
        TopicStore("no/name", {"bootstrap.servers": broker.bootstrap})


def test_a_broker_that_is_away(
    broker: Broker, store: Callable[..., TopicStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written in time is an error that can be tried again, and is taken when the broker is back."""
    if not broker.owned:
        pytest.skip("the broker is not ours to stop")
    one = store()
    one.put("window", (1, 1), b"before")
    broker.stop()
    monkeypatch.setattr(kafka_store, "WRITE_S", 1.0)
    monkeypatch.setattr(kafka_store, "READ_S", 1.0)
    with pytest.raises((SinkError, InputError)):
        one.put("window", (1, 2), b"while it is away")
    broker.resume()
    monkeypatch.undo()
    one.put("window", (1, 3), b"after")
    assert next(one.newest("window")) == ((1, 3), b"after")
