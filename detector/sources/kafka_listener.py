"""Whoever wants to know which partitions come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from detector.sources.kafka_client import Partition


class Listener(Protocol):
    """Who wants to know which partitions come and go. Called from inside ``KafkaSource.poll`` and
    ``KafkaSource.close``, on the caller's thread; it may commit and seek, not poll."""

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These are read from now on, from the group's offsets unless ``KafkaSource.seek`` says otherwise."""

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These go to another member when this returns, or when ``drain_s`` is over: the last moment to commit."""

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another member's already; a commit is refused."""
