"""What really happened in a run by columns: the attacker's requests exactly, everybody's as a sample and as counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evaluate.nth import Counter
from detector.records.batch import Batch
from detector.simulate.columns.rows import Rows
from detector.simulate.ledger import Ledger
from detector.simulate.play import Labelled

SEEN = np.dtype(
    [
        ("time_us", "i8"),
        ("number", "i8"),  # the id asked for; -1 = none
        ("client", "u8"),
        ("source", "u8"),
        ("agent", "u8"),
        ("network", "u4"),
        ("route", "u4"),
        ("actor", "i4"),  # -1 = not the attacker
        ("weight", "u4"),  # requests it stands for
        ("nth", "u4"),  # which of its client's on its route it is, from 1, since the run began
    ]
)
"""A request as a selector may look at it."""

COUNTED = np.dtype([("client", "u8"), ("requests", "i8"), ("made_by", "u1"), ("attack", "?")])
"""A client's requests: by the attacker's hand or not, and what made the first of them (`simulate.columns.rows`)."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MERGE = 64  # batches between two mergers of the counts

Mask = npt.NDArray[np.bool_]


@dataclass
class Observed:
    """Fed with every batch after it was judged, for routes are assigned there.

    Attributes:
        each: one in so many ordinary requests is kept beside the counts; 0 = none.
        last_us: log time of the last request.
    """

    each: int = 1
    _ledgers: list[Ledger] = field(default_factory=list)
    _seen: list[npt.NDArray[Any]] = field(default_factory=list)
    _counts: list[npt.NDArray[Any]] = field(default_factory=list)
    _asked: Counter = field(default_factory=Counter)
    last_us: int = 0

    def add(self, part: Labelled, whole: Rows | None = None) -> None:
        """Takes one batch.

        Args:
            part: as it was judged.
            whole: its rows before what the log does not list was left out: what was really returned.
        """
        batch, rows = part.batch, part.rows
        if part.attack.any():
            self._ledgers.append(Ledger.of(rows if whole is None else whole))
        asked = batch.requests > 0
        keep = (
            asked & (part.attack | (batch.position % self.each == 0)) if self.each else np.zeros(len(batch), np.bool_)
        )
        seen = np.zeros(int(keep.sum()), SEEN)
        for name in ("time_us", "number", "client", "source", "agent", "network", "route"):
            seen[name] = getattr(batch, name)[keep]
        seen["actor"] = rows["actor"][keep]
        seen["weight"] = np.where(seen["actor"] >= 0, 1, self.each)
        if self.each:
            seen["nth"][asked[keep]] = self._nth(batch, asked)[keep[asked]]
        self._seen.append(seen)
        self._counts.append(_counted(batch.client[asked], rows[asked]))
        if len(self._counts) > _MERGE:
            self._counts = [merged(self._counts)]
        self.last_us = int(batch.time_us[-1])

    def _nth(self, batch: Batch, asked: Mask) -> npt.NDArray[np.int64]:
        """The number of each request among those of its client on its route."""
        return self._asked.nth(batch.client[asked] ^ (batch.route[asked].astype(np.uint64) * _ODD))

    @property
    def attacked(self) -> bool:
        """Whether the attacker has been seen at all."""
        return bool(self._ledgers)

    def ledger(self) -> Ledger:
        """The attacker's requests so far."""
        return Ledger.joined(self._ledgers)

    def seen(self) -> npt.NDArray[Any]:
        """All requests of the attacker and a sample of the others', in log order (dtype SEEN)."""
        self._seen = [np.concatenate(self._seen)] if self._seen else [np.zeros(0, SEEN)]
        return self._seen[0]

    def clients(self) -> npt.NDArray[Any]:
        """Everybody's requests, ordered by client (dtype COUNTED)."""
        self._counts = [merged(self._counts)]
        return self._counts[0]


def _counted(client: npt.NDArray[np.uint64], rows: Rows) -> npt.NDArray[Any]:
    found, first, count = np.unique(client, return_index=True, return_counts=True)
    made = np.zeros(len(found), COUNTED)
    made["client"], made["requests"] = found, count
    made["made_by"], made["attack"] = rows["source"][first], rows["actor"][first] >= 0
    theirs = np.unique(client[rows["actor"] >= 0])
    made["attack"][np.searchsorted(found, theirs)] = True
    return made


def merged(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Counts of several stretches as one, ordered by client; ``made_by`` is the earliest's."""
    whole = np.concatenate(parts) if parts else np.zeros(0, COUNTED)
    found, first, place = np.unique(whole["client"], return_index=True, return_inverse=True)
    made = whole[first]
    made["requests"] = np.bincount(place, whole["requests"], len(found)).astype(np.int64)
    made["attack"] = np.bincount(place, whole["attack"], len(found)) > 0
    return made
