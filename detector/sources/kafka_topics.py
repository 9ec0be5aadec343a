"""The partitions of the topics that are read: one stable order, what is new, and topics that were made anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.errors import InputError
from detector.sources.kafka_client import Partition


class Topics:
    """What a consumer's view of the cluster says about the topics read.

    Args:
        names: the topics.

    Attributes:
        partitions: those known at the start in order, new ones at the end; never changes otherwise.
        whole: partitions that came later or were made anew: read from their first record.
        ids: the broker's id of each topic, a new one when it was deleted and made anew; brokers before 2.8 have none.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.partitions: list[Partition] = []
        self.whole: set[Partition] = set()
        self.ids: dict[str, str] = {}
        self._origin: dict[Partition, int] = {}

    def find(self, consumer: Any) -> None:
        """Asks the broker, at the start.

        Raises:
            InputError: there is no such topic, or this user may not see it.
        """
        for name in self.names:
            if not consumer.partitions_for_topic(name):
                raise InputError(f"source.kafka.topics: the broker has no topic {name}, or this user may not see it")
        self.notice(consumer)
        self.whole.clear()

    def notice(self, consumer: Any) -> list[Partition]:
        """Partitions that the client has heard of since the last call, a few microseconds where there are none."""
        found = [
            (name, number)
            for name in self.names
            for number in consumer._cluster.partitions_for_topic(name) or ()
            if (name, number) not in self._origin
        ]
        for partition in sorted(found):
            self.origin(partition)
        self.whole.update(found)
        return found

    def origin(self, partition: Partition) -> int:
        """A partition's index in :attr:`partitions`, where it is put if it is not there."""
        if partition not in self._origin:
            self._origin[partition] = len(self.partitions)
            self.partitions.append(partition)
        return self._origin[partition]

    def made_anew(self, consumer: Any) -> list[str]:
        """Topics whose id is another one than at the last call."""
        changed = []
        for name in self.names:
            now = consumer._cluster.topic_id(name)
            if now is not None and self.ids.setdefault(name, str(now)) != str(now):
                self.ids[name] = str(now)
                self.whole.update(partition for partition in self.partitions if partition[0] == name)
                changed.append(name)
        return changed
