"""Incidents to a Kafka topic: key is the incident's id, so that a compacted topic keeps the newest state of each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from detector.errors import ConfigError, SinkError
from detector.sinks.jsonl import rendered
from detector.sinks.kafka_producer import KafkaTopic
from detector.sinks.sink import Refused, Revisions

CLOSE_S = 1.0  # every record was waited for: there is nothing left to send


class KafkaTopicSink:
    """A topic that incidents are produced to (a ``Sink``), acknowledged by all replicas in sync.

    Connects with the first delivery, so that a broker that is away keeps nobody from starting; secrets are read again
    with every new connection. What a crash lets be
    delivered twice has the same key and the same revision inside: a reader drops a revision that is not above the
    last one it had of an incident.

    Args:
        settings: topic and producer.
        name: of the sink.
        schema: what an incident is written as (`sinks.jsonl.json_line`).

    Raises:
        ConfigError: a file of a secret cannot be read.
    """

    def __init__(self, settings: KafkaTopic, name: str = "kafka", *, schema: str = "native") -> None:
        settings.arguments()
        self.settings = settings
        self.name = name
        self.schema = schema
        self._seen = Revisions()
        self._producer: Any = None

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Produces one record and waits for the acknowledgement.

        Raises:
            Refused: it is larger than the broker takes.
            SinkError: no broker answers, it refuses, or it has no such topic.
        """
        from kafka import errors

        if self._seen.has(incident, revision):
            return
        topic = self.settings.topic
        try:
            if self._producer is None:
                self._producer = self._connected()
            value = rendered(incident_json, self.schema).encode("ascii")
            sent = self._producer.send(topic, value, incident.encode("ascii"))
            sent.get(self._producer.config["delivery_timeout_ms"] / 1000 + CLOSE_S)
        except (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError) as error:
            self.close()  # of the same producer the next record is refused too (seen with kafka-python 3.0.12)
            raise Refused(f"topic {topic}: {type(error).__name__}: {len(incident_json)} bytes") from error
        except (errors.KafkaError, ConfigError, OSError, ValueError, RuntimeError) as error:
            self.close()  # sequence numbers after an error that was reported are not worth relying on
            raise SinkError(f"topic {topic}: {_told(error)}") from error
        self._seen.add(incident, revision)

    def close(self) -> None:
        """Ends the connection; delivering again would open another."""
        from kafka import errors

        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(errors.KafkaError):
                producer.close(CLOSE_S)

    def _connected(self) -> Any:
        from kafka import KafkaProducer
        from kafka.net.compat import KafkaNetClient

        clients: list[Any] = []

        def opened(**configs: Any) -> Any:
            clients.append(KafkaNetClient(**configs))
            return clients[0]

        try:
            return KafkaProducer(**self.settings.arguments(), kafka_client=opened)
        except BaseException:
            for client in clients:  # a producer that could not be made leaves its thread and its sockets behind
                client.close()
            raise


def _told(error: BaseException) -> str:
    text = str(error)
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name
