"""Members of a group against a real broker: who reads what, what is said on which thread, what a commit is worth."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions, NewTopic

from detector.clock import monotonic
from detector.sources.kafka import KafkaSource, OffsetGap, Partition
from detector.sources.kafka_settings import KafkaSettings
from tests.e2e.broker import Broker, Cluster, Unavailable, skip_or_fail

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 30.0
SESSION_MS = 3_000  # the broker for tests allows it; a member that dies is missed after this
TIME_MS = 1_770_000_000_000


@pytest.fixture(scope="module")
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    """A client that makes topics."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    yield client
    client.close()


@pytest.fixture
def topic(admin: KafkaAdminClient, broker: Broker, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes a topic named after the test, with numbered records in each partition."""

    def make(partitions: int = 2, records: int = 100) -> str:
        name = "group-" + "".join(c if c.isalnum() else "-" for c in request.node.name)
        admin.create_topics([NewTopic(name, partitions, 1)])
        write(broker.bootstrap, name, partitions, range(records))
        return name

    return make


def write(bootstrap: str, topic: str, partitions: int, numbers: range) -> None:
    """A record a second and number in every partition, each holding its number."""
    with KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50) as client:
        for n in numbers:
            for partition in range(partitions):
                client.send(topic, b"%d" % n, partition=partition, timestamp_ms=TIME_MS + n * 1000)
        client.flush()


class Member:
    """A member of a group as the sidecar is one: reads, notes offsets, commits what it has when partitions go."""

    def __init__(
        self, bootstrap: str, topic: str, sharing: Any = "one", drain_s: float = 20.0, back_us: int = 0, **consumer: Any
    ) -> None:
        settings = {
            "bootstrap_servers": bootstrap,
            "group_id": topic,
            "session_timeout_ms": SESSION_MS,
            "heartbeat_interval_ms": 300,
            "fetch_max_wait_ms": 50,
            **consumer,
        }
        self.read: dict[Partition, list[int]] = {}
        self.next: dict[Partition, int] = {}
        self.said: list[tuple[str, list[Partition]]] = []
        self.threads: set[int] = set()
        self.taken: list[bool] = []
        self.left: dict[Partition, int] = {}
        self.slow_s = 0.0
        self.back_us = back_us
        self.source = KafkaSource(
            KafkaSettings((topic,), "earliest", settings, sharing=sharing, drain_s=drain_s), listener=self
        )

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Goes as far back as the test wants, and notes it."""
        if self.back_us:
            for partition, offset in self.source.rewind(self.back_us).items():
                self.source.seek(partition, offset)
        self._note("assigned", partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Takes its time, then commits; notes where the source says it has got to."""
        self.left |= {key: place for key, place in self.source.position().items() if key in partitions}
        threading.Event().wait(self.slow_s)
        self.taken.append(self.source.commit({key: self.next[key] for key in partitions if key in self.next}))
        self._note("revoked", partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Notes it."""
        self._note("lost", partitions)

    def _note(self, kind: str, partitions: Sequence[Partition]) -> None:
        self.said.append((kind, list(partitions)))
        self.threads.add(threading.get_ident())

    def poll(self, timeout_s: float = 0.1) -> None:
        """One poll; everything it gives is noted."""
        for chunk in self.source.poll(timeout_s):
            partition = self.source.partitions[chunk.origin]
            self.read.setdefault(partition, []).extend(chunk.positions.tolist())
            self.next[partition] = chunk.next_offset

    @property
    def held(self) -> set[Partition]:
        """What the listener has been told is its own."""
        held: set[Partition] = set()
        for kind, partitions in self.said:
            held = held | set(partitions) if kind == "assigned" else held - set(partitions)
        return held


@pytest.fixture
def member(broker: Broker) -> Iterator[Callable[..., Member]]:
    """Joins members that are closed when the test ends."""
    members: list[Member] = []

    def join(topic: str, **more: Any) -> Member:
        members.append(Member(broker.bootstrap, topic, **more))
        return members[-1]

    yield join
    for one in members:
        one.source.close()


def until(done: Callable[[], bool], *members: Member) -> None:
    """Polls the members in turn until something holds."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not done():
        assert monotonic() < deadline, [(one.said, one.source.assignment) for one in members]
        for one in members:
            one.poll()


def test_one_member_has_everything_and_keeps_it(
    topic: Callable[..., str], member: Callable[..., Member], admin: KafkaAdminClient
) -> None:
    """Others join and leave: nothing is taken from the owner; when it leaves, one of them has everything, with
    the offsets it committed and a higher generation."""
    name = topic(partitions=3)
    everything = {(name, n) for n in range(3)}
    first = member(name)
    assert first.source.partitions == sorted(everything)
    until(lambda: sum(map(len, first.read.values())) == 300, first)
    second, third = member(name), member(name)
    before = first.source.generation
    until(lambda: first.source.generation >= before + 1 and second.source.generation > 0, first, second, third)
    until(lambda: first.source.generation == second.source.generation == third.source.generation, first, second, third)
    assert first.said == [("assigned", sorted(everything))]
    assert not second.source.assignment
    assert not third.source.assignment
    second.source.close()
    until(lambda: third.source.generation > second.source.generation, first, third)
    assert first.said == [("assigned", sorted(everything))]
    last = first.source.generation
    first.source.close()
    assert first.said[-1] == ("revoked", sorted(everything))
    assert first.taken == [True]
    assert first.left == dict.fromkeys(sorted(everything), 100)
    until(lambda: third.held == everything, third)
    assert third.source.committed() == dict.fromkeys(sorted(everything), 100)
    assert third.source.generation > last
    assert first.threads == third.threads == {threading.get_ident()}
    until(lambda: third.source.lag() == dict.fromkeys(sorted(everything), 0), third)
    assert not third.read


def test_an_owner_that_dies_is_followed(topic: Callable[..., str], member: Callable[..., Member]) -> None:
    """One that no longer polls nor answers loses everything after the session time-out, is told so, and gets nothing
    committed any more."""
    name = topic()
    first = member(name)
    until(lambda: len(first.held) == 2 and bool(first.read), first)
    second = member(name)
    until(lambda: second.source.generation == first.source.generation > 0, first, second)
    first.source._consumer._coordinator._close_heartbeat()  # as where the process hangs
    until(lambda: len(second.held) == 2, second)
    assert not first.source.commit({(name, 0): 7})
    until(lambda: first.said[-1][0] == "lost", first, second)
    until(lambda: first.source.generation == second.source.generation, first, second)
    assert not first.source.assignment
    assert second.said == [("assigned", [(name, 0), (name, 1)])]


def test_a_slow_drain_keeps_its_membership(topic: Callable[..., str], member: Callable[..., Member]) -> None:
    """Eight seconds in ``revoked``, over twice the session time-out, while another member waits: heartbeats go on, the
    position of what goes is still known, the commit at the end is taken, and the other one reads on exactly there."""
    name = topic()
    slow = member(name, sharing="spread")
    until(lambda: sum(map(len, slow.read.values())) == 200, slow)
    slow.slow_s = 8.0
    other = member(name, sharing="spread")
    waiting = threading.Thread(target=until, args=(lambda: len(other.held) == 1, other))
    waiting.start()
    until(lambda: len(slow.held) == 1, slow)
    waiting.join()
    slow.slow_s = 0.0
    assert [kind for kind, _ in slow.said] == ["assigned", "revoked"]
    assert slow.taken == [True]
    (moved,) = other.held
    assert slow.left == {moved: 100}
    assert other.source.committed() == {moved: 100}
    assert slow.held | other.held == {(name, 0), (name, 1)}


def test_a_drain_that_takes_too_long_is_left_behind(topic: Callable[..., str], member: Callable[..., Member]) -> None:
    """Past the drain time the partition goes to the other member all the same; the commit that comes too late is
    refused and changes nothing."""
    name = topic()
    slow = member(name, sharing="spread", drain_s=2.0)
    until(lambda: sum(map(len, slow.read.values())) == 200, slow)
    slow.slow_s = 5.0
    other = member(name, sharing="spread")
    waiting = threading.Thread(target=until, args=(lambda: len(other.held) == 1, other))
    began = monotonic()
    waiting.start()
    until(lambda: len(slow.held) == 1, slow)
    waiting.join()
    slow.slow_s = 0.0
    assert slow.taken == [False]
    assert monotonic() - began < PATIENCE_SECONDS
    (moved,) = other.held
    assert other.source.committed().get(moved, 0) == 0
    until(lambda: len(other.read.get(moved, ())) == 100, slow, other)


@pytest.mark.parametrize("sharing", ["one", "spread"])
def test_members_come_and_go(
    sharing: str, topic: Callable[..., str], member: Callable[..., Member], broker: Broker
) -> None:
    """One to three members join and leave while records come in; with commits in ``revoked`` all are read once."""
    name = topic(partitions=6, records=0)
    members = [member(name, sharing=sharing)]
    left: list[Member] = []
    for turn in range(6):
        write(broker.bootstrap, name, 6, range(turn * 50, turn * 50 + 50))
        if turn % 3 < 2:
            members.append(member(name, sharing=sharing))
        else:
            left.append(members.pop(0))
            closing = threading.Thread(target=left[-1].source.close)  # the others must go on meanwhile
            closing.start()
            until(lambda closing=closing: not closing.is_alive(), *members)
        end = monotonic() + 0.7
        until(lambda end=end: monotonic() > end, *members)
    everyone = members + left
    until(lambda: sum(len(part) for one in everyone for part in one.read.values()) >= 1800, *members)
    for number in range(6):
        offsets = sorted(offset for one in everyone for offset in one.read.get((name, number), ()))
        assert offsets == list(range(300)), f"partition {number}"
    assert all(all(one.taken) for one in everyone)
    if sharing == "one":
        assert max(sum(1 for one in everyone if one.held), 1) == 1


def test_a_static_member_comes_back(topic: Callable[..., str], member: Callable[..., Member]) -> None:
    """With ``group.instance.id`` an owner that is restarted within the session time-out has everything again, and the
    one that stands by has had nothing."""
    name = topic()
    first = member(name, group_instance_id="a", session_timeout_ms=9_000)
    until(lambda: len(first.held) == 2, first)
    second = member(name, group_instance_id="b", session_timeout_ms=9_000)
    until(lambda: second.source.generation == first.source.generation > 0, first, second)
    first.source.close()
    again = member(name, group_instance_id="a", session_timeout_ms=9_000)
    until(lambda: len(again.held) == 2, again, second)
    assert not second.said


def test_new_partitions_and_rewinds(
    topic: Callable[..., str], member: Callable[..., Member], admin: KafkaAdminClient, broker: Broker
) -> None:
    """A partition that is added is read from its first record; a rewind lands where the time before lies, at the first
    record held at most."""
    name = topic(partitions=1)
    one = member(name, metadata_max_age_ms=500)
    until(lambda: len(one.read.get((name, 0), ())) == 100, one)
    alone = KafkaSource(
        KafkaSettings((name,), "latest", {"bootstrap_servers": broker.bootstrap, "metadata_max_age_ms": 500})
    )
    assert not alone.poll(1.0)
    admin.create_partitions({name: NewPartitions(2)})
    write(broker.bootstrap, name, 2, range(100, 110))
    until(lambda: one.read.get((name, 1)) == list(range(10)), one)
    assert one.source.partitions == [(name, 0), (name, 1)]
    deadline, seen = monotonic() + PATIENCE_SECONDS, dict.fromkeys(alone.partitions, 0)
    while seen != {(name, 0): 10, (name, 1): 10}:
        assert monotonic() < deadline, seen
        for chunk in alone.poll(0.1):
            seen.setdefault(alone.partitions[chunk.origin], 0)
            seen[alone.partitions[chunk.origin]] += len(chunk.positions)
    alone.close()
    assert one.source.commit({(name, 0): 80, (name, 1): 10})
    assert one.source.committed() == {(name, 0): 80, (name, 1): 10}
    seconds = 1_000_000
    back = one.source.rewind(20 * seconds)
    assert 0 <= back[name, 0] <= 60
    assert back[name, 1] == 0
    assert one.source.rewind(10_000 * seconds) == {(name, 0): 0, (name, 1): 0}
    assert one.source.commit({(name, 0): 105})
    assert one.source.rewind(0)[name, 0] <= 105
    one.source.close()
    again = member(name, back_us=10_000 * seconds)
    until(lambda: again.source.lag() == {(name, 0): 0, (name, 1): 0}, again)
    assert again.read == {(name, 0): list(range(110)), (name, 1): list(range(10))}, (
        "from the listener, before any record"
    )


def test_a_topic_made_anew_is_known_by_its_id(
    topic: Callable[..., str], member: Callable[..., Member], admin: KafkaAdminClient, broker: Broker
) -> None:
    """A topic deleted and made anew, longer than before: its offsets look right and are not; it is told by its id."""
    name = topic(partitions=1, records=10)
    first = member(name)
    until(lambda: bool(first.read), first)
    kept = first.source.remember()
    first.source.close()
    admin.delete_topics([name])
    deadline = monotonic() + PATIENCE_SECONDS
    while name in admin.list_topics():
        assert monotonic() < deadline
        threading.Event().wait(0.1)
    admin.create_topics([NewTopic(name, 1, 1)])
    write(broker.bootstrap, name, 1, range(50))
    again = member(name)
    until(lambda: len(again.held) == 1, again)
    with pytest.raises(OffsetGap, match="made anew"):
        again.source.recall(kept)
    again.source.recall(again.source.remember())


def test_a_leader_is_killed(tmp_path: Path) -> None:
    """Three brokers, the leader of the partition killed in the middle: everything is read once and in order, and
    reading goes on within half a minute."""
    try:
        cluster = Cluster.start(tmp_path, 3)
    except Unavailable as why:
        skip_or_fail(why)
    with cluster:
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        admin.create_topics([NewTopic("replicated", 1, 3)])
        admin.wait_for_topics(["replicated"])
        write(cluster.bootstrap, "replicated", 1, range(2_000))
        leader = admin.describe_topics(["replicated"])[0]["partitions"][0]["leader_id"]
        admin.close()
        one = Member(cluster.bootstrap, "replicated")
        until(lambda: len(one.read.get(("replicated", 0), ())) >= 100, one)
        assert not one.source.trouble
        cluster.broker(leader).kill()
        began = monotonic()
        write(
            ",".join(b.bootstrap for n, b in enumerate(cluster.brokers, 1) if n != leader), "replicated", 1, range(500)
        )
        until(lambda: len(one.read["replicated", 0]) >= 2_500, one)
        assert monotonic() - began < PATIENCE_SECONDS
        assert one.read["replicated", 0] == list(range(2_500))
        assert one.source.commit({("replicated", 0): 2_500})
        cluster.broker(leader).resume()
        one.source.close()
