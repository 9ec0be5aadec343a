"""Reads that the ring takes in parts and writes later: nobody can tell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from detector.evidence.judge import READ, Judged, JudgedBatch
from detector.incidents.recent import Recent
from detector.records.batch import Batch
from detector.state.layout import Sizes, State

ROWS = 40
MINUTE_US = 60_000_000
CUTS = ([0, ROWS], [0, 7, 9, 30, ROWS], list(range(ROWS + 1)))


class Columns(JudgedBatch):
    """A judged batch of which every second row is a read."""

    def __init__(self) -> None:
        self.slot, self.incident = np.zeros(ROWS, np.int64), np.zeros(ROWS, np.int32)
        self.flags = np.where(np.arange(ROWS) % 2, READ, 0).astype(np.uint8)


def rows() -> Batch:
    """Ten seconds from one row to the next, every tenth no request of its own."""
    batch = Batch.empty(ROWS)
    batch.time_us[:] = 7 * 1440 * MINUTE_US + np.arange(ROWS) * 10_000_000
    batch.position[:] = np.arange(ROWS)
    batch.client[:] = 5
    batch.requests[:] = np.arange(ROWS) % 10 > 0
    return batch


def test_reads_written_late_are_the_reads_added() -> None:
    """However a batch is cut and whenever somebody looks, the ring ends up with the same rows in the same order."""
    columns, saved = Columns(), []
    for cuts in CUTS:
        recent, batch = Recent(State(Sizes(clients=8, objects=8, blocks=8)), capacity=16), rows()
        for first, last in pairwise(cuts):
            recent.add(batch, Judged(first, last, columns.slot, columns.flags, columns.incident, None, None))
            if last == 9:
                assert len(recent.of_client(5, 0)) == 4
        recent.write()
        batch.position[:] = -1  # whoever gave the batch may use it again
        saved.append({name: column.tolist() for name, column in recent.save().items()})
    assert saved[0]["written"] == [ROWS // 2]
    assert sorted(saved[0]["position"]) == list(range(9, ROWS, 2))
    assert saved[1] == saved[0]
    assert saved[2] == saved[0]
