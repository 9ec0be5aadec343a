"""A sweep as it grows: reads on its route wait until a tick of log time, then those on the line are counted in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.ordinary import Ordinary
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Member, printable
from detector.incidents.sweep_rule import SweepRule, Usual, sweep_rule
from detector.incidents.sweepers import on_the_line, workers
from detector.packing import picked
from detector.state.layout import State

FEWEST_WORKERS = 2  # a queue worked through by one client is a walk
LOOK_BACK_US = 600_000_000  # a queue's first, half-read block is a neighbour of the one that gives it away
PATIENCE_US = 300_000_000
"""How long a read may wait for its block's line to show: what 1,024 ids take at 3.4 requests a second."""

MOST_WAITING = 1 << 18  # reads kept waiting at once (45 MB)
MOST_READERS = 1 << 18
"""Readers of the route told apart; beyond, those with no read on the line are forgotten. A sweep may be open for
months, and everybody else reads the route too."""


class SweepStory(SharedStory):
    """A story told by its members.

    Every fresh read on the route is put down to its client; only what lies on the swept line counts as taken. Who is
    named is decided anew whenever the story is told, because a client's other reads may come later.

    Attributes:
        hits, fresh: reads on the line, and all fresh reads on the route, by client.
        names: printable name and kind of those with hits.
        proven: clients whose every read counts.
        usual: what ordinary requests ask for on the route.
    """

    def __init__(self, number: int, identity: str, signal: Any) -> None:
        super().__init__(number, identity, signal)
        self.hits: dict[int, int] = {}
        self.fresh: dict[int, int] = {}
        self.names: dict[int, tuple[str, int]] = {}
        self.proven: set[int] = set()
        self.usual = Usual()

    def settle(self, state: State, now_us: int) -> None:
        """Counts in what has been waiting, by the blocks as they stand now, and marks the workers' slots, so that they
        teach nobody and raise nothing of their own. What lies on no line yet waits a while longer: the line of a block
        that has just begun cannot be seen."""
        if not self.undecided:
            return
        waiting = self.waiting()
        if not len(waiting) and not self.resume_us:
            return
        waiting = picked(waiting, ~waiting["own"] & (waiting["number"] >= 0))
        line = on_the_line(state, self.route, waiting) | self._regular(waiting["client"])
        ripe = line | (waiting["time_us"] <= now_us - PATIENCE_US)
        if len(waiting) > MOST_WAITING:
            ripe[:-MOST_WAITING] = True
        self.undecided = [picked(waiting, ~ripe)]
        new = self._new(waiting)
        _count(self.fresh, waiting["client"][ripe & new])
        taken = picked(waiting, line & new)
        _count(self.hits, taken["client"])
        clients, first = np.unique(taken["client"], return_index=True)
        for client, at in zip(clients.tolist(), first.tolist(), strict=True):
            if client not in self.names:
                self.names[client] = (printable(taken["name"][at]), int(taken["kind"][at]))
        self._prove(clients.tolist())
        self._take(taken)
        self._mark(state, picked(waiting, line))
        self._catch_up(picked(waiting, ripe), now_us - PATIENCE_US)
        if len(self.fresh) > MOST_READERS:
            self.fresh = {client: n for client, n in self.fresh.items() if client in self.hits}

    def _regular(self, clients: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Reads by clients that have proved themselves workers."""
        return np.isin(clients, np.fromiter(self.proven, np.uint64, len(self.proven)))

    def _prove(self, clients: list[int]) -> None:
        """Workers have eight reads on the line or more, and those are nine in ten of theirs."""
        for client in clients:
            hits = self.hits[client]
            if hits >= 8 and 10 * hits >= 9 * self.fresh.get(client, hits):
                self.proven.add(client)
            else:
                self.proven.discard(client)

    def _mark(self, state: State, reads: npt.NDArray[Any]) -> None:
        clients, first = np.unique(reads["client"], return_index=True)
        for client, slot in zip(clients.tolist(), reads["slot"][first].tolist(), strict=True):
            row = state.clients[slot]
            if row["key"] == client and not row["incident"] and self.owns(client):
                row["incident"] = self.number

    def owns(self, client: int) -> bool:
        """Whether a client works for it: at least half of what it reads lies on the line, or its story was merged."""
        hits = self.hits.get(client, 0)
        return (hits > 0 and 2 * hits >= self.fresh.get(client, 0)) or client in self.absorbed

    def rule(self) -> SweepRule | None:
        """What selects it beside its names, as of the last read counted; None where nothing does."""
        trail = self.settled().trail
        return sweep_rule(trail.points, trail.numbered, self.usual)

    def precision(self, rule: SweepRule, ordinary: Ordinary) -> float:
        """Share of what the rule has selected so far that is the sweep's, by the ordinary requests meanwhile."""
        own = rule.recall * self.reads
        usual = rule.benign_share * ordinary.requests(self.first_us, self.last_us)
        return own / (own + usual) if own else 0.0

    def name(self) -> None:
        """Decides who is named, largest first."""
        clients = list(self.hits)
        hits = np.array([self.hits[c] for c in clients], np.int64)
        reads = np.array([self.fresh.get(c, 0) for c in clients], np.int64)
        named = workers(hits, reads)
        self.members = {
            client: Member(*self.names[client], reads=int(n))
            for client, n, yes in zip(clients, hits, named, strict=True)
            if yes
        }


def _count(counts: dict[int, int], clients: npt.NDArray[np.uint64]) -> None:
    values, numbers = np.unique(clients, return_counts=True)
    for client, n in zip(values.tolist(), numbers.tolist(), strict=True):
        counts[client] = counts.get(client, 0) + n
