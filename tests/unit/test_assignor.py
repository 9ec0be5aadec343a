"""One member has the whole stream: whatever comes and goes, never two, and never taken from who has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment, ConsumerProtocolSubscription

from detector.sources.kafka_client import Partition
from detector.sources.kafka_one import OneOwner, chosen, claimed


class Cluster:
    """Topics and their partitions."""

    def __init__(self, **topics: int) -> None:
        self.topics = topics

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """As kafka-python's cluster metadata answers."""
        count = self.topics.get(topic)
        return None if count is None else set(range(count))

    def everything(self) -> set[Partition]:
        """All partitions."""
        return {(topic, n) for topic, count in self.topics.items() for n in range(count)}


@dataclass
class Joining:
    """What the member that assigns sees of another."""

    member_id: str
    metadata: Any
    group_instance_id: str | None = None


class Member:
    """A member as the client drives one: its assignor, and what it holds."""

    def __init__(self, name: str, static: str | None = None) -> None:
        self.name = name
        self.static = static
        self.held: set[Partition] = set()
        self.assignor = OneOwner()
        self.assignor.owned = lambda: self.held

    def joins(self, topics: list[str]) -> Joining:
        """Its part of a rebalance, through the wire format."""
        sent = self.assignor.metadata(topics).encode()
        return Joining(self.name, ConsumerProtocolSubscription.decode(sent), self.static)

    def takes(self, given: Any, generation: int) -> set[Partition]:
        """Takes an assignment; what it has to let go of."""
        assignment = ConsumerProtocolAssignment.decode(given.encode())
        self.assignor.on_assignment(assignment, generation)
        before, self.held = self.held, {(one.topic, one.partition) for one in assignment.partitions()}
        return before - self.held


def rebalance(members: list[Member], cluster: Cluster, generation: int) -> set[Partition]:
    """One round; what was taken away, after which the client asks for another round."""
    joining = [member.joins(list(cluster.topics)) for member in members]
    given = members[0].assignor.assign(cluster, joining)
    assert set(given) == {member.name for member in members}
    return set().union(*(member.takes(given[member.name], generation) for member in members))


def owners(members: list[Member]) -> list[Member]:
    """Members that hold anything."""
    return [member for member in members if member.held]


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "crash", "expand"]), st.integers(0, 7)), max_size=30))
def test_one_owner_whatever_comes_and_goes(steps: list[tuple[str, int]]) -> None:
    """After every rebalance one member holds everything, and it is the same one as long as it is there."""
    cluster = Cluster(access=3, audit=1)
    members = [Member("m0")]
    rebalance(members, cluster, 1)
    for n, (what, which) in enumerate(steps):
        (owner,) = owners(members)
        if what == "join":
            members.insert(which % (len(members) + 1), Member(f"m{n + 1}", "pod" if which == 7 else None))
        elif what == "expand":
            cluster.topics["access"] += 1
        elif len(members) > 1:
            members.pop(which % len(members))
        taken = rebalance(members, cluster, n + 2)
        assert not taken
        (now,) = owners(members)
        assert now.held == cluster.everything()
        assert now is owner or owner not in members


@given(st.permutations(range(4)), st.lists(st.integers(1, 50), min_size=4, max_size=4, unique=True))
def test_of_several_claims_the_newest_wins(order: list[int], generations: list[int]) -> None:
    """Members that were thought dead and come back with what they held: the highest generation keeps the stream; the
    others let go, and only then what the winner lacked is given to it."""
    cluster = Cluster(access=4)
    members = [Member(f"m{n}") for n in range(4)]
    for member, generation, number in zip(members, generations, order, strict=True):
        member.held = {("access", number)}
        member.assignor.on_assignment(None, generation)
    (winner,) = [
        member for member, generation in zip(members, generations, strict=True) if generation == max(generations)
    ]
    held = set(winner.held)
    assert len(rebalance(members, cluster, 60)) == 3
    assert owners(members) == [winner]
    assert winner.held == held, "nothing is given that another still holds"
    assert not rebalance(members, cluster, 61)
    assert winner.held == cluster.everything()


def test_members_that_lost_everything_claim_nothing() -> None:
    """The client does not tell an assignor of a loss; what is held at the moment counts, not what was assigned."""
    one = Member("one")
    one.assignor.on_assignment(None, 9)
    assert claimed(one.joins(["t"]).metadata) == -1
    one.held = {("t", 0)}
    assert claimed(one.joins(["t"]).metadata) == 9


def test_static_members_come_first() -> None:
    """Of members that hold nothing the choice is the same whoever makes it: static names, then member ids."""
    members = [Member("b"), Member("c", "pod-1"), Member("a"), Member("d", "pod-0")]
    joining = [member.joins(["t"]) for member in members]
    assert chosen(joining).member_id == chosen(joining[::-1]).member_id == "d"
    assert chosen([joining[0], joining[2]]).member_id == "a"


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\x00\x00\x00\x07", None, b"\xff" * 40])
def test_user_data_of_others_is_no_claim(data: bytes | None) -> None:
    """What cannot be read, or was written by another version, counts as no generation."""
    metadata = ConsumerProtocolSubscription(version=1, topics=["t"], user_data=data, owned_partitions=[])
    assert claimed(metadata) == -1


def test_a_topic_that_is_gone_is_left_out() -> None:
    """Topics the cluster knows nothing of are not assigned."""
    one = Member("one")
    given = one.assignor.assign(Cluster(there=2), [one.joins(["there", "gone"])])
    one.takes(given["one"], 1)
    assert one.held == {("there", 0), ("there", 1)}
