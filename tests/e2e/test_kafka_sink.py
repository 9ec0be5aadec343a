"""The topic of incidents on a real broker: acknowledged, keyed, and delivered whatever the broker goes through."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import NewTopic
from kafka.structs import TopicPartition

from detector.clock import monotonic
from detector.errors import ConfigError, SinkError
from detector.incidents.incident import Incident
from detector.sinks.courier import Outcome
from detector.sinks.jsonl import json_line
from detector.sinks.kafka import KafkaTopicSink
from detector.sinks.kafka_producer import KafkaTopic
from detector.sinks.outbox import Outbox
from detector.sinks.sink import Refused
from tests.e2e.broker import Broker, free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # see conftest.py
]

Make = Callable[..., Incident]


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes a topic named after the test."""

    def make(**settings: str) -> str:
        name = "".join(c if c.isalnum() else "-" for c in request.node.name)
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs)])
        admin.close()
        return name

    return make


@pytest.fixture
def sink(broker: Broker) -> Iterator[Callable[..., KafkaTopicSink]]:
    """Opens sinks that are closed when the test ends."""
    opened: list[KafkaTopicSink] = []

    def make(topic: str, **producer: Any) -> KafkaTopicSink:
        settings = {"bootstrap.servers": broker.bootstrap, **producer}
        opened.append(KafkaTopicSink(KafkaTopic(topic, settings)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def deliver(sink: KafkaTopicSink, incident: Incident) -> None:
    """Gives an incident to a sink."""
    sink.deliver(json_line(incident), incident.incident, incident.revision)


def produced(broker: Broker, topic: str) -> list[tuple[str, dict[str, Any]]]:
    """Keys and values of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end = consumer.end_offsets([partition])[partition]
    rows: list[tuple[str, dict[str, Any]]] = []
    while consumer.position(partition) < end:
        for records in consumer.poll(200).values():
            rows += [(record.key.decode("ascii"), json.loads(record.value)) for record in records]
    consumer.close()
    return rows


def test_incidents_are_produced(
    broker: Broker, topic: Callable[..., str], sink: Callable[..., KafkaTopicSink], make_incident: Make
) -> None:
    """Key is the id, the value is the incident; repeated and older revisions are left out; dotted names are taken."""
    name = topic()
    one = sink(name, **{"compression.codec": "gzip", "request.required.acks": -1, "client.id": "mine"})
    for incident, revision in (("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 1)):
        deliver(one, make_incident(incident=incident, revision=revision))
    rows = produced(broker, name)
    assert [(key, value["revision"]) for key, value in rows] == [("a", 1), ("b", 1), ("a", 2)]
    assert rows[0][1] == json.loads(json_line(make_incident(incident="a", revision=1)))
    one.close()
    deliver(one, make_incident(incident="c", revision=1))
    assert len(produced(broker, name)) == 4


def test_what_the_broker_will_not_take(
    broker: Broker, topic: Callable[..., str], sink: Callable[..., KafkaTopicSink], make_incident: Make
) -> None:
    """Too large for the topic or for the producer is refused for good; a missing topic is tried again."""
    one = sink(topic(max_message_bytes="2000"))
    large = make_incident(incident="large", clients=["203.0.113.9"] * 1000)
    with pytest.raises(Refused, match=r"topic test-what.*TooLarge.*bytes"):
        deliver(one, large)
    deliver(one, make_incident(incident="small"))
    with pytest.raises(Refused, match="TooLarge"):
        deliver(sink(one.settings.topic, max_request_size=4000), large)
    begin = monotonic()
    with pytest.raises(SinkError, match="topic nowhere: ") as caught:
        deliver(sink("nowhere", max_block_ms=1000), make_incident())
    assert not isinstance(caught.value, Refused)
    assert monotonic() - begin < 8
    assert [key for key, _ in produced(broker, one.settings.topic)] == ["small"]


@pytest.fixture
def quiet() -> Iterator[None]:
    """No log of the client: its records would keep connections alive."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
def test_a_broker_that_is_not_there(make_incident: Make) -> None:
    """Starting does not wait for it; each attempt is a failure in bounded time and leaves nothing behind."""

    def held() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    one = KafkaTopicSink(
        KafkaTopic("any", {"bootstrap_servers": f"127.0.0.1:{free_port()}", "bootstrap_timeout_ms": 500})
    )
    counts = []
    for _ in range(4):
        begin = monotonic()
        with pytest.raises(SinkError, match=r"topic any: \w+"):
            deliver(one, make_incident())
        assert monotonic() - begin < 5
        counts.append(held())
    before, after = counts[0], counts[-1]
    assert after[0] <= before[0] + 1
    assert after[1] <= before[1] + 4
    one.close()


def test_nothing_is_lost_while_the_broker_is_away(
    broker: Broker, topic: Callable[..., str], make_incident: Make, tmp_path: Path
) -> None:
    """The broker stops and starts again under an outbox: every incident arrives, its revisions in order."""
    if not broker.owned:
        pytest.skip("the broker is not ours to stop")
    name = topic()
    settings = {"bootstrap.servers": broker.bootstrap, "delivery.timeout.ms": 4000, "request.timeout.ms": 2000}
    settings |= {"max.block.ms": 2000, "bootstrap_timeout_ms": 2000}
    outcomes: list[Outcome] = []
    box = Outbox(tmp_path / "outbox", [KafkaTopicSink(KafkaTopic(name, settings))], told=outcomes.append)

    def put(first: int, last: int, revision: int) -> None:
        for n in range(first, last):
            incident = make_incident(incident=f"{n:03}", revision=revision)
            box.put([(incident.incident, revision, json_line(incident))])

    put(0, 10, 1)
    assert box.flush(20)
    broker.stop()
    put(5, 20, 2)
    deadline = monotonic() + 30
    while not any(one.what == "failed" for one in outcomes):
        assert monotonic() < deadline
        threading.Event().wait(0.05)
    put(15, 30, 3)
    broker.resume()
    assert box.flush(60)
    box.close()
    highest: dict[str, int] = {}
    for key, value in produced(broker, name):
        assert value["revision"] >= highest.get(key, 0)
        highest[key] = value["revision"]
    expected = {f"{n:03}": 1 if n < 5 else 2 if n < 15 else 3 for n in range(30)}
    assert highest == expected
    assert {one.what for one in outcomes} == {"delivered", "failed"}


def test_settings_are_checked(tmp_path: Path) -> None:
    """What delivery rests on cannot be changed, secrets come from files, every problem is said at once."""
    with pytest.raises(ConfigError) as caught:
        KafkaTopic("", {"acks": 1, "enable.idempotence": False, "sasl.password": "hunter2", "lingr": 1, "retries": 0})
    assert caught.value.problems == [
        "sinks.kafka.topic: name one",
        "sinks.kafka.producer.acks: is always 'all': nothing is lost only so",
        "sinks.kafka.producer.enable.idempotence: is always True: nothing is lost only so",
        "sinks.kafka.producer.sasl.password: secrets are read from files: write sasl_plain_password_file",
        "sinks.kafka.producer.lingr: unknown",
        "sinks.kafka.producer.retries: cannot be set",
        "sinks.kafka.producer: bootstrap_servers is missing",
    ]
    missing = KafkaTopic("t", {"bootstrap.servers": "b:1", "sasl.password_file": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match=r"sasl_plain_password_file: .*No such file"):
        KafkaTopicSink(missing)
    (tmp_path / "none").write_text("s3cret\n", encoding="ascii")
    assert missing.arguments()["sasl_plain_password"] == "s3cret"
    assert "s3cret" not in repr(missing)
