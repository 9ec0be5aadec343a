"""Kafka topics to chunks: whole batches, positions kept by whoever commits, and no record skipped in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from detector.errors import InputError
from detector.sources.kafka_batches import Counts, KafkaChunk, from_records, hook, unsupported
from detector.sources.kafka_settings import KafkaSettings

Partition = tuple[str, int]  # topic, number

FAST_CHUNKS = 8  # chunks a poll gives at most, each of 8 MiB or one response
COMMIT_MS = 10_000  # the client's own default is to wait for ever
PLAIN_RECORDS = 5_000  # records a poll gives at most where each is an object; 500 are no faster (measured)


class OffsetGap(InputError):
    """Records that were to be read next are gone from the broker.

    Attributes:
        partition: where.
        position: the offset that was to be read next.
        first: the first offset the broker still holds.
        end: the offset its next record will get.
        missing: how many offsets are gone, 0 where the topic ends before the position: it was made anew or cut.
    """

    def __init__(self, partition: Partition, position: int, first: int, end: int) -> None:
        self.partition = partition
        self.position = position
        self.first = first
        self.end = end
        self.missing = max(first - position, 0)
        where = f"topic {partition[0]}, partition {partition[1]}"
        if self.missing:
            what = f"{self.missing} records are gone, offsets {position} to {first - 1}: retention was shorter than"
            what += " the pause in reading"
        else:
            what = f"offset {position} was to be read next, but it ends at {end}: the topic was made anew or cut"
        super().__init__(f"{where}: {what}; `source.kafka.gap: continue` goes on at offset {first}")


class Listener(Protocol):
    """Who wants to know which partitions come and go. Called on the client's own thread while :meth:`KafkaSource.poll`
    waits; what takes longer than the session time-out loses the membership."""

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These are read from now on, from the group's offsets unless :meth:`KafkaSource.seek` says otherwise."""

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These go to another member now; the last moment to commit."""

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another member's already; a commit would be refused."""


class KafkaSource:
    """A consumer of whole topics or, with a group, of the share that falls to this member.

    Args:
        settings: what to read.
        listener: told of rebalances.

    Raises:
        ConfigError: a file of a secret cannot be read.
        InputError: no broker answers, it refuses the credentials, or it has no such topic.

    Attributes:
        partitions: every partition seen so far; a chunk's ``origin`` is an index into it.
        fast_decode: whether whole batches are read.
        plain_reason: why not, empty where they are.
        counts: tombstones and aborted batches left out.
        lost: records that were gone before they were read, by partition (``gap: continue``).
    """

    def __init__(self, settings: KafkaSettings, listener: Listener | None = None) -> None:
        self.settings = settings
        self.partitions: list[Partition] = []
        self.counts = Counts()
        self.lost: dict[Partition, int] = {}
        self.plain_reason = "switched off" if settings.fast_decode == "off" else unsupported()
        self._origin: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._fault: InputError | None = None
        self._consumer = self._connect(listener)

    @property
    def fast_decode(self) -> bool:
        """Whether whole batches are read."""
        return not self.plain_reason

    def _connect(self, listener: Listener | None) -> Any:
        from kafka import KafkaConsumer
        from kafka.net.compat import KafkaNetClient

        clients: list[Any] = []

        def opened(**configs: Any) -> Any:
            clients.append(KafkaNetClient(**configs))
            return clients[0]

        arguments = self.settings.arguments()
        try:
            with _said(f"broker {arguments['bootstrap_servers']}"):
                consumer = KafkaConsumer(**_with_assignor(arguments), kafka_client=opened)
                self._subscribe(consumer, listener)
        except InputError:
            for client in clients:  # a consumer that could not be made leaves its thread and its sockets behind
                client.close()
            raise
        if self.fast_decode:
            hook(consumer._fetcher, self.counts)
        return consumer

    def _subscribe(self, consumer: Any, listener: Listener | None) -> None:
        found: list[Partition] = []
        for topic in self.settings.topics:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise InputError(f"source.kafka.topics: the broker has no topic {topic}, or this user may not see it")
            found += [(topic, number) for number in sorted(numbers)]
        if self.settings.group is None:
            consumer.assign([_theirs(partition) for partition in found])
        else:
            consumer.subscribe(list(self.settings.topics), listener=listener and _rebalance(listener))

    def poll(self, timeout_s: float) -> list[KafkaChunk]:
        """The next records, in order within a partition; waits up to ``timeout_s`` where there are none.

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
        most = FAST_CHUNKS if self.fast_decode else PLAIN_RECORDS
        try:
            with _said("reading"):
                got = self._consumer.poll(int(timeout_s * 1000), max_records=most)
        except NoOffsetForPartitionError as error:
            self._begin(sorted(error.args[0]))
            return []
        except OffsetOutOfRangeError as error:
            self._cross(error.args[0])
            return []
        except LogTruncationError as error:
            position = self.position()
            self._cross({theirs: position[_ours(theirs)] for theirs in error.divergent_offsets})
            return []
        except CorruptRecordError as error:
            self._fault = InputError(str(error.args[0] if error.args else error))
            unread = getattr(self._consumer._fetcher, "_next_partition_records", None)
            if unread:
                unread.drain()  # the client keeps what broke off and would wait for more of it for ever
            raise self._fault from error
        return [
            chunk for theirs, items in got.items() for chunk in self._chunks((theirs.topic, theirs.partition), items)
        ]

    def _chunks(self, partition: Partition, items: list[Any]) -> list[KafkaChunk]:
        chunks = items if self.fast_decode else [from_records(items, self.counts)]
        origin = self._origin.setdefault(partition, len(self.partitions))
        if origin == len(self.partitions):
            self.partitions.append(partition)
        for chunk in chunks:
            chunk.origin = origin
        return [chunk for chunk in chunks if len(chunk.starts)]

    def _begin(self, missing: Sequence[Any]) -> None:
        """Sets out where no offset is known: as ``start`` says, at its first record where the group knows others."""
        consumer, start = self._consumer, self.settings.start
        with _said("finding the place to start at"):
            if self._group_is_known(missing) or start == "earliest":
                places = consumer.beginning_offsets(list(missing))
            else:
                places = consumer.end_offsets(list(missing))
                if start == "timestamp":
                    times = consumer.offsets_for_times(dict.fromkeys(missing, self.settings.start_ms))
                    places |= {theirs: found.offset for theirs, found in times.items() if found is not None}
            for theirs, offset in places.items():
                consumer.seek(theirs, offset)
        # Committed at once: a crash before the first commit would otherwise start anew, at a later end.
        self.commit({_ours(theirs): offset for theirs, offset in places.items()})

    def _group_is_known(self, missing: Sequence[Any]) -> bool:
        if self.settings.group is None:
            return False
        topics = {theirs.topic for theirs in missing}
        others = [
            type(missing[0])(topic, number)
            for topic in topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]
        return any(self._consumer.committed(theirs) is not None for theirs in others if theirs not in missing)

    def _cross(self, wanted: Mapping[Any, int]) -> None:
        """Says what is missing where the broker no longer holds what was asked for, or counts it and goes on."""
        with _said("finding what the broker still holds"):
            first = self._consumer.beginning_offsets(list(wanted))
            end = self._consumer.end_offsets(list(wanted))
        for theirs, position in wanted.items():
            partition = _ours(theirs)
            gap = OffsetGap(partition, position, first[theirs], end[theirs])
            if self.settings.gap == "error":
                raise gap
            self.lost[partition] = self.lost.get(partition, 0) + gap.missing
            self._committed.pop(partition, None)
            self._consumer.seek(theirs, first[theirs])

    @property
    def assignment(self) -> list[Partition]:
        """The partitions this member reads, in order."""
        return sorted(_ours(theirs) for theirs in self._consumer.assignment() or ())

    def position(self) -> dict[Partition, int]:
        """The offset each partition is read from next; partitions whose start is not known yet are left out."""
        states = dict(self._consumer._subscription.assignment)
        return {_ours(theirs): state.position.offset for theirs, state in states.items() if state.position is not None}

    def highwater(self) -> dict[Partition, int]:
        """The offset each partition's next record will get, as of the last answer; those never asked are left out."""
        marks = {partition: self._consumer.highwater(_theirs(partition)) for partition in self.assignment}
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
        if partition not in self.assignment:
            raise InputError(f"topic {partition[0]}, partition {partition[1]}: not assigned to this member")
        self._consumer.seek(_theirs(partition), offset)
        self._fault = None

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Tells the group what has been dealt with: for each partition the offset to go on from.

        An offset below one committed before by this member is left out: it would make the group read again what it
        has dealt with. Returns whether the broker took them; it does not where the partitions are another member's by
        now, or no broker answers in ``COMMIT_MS``. Without a group there is nothing to tell, and the answer is True.
        """
        from kafka.errors import CommitFailedError, KafkaError
        from kafka.structs import OffsetAndMetadata

        forward = {key: value for key, value in offsets.items() if value > self._committed.get(key, -1)}
        if self.settings.group is None or not forward:
            return True
        try:
            theirs = {_theirs(key): OffsetAndMetadata(value, "", -1) for key, value in forward.items()}
            self._consumer.commit(theirs, timeout_ms=COMMIT_MS)
        except CommitFailedError:
            return False
        except KafkaError as error:
            if getattr(error, "retriable", False):
                return False
            raise InputError(f"committing: {_text(error)}") from error
        self._committed.update(forward)
        return True

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Fetches these no more until :meth:`resume`; :meth:`poll` must still be called."""
        self._consumer.pause(*map(_theirs, partitions))

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Fetches these again."""
        self._consumer.resume(*map(_theirs, partitions))

    def close(self) -> None:
        """Leaves the group without committing; may be called twice."""
        self._consumer.close(autocommit=False)


def _ours(theirs: Any) -> Partition:
    return theirs.topic, theirs.partition


def _theirs(partition: Partition) -> Any:
    from kafka.structs import TopicPartition

    return TopicPartition(*partition)


def _with_assignor(arguments: dict[str, Any]) -> dict[str, Any]:
    """Cooperative rebalances: a member keeps reading what it keeps."""
    from kafka.coordinator.assignors.cooperative_sticky import (
        CooperativeStickyAssignor,
    )

    return {**arguments, "partition_assignment_strategy": (CooperativeStickyAssignor,)}


def _rebalance(listener: Listener) -> Any:
    """A listener in kafka-python's words."""
    from kafka import ConsumerRebalanceListener

    class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
        """Passes on which partitions come and go."""

        def on_partitions_assigned(self, assigned: Any) -> None:
            listener.assigned(sorted(_ours(theirs) for theirs in assigned))

        def on_partitions_revoked(self, revoked: Any) -> None:
            listener.revoked(sorted(_ours(theirs) for theirs in revoked))

        def on_partitions_lost(self, lost: Any) -> None:
            listener.lost(sorted(_ours(theirs) for theirs in lost))

    return Rebalance()


@contextmanager
def _said(doing: str) -> Iterator[None]:
    """Turns the client's errors into one line that says what was being done; those handled apart pass through."""
    from kafka.errors import (
        CorruptRecordError,
        KafkaError,
        LogTruncationError,
        NoOffsetForPartitionError,
        OffsetOutOfRangeError,
    )

    try:
        yield
    except (CorruptRecordError, LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError):
        raise
    except KafkaError as error:
        raise InputError(f"Kafka, {doing}: {_text(error)}") from error


def _text(error: BaseException) -> str:
    """An error's kind and words on one line."""
    words = " ".join(str(error).split())
    return words if type(error).__name__ in words else f"{type(error).__name__}: {words}"
