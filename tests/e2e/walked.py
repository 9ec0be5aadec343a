"""One short log with five walks for all tests of a sidecar, what replay finds in it, and ways to write it to Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.e2e.broker import Broker
from tests.e2e.stream import Setting, feed, make_topic, replayed
from tests.e2e.traffic import BEGIN, walkers_among_readers

RECORDS = 90_000
WALKERS = 5
LATENESS = 1.0
CUT_SECONDS = 320
"""Of log time: behind the five minutes after which thresholds are learnt, in the middle of the fourth walk, which was
raised 50 seconds before, and before the fifth is."""

LAST_WALKER, LAST_NETWORK = "198.18.4.7", "198.18.4.0/24"
PARTITIONS = 3
"""Of topics that are full before they are read. What is written at once to several partitions at rest reaches them one
after the other, and its order is lost, for minutes of log come in a moment: such topics have one partition."""


@dataclass
class Walked:
    """A log.

    Attributes:
        path: of the whole log.
        lines: its lines.
        cut: how many of them come before `CUT_SECONDS`.
        due: what replay finds, by id.
    """

    path: Path
    lines: list[bytes]
    cut: int
    due: dict[str, dict[str, Any]] = field(repr=False)

    @classmethod
    def write(cls, folder: Path) -> Walked:
        """Writes the log and replays it."""
        lines, _ = walkers_among_readers(RECORDS, WALKERS, seed=7)
        path = folder / "walked.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        stamp = (BEGIN + timedelta(seconds=CUT_SECONDS)).strftime("[%d/%b/%Y:%H:%M:%S").encode()
        cut = next(n for n, line in enumerate(lines) if stamp in line)
        due = replayed(Setting(folder, "none:1", "none", lateness=LATENESS), [path])
        assert len(due) == WALKERS, due
        return cls(path, lines, cut, due)

    @property
    def before(self) -> list[bytes]:
        """The lines before the cut."""
        return self.lines[: self.cut]

    @property
    def behind(self) -> list[bytes]:
        """Those behind it."""
        return self.lines[self.cut :]

    def raised_before(self) -> set[str]:
        """The incidents raised before the cut."""
        moment = (BEGIN + timedelta(seconds=CUT_SECONDS)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {identity for identity, record in self.due.items() if record["raised_at"] < moment}


def on_topic(folder: Path, broker: Broker, lines: list[bytes], partitions: int = PARTITIONS, **more: Any) -> Setting:
    """The setting of sidecars on a new topic, named as the folder, with these lines in it.

    A process started again takes the place of the one before at once: it is a static member.
    """
    topic = folder.name.replace("_", "-")
    make_topic(broker.bootstrap, topic, partitions)
    feed(broker.bootstrap, topic, lines)
    more.setdefault("consumer", {"group_instance_id": "a"})
    return Setting(folder, broker.bootstrap, topic, lateness=LATENESS, **more)


def produce(bootstrap: str, topic: str, records: Iterable[tuple[int, bytes | None]]) -> None:
    """Writes values to the partitions said."""
    from confluent_kafka import Producer

    settings = {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    producer = Producer({**settings, "enable.idempotence": True})
    for n, (partition, value) in enumerate(records):
        producer.produce(topic, value, partition=partition)
        if n % 1_000 == 0:
            producer.poll(0)
    producer.flush(60)


def ends(setting: Setting) -> dict[int, int]:
    """The offset each partition's next record will get."""
    return _asked(setting, lambda consumer, one: consumer.get_watermark_offsets(one, timeout=20)[1])


def committed(setting: Setting) -> dict[int, int]:
    """The group's offset of each partition, negative where it has none."""
    return _asked(setting, lambda consumer, one: consumer.committed([one], timeout=20)[0].offset)


def _asked(setting: Setting, ask: Callable[[Any, Any], int]) -> dict[int, int]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": setting.bootstrap, "group.id": setting.group or setting.topic})
    try:
        numbers = consumer.list_topics(setting.topic, timeout=20).topics[setting.topic].partitions
        return {number: ask(consumer, TopicPartition(setting.topic, number)) for number in sorted(numbers)}
    finally:
        consumer.close()
