"""Partitions shared out over several members: each judges the clients of its own, and their memory goes with them.

A member keeps one snapshot of all it holds, under a name of its own, and leaves one of each partition that is taken
from it. Who is given a partition looks for the snapshot that has read it furthest, takes that partition's clients and
rows out of it, and goes on from there; so nothing is judged by nobody, after a member has left as after it was killed.
What spans clients (objects, blocks of ids, cells, sweeps, campaigns) stays with each process and covers only its
partitions: that is said by a metric and in the log.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

from detector import clock
from detector.engines.intake import Partition, lateness_us
from detector.engines.keeping import LONGEST_WINDOW_US, Restored
from detector.engines.sidecar import DRAIN_S, RESTART_US, Side, Sidecar
from detector.errors import SnapshotError
from detector.handing import extract, insert

MEMBER, PART = "member-", "part-"


class SpreadSidecar(Sidecar):
    """A member that reads a share of the stream."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whose = f"{socket.gethostname()} {self.config.state.folder}"
        self.snapshot_name = MEMBER + blake2b(whose.encode(), digest_size=6).hexdigest()

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
        """Each is left in a snapshot of its own, committed, and let go."""
        side = self._side
        if partitions and side is not None and side.intake.is_settled:
            self._wait_for_writer(clock.monotonic() + DRAIN_S)
            offsets = self.source.position()
            self._order = (max(self._order[0], self.source.generation), self._order[1] + 1)
            for partition in partitions:
                self._leave(side, partition, offsets)
            self._commit()
        self.tell("revoked", partitions=len(partitions))

    def _leave(self, side: Side, partition: Partition, offsets: dict[Partition, int]) -> None:
        origin = self.source.partitions.index(partition)
        reading = side.intake.save({origin})
        reading.meta["warm_at"] = []
        reading.meta["position"] = [[*partition, offsets[partition]]] if partition in offsets else []
        side.intake.drop(origin)
        judging = self.judging.ask(partial(extract, side.pipeline, origin))
        parts = [("reading", reading), ("judging", judging)]
        mine = {partition: offsets[partition]} if partition in offsets else {}
        name, undelivered = part_name(partition), self.outbox.undelivered()
        self.keeper.write(name, self._order, parts, mine, undelivered, None).result(DRAIN_S)
        self._saved_at.pop(partition, None)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Left in snapshots and let go, without a word to the group: this member's next snapshots know them no more."""
        side = self._side
        if partitions and side is not None:
            self._wait_for_writer(clock.monotonic() + DRAIN_S)
            self._order = (max(self._order[0], self.source.generation), self._order[1] + 1)
            for partition in partitions:
                self._leave(side, partition, self.watch.position)
        self.tell("lost", partitions=len(partitions))

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
        self._commits.restored({key: self._saved_at[key] for key in partitions if key in self._saved_at})
        if unknown:
            self._rewind_some(unknown)

    def _best(self, partitions: list[Partition]) -> dict[Partition, Restored]:
        """For each partition the snapshot that has read it furthest."""
        found: dict[Partition, tuple[int, Restored]] = {}
        wanted = {part_name(partition) for partition in partitions}
        for name in self.keeper.store.names():
            if not name.startswith(MEMBER) and name not in wanted:
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
        whole = restored.name.startswith(MEMBER)
        other = self._new_pipeline()[0] if whole else None
        numbers = {(topic, number): n for n, (topic, number) in enumerate(restored.reading.meta["partitions"])}
        try:
            if other is not None:
                self.judging.ask(partial(other.load, *restored.judging))
            for partition in partitions:
                origin = self.source.partitions.index(partition)
                given = extract(other, numbers[partition]) if other is not None else restored.judging
                self.judging.ask(partial(insert, side.pipeline, given, origin))
                offset = side.intake.adopt(restored.reading.meta, restored.reading.arrays, partition)
                self.source.seek(partition, offset)
                self._saved_at[partition] = offset
        except SnapshotError as error:
            self.telemetry.snapshot_trouble("snapshot_unusable", reason=str(error))
            return [partition for partition in partitions if partition not in self._saved_at]
        if restored.undelivered:
            self._deliver_again(restored)
        own = restored.name == self.snapshot_name  # what others have raised, they count
        raised = restored.judging.meta.get("raised", ()) if own else ()
        self.judging.ask(partial(self.telemetry.restart, side.pipeline, raised))
        self.tell("restored", generation=restored.order[0], sequence=restored.order[1], partitions=len(partitions))
        return []

    def _rewind_some(self, partitions: list[Partition]) -> None:
        committed = self.source.committed()
        if not any(partition in committed for partition in partitions):
            return
        offsets = self.source.rewind(LONGEST_WINDOW_US + lateness_us(self.config) + RESTART_US)
        again = 0
        for partition in partitions:
            if partition in offsets:
                self.source.seek(partition, offsets[partition])
                again += max(committed[partition] - offsets[partition], 0)
                if offsets[partition] < committed[partition]:
                    self._warm_at[partition] = committed[partition]
        self._say_rewound(again, False)


def part_name(partition: Partition) -> str:
    """What the snapshot of a partition that was left is called; topics may be called what files may not."""
    return f"{PART}{blake2b(partition[0].encode(), digest_size=6).hexdigest()}-{partition[1]}"
