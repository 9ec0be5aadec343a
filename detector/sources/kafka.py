"""Kafka topics to chunks: whole batches, positions kept by whoever commits, and no record skipped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detector.errors import InputError
from detector.sources.kafka_batches import Counts, KafkaChunk, from_records, hook, unsupported
from detector.sources.kafka_client import WHERE, Partition, opened, ours, said, text, theirs, trouble
from detector.sources.kafka_listener import Listener
from detector.sources.kafka_places import PROBE_BYTES, OffsetGap, beginnings, held, rewound
from detector.sources.kafka_settings import KafkaSettings
from detector.sources.kafka_topics import Topics

__all__ = ["KafkaSource", "OffsetGap", "Partition"]

FAST_CHUNKS = 8  # chunks a poll gives at most, each of 8 MiB or one response
COMMIT_MS = 10_000  # the client's own default is to wait for ever
LEAVE_MS = 2_000  # twice, of the ten seconds that a stop may take; a broker that is there answers in milliseconds
PLAIN_RECORDS = 5_000  # records a poll gives at most where each is an object; 500 are no faster (measured)


class KafkaSource:
    """A consumer of whole topics or, with a group, of what falls to this member.

    Everything is called from one thread.

    Args:
        settings: what to read.
        listener: told of rebalances.

    Raises:
        ConfigError: a file of a secret cannot be read.
        InputError: no broker answers, it refuses the credentials, or it has no such topic.

    Attributes:
        plain_reason: why not, empty where they are.
        counts: tombstones and aborted batches left out.
        lost: records that were gone before they were read, by partition (``gap: continue``).
    """

    def __init__(self, settings: KafkaSettings, listener: Listener | None = None) -> None:
        self.settings = settings
        self.counts = Counts()
        self.lost: dict[Partition, int] = {}
        self.plain_reason = "switched off" if settings.fast_decode == "off" else unsupported()
        self._topics = Topics(settings.topics)
        self._committed: dict[Partition, int] = {}
        self._generation = 0
        self._fault: InputError | None = None
        self._group: Any = None
        self._closed = False
        self._consumer = self._connect(listener)

    @property
    def partitions(self) -> list[Partition]:
        """Every partition of the topics, in order, new ones at the end; a chunk's ``origin`` is an index into it."""
        return self._topics.partitions

    @property
    def fast_decode(self) -> bool:
        """Whether whole batches are read."""
        return not self.plain_reason

    @property
    def generation(self) -> int:
        """The generation of the group in which this member last belonged to it; 0 without a group.

        It grows with every rebalance, so that of two snapshots the one of the higher generation is newer.
        """
        if self._group is not None:
            self._generation = max(self._generation, self._group.generation)
        return self._generation

    @property
    def trouble(self) -> str:
        """Why brokers could not be connected to when that was tried last, a line; empty where all answer. The client
        goes on trying."""
        return trouble(self._consumer)

    def _connect(self, listener: Listener | None) -> Any:
        from kafka import KafkaConsumer

        from detector.sources.kafka_one import assignor_for

        arguments = self.settings.arguments()
        assignor = assignor_for(self.settings.sharing)
        arguments["partition_assignment_strategy"] = (assignor,)
        consumer = opened(KafkaConsumer, arguments, in_place=self.fast_decode)
        try:
            with said("finding the topics"):
                self._subscribe(consumer, assignor, listener)
        except BaseException:
            consumer.close(autocommit=False)
            raise
        if self.fast_decode:
            hook(consumer._fetcher, self.counts)
        return consumer

    def _subscribe(self, consumer: Any, assignor: Any, listener: Listener | None) -> None:
        self._topics.find(consumer)
        self._topics.made_anew(consumer)
        if self.settings.group is None:
            consumer.assign([theirs(partition) for partition in self.partitions])
            return
        from detector.sources.kafka_group import Group

        self._group = Group(consumer, listener, self.settings.drain_s)
        if hasattr(assignor, "owned"):
            assignor.owned = self._given
        consumer.subscribe(list(self.settings.topics), listener=self._group.rebalances())

    def poll(self, timeout_s: float) -> list[KafkaChunk]:
        """The next records, in order within a partition; waits up to ``timeout_s`` where there are none.

        Rebalances happen in here: the listener is called before any record that it ought to know of is returned, and
        then this takes as long as it takes.

        Raises:
            OffsetGap: records are gone (``gap: error``).
            InputError: a batch is damaged, a topic may not be read, the credentials are refused. A damaged batch is
                reported again at every call until :meth:`seek` goes past it.
        """
        from kafka.errors import (
            CorruptRecordError,
            LogTruncationError,
            NoOffsetForPartitionError,
            OffsetOutOfRangeError,
        )

        if self._fault is not None:
            raise self._fault
        self._look_at_topics()
        most = FAST_CHUNKS if self.fast_decode else PLAIN_RECORDS
        try:
            with said("reading"):
                got = self._consumer.poll(int(timeout_s * 1000), max_records=most)
        except NoOffsetForPartitionError as error:
            self._begin(sorted(error.args[0]))
            return []
        except OffsetOutOfRangeError as error:
            self._cross({ours(one): offset for one, offset in error.args[0].items()})
            return []
        except LogTruncationError as error:
            position = self.position()
            self._cross({ours(one): position[ours(one)] for one in error.divergent_offsets})
            return []
        except CorruptRecordError as error:
            self._fault = InputError(str(error.args[0] if error.args else error))
            unread = getattr(self._consumer._fetcher, "_next_partition_records", None)
            if unread:
                unread.drain()  # the client keeps what broke off and would wait for more of it for ever
            raise self._fault from error
        chunks = [chunk for one, items in got.items() for chunk in self._chunks(ours(one), items)]
        self._keep(self.position())
        return chunks

    def _chunks(self, partition: Partition, items: list[Any]) -> list[KafkaChunk]:
        chunks = items if self.fast_decode else [from_records(items, self.counts)]
        origin = self._topics.origin(partition)
        if chunks:
            self._keep({partition: chunks[-1].next_offset})
        for chunk in chunks:
            chunk.origin = origin
        return [chunk for chunk in chunks if len(chunk.starts)]

    def _begin(self, missing: Sequence[Any]) -> None:
        """Sets out where no offset is known: as ``start`` says, at its first record where the partition is new."""
        state = self.settings.whole
        whole: Iterable[Any] = [one for one in missing if one.topic in state or ours(one) in self._topics.whole]
        if self._group_is_known(missing):
            whole = missing
        places = beginnings(self._consumer, self.settings, missing, whole)
        for partition, offset in places.items():
            self._consumer.seek(theirs(partition), offset)
        # Committed at once: a crash before the first commit would otherwise start anew, at a later end.
        self.commit(places)

    def _group_is_known(self, missing: Sequence[Any]) -> bool:
        if self.settings.group is None:
            return False
        topics = {one.topic for one in missing}
        others = {partition for partition in self.partitions if partition[0] in topics} - {ours(one) for one in missing}
        return bool(self._offsets(others))

    def _look_at_topics(self) -> None:
        """Partitions that are new are read, and topics made anew while they were read are said."""
        if self._topics.notice(self._consumer) and self.settings.group is None:
            self._consumer.assign([theirs(partition) for partition in self.partitions])
        anew = self._topics.made_anew(self._consumer)
        if anew:
            self._cross({key: at for key, at in self.position().items() if key[0] in anew}, anew=True)

    def _cross(self, wanted: Mapping[Partition, int], anew: bool = False) -> None:
        """Says what is missing where the broker no longer holds what was asked for, or counts it and goes on."""
        edges = held(self._consumer, wanted)
        for partition, position in wanted.items():
            gap = OffsetGap(partition, position, *edges[partition], anew)
            if self.settings.gap == "error":
                raise gap
            self.lost[partition] = self.lost.get(partition, 0) + gap.missing
            self._committed.pop(partition, None)
            self._consumer.seek(theirs(partition), gap.first)

    @property
    def assignment(self) -> list[Partition]:
        """The partitions this member reads, in order: those its listener knows of."""
        return self._given() if self._group is None else sorted(self._group.held)

    def _given(self) -> list[Partition]:
        """What the group says at this moment; the listener may not have been told yet."""
        return sorted(ours(one) for one in self._consumer.assignment() or ())

    def position(self) -> dict[Partition, int]:
        """The offset each partition is read from next; partitions whose start is not known yet are left out.

        A partition that is taken away is here until the listener has been told: the client forgets it before.
        """
        states = dict(self._consumer._subscription.assignment)
        now = {ours(one): state.position.offset for one, state in states.items() if state.position is not None}
        if self._group is None:
            return now
        places = {partition: now.get(partition, kept) for partition, kept in self._group.held.items()}
        return {partition: place for partition, place in places.items() if place is not None}

    def _keep(self, places: Mapping[Partition, int]) -> None:
        if self._group is not None:
            self._group.held |= {key: place for key, place in places.items() if key in self._group.held}

    def highwater(self) -> dict[Partition, int]:
        """The offset each partition's next record will get, as of the last answer; those never asked are left out."""
        held = set(self.assignment)
        marks = {
            partition: self._consumer.highwater(theirs(partition)) for partition in self._given() if partition in held
        }
        return {partition: mark for partition, mark in marks.items() if mark is not None}

    def lag(self) -> dict[Partition, int]:
        """Offsets between :meth:`position` and :meth:`highwater`; no call to the broker."""
        position = self.position()
        return {
            partition: max(mark - position[partition], 0)
            for partition, mark in self.highwater().items()
            if partition in position
        }

    def seek(self, partition: Partition, offset: int) -> None:
        """Goes on at ``offset``; the partition must be assigned.

        Raises:
            InputError: it is not.
        """
        given = self._given()
        if partition not in self.assignment:
            raise InputError(f"topic {partition[0]}, partition {partition[1]}: not assigned to this member")
        self._keep({partition: offset})
        if partition in given:  # else it is on its way out, and its next owner will seek
            self._consumer.seek(theirs(partition), offset)
        self._fault = None

    def committed(self) -> dict[Partition, int]:
        """The group's offsets of the partitions assigned, asked of the broker; those that have none are left out.

        Raises:
            InputError: the broker does not answer in ``COMMIT_MS``, or the group may not be used.
        """
        return self._offsets(self.assignment)

    def _offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        wanted = [theirs(partition) for partition in partitions]
        if self.settings.group is None or not wanted:
            return {}
        with said("asking for the group's offsets"):
            found = self._consumer._coordinator.fetch_committed_offsets(wanted, timeout_ms=COMMIT_MS)
        return {ours(one): kept.offset for one, kept in found.items()}

    def rewind(self, by_us: int) -> dict[Partition, int]:
        """Where to read from so that ``by_us`` microseconds of broker time before the group's offsets are read again.

        Partitions without an offset are left out: they begin as ``start`` says. Nothing is moved; :meth:`seek` does.

        Raises:
            OffsetGap: what was to be read next is gone itself (``gap: error``; else it is counted in ``lost`` and the
                first record held takes its place).
            InputError: the broker does not answer.
        """
        from kafka import KafkaConsumer

        places = self.committed() if self.settings.group is not None else self.position()
        edges = held(self._consumer, places)
        gone = {key: at for key, at in places.items() if not edges[key][0] <= at <= edges[key][1]}
        self._cross(gone)
        places |= {key: edges[key][0] for key in gone}
        arguments = {**self.settings.arguments(), "max_partition_fetch_bytes": PROBE_BYTES}
        for name in ("group_id", "group_instance_id"):
            arguments.pop(name, None)
        first = {key: edges[key][0] for key in places if key[0] in self.settings.whole}
        return rewound(self._consumer, lambda: opened(KafkaConsumer, arguments), places, by_us) | first

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Tells the group what has been dealt with: for each partition the offset to go on from.

        An offset below one committed before by this member is left out: it would make the group read again what it
        has dealt with. Returns whether the broker took them all; it does not where the partitions are another member's
        by now, or no broker answers in ``COMMIT_MS``. Without a group there is nothing to tell, and the answer is True.
        """
        from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
        from kafka.structs import OffsetAndMetadata

        if self.settings.group is None:
            return True
        # Kafka takes an offset from any member of the generation; one that is late would set the new owner back.
        mine: set[Partition] = set(self._given()) | self._group.draining
        forward = {key: at for key, at in offsets.items() if key in mine and at > self._committed.get(key, -1)}
        complete: bool = mine.issuperset(offsets)
        if not forward:
            return complete
        try:
            wanted = {theirs(key): OffsetAndMetadata(value, "", -1) for key, value in forward.items()}
            self._consumer.commit(wanted, timeout_ms=COMMIT_MS)
        except (CommitFailedError, RebalanceInProgressError):
            return False
        except KafkaError as error:
            if getattr(error, "retriable", False):
                return False
            raise InputError(f"{WHERE}.group_id: committing: {text(error)}") from error
        self._committed.update(forward)
        return complete

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Fetches these no more until :meth:`resume`; :meth:`poll` must still be called."""
        self._consumer.pause(*self._still(partitions))

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Fetches these again."""
        self._consumer.resume(*self._still(partitions))

    def _still(self, partitions: Sequence[Partition]) -> list[Any]:
        given = set(self._given())
        return [theirs(partition) for partition in partitions if partition in given]

    def remember(self) -> dict[str, Any]:
        """What a snapshot must keep beside the offsets: the ids of the topics they belong to."""
        return {"topic_ids": dict(sorted(self._topics.ids.items()))}

    def recall(self, kept: Mapping[str, Any]) -> list[Partition]:
        """Holds what a snapshot kept against the topics as they are; the partitions whose offsets mean nothing now.

        Raises:
            OffsetGap: there are some (``gap: error``).
        """
        before, now = kept.get("topic_ids", {}), self._topics.ids
        gone = [one for one in self.assignment if before.get(one[0], now.get(one[0])) != now.get(one[0])]
        self._cross(dict.fromkeys(gone, 0), anew=True)
        return gone

    def close(self) -> None:
        """Tells the listener that its partitions go, and leaves the group; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._group is not None:
                self._group.leave(LEAVE_MS)
        finally:
            self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS)
