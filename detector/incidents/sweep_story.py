"""A sweep as it grows: reads on its route wait until a tick of log time, then those on the line are counted in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.story import Member, Story, printable
from detector.incidents.sweepers import on_the_line, workers
from detector.state.layout import State

PATIENCE_US = 300_000_000
"""How long a read may wait for its block's line to show: what 1,024 ids take at 3.4 requests a second."""

MOST_WAITING = 1 << 18  # reads kept waiting at once (45 MB)


class SweepStory(Story):
    """A story told by its members.

    Every fresh read on the route is put down to its client; only what lies on the swept line counts as taken. Who is
    named is decided anew whenever the story is told, because a client's other reads may come later.
    """

    def __init__(self, number: int, identity: str, signal: Any) -> None:
        super().__init__(number, identity, signal)
        self._undecided: list[npt.NDArray[Any]] = []
        self._hits: dict[int, int] = {}
        self._reads: dict[int, int] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._proven: set[int] = set()

    def wait(self, reads: npt.NDArray[Any]) -> None:
        """Keeps reads of the route (dtype READS) until they are settled."""
        if len(reads):
            self._undecided.append(reads)

    def settle(self, state: State, now_us: int) -> None:
        """Counts in what has been waiting, by the blocks as they stand now, and marks the workers' slots, so that they
        teach nobody and raise nothing of their own. What lies on no line yet waits a while longer: the line of a block
        that has just begun cannot be seen."""
        if not self._undecided:
            return
        waiting = np.concatenate(self._undecided)
        waiting = waiting[~waiting["own"] & (waiting["number"] >= 0)]
        line = on_the_line(state, self.route, waiting) | self._regular(waiting["client"])
        ripe = line | (waiting["time_us"] <= now_us - PATIENCE_US)
        if len(waiting) > MOST_WAITING:
            ripe[:-MOST_WAITING] = True
        self._undecided = [waiting[~ripe]]
        _count(self._reads, waiting["client"][ripe])
        taken = waiting[line]
        _count(self._hits, taken["client"])
        clients, first = np.unique(taken["client"], return_index=True)
        for client, at in zip(clients.tolist(), first.tolist(), strict=True):
            if client not in self._names:
                self._names[client] = (printable(taken["name"][at]), int(taken["kind"][at]))
        self._prove(clients.tolist())
        self.add(taken)
        self._mark(state, taken[first])

    def _regular(self, clients: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Reads by clients that have proved themselves workers."""
        return np.isin(clients, np.fromiter(self._proven, np.uint64, len(self._proven)))

    def _prove(self, clients: list[int]) -> None:
        """Workers have eight reads on the line or more, and those are nine in ten of theirs."""
        for client in clients:
            hits = self._hits[client]
            if hits >= 8 and 10 * hits >= 9 * self._reads.get(client, hits):
                self._proven.add(client)
            else:
                self._proven.discard(client)

    def _mark(self, state: State, taken: npt.NDArray[Any]) -> None:
        for client, slot in zip(taken["client"].tolist(), taken["slot"].tolist(), strict=True):
            row = state.clients[slot]
            if row["key"] == client and not row["incident"] and 2 * self._hits[client] >= self._reads[client]:
                row["incident"] = self.number

    def mark(self, state: State, clients: Iterable[int]) -> None:
        """Writes this story into the slots of clients whose own story it has taken over."""
        held = np.isin(state.in_use["key"], np.array(list(clients), np.uint64)) & (state.in_use["incident"] == 0)
        state.in_use["incident"][held] = self.number

    def unmark(self, state: State) -> None:
        """Takes it out of all slots again: it turned out to be none."""
        state.in_use["incident"][state.in_use["incident"] == self.number] = 0

    def name(self) -> None:
        """Decides who is named, largest first."""
        clients = list(self._hits)
        hits = np.array([self._hits[c] for c in clients], np.int64)
        reads = np.array([self._reads.get(c, 0) for c in clients], np.int64)
        named = workers(hits, reads)
        self.members = {
            client: Member(*self._names[client], reads=int(n))
            for client, n, yes in zip(clients, hits, named, strict=True)
            if yes
        }


def _count(counts: dict[int, int], clients: npt.NDArray[np.uint64]) -> None:
    values, numbers = np.unique(clients, return_counts=True)
    for client, n in zip(values.tolist(), numbers.tolist(), strict=True):
        counts[client] = counts.get(client, 0) + n
