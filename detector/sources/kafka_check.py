"""Tries a Kafka source step by step: broker and credentials, topics, the group, one record. Changes nothing there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detector.clock import monotonic
from detector.errors import ConfigError, InputError
from detector.sources.kafka_client import WHERE, meaning, opened, said, theirs
from detector.sources.kafka_places import held
from detector.sources.kafka_settings import KafkaSettings
from detector.sources.kafka_topics import Topics

STEP_MS = 10_000  # for each step; all of them stay within half a minute
PROBE_RECORDS = 100  # tombstones at the end of a partition are stepped over


@dataclass
class Checked:
    """What came of it.

    Attributes:
        lines: one a step, ``ok …``, or what is wrong with which setting; no secret and no record's content.
        is_ok: whether all steps went well.
        value: a recent record of the topics, for whoever parses records; None where they are empty or cannot be read.
    """

    lines: list[str] = field(default_factory=list)
    is_ok: bool = True
    value: bytes | None = None

    def wrong(self, line: str) -> None:
        """A step that failed."""
        self.lines.append(line)
        self.is_ok = False


def check_connect(settings: KafkaSettings) -> Checked:
    """Tries what :class:`detector.sources.kafka.KafkaSource` needs; later steps only where earlier ones went well.

    The group is not joined, so that its members are left alone: a heartbeat of nobody tells whether it may be used.
    """
    from kafka import KafkaConsumer

    checked = Checked()
    try:
        arguments = {"bootstrap_timeout_ms": STEP_MS, **settings.arguments(), "group_instance_id": None}
        consumer = opened(KafkaConsumer, arguments)
    except (ConfigError, InputError) as error:
        checked.wrong(str(error))
        return checked
    try:
        version = ".".join(map(str, consumer.config["api_version"]))
        checked.lines.append(f"ok {WHERE}.bootstrap_servers: brokers of version {version} or later answer")
        topics = Topics(settings.topics)
        with said("finding the topics"):
            topics.find(consumer)
        checked.lines.append(f"ok source.kafka.topics: {len(topics.partitions)} partitions")
        _try_group(consumer, settings, checked)
        _try_reading(consumer, topics, checked)
    except InputError as error:
        checked.wrong(str(error))
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)
    return checked


def _try_group(consumer: Any, settings: KafkaSettings, checked: Checked) -> None:
    from kafka.errors import FencedInstanceIdError, KafkaError, UnknownMemberIdError

    if settings.group is None:
        checked.lines.append(f"ok {WHERE}.group_id: none, offsets are kept in snapshots alone")
        return
    coordinator = consumer._coordinator
    try:
        if not coordinator.ensure_coordinator_ready(timeout_ms=STEP_MS):
            checked.wrong(f"{WHERE}.group_id: no coordinator of the group answers in {STEP_MS // 1000} s")
            return
        consumer._net.run(coordinator._send_heartbeat_request)
    except (UnknownMemberIdError, FencedInstanceIdError):
        pass  # the broker would take one from a member
    except KafkaError as error:
        setting, what = meaning(error)
        checked.wrong(f"{setting or WHERE + '.group_id'}: the group: {what}")
        return
    checked.lines.append(f"ok {WHERE}.group_id: the group may be used")


def _try_reading(consumer: Any, topics: Topics, checked: Checked) -> None:
    """Fetches a record near the end of any partition."""
    edges = held(consumer, topics.partitions)
    filled = {partition: end for partition, (first, end) in edges.items() if end > first}
    if not filled:
        checked.lines.append("ok source.kafka.topics: empty, there is no record to try")
        return
    consumer.assign([theirs(partition) for partition in filled])
    for partition, end in filled.items():
        consumer.seek(theirs(partition), max(edges[partition][0], end - PROBE_RECORDS))
    until = monotonic() + STEP_MS / 1000
    with said("reading"):
        while monotonic() < until:
            for records in consumer.poll(500, max_records=PROBE_RECORDS).values():
                checked.value = next((record.value for record in reversed(records) if record.value), None)
                if checked.value is not None:
                    checked.lines.append(f"ok source.kafka.topics: a record of {len(checked.value)} bytes was read")
                    return
            if all(consumer.position(theirs(partition)) >= end for partition, end in filled.items()):
                break
    checked.wrong(f"source.kafka.topics: no record with a value could be read in {STEP_MS // 1000} s")
