"""Settings of the Kafka consumer: names of three clients, secrets from files, every problem at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector import kafka_names as names
from detector.errors import ConfigError
from detector.sources.kafka_settings import KafkaSettings, translated

BROKER = {"bootstrap.servers": "localhost:9092"}


def arguments(**consumer: Any) -> dict[str, Any]:
    """What kafka-python is given."""
    return KafkaSettings(("t",), "earliest", {**BROKER, **consumer}).arguments()


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("group.id", "group_id", "g"),
        ("group_instance_id", "group_instance_id", "pod-0"),
        ("session.timeout.ms", "session_timeout_ms", 10_000),
        ("fetch.wait.max.ms", "fetch_max_wait_ms", 20),
        ("fetch.max.wait.ms", "fetch_max_wait_ms", 20),
        ("fetch.message.max.bytes", "max_partition_fetch_bytes", 4_096),
        ("metadata.broker.list", "bootstrap_servers", "b:1"),
        ("security.protocol", "security_protocol", "SASL_SSL"),
        ("sasl.mechanisms", "sasl_mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "sasl_plain_username", "u"),
        ("ssl.ca.location", "ssl_cafile", "/ca.pem"),
        ("client.id", "client_id", "mine"),
    ],
)
def test_names_of_other_clients(given: str, name: str, value: Any) -> None:
    """Dotted names of the Java client and of librdkafka become kafka-python's."""
    values, problems = translated({given: value})
    assert values == {name: value}
    assert problems in ([], ["source.kafka.consumer: bootstrap_servers is missing"])


def test_host_names_are_checked_unless_switched_off() -> None:
    """The Java client's empty algorithm means no check."""
    key = "ssl.endpoint.identification.algorithm"
    assert arguments(**{key: ""})["ssl_check_hostname"] is False
    assert arguments(**{key: "https"})["ssl_check_hostname"] is True


def test_what_delivery_rests_on_is_always_set() -> None:
    """No commits behind our back, no aborted records, no jump over a gap, no topic made by reading it."""
    given = arguments(**{"enable.auto.commit": False})
    assert given["enable_auto_commit"] is False
    assert given["isolation_level"] == "read_committed"
    assert given["auto_offset_reset"] == "none"
    assert given["allow_auto_create_topics"] is False


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """A password's file is read, its line end dropped, whatever the name is written like."""
    (tmp_path / "password").write_text("s3cret \n", encoding="utf-8")
    for name in ("sasl_plain_password_file", "sasl.password_file"):
        given = arguments(**{name: str(tmp_path / "password")})
        assert given["sasl_plain_password"] == "s3cret "
        assert name not in given
    with pytest.raises(ConfigError, match=r"sasl_plain_password_file: .*/none: No such file or directory"):
        arguments(sasl_plain_password_file=str(tmp_path / "none"))


def test_every_problem_is_said_at_once() -> None:
    """Unknown names with the nearest known one, secrets in the open, forced settings, names given twice."""
    wrong = {
        "grup.id": "g",
        "ssl.key.password": "hunter2",
        "auto.offset.reset": "latest",
        "value_deserializer": "x",
        "client.id": "a",
        "client_id": "b",
    }
    with pytest.raises(ConfigError) as caught:
        KafkaSettings((), "newest", wrong, start_ms=1, sharing="all", drain_s=0)  # type: ignore[arg-type]
    assert caught.value.problems == [
        "source.kafka.topics: name one at least",
        "source.kafka.start: 'newest'; allowed: earliest, latest, timestamp",
        "source.kafka.start_ms: goes with start: timestamp, and with no other start",
        "source.kafka.sharing: 'all'; allowed: one, spread",
        "source.kafka.consumer.grup.id: unknown; did you mean group_id?",
        "source.kafka.consumer.ssl.key.password: secrets are read from files: write ssl_password_file",
        "source.kafka.consumer.auto.offset.reset: is always 'none': nothing is lost only so",
        "source.kafka.consumer.value_deserializer: cannot be set",
        "source.kafka.consumer.client_id: is given twice, by two of its names",
        "source.kafka.consumer: bootstrap_servers is missing",
        "source.kafka.drain_s: 0; above 0, under max_poll_interval, 300 s",
    ]
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(KafkaSettings(("t",), "earliest", {**BROKER, "sasl.username": "hunter2"}))


def test_names_are_shared_with_producers() -> None:
    """The same table serves a producer: its own names, its own forced settings, its own place in the messages."""
    known = {"bootstrap_servers", "linger_ms", "acks", "sasl_plain_password"}
    given = {"bootstrap.servers": "b:1", "queue.buffering.max.ms": 5, "acks": "1", "sasl.password": "x", "lingerms": 1}
    values, problems = names.translated(given, known, "sinks.kafka.producer", forced={"acks": "all"})
    assert values == {"bootstrap_servers": "b:1", "linger_ms": 5}
    assert problems == [
        "sinks.kafka.producer.acks: is always 'all': nothing is lost only so",
        "sinks.kafka.producer.sasl.password: secrets are read from files: write sasl_plain_password_file",
        "sinks.kafka.producer.lingerms: unknown; did you mean linger_ms?",
    ]
