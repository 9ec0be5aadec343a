"""Snapshots in a compacted topic, where every member of a group reaches them.

A snapshot is cut into parts, each a record; when all of them are on disk at the brokers, a manifest follows that says
how many there are, where they lie and what they must hash to. What has no manifest does not exist::

    partition 0    window/7-12/part-0 … window/7-12/part-204
    partition 1    window/7-12/manifest  {"parts": 205, "bytes": 180000000, "blake2b": "…", "offsets": […]}

Manifests lie in a partition of their own (in partition 0 where there is but one), so that the newest is found without
reading all parts. An intent, the manifest without offsets, precedes the parts: what a crash left behind is known by it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from detector.clock import monotonic
from detector.errors import ConfigError, InputError, SinkError
from detector.kafka_names import translated, with_secrets
from detector.sources.kafka_client import WHERE, opened, said, text
from detector.sources.kafka_settings import RECONNECT_MS

SETTING = "state.shared.topic"
PART_BYTES = 880_000  # a broker takes records of 1,048,588 bytes unless told else; room for key and headers
KEPT = 2  # snapshots of a name: the newest, and one to fall back on
WRITE_S = 60.0  # for all parts to be on disk: 180 MB take 20 s at 10 MB/s
READ_S = 60.0  # without a record that is wanted
_COMMON = ("bootstrap_", "security_protocol", "sasl_", "ssl_", "client_dns_lookup", "proxy_url", "reconnect_")
_NAME = re.compile(r"[a-z0-9._-]+\Z")
_TOPIC = {
    "cleanup.policy": "compact",
    "segment.bytes": str(256 << 20),  # only segments that are full are compacted; the default is 1 GiB
    "min.cleanable.dirty.ratio": "0.1",  # superseded snapshots are most of the topic; the default is a half
    "max.message.bytes": str(1 << 20),
}

Order = tuple[int, int]  # generation of the group, sequence number


@dataclass(frozen=True)
class _Manifest:
    """What is known of a snapshot; without offsets it is an intent."""

    parts: int
    size: int = 0
    digest: str = ""
    offsets: tuple[int, ...] = ()

    def encoded(self) -> bytes:
        """As it stands in the topic."""
        content = {"parts": self.parts, "bytes": self.size, "blake2b": self.digest, "offsets": self.offsets}
        return json.dumps(content, separators=(",", ":")).encode()


@dataclass
class TopicStore:
    """Keeps the last two snapshots of each name in a topic; may be used by several threads, one call at a time.

    Args:
        topic: made if it is not there (compacted, two partitions, the broker's number of replicas).
        consumer: the settings of the source's consumer, of which those about brokers and security count here.

    Attributes:
        passed_over: what :meth:`newest` met and could not use, for the log.

    Raises:
        ConfigError: a setting is wrong.
        InputError: no broker answers, the topic cannot be made, or it is not compacted.
    """

    topic: str
    consumer: Mapping[str, Any] = field(repr=False)
    passed_over: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _known: dict[str, dict[Order, _Manifest]] = field(default_factory=dict, repr=False)
    _seen: int = 0
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        from kafka import KafkaConsumer

        values, problems = translated(self.consumer, set(KafkaConsumer.DEFAULT_CONFIG), WHERE)
        if problems and "bootstrap_servers" not in values:
            raise ConfigError(problems)
        values = {name: value for name, value in values.items() if name.startswith(_COMMON)}
        values = {"reconnect_backoff_max_ms": RECONNECT_MS, **with_secrets(values, WHERE)}
        self._arguments = {**values, "client_id": "detector-state"}
        self._manifests = _topic_made(self.topic, self._arguments) - 1

    def put(self, name: str, order: Order, data: bytes) -> None:
        """Keeps a snapshot; every in-sync replica has it when this returns. Older ones but the last are deleted.

        Raises:
            SinkError: the brokers do not take it in ``WRITE_S``; nothing of it is seen then.
            ValueError: the name is not of ``[a-z0-9._-]+``.
        """
        if not _NAME.match(name):
            raise ValueError(f"name of a snapshot: {name!r}")
        with self._lock:
            self._look()
            parts = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)] or [b""]
            self._send([(self._manifests, _key(name, order, "manifest"), _Manifest(len(parts)).encoded())])
            offsets = self._send([(0, _key(name, order, f"part-{n}"), part) for n, part in enumerate(parts)])
            manifest = _Manifest(len(parts), len(data), blake2b(data, digest_size=32).hexdigest(), tuple(offsets))
            self._send([(self._manifests, _key(name, order, "manifest"), manifest.encoded())])
            self._known.setdefault(name, {})[order] = manifest
            self._forget_old(name, order)

    def newest(self, name: str) -> Iterator[tuple[Order, bytes]]:
        """What is kept of a name, newest first; read when it is asked for. Such as are not whole are passed over.

        Raises:
            InputError: the topic cannot be read.
        """
        with self._lock:
            self._look()
            found = {order: one for order, one in self._known.get(name, {}).items() if one.offsets}
        for order in sorted(found, reverse=True):
            with self._lock:
                data = self._read(name, order, found[order])
            if data is None:
                self.passed_over.append(
                    f"{SETTING}: {self.topic}: {_key(name, order, '')}: parts are missing or damaged"
                )
                continue
            yield order, data

    def names(self) -> list[str]:
        """Names of which something is kept.

        Raises:
            InputError: the topic cannot be read.
        """
        with self._lock:
            self._look()
            return sorted(name for name, kept in self._known.items() if any(one.offsets for one in kept.values()))

    def close(self) -> None:
        """Ends its connections; may be called twice."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()

    def _send(self, records: list[tuple[int, str, bytes | None]]) -> list[int]:
        """Writes records, and waits until all are on disk; their offsets."""
        from kafka.errors import KafkaError

        until = monotonic() + WRITE_S
        try:
            producer = self._producer()
            sent = [producer.send(self.topic, data, key.encode(), partition=at) for at, key, data in records]
            return [future.get(max(until - monotonic(), 0.001)).offset for future in sent]
        except (KafkaError, InputError) as error:
            self._drop("producer")  # what it still holds must not arrive after this was called a failure
            raise SinkError(f"{SETTING}: {self.topic}: a snapshot was not taken: {text(error)}") from error

    def _forget_old(self, name: str, kept: Order) -> None:
        """Deletes all but the newest two that are whole, and what crashes left behind before the older of these."""
        known = self._known[name]
        whole = sorted(order for order, one in known.items() if one.offsets)
        last = min(whole[-KEPT:][0], kept)
        old = [order for order in known if order < last]
        tombs: list[tuple[int, str, bytes | None]] = []
        for order in old:
            tombs += [(0, _key(name, order, f"part-{n}"), None) for n in range(known[order].parts)]
            tombs.append((self._manifests, _key(name, order, "manifest"), None))
        self._send(tombs)
        for order in old:
            del known[order]

    def _look(self) -> None:
        """Reads the manifests that have come since the last look."""
        consumer = self._consumer(self._manifests)
        where = next(iter(consumer.assignment()))
        with said("reading the manifests", topics=SETTING):
            end = consumer.end_offsets([where], timeout_ms=int(READ_S * 1000))[where]
            consumer.seek(where, self._seen if self._seen <= end else 0)
            if self._seen > end:  # made anew
                self._known.clear()
            until = monotonic() + READ_S
            while consumer.position(where) < end:
                if monotonic() > until:
                    raise InputError(f"{SETTING}: {self.topic}: the broker gives no record in {READ_S:g} s")
                for record in consumer.poll(500).get(where, ()):
                    self._note(record.key, record.value)
                    until = monotonic() + READ_S
        self._seen = end

    def _note(self, key: bytes | None, value: bytes | None) -> None:
        """Takes a manifest in; parts (where they lie in the same partition) and what others wrote is left alone."""
        where = re.match(rb"([a-z0-9._-]+)/(\d+)-(\d+)/manifest\Z", key or b"")
        if where is None:
            return
        order = int(where[2]), int(where[3])
        kept = self._known.setdefault(where[1].decode(), {})
        if value is None:
            kept.pop(order, None)
            return
        try:
            said = json.loads(value)
            kept[order] = _Manifest(int(said["parts"]), int(said["bytes"]), said["blake2b"], tuple(said["offsets"]))
        except (ValueError, KeyError, TypeError):
            kept.pop(order, None)

    def _read(self, name: str, order: Order, manifest: _Manifest) -> bytes | None:
        """A snapshot's bytes; None where a part is gone or something else."""
        consumer = self._consumer(0)
        where = next(iter(consumer.assignment()))
        wanted = {offset: n for n, offset in enumerate(manifest.offsets)}
        parts: list[bytes | None] = [None] * len(wanted)
        last, place = max(wanted), min(wanted)
        with said("reading a snapshot", topics=SETTING):
            if last >= consumer.end_offsets([where])[where] or place < consumer.beginning_offsets([where])[where]:
                return None
            consumer.seek(where, place)
            until = monotonic() + READ_S
            while place <= last and monotonic() < until:
                for record in consumer.poll(500).get(where, ()):
                    n = wanted.get(record.offset)
                    if n is not None and record.key == _key(name, order, f"part-{n}").encode():
                        parts[n] = record.value
                        until = monotonic() + READ_S
                place = consumer.position(where)
        data = b"".join(part for part in parts if part is not None)
        whole = len(data) == manifest.size and blake2b(data, digest_size=32).hexdigest() == manifest.digest
        return data if whole else None

    def _producer(self) -> Any:
        from kafka import KafkaProducer

        if "producer" not in self._clients:
            arguments = {**self._arguments, "acks": "all", "max_request_size": 1 << 20, "metrics_enabled": False}
            self._clients["producer"] = opened(KafkaProducer, arguments)
        return self._clients["producer"]

    def _consumer(self, partition: int) -> Any:
        from kafka import KafkaConsumer
        from kafka.structs import TopicPartition

        key = f"consumer {partition}"
        if key not in self._clients:
            arguments = {
                **self._arguments,
                "group_id": None,
                "enable_auto_commit": False,
                "auto_offset_reset": "earliest",
                "allow_auto_create_topics": False,
                "max_partition_fetch_bytes": 16 << 20,
                "max_poll_records": 100,
                "metrics_enabled": False,
            }
            self._clients[key] = opened(KafkaConsumer, arguments)
            self._clients[key].assign([TopicPartition(self.topic, partition)])
        return self._clients[key]

    def _drop(self, key: str) -> None:
        client = self._clients.pop(key, None)
        if client is not None:
            client.close(timeout=0)


def _key(name: str, order: Order, what: str) -> str:
    return f"{name}/{order[0]}-{order[1]}/{what}"


def _topic_made(topic: str, arguments: Mapping[str, Any]) -> int:
    """How many of its partitions are used, 1 or 2; the topic is made if it is not there.

    Raises:
        InputError: it is not there and may not be made, or it would forget snapshots.
    """
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    admin = opened(KafkaAdminClient, arguments)
    try:
        partitions = _partitions(admin, topic)
        if not partitions:
            try:
                admin.create_topics({topic: {"num_partitions": 2, "configs": _TOPIC}})
            except TopicAlreadyExistsError:
                pass  # another member was faster
            except KafkaError as error:
                how = "make it with cleanup.policy=compact and two partitions, or let this user"
                raise InputError(f"{SETTING}: {topic} is not there and cannot be made: {text(error)}; {how}") from error
            admin.wait_for_topics([topic])
            partitions = _partitions(admin, topic)
        policy = _cleanup_policy(admin, topic)
        if policy and "compact" not in policy:
            raise InputError(f"{SETTING}: {topic} has cleanup.policy={policy}; allowed: compact, or snapshots expire")
    except KafkaError as error:
        raise InputError(f"{SETTING}: {topic}: {text(error)}") from error
    finally:
        admin.close()
    return min(partitions, 2)


def _partitions(admin: Any, topic: str) -> int:
    """How many there are; 0 where there is no such topic or it may not be seen."""
    from kafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

    (found,) = admin.describe_topics([topic])
    error = for_code(found["error_code"])
    if error in (UnknownTopicOrPartitionError, TopicAuthorizationFailedError):  # brokers hide what may not be seen
        return 0
    if found["error_code"]:
        raise error(topic) if issubclass(error, KafkaError) else KafkaError(topic)
    return len(found["partitions"])


def _cleanup_policy(admin: Any, topic: str) -> str:
    """The topic's, empty where this user may not ask."""
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.errors import KafkaError

    try:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return str(found["topic"][topic]["cleanup.policy"]["value"])
    except (KafkaError, KeyError):
        return ""
