"""The reading side of a stream: chunks of a source to rows in the order of log time.

Every partition has a clock of its own (`engines.order`); rows leave when no partition that still has something to read
can precede them. A partition that has been read to its end for the length of the lateness holds nobody back: what it
brings later is judged at the time the others have reached by then. Only log time moves anything forward; the machine's
clock decides no more than whether a partition is at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detector import clock, formats
from detector.config import RUN_LATENESS_SECONDS, Config
from detector.crash import crash_here
from detector.engines.coverage import Coverage
from detector.engines.doubled import counted_once
from detector.engines.feed import END, Resolving, Scanner, unreadable
from detector.engines.ledger import changes
from detector.engines.ledger_clock import LedgerClock
from detector.engines.leftovers import Leftovers
from detector.engines.moments import NEVER, FileClock
from detector.engines.order import Merger, Pending, Released
from detector.engines.recognising import recognise
from detector.formats.envelope import AUTO, Envelope, foreign
from detector.formats.ledger import json_ledger
from detector.packing import Arrays, Saved, under, within
from detector.records.ledger import LedgerResolver
from detector.sources.chunk import Chunk
from detector.state.twins import Twins

Partition = tuple[str, int]

MOST_HELD_LINES = 20_000  # unread while the format is not known: a poisoned beginning is no reason to stop
MOST_WAITING = 1 << 20  # rows read and not yet in order, all partitions together (300 MB)
LONGEST_STEP_S = 0.2  # of wall clock that may count as quiet between two polls: a stopped process saw nothing


def lateness_us(config: Config) -> int:
    """How long a stream's rows wait for their order, microseconds of log time."""
    said = config.detection.lateness_seconds
    return round((RUN_LATENESS_SECONDS if said is None else said) * 1e6)


class Source(Protocol):
    """Where a stream comes from: `sources.kafka.KafkaSource`, `sources.follow.Follower`. Used by one thread only."""

    partitions: list[Partition]

    @property
    def assignment(self) -> list[Partition]:
        """What this process reads at present."""

    def poll(self, timeout_s: float) -> Sequence[Chunk]:
        """The next records."""

    def position(self) -> dict[Partition, int]:
        """Where each partition is read from next."""

    def highwater(self) -> dict[Partition, int]:
        """Where each ends."""

    def lag(self) -> dict[Partition, int]:
        """What lies between."""

    def seek(self, partition: Partition, offset: int) -> None:
        """Goes on elsewhere."""

    def commit(self, offsets: dict[Partition, int]) -> bool:
        """Tells the group."""

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Fetches no more of these."""

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Fetches them again."""

    def remember(self) -> dict[str, Any]:
        """What a snapshot must keep beside the offsets."""

    def recall(self, kept: Mapping[str, Any]) -> Sequence[Partition] | None:
        """Takes it back; partitions whose offsets mean nothing any more."""

    def committed(self) -> dict[Partition, int]:
        """What the group has been told."""

    def rewind(self, by_us: int) -> dict[Partition, int]:
        """Where to read from so that so much is read again."""

    @property
    def generation(self) -> int:
        """Of the group; 0 without one."""

    def close(self) -> None:
        """Leaves."""


@dataclass
class Lane:
    """One partition on its way into the order.

    Attributes:
        pending: its clock, and the rows whose moments it has not decided.
        quiet_s: for how long it has been at its end, seconds of wall clock.
    """

    pending: Pending
    quiet_s: float = 0.0


class Intake:
    """Reads, opens, scans, resolves and sorts.

    Args:
        source: where from.
        resolver: fields to rows.
        lateness_us: how long rows wait for their order.
        log_format: a preset or layout; None = detected from the first records.
        wrapped: the envelope: ``auto``, ``none``, ``lines``, ``array`` or a key.
        keyed: whether all records of a client are in one partition: then a partition that has fallen behind the others
            still tells the order of what its clients did.
        ledger: the topic of the consent ledger and what makes rows of its messages, where there is one.

    Attributes:
        coverage: what was read, for metrics and for the end of a run.
        released_us: log time up to which rows have left.
    """

    def __init__(
        self,
        source: Source,
        resolver: Resolving,
        lateness_us: int,
        log_format: str | None,
        wrapped: str,
        keyed: bool = False,
        ledger: tuple[str, LedgerResolver] | None = None,
    ) -> None:
        self.source = source
        self._keyed = keyed
        self._ledger = ledger
        self.coverage = Coverage()
        self.released_us = NEVER
        self._resolver = resolver
        self._lateness_us = lateness_us
        self._given = formats.load(log_format) if log_format else None
        self._envelope: Envelope | None = None if wrapped == AUTO else Envelope.named(wrapped)
        self._scanner: Scanner | None = self._given if self._envelope else None
        self._held: list[Chunk] = []
        self._leftovers = Leftovers()
        self._lanes: dict[int, Lane] = {}
        self._merger = Merger(least_rows=1)
        self._twins = Twins()
        self._paused: set[Partition] = set()
        self._polled_s = clock.monotonic()

    @property
    def format(self) -> str:
        """The format's name, empty while it is not known."""
        return self._scanner.name if self._scanner else ""

    @property
    def envelope(self) -> str:
        """The envelope's name."""
        return self._envelope.name if self._envelope else ""

    @property
    def is_settled(self) -> bool:
        """Whether everything read is in the order: it is not while records wait for their format to be known."""
        return not self._held

    def take(self, chunks: Sequence[Chunk]) -> Iterator[Released]:
        """Takes what one poll brought; yields the rows that have become complete."""
        for chunk in chunks:
            if self._ledger is not None and self.source.partitions[chunk.origin][0] == self._ledger[0]:
                pending = self._lane(chunk.origin).pending
                self._merger.add(changes(chunk, json_ledger(), self._ledger[1], pending, self.coverage))
            else:
                self._open(chunk)
        self._note_quiet({chunk.origin for chunk in chunks})
        self._look_at_leftovers()
        yield from self._release()

    def _release(self) -> Iterator[Released]:
        watermark = self._watermark()
        yield from self._leave(watermark)
        self.released_us = max(self.released_us, watermark)

    def _leave(self, watermark: int) -> Iterator[Released]:
        for released in self._merger.release(watermark, last=watermark == END):
            early = released.moment_us < self.released_us
            if early.any():  # of a partition that came back after a rest
                released.moment_us = np.maximum(released.moment_us, self.released_us)
                released.late = released.late | (early & (not self._keyed))
            self.released_us = int(released.moment_us[-1])
            crash_here("after_release")
            yield from counted_once(released, self._twins, self.coverage)

    def _open(self, chunk: Chunk) -> None:
        if self._scanner is None:
            self._held.append(chunk)
            self._detect()
            return
        self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        assert self._scanner is not None
        assert self._envelope is not None
        chunk = self._envelope.open(chunk)
        fields = self._scanner.scan(chunk)
        self._leftovers.note(chunk, fields)
        self.coverage.count_lines(int(chunk.lengths.sum()), fields)
        batch = self._resolver.resolve(chunk, fields)
        if not len(batch):
            return
        self.coverage.count_requests(batch)
        lane = self._lane(chunk.origin)
        for part in lane.pending.push(batch):
            self.coverage.count_moments(part.batch, part.moments)
            self._merger.add([part])

    def _lane(self, origin: int) -> Lane:
        if origin not in self._lanes:
            of_ledger = self._ledger is not None and self.source.partitions[origin][0] == self._ledger[0]
            self._lanes[origin] = Lane(Pending(LedgerClock() if of_ledger else FileClock(self._lateness_us)))
        return self._lanes[origin]

    def _detect(self) -> None:
        """Settles the format as soon as enough records tell it; what was held is then read."""
        seen = recognise(self._held, self._given)
        if seen.scanner is not None:
            self._settle(seen.scanner, seen.envelope)
            return
        strange = foreign(seen.samples)
        is_full = sum(len(chunk.starts) for chunk in self._held) >= MOST_HELD_LINES
        if strange or (is_full and self._given is None):
            raise unreadable("source", seen.samples, strange or "none of its records is an access log")
        if is_full and self._given is not None:  # whoever names the format is believed; what does not fit is rejected
            self._settle(self._given, seen.envelope)

    def _settle(self, scanner: Scanner, found: Envelope) -> None:
        self._scanner = scanner
        self._envelope = self._envelope or found
        held, self._held = self._held, []
        for chunk in held:
            self._take(chunk)

    def _look_at_leftovers(self, last: bool = False) -> None:
        if self._scanner and self._envelope and self._leftovers.look(self._scanner, self._envelope, last):
            self.coverage.mixed["source"] = dict(self._leftovers.formats)

    def _note_quiet(self, brought: set[int]) -> None:
        now = clock.monotonic()
        step, self._polled_s = min(now - self._polled_s, LONGEST_STEP_S), now
        lag = self.source.lag()
        for partition in self.source.assignment:
            origin = self.source.partitions.index(partition)
            at_end = lag.get(partition) == 0 and partition not in self._paused and origin not in brought
            lane = self._lane(origin)
            lane.quiet_s = lane.quiet_s + step if at_end else 0.0

    def _watermark(self) -> int:
        """Log time that no row still to come precedes, as far as partitions not at their end go."""
        held = {self.source.partitions.index(partition) for partition in self.source.assignment}
        lanes = [lane for origin, lane in self._lanes.items() if origin in held]
        grace_s = max(self._lateness_us / 1e6, 2 * LONGEST_STEP_S)
        busy = [lane.pending.watermark for lane in lanes if lane.quiet_s < grace_s]
        if busy:
            return min(busy)
        return max((lane.pending.watermark for lane in lanes), default=NEVER)

    def hold_back(self, everything: bool) -> None:
        """Before a poll: stops fetching everything, or what has run ahead of the others in log time."""
        wanted = set(self.source.assignment) if everything else self._ahead()
        stop, go = wanted - self._paused, self._paused - wanted
        if stop:
            self.source.pause(sorted(stop))
        if go:
            self.source.resume(sorted(go & set(self.source.assignment)))
        self._paused = wanted

    def _ahead(self) -> set[Partition]:
        waiting = self._merger.waiting()
        if sum(waiting.values()) < MOST_WAITING // 2:
            return set()
        slowest = min((lane.pending.watermark for lane in self._lanes.values()), default=NEVER)
        share = MOST_WAITING // (2 * max(len(self._lanes), 1))
        return {
            partition
            for origin, partition in enumerate(self.source.partitions)
            if waiting.get(origin, 0) > share and self._lanes[origin].pending.watermark > slowest
        } & set(self.source.assignment)

    def finish(self) -> Iterator[Released]:
        """The input has ended: the rows that waited for others."""
        self._look_at_leftovers(last=True)
        for lane in self._lanes.values():
            self._merger.add(lane.pending.finish())
        yield from self._leave(END)

    def idle_s(self) -> float:
        """For how long every partition held has been at its end."""
        held = {self.source.partitions.index(partition) for partition in self.source.assignment}
        return min((lane.quiet_s for origin, lane in self._lanes.items() if origin in held), default=0.0)

    def save(self, only: set[int] | None = None) -> Saved:
        """Positions, clocks and the rows read and not yet judged; ``only`` of these partitions, by number."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        lanes = {}
        for origin, lane in self._lanes.items():
            if only is None or origin in only:
                lanes[str(origin)], found = lane.pending.save()
                arrays |= under(f"lane-{origin}", found)
        merger, found = self._merger.save(only)
        position = self.source.position().items()
        known = {(topic, n) for i, (topic, n) in enumerate(self.source.partitions) if only is None or i in only}
        meta = {
            "format": self.format,
            "envelope": self.envelope,
            "released_us": self.released_us,
            "partitions": [list(partition) for partition in self.source.partitions],
            "position": [[*partition, offset] for partition, offset in sorted(position) if partition in known],
            "remembered": self.source.remember(),
            "lanes": lanes,
            "merger": merger,
        }
        return Saved(meta, arrays | under("merger", found) | {"twins": self._twins.save()})

    def renumbered(self, meta: Mapping[str, Any]) -> dict[int, int]:
        """Numbers of partitions in a saved reading side to those they have here."""
        numbers = {partition: n for n, partition in enumerate(self.source.partitions)}
        known = {n: numbers.get((topic, number)) for n, (topic, number) in enumerate(meta["partitions"])}
        return {old: new for old, new in known.items() if new is not None}

    def drop(self, origin: int) -> None:
        """Forgets a partition and its rows that have not left."""
        self._lanes.pop(origin, None)
        self._merger.drop(origin)

    def adopt(self, meta: Mapping[str, Any], arrays: Arrays, partition: Partition) -> int:
        """Takes one partition out of the saved reading side of another process; returns the offset to go on from."""
        self._know(meta)
        old = [tuple(known) for known in meta["partitions"]].index(partition)
        origin = self.source.partitions.index(partition)
        if str(old) in meta["lanes"]:
            own = within(f"lane-{old}", arrays)
            self._lanes[origin] = Lane(Pending.load(self._lateness_us, meta["lanes"][str(old)], own, origin))
        self.source.recall(meta["remembered"])
        others = Merger.load(meta["merger"], within("merger", arrays), 1)
        self._merger.add(others.parts_of(old, origin))
        return int(next(offset for topic, number, offset in meta["position"] if (topic, number) == partition))

    def _know(self, meta: Mapping[str, Any]) -> None:
        """Takes over what was found out about the records, if any had come."""
        if self._envelope is None and meta["envelope"]:
            self._envelope = Envelope.named(meta["envelope"])
        if self._scanner is None and meta["format"] and self._envelope is not None:
            self._scanner = self._given or formats.load(meta["format"])

    def load(self, meta: Mapping[str, Any], arrays: Arrays) -> dict[Partition, int]:
        """Takes a saved reading side back; returns the offsets to go on from.

        Partitions are matched by name: their numbers may have changed where topics were added.
        """
        self._know(meta)
        origins = self.renumbered(meta)
        self._lanes = {}
        for old, saved in meta["lanes"].items():
            new = origins.get(int(old))
            if new is not None:
                own = within(f"lane-{old}", arrays)
                self._lanes[new] = Lane(Pending.load(self._lateness_us, saved, own, new))
        self._merger = Merger.load(meta["merger"], within("merger", arrays), 1, origins)
        self._twins.load(arrays["twins"])
        self.released_us = int(meta["released_us"])
        gone = set(self.source.recall(meta["remembered"]) or ())
        offsets = {(topic, number): offset for topic, number, offset in meta["position"]}
        return {partition: offset for partition, offset in offsets.items() if partition not in gone}
