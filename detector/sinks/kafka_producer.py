"""What is told to the Kafka producer of incidents: names of kafka-python, of the Java client and of librdkafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detector.errors import ConfigError
from detector.kafka_names import translated, with_secrets

# What delivery rests on; the same value may be written down, no other.
FORCED: dict[str, Any] = {"acks": "all", "enable_idempotence": True}
# Settings that take Python objects, or that one record at a time has no use for.
_WITHHELD = {
    *("key_serializer", "value_serializer", "partitioner", "kafka_client", "selector", "metric_reporters"),
    *("socket_options", "ssl_context", "sasl_oauth_token_provider", "transactional_id", "transaction_timeout_ms"),
    *("socks5_proxy", "retries", "linger_ms"),
    *("metrics_enabled", "metrics_num_samples", "metrics_sample_window_ms"),
}
DEFAULTS: dict[str, Any] = {
    "client_id": "detector",
    "metrics_enabled": False,
    "allow_auto_create_topics": False,  # a topic made by a typing error would look like success
    "bootstrap_timeout_ms": 10_000,  # the outbox tries again, and a stop has ten seconds
    "max_block_ms": 10_000,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 20_000,  # two requests: a broker that is restarted in good order is answered by the second
    "max_request_size": 1 << 20,  # the broker's own limit; 10,000 clients of 48 bytes fit
}
_ALL = ("all", -1, "-1")  # three ways to write it


@dataclass(frozen=True)
class KafkaTopic:
    """Where incidents are produced to.

    Attributes:
        topic: its name; it has to exist.
        producer: kafka-python's settings by their own names or the dotted ones of other clients; a secret is named
            with ``_file`` and read from there.
        where: the place in the configuration, for messages.

    Raises ``ConfigError`` with every problem, a line each.
    """

    topic: str
    producer: Mapping[str, Any] = field(default_factory=dict, repr=False)
    where: str = "sinks.kafka"

    def __post_init__(self) -> None:
        problems = [] if self.topic else [f"{self.where}.topic: name one"]
        problems += self._translated()[1]
        if problems:
            raise ConfigError(problems)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``KafkaProducer``; reads the files of secrets.

        Raises:
            ConfigError: a file of a secret cannot be read.
        """
        values, problems = self._translated()
        if problems:
            raise ConfigError(problems)
        return {**DEFAULTS, **with_secrets(values, f"{self.where}.producer"), **FORCED}

    def _translated(self) -> tuple[dict[str, Any], list[str]]:
        from kafka import KafkaProducer

        given = {
            name: "all" if name in ("acks", "request.required.acks") and value in _ALL else value
            for name, value in self.producer.items()
        }
        return translated(given, set(KafkaProducer.DEFAULT_CONFIG), f"{self.where}.producer", FORCED, _WITHHELD)
