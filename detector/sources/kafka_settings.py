"""What is told to the Kafka consumer: names of kafka-python, of the Java client and of librdkafka, checked at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from detector.errors import ConfigError

Start = Literal["earliest", "latest", "timestamp"]

WHERE = "source.kafka.consumer"

# Dotted names that are not kafka-python's with dots for underscores: librdkafka's CONFIGURATION.md, Kafka's consumer
# configuration.
_OTHER_NAMES = {
    "metadata.broker.list": "bootstrap_servers",
    "fetch.wait.max.ms": "fetch_max_wait_ms",
    "fetch.message.max.bytes": "max_partition_fetch_bytes",
    "socket.receive.buffer.bytes": "receive_buffer_bytes",
    "socket.send.buffer.bytes": "send_buffer_bytes",
    "receive.message.max.bytes": "receive_message_max_bytes",
    "topic.metadata.refresh.interval.ms": "metadata_max_age_ms",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "sasl.kerberos.service.name": "sasl_kerberos_service_name",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "ssl.cipher.suites": "ssl_ciphers",
    "partition.assignment.strategy": "partition_assignment_strategy",
}
SECRETS = ("sasl_plain_password", "ssl_password")

# What delivery rests on (README, "What is promised"); the same value may be written down, no other.
FORCED: dict[str, Any] = {
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
}
# Settings that take Python objects, or that reading by batches has no use for.
_WITHHELD = {
    *("key_deserializer", "value_deserializer", "kafka_client", "selector", "metric_reporters", "socket_options"),
    *("default_offset_commit_callback", "consumer_timeout_ms", "ssl_context", "sasl_oauth_token_provider"),
    *("auto_commit_interval_ms", "max_poll_records", "socks5_proxy", "partition_assignment_strategy"),
    *("metrics_enabled", "metrics_num_samples", "metrics_sample_window_ms", "metric_group_prefix"),
}
DEFAULTS: dict[str, Any] = {
    "max_partition_fetch_bytes": 4 << 20,  # uncompressed, 1 MiB is a third slower, 32 MiB no faster (measured)
    "metrics_enabled": False,
    "client_id": "detector",
}


@dataclass(frozen=True)
class KafkaSettings:
    """What to read from Kafka, and from where on.

    Attributes:
        topics: their names, one at least.
        consumer: kafka-python's settings by their own names or the dotted ones of other clients; a secret is named with
            ``_file`` (``sasl_plain_password_file``, ``sasl.password_file``) and read from there.
        start: where a group that has no offsets yet begins. A partition that is new to a group is read from its first
            record, whatever is said here.
        start_ms: milliseconds since 1970 for ``start="timestamp"``: the first record of that time or later.
        gap: what to do when records not read yet are gone from the broker: ``error``, or ``continue`` behind the gap,
            which is counted.
        fast_decode: read by whole batches where the client installed allows it (``auto``), or never (``off``).

    Raises ``ConfigError`` with every problem, a line each.
    """

    topics: tuple[str, ...]
    start: Start
    consumer: Mapping[str, Any] = field(default_factory=dict, repr=False)
    start_ms: int | None = None
    gap: Literal["error", "continue"] = "error"
    fast_decode: Literal["auto", "off"] = "auto"

    def __post_init__(self) -> None:
        problems = []
        if not self.topics:
            problems.append("source.kafka.topics: name one at least")
        if self.start not in ("earliest", "latest", "timestamp"):
            problems.append(f"source.kafka.start: {self.start!r}; allowed: earliest, latest, timestamp")
        if (self.start == "timestamp") != (self.start_ms is not None):
            problems.append("source.kafka.start_ms: goes with start: timestamp, and with no other start")
        problems += translated(self.consumer)[1]
        if problems:
            raise ConfigError(problems)

    @property
    def group(self) -> str | None:
        """The consumer group; None reads every partition and commits nothing."""
        group = translated(self.consumer)[0].get("group_id")
        return None if group is None else str(group)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``KafkaConsumer``; reads the files of secrets.

        Raises:
            ConfigError: a file of a secret cannot be read.
        """
        values, problems = translated(self.consumer)
        for name in SECRETS:
            path = values.pop(f"{name}_file", None)
            if path is not None:
                try:
                    values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
                except (OSError, UnicodeDecodeError) as error:
                    reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
                    problems.append(f"{WHERE}.{name}_file: {path}: {reason}")
        if problems:
            raise ConfigError(problems)
        return {**DEFAULTS, **values, **FORCED}


def translated(consumer: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Settings by kafka-python's names, secrets still as ``…_file``; and what is wrong, a line each."""
    from kafka import KafkaConsumer

    known = set(KafkaConsumer.DEFAULT_CONFIG) - _WITHHELD - set(SECRETS) | {f"{name}_file" for name in SECRETS}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for given, value in consumer.items():
        name, value = _translate(given, value)
        problem = _problem(name, value, known)
        if not problem and name in values:
            problem = "is given twice, by two of its names"
        if problem:
            problems.append(f"{WHERE}.{given}: {problem}")
        else:
            values[name] = value
    if "bootstrap_servers" not in values:
        problems.append(f"{WHERE}: bootstrap_servers is missing")
    return values, problems


def _translate(given: str, value: Any) -> tuple[str, Any]:
    """kafka-python's name of a setting and its value there."""
    if given == "ssl.endpoint.identification.algorithm":
        return "ssl_check_hostname", value not in ("", "none", None)
    plain = given.removesuffix("_file") if given.endswith("_file") and "." in given else given
    name = _OTHER_NAMES.get(plain, plain.replace(".", "_"))
    return name + given[len(plain) :], value


def _problem(name: str, value: Any, known: set[str]) -> str:
    if name in FORCED:
        return "" if value == FORCED[name] else f"is always {FORCED[name]!r}: nothing is lost only so"
    if name in SECRETS:
        return f"secrets are read from files: write {name}_file"
    if name in _WITHHELD:
        return "cannot be set"
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), 1)
        return "unknown" + (f"; did you mean {near[0]}?" if near else "")
    return ""
