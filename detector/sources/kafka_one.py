"""Who reads when one member judges the whole stream: it has every partition, the others stand by.

A cooperative assignor (KIP-429): members come and go without anything being taken from the owner. Each member says at
a rebalance what it holds (the protocol's owned partitions) and, in its user data, the generation in which it was last
given it; where two claim the stream, because one was thought dead and was not, the higher generation has it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from detector.sources.kafka_client import Partition

NAME = "detector-one"
SCHEMA = 1  # of the subscription: the first with owned partitions (KIP-429)
_CLAIM = struct.Struct(">Bi")  # version of this user data, generation of the last assignment
_CLAIM_VERSION = 1


class OneOwner:
    """Gives every partition to one member; one of kafka-python's assignors, see :func:`assignor_for`.

    Attributes:
        owned: what this member holds at this moment; set by whoever has the consumer. kafka-python does not tell an
            assignor that its partitions were lost.
    """

    name = NAME

    def __init__(self) -> None:
        self.owned: Callable[[], Iterable[Partition]] = tuple
        self._generation = -1

    def supported_protocols(self) -> list[Any]:
        """Cooperative alone: what a member keeps it goes on reading."""
        from kafka.coordinator.assignors.abstract import RebalanceProtocol

        return [RebalanceProtocol.COOPERATIVE]

    def metadata(self, topics: Iterable[str]) -> Any:
        """What this member tells the one that assigns."""
        from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

        held = _by_topic(self.owned())
        claim = _CLAIM.pack(_CLAIM_VERSION, self._generation if held else -1)
        owned = [
            ConsumerProtocolSubscription.TopicPartition(topic=topic, partitions=numbers) for topic, numbers in held
        ]
        return ConsumerProtocolSubscription(
            version=SCHEMA, topics=sorted(topics), user_data=claim, owned_partitions=owned
        )

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Keeps the generation in which this member was last confirmed."""
        self._generation = generation

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """Everything to one; what another still holds is given only after that one has let go of it."""
        from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

        owner = chosen(members)
        everything = _partitions(cluster, owner.metadata.topics)
        elsewhere = {
            partition for member in members if member is not owner for partition in _owned(member.metadata)
        } - set(_owned(owner.metadata))
        given = _by_topic(partition for partition in everything if partition not in elsewhere)
        return {
            member.member_id: ConsumerProtocolAssignment(SCHEMA, given if member is owner else [], b"")
            for member in members
        }


def assignor_for(sharing: str) -> Any:
    """``one``, or the client's own for ``spread``; both cooperative: a member keeps reading what it keeps."""
    from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
    from kafka.coordinator.assignors.cooperative_sticky import (
        CooperativeStickyAssignor,
    )

    AbstractPartitionAssignor.register(OneOwner)
    return OneOwner() if sharing == "one" else CooperativeStickyAssignor()


def chosen(members: Iterable[Any]) -> Any:
    """The member that has the stream: the one that has it, of several the one of the highest generation, of none the
    first by static name and member id."""

    def rank(member: Any) -> tuple[Any, ...]:
        generation = claimed(member.metadata) if _owned(member.metadata) else -1
        return (-generation, not member.group_instance_id, member.group_instance_id or "", member.member_id)

    return min(members, key=rank)


def claimed(metadata: Any) -> int:
    """The generation in which a member was last given the stream, -1 for none or where it cannot be read."""
    data = bytes(metadata.user_data or b"")
    if len(data) < _CLAIM.size or data[0] != _CLAIM_VERSION:
        return -1
    return int(_CLAIM.unpack_from(data)[1])


def _owned(metadata: Any) -> list[Partition]:
    held = getattr(metadata, "owned_partitions", None) or ()
    return [(part.topic, number) for part in held for number in part.partitions]


def _partitions(cluster: Any, topics: Iterable[str]) -> list[Partition]:
    return [(topic, number) for topic in sorted(topics) for number in sorted(cluster.partitions_for_topic(topic) or ())]


def _by_topic(partitions: Iterable[Partition]) -> list[tuple[str, list[int]]]:
    """Topics and their numbers, both in order."""
    found: dict[str, list[int]] = {}
    for topic, number in sorted(partitions):
        found.setdefault(topic, []).append(number)
    return list(found.items())
