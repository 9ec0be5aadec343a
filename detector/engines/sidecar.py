"""The sidecar: follows a stream until it is stopped, and loses nothing on the way.

Two threads do the work. The reading thread owns the source: it polls, sorts (`intake`) and commits. The judging thread
(`judging`) owns the evidence: it judges, tells incidents and copies its state. At a checkpoint the reading side is
saved first and travels to the judging thread behind the rows read before it; so both copies speak of the same moment.
The order is always: incidents durable, snapshot durable, offsets committed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from detector import __version__, clock, learnt
from detector.config import Config
from detector.crash import crash_here
from detector.engines.committing import Committer
from detector.engines.coverage import Coverage
from detector.engines.declaring import declared, taken_over
from detector.engines.intake import Intake, Partition, Source, lateness_us
from detector.engines.judging import Judging
from detector.engines.keeping import LONGEST_WINDOW_US, WINDOW, Keeper, Order, Restored
from detector.engines.local import make_resolver, rules, sizes
from detector.engines.order import Released
from detector.engines.preparing import make_intake
from detector.engines.privacy import veil_of
from detector.engines.telemetry import EVERY_S, Telemetry
from detector.engines.telling import Telling
from detector.engines.watch import Status, Watch
from detector.errors import DetectorError, SnapshotError
from detector.packing import Saved
from detector.pipeline import Pipeline
from detector.records.batch import LATE
from detector.records.resolve import Resolver

POLL_S = 0.2
DRAIN_S = 10.0  # SIGTERM: what a supervisor grants is 30 s by default (Kubernetes), half of it is other people's
FIXED = ("source", "identity", "routes", "policy", "state", "privacy", "sinks", "web")  # hold for the life of a process
RESTART_US = 1_000_000
"""Log time: a rewind goes back by the longest window, the lateness and this, for marks are kept in whole seconds."""


@dataclass
class Side:
    """What is made anew whenever a state is taken up: reading and judging of one life of the stream, and how many
    incidents those before it have raised (`raised.Raised.save`)."""

    intake: Intake
    pipeline: Pipeline
    resolver: Resolver
    raised: Iterable[Any] = ()


@dataclass
class Sidecar:
    """One process that follows one source.

    Args:
        config: the configuration.
        source: where from; its listener is this object.
        keeper: snapshots.
        outbox: incidents on their way out.
        telemetry: metrics.
        tell: writes one event to the log: a name and facts, never a line or a client.
        cases: folder for what stands behind incidents.
    """

    config: Config
    source: Source
    keeper: Keeper
    outbox: Any
    telemetry: Telemetry
    tell: Any
    cases: Any
    status: Status = field(default_factory=Status)
    judging: Judging = field(default_factory=Judging)

    def __post_init__(self) -> None:
        self.snapshot_name = WINDOW
        self._side: Side | None = None
        self._order = (0, 0)
        self.telling = Telling(self.outbox, self.cases, self.telemetry, self.tell)
        self._snapshot_due_s = 0.0
        self._saved_at: dict[Partition, int] = {}
        self._unsaved = False  # whether rows have gone to be judged since: those that wait for others do so at rest
        self._warm_at: dict[Partition, int] = {}
        self.watch = Watch(self.status, self.telemetry.exporter, self.tell)
        self.coverage = Coverage()
        self._first_s = self._last_s = 0.0  # monotonic: the first records read, the last judged
        self._commits = Committer(self.source, self.keeper, self.tell)
        self._renew_due_s = 0.0
        self.stopping = False
        self.reloading: Callable[[], Config] | None = None  # set by a signal: gives the configuration as it is now

    @property
    def has_group(self) -> bool:
        """Whether a group says what this process reads; else everything there is."""
        kafka = self.config.source.kafka
        return kafka is not None and any(name in ("group_id", "group.id") for name in kafka.consumer)

    def summary(self) -> dict[str, Any]:
        """What was read, for the log's last line."""
        busy = {"busy_seconds": round(self._last_s - self._first_s, 3), "cpu_seconds": round(clock.processor(), 3)}
        return busy | {name: getattr(self.coverage, name) for name in ("lines", "parsed", "late", "future", "mixed")}

    # the reading thread

    def run(self, idle_s: float | None = None) -> None:
        """Follows the source until `stopping` is set, or until it has been at its end for ``idle_s`` seconds.

        Raises:
            DetectorError: the source cannot be read, or an incident cannot be kept.
        """
        try:
            while not self.stopping:
                self._turn()
                if idle_s is not None and self._side and self._side.intake.idle_s() >= idle_s:
                    self._give(self._side, self._side.intake.finish())
                    break
        except DetectorError as error:
            self.status.fault = str(error)
            self._drain()
            raise
        self._drain()

    def _turn(self) -> None:
        if self.reloading is not None:
            self._reload()
        full = self.judging.is_full or bool(self.outbox.full) or self.telling.waits
        if self._side:
            self._side.intake.hold_back(full)
        chunks = self.source.poll(POLL_S / 4 if full else POLL_S)
        if self._side is None and self.source.assignment and not chunks:
            return
        if self._side is not None:
            if chunks:
                self._first_s = self._first_s or clock.monotonic()
                crash_here("after_poll")
            self._give(self._side, self._side.intake.take(chunks))
        self._commit()
        if clock.monotonic() >= self._snapshot_due_s:
            self._checkpoint()
        self._look()

    def _give(self, side: Side, rows: Iterable[Released]) -> None:
        for released in rows:
            self._unsaved = True
            self.judging.give(partial(self._judge, released, side))

    def begin(self) -> None:
        """Takes up a source without a group: everything there is belongs to this process."""
        self.assigned(self.source.assignment)

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These are this member's from now on (called by the source, on the reading thread)."""
        self.status.joined = True
        self.status.reading = len(self.source.assignment)
        if partitions and self._side is None:
            self._take_up()
        self.tell("assigned", partitions=len(partitions), held=self.status.reading)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """These go to another member: the state is saved, committed and let go."""
        if partitions and self._side is not None:
            self._save_now(DRAIN_S)
            self._side = None
        self.tell("revoked", partitions=len(partitions))

    def lost(self, partitions: Sequence[Partition]) -> None:
        """These are another member's already: what was judged since the last snapshot is theirs to judge again."""
        if partitions:
            self._side = None
        self.tell("lost", partitions=len(partitions))

    def _take_up(self) -> None:
        """Goes on from the newest usable snapshot, or rewinds."""
        restored = self._restored()
        if restored is None:
            self._rewind()
        self._snapshot_due_s = clock.monotonic() + self.config.state.snapshot_seconds
        self.watch.begin()

    def _restored(self) -> Restored | None:
        for restored in self.keeper.usable(self.snapshot_name):
            side = self._new_side()
            try:
                self.judging.ask(partial(side.pipeline.load, *restored.judging))
                offsets = side.intake.load(*restored.reading)
                self.judging.ask(partial(side.pipeline.renumber, side.intake.renumbered(restored.reading.meta)))
            except SnapshotError as error:
                self.telemetry.snapshot_trouble("snapshot_unusable", reason=str(error))
                continue
            self._order = restored.order
            self._warm_at = {(topic, number): offset for topic, number, offset in restored.warm_at}
            side.pipeline.warming = bool(self._warm_at)
            side.raised = restored.judging.meta.get("raised", ())
            self._go_on(side, offsets)
            self._commits.restored(offsets)
            self._deliver_again(restored)
            self.tell("restored", generation=restored.order[0], sequence=restored.order[1])
            return restored
        return None

    def _deliver_again(self, restored: Restored) -> None:
        """What no sink had confirmed when the snapshot was made: the process that made it may never come back."""
        known = [(json.loads(line), line) for line in restored.undelivered]
        self.outbox.put([(str(told["incident"]), int(told["revision"]), line) for told, line in known])

    def _go_on(self, side: Side, offsets: dict[Partition, int]) -> None:
        held = set(self.source.assignment)
        for partition, offset in offsets.items():
            if partition in held:
                self.source.seek(partition, offset)
        self._side = side
        self._saved_at = dict(offsets)
        self.judging.ask(partial(self.telemetry.restart, side.pipeline, side.raised))

    def _rewind(self) -> None:
        """Without a snapshot: what was learnt is taken over, and the longest window is read again."""
        committed = self.source.committed()
        if not committed:
            self._side = self._new_side()
            return
        side, known = self._with_learnt()
        offsets = self.source.rewind(LONGEST_WINDOW_US + lateness_us(self.config) + RESTART_US)
        again = sum(max(committed[p] - offset, 0) for p, offset in offsets.items() if p in committed)
        self._warm_at = {p: offset for p, offset in committed.items() if offset > offsets.get(p, offset)}
        self._say_rewound(again, known)
        side.pipeline.warming = bool(self._warm_at)
        self._go_on(side, offsets)

    def _say_rewound(self, records: int, known: bool) -> None:
        if records:  # else the group has offsets and nothing was read
            self.telemetry.exporter.inc("records_reread_total", records)
            self.tell("rewound", records=records, learnt=known)

    def _with_learnt(self) -> tuple[Side, bool]:
        """A new state on top of what was learnt, and whether there was any."""
        side = self._new_side()
        for known in self.keeper.learnt():
            try:
                self.judging.ask(partial(learnt.apply, side.pipeline, *known))
            except SnapshotError as error:
                self.telemetry.snapshot_trouble("snapshot_unusable", reason=str(error))
                side = self._new_side()
                continue
            side.raised = known.meta.get("raised", ())
            return side, True
        return side, False

    def _new_side(self) -> Side:
        pipeline, resolver = self._new_pipeline()
        intake = make_intake(self.config, self.source, resolver, pipeline)
        self.coverage = intake.coverage
        return Side(intake, pipeline, resolver)

    def _new_pipeline(self) -> tuple[Pipeline, Resolver]:
        resolver, routes = make_resolver(self.config)
        detector = {"version": __version__, "config": self.config.digest}
        pipeline = Pipeline(
            rules(self.config), sizes(self.config), routes, on_news=self.telling.note, detector=detector
        )
        pipeline.book.veil = veil_of(self.config)
        return pipeline, resolver

    def _checkpoint(self) -> None:
        """Puts a copy of the reading side behind the rows read so far; the rest follows in the other threads."""
        side = self._side
        if side is None or self.keeper.is_busy or not side.intake.is_settled:
            return
        self._snapshot_due_s = clock.monotonic() + self.config.state.snapshot_seconds
        offsets = self.source.position()
        if offsets == self._saved_at and not self._unsaved:
            return
        self._saved_at = dict(offsets)
        self._ask_snapshot(side, offsets)

    def _ask_snapshot(self, side: Side, offsets: dict[Partition, int], last: bool = False) -> None:
        reading = side.intake.save()
        self._order = (max(self._order[0], self.source.generation), self._order[1] + 1)
        order = self._order
        reading.meta["warm_at"] = [[*partition, offset] for partition, offset in self._warm_at.items()]
        self._unsaved = False
        self.keeper.begin()
        self.judging.give(lambda: self._copy(side, reading, offsets, order, last))

    def _save_now(self, timeout_s: float) -> None:
        """A last snapshot, waited for and committed."""
        side = self._side
        if side is None or not side.intake.is_settled:
            return
        end = clock.monotonic() + timeout_s
        self._wait_for_writer(end)
        offsets = self.source.position()
        if not self.keeper.is_busy and (offsets != self._saved_at or self._unsaved):
            self._saved_at = dict(offsets)
            self._ask_snapshot(side, offsets, last=True)
        self._wait_for_writer(end)
        self._commit()

    def _wait_for_writer(self, end_s: float) -> None:
        while self.keeper.is_busy and clock.monotonic() < end_s:
            clock.sleep(POLL_S / 10)

    def _commit(self) -> None:
        if self._commits.commit():
            self.telemetry.exporter.set("snapshot_last_success_timestamp_seconds", self.keeper.last_success)

    def _look(self) -> None:
        """Looks whether anything moves that should, and ends the warming where it is read up to."""
        self.watch.look(self.source, self.outbox)
        if self._warm_at and all(self.watch.position.get(p, 0) >= offset for p, offset in self._warm_at.items()):
            self._warm_at = {}
            side = self._side
            if side is not None:
                self.judging.give(lambda: setattr(side.pipeline, "warming", False))
        self.status.warming = bool(self._warm_at)
        self.telemetry.exporter.set("warming", self.status.warming)
        self._renew()

    def _renew(self) -> None:
        """Where nothing comes to be judged, what was rejected is counted and active incidents come to rest."""
        side, now = self._side, clock.monotonic()
        if side is not None and now >= self._renew_due_s and not self.judging.is_full:
            self._renew_due_s = now + EVERY_S
            self.judging.give(partial(self._rest, side))

    def _drain(self) -> None:
        """What is read is judged, told and saved; at most `DRAIN_S`."""
        end = clock.monotonic() + DRAIN_S
        try:
            self._save_now(DRAIN_S * 0.6)
            if self._side is not None:
                self.judging.give(partial(self.telling.spool.flush, self._side.pipeline.book))
            self.judging.stop(max(end - clock.monotonic(), 0.1))
        finally:
            self.outbox.flush(max(end - clock.monotonic(), 0.1) / 2)
            self.outbox.close(max(end - clock.monotonic(), 0.1))
            self.keeper.close(max(end - clock.monotonic(), 0.1))
            self._commit()
            self._side = None  # the source tells of what is taken from it when it is closed; all that is saved
            self.source.close()

    def _reload(self) -> None:
        """Takes over what may change while the stream runs; not in the signal's handler, which may have come in the
        middle of a metric or of a line of the log."""
        read, self.reloading = self.reloading, None
        assert read is not None
        try:
            new = read()
            config = taken_over(self.config, new)
            partners, changed = declared(config), rules(config)
        except DetectorError as error:
            self.telemetry.exporter.set("config_last_reload_successful", 0)
            self.tell("reload_failed", reason=str(error))
            return
        fixed = [name for name in FIXED if getattr(new, name) != getattr(self.config, name)]
        self.config = config
        if (side := self._side) is not None:
            side.resolver.declare(partners)
            about = {"version": __version__, "config": self.config.digest}
            self.judging.give(partial(side.pipeline.change, changed, about))
        self.telemetry.exporter.set("config_last_reload_successful", 1)
        self.tell("reloaded", config=self.config.digest, needs_restart=fixed)

    # the judging thread

    def _judge(self, released: Released, side: Side) -> None:
        started = clock.monotonic()
        batch = released.batch
        batch.flags |= released.late * np.uint8(LATE)
        side.pipeline.take(replace(batch, time_us=released.moment_us))
        side.intake.coverage.count_objects(batch)
        crash_here("after_judging")
        self.telling.publish(side.pipeline.book)
        self._last_s = clock.monotonic()
        self.telemetry.exporter.observe("batch_duration_seconds", self._last_s - started)
        self.telemetry.renew(side.pipeline, side.intake.coverage, side.intake.format)

    def _rest(self, side: Side) -> None:
        self.telling.publish(side.pipeline.book)  # what the disk has refused before
        self.telemetry.renew(side.pipeline, side.intake.coverage, side.intake.format)

    def _copy(self, side: Side, reading: Saved, offsets: dict[Partition, int], order: Order, last: bool) -> None:
        if not self.telling.settle(side.pipeline.book, last):
            self._unsaved, self._snapshot_due_s = True, clock.monotonic() + 5 * POLL_S
            self.keeper.skip()
            return
        judging = side.pipeline.save()
        known = learnt.of(side.pipeline, judging)
        judging.meta["raised"] = known.meta["raised"] = self.telemetry.raised.save()
        undelivered = self.outbox.undelivered()
        crash_here("after_copy")
        parts = [("reading", reading), ("judging", judging)]
        self.keeper.write(self.snapshot_name, order, parts, offsets, undelivered, known)
