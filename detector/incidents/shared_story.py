"""A story told by its members: reads on its route wait until a tick of log time, then those that belong are counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.recent import READS
from detector.incidents.story import Story
from detector.packing import raw
from detector.state.layout import State

NOWHERE: npt.NDArray[np.int64] = np.zeros(0, np.int64)


class SharedStory(Story, ABC):
    """What sweeps and campaigns have in common.

    Attributes:
        absorbed: clients whose own stories it has taken over.
        undecided: reads that wait (dtype READS), in parts.
        owed: where the log is read again: places of reads not later than ``resume_us`` that are not counted yet.
    """

    def __init__(self, number: int, identity: str, signal: Any) -> None:
        super().__init__(number, identity, signal)
        self.undecided: list[npt.NDArray[Any]] = []
        self.absorbed: set[int] = set()
        self.owed = NOWHERE

    @abstractmethod
    def settle(self, state: State, now_us: int) -> None:
        """Counts in what has been waiting and belongs to it, and marks the slots of those who work for it."""

    @abstractmethod
    def owns(self, client: int) -> bool:
        """Whether a client works for it."""

    @abstractmethod
    def name(self) -> None:
        """Decides who is named."""

    def concerns(self, routes: npt.NDArray[np.uint32], incidents: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which rows are to wait, by their routes and the incidents their clients were in."""
        return np.asarray(routes == self.route)

    def wait(self, reads: npt.NDArray[Any]) -> None:
        """Keeps reads of the route (dtype READS) until they are settled."""
        if len(reads):
            self.undecided.append(reads)

    def waiting(self) -> npt.NDArray[Any]:
        """What waits (dtype READS), in log order."""
        parts = [raw(part) for part in self.undecided]
        return np.concatenate(parts).view(READS) if parts else np.zeros(0, READS)

    def absorb(self, state: State, clients: Iterable[int]) -> None:
        """Takes over clients that had a story of their own: writes this one into their slots."""
        self.absorbed.update(clients)
        held = np.isin(state.in_use["key"], np.array(list(clients), np.uint64)) & (state.in_use["incident"] == 0)
        state.in_use["incident"][held] = self.number

    def unmark(self, state: State) -> None:
        """Takes it out of all slots again: it turned out to be none."""
        state.in_use["incident"][state.in_use["incident"] == self.number] = 0

    def move(self, slots: npt.NDArray[np.int64]) -> None:
        """Client slots have got other numbers: by old number, the new one."""
        for reads in self.undecided:
            reads["slot"] = slots[reads["slot"]]

    def outstanding(self) -> npt.NDArray[np.int64]:
        """Places of reads that wait and count when they are decided; see ``owed``."""
        waiting = [reads[self._new(reads)] for reads in self.undecided]
        return np.unique(np.concatenate([self.owed, *(_places(reads) for reads in waiting)]))

    def _new(self, reads: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which reads have not been counted before the log was read again."""
        if not self.resume_us:
            return np.ones(len(reads), np.bool_)
        return (reads["time_us"] > self.resume_us) | np.isin(_places(reads), self.owed)

    def _catch_up(self, decided: npt.NDArray[Any], until_us: int) -> None:
        """These reads are decided, and with them all up to a log time: from ``resume_us`` on nothing is owed."""
        if self.resume_us:
            self.owed = np.setdiff1d(self.owed, _places(decided))
            if until_us > self.resume_us:
                self.resume_us, self.owed = 0, NOWHERE


def _places(reads: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Origin and position as one number: a file of 256 TB is none we meet."""
    places: npt.NDArray[np.int64] = (reads["origin"].astype(np.int64) << 48) | reads["position"]
    return places
