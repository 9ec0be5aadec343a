"""Offsets on their way to the group: only behind a durable snapshot, and again where they were not taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from detector import clock
from detector.crash import crash_here
from detector.engines.intake import Partition, Source
from detector.engines.keeping import Keeper

AGAIN_S = 5.0  # after a refusal; a broker that is away holds each try for ten seconds, and stopping waits for it


@dataclass
class Committer:
    """Tells the group of what is durable; used by the reading thread.

    Args:
        source: whose group it is.
        keeper: says which offsets are durable.
        tell: the log.
    """

    source: Source
    keeper: Keeper
    tell: Callable[..., None]
    _waiting: dict[Partition, int] = field(default_factory=dict)
    _due_s: float = 0.0

    def commit(self) -> bool:
        """Commits what has become durable since, or was refused a while ago; returns whether anything had become so."""
        fresh = False
        while (offsets := self.keeper.committable()) is not None:
            self._waiting.update(offsets)
            fresh = True
        if self._waiting and (fresh or clock.monotonic() >= self._due_s):
            self._try()
        return fresh

    def restored(self, offsets: dict[Partition, int]) -> None:
        """These come from a snapshot, so they are durable; whoever made it may have died before it told the group, and
        where no record follows nobody else will."""
        told = self.source.committed()
        self._waiting.update({key: offset for key, offset in offsets.items() if offset > told.get(key, -1)})

    def _try(self) -> None:
        crash_here("before_commit")
        if self.source.commit(dict(self._waiting)):
            self._waiting = {}
            crash_here("after_commit")
            return
        self.tell("commit_refused", partitions=len(self._waiting))
        held = set(self.source.assignment)
        self._waiting = {partition: offset for partition, offset in self._waiting.items() if partition in held}
        self._due_s = clock.monotonic() + AGAIN_S
