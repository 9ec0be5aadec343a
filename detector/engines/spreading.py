"""Partitions shared out over several members: each judges the clients of its own, and their memory goes with them.

A member keeps one snapshot of all it holds, under a name of its own. Who is given a partition looks for the snapshot
that has read it furthest, takes that partition's clients and rows out of it, and goes on from there; so nothing is
judged by nobody, after a member has left as after it was killed. What spans clients (objects, blocks of ids, sweeps)
stays with each process and covers only its partitions: that is said by a metric and in the log.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

from detector import clock
from detector.engines.intake import Partition
from detector.engines.keeping import LONGEST_WINDOW_US, Restored
from detector.engines.sidecar import DRAIN_S, RESTART_US, Sidecar
from detector.errors import SnapshotError
from detector.packing import Saved
from detector.pipeline import Pipeline

PREFIX = "member-"


class SpreadSidecar(Sidecar):
    """A member that reads a share of the stream."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whose = f"{socket.gethostname()} {self.config.state.folder}"
        self.snapshot_name = PREFIX + blake2b(whose.encode(), digest_size=6).hexdigest()

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These are read from now on: each from where the snapshot that knows it best has got to."""
        self.status.joined = True
        if partitions:
            self._adopt(list(partitions))
        share = len(self.source.assignment)
        partial = share < len(self.source.partitions)
        self.telemetry.exporter.set("sharing_partial", partial)
        if partial and partitions:
            self.tell("sharing_partial", held=share, of=len(self.source.partitions))
        self.tell("assigned", partitions=len(partitions), held=share)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Saved, committed, and let go."""
        if partitions and self._side is not None:
            self._save_now(DRAIN_S)
            self._let_go(partitions)
        self.tell("revoked", partitions=len(partitions))

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Let go without a word to the group: another member has them from an older snapshot."""
        self._let_go(partitions)
        self.tell("lost", partitions=len(partitions))

    def _let_go(self, partitions: Sequence[Partition]) -> None:
        side = self._side
        if side is None:
            return
        for partition in partitions:
            origin = self.source.partitions.index(partition)
            side.intake.drop(origin)
            self.judging.ask(partial(side.pipeline.extract, origin))
            self._saved_at.pop(partition, None)

    def _adopt(self, partitions: list[Partition]) -> None:
        if self._side is None:
            self._side = self._new_side()
        self._snapshot_due_s = clock.monotonic() + self.config.state.snapshot_seconds
        self.watch.begin()
        best = self._best(partitions)
        unknown = [partition for partition in partitions if partition not in best]
        for restored in {id(found): found for found in best.values()}.values():
            mine = [partition for partition, found in best.items() if found is restored]
            unknown += self._take_over(restored, mine)
        if unknown:
            self._rewind_some(unknown)

    def _best(self, partitions: list[Partition]) -> dict[Partition, Restored]:
        """For each partition the snapshot that has read it furthest."""
        found: dict[Partition, tuple[int, Restored]] = {}
        for name in self.keeper.store.names():
            if not name.startswith(PREFIX):
                continue
            restored = next(self.keeper.usable(name), None)
            if restored is None:
                continue
            self._order = max(self._order, restored.order)
            for topic, number, offset in restored.reading.meta["position"]:
                if (topic, number) in partitions and offset > found.get((topic, number), (-1, restored))[0]:
                    found[topic, number] = offset, restored
        return {partition: restored for partition, (_, restored) in found.items()}

    def _take_over(self, restored: Restored, partitions: list[Partition]) -> list[Partition]:
        """Takes partitions out of a snapshot; returns those it turned out not to know."""
        side = self._side
        assert side is not None
        other = self._new_side().pipeline
        numbers = {(topic, number): n for n, (topic, number) in enumerate(restored.reading.meta["partitions"])}
        try:
            self.judging.ask(partial(other.load, *restored.judging))
            for partition in partitions:
                origin = self.source.partitions.index(partition)
                self.judging.ask(partial(_move, other, numbers[partition], side.pipeline, origin))
                offset = side.intake.adopt(restored.reading.meta, restored.reading.arrays, partition)
                self.source.seek(partition, offset)
                self._saved_at[partition] = offset
        except SnapshotError as error:
            self.tell("snapshot_unusable", reason=str(error))
            return [partition for partition in partitions if partition not in self._saved_at]
        if restored.undelivered:
            self._deliver_again(restored)
        pipeline = side.pipeline
        self.judging.ask(lambda: self.telemetry.restart(pipeline, self._held_open(pipeline)))
        self.tell("restored", generation=restored.order[0], sequence=restored.order[1], partitions=len(partitions))
        return []

    def _rewind_some(self, partitions: list[Partition]) -> None:
        committed = self.source.committed()
        if not any(partition in committed for partition in partitions):
            return
        offsets = self.source.rewind(LONGEST_WINDOW_US + self._lateness_us() + RESTART_US)
        again = 0
        for partition in partitions:
            if partition in offsets:
                self.source.seek(partition, offsets[partition])
                again += max(committed[partition] - offsets[partition], 0)
                if offsets[partition] < committed[partition]:
                    self._warm_at[partition] = committed[partition]
        self.telemetry.exporter.inc("records_reread_total", again, why="rewind")
        self.tell("rewound", records=again, learnt=False)


def _move(giver: Pipeline, number: int, taker: Pipeline, origin: int) -> None:
    saved: Saved = giver.extract(number)
    taker.insert(saved, origin)
