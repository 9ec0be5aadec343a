"""N15: a partition that is delivered twice."""

from __future__ import annotations

import numpy as np

from detector.simulate.columns.rows import Rows, joined
from detector.simulate.confusers.confuser import Confuser, during
from detector.simulate.world import World

_ONE_IN = 12  # partitions
_MINUTES, _FIRST, _EVERY = 15, 120, 6


def _change(world: World, rows: Rows) -> tuple[Rows, Rows]:
    if not len(rows) or not during(world, int(rows["time_us"][0]), _FIRST, _MINUTES, _EVERY):
        return rows, rows[:0]
    mixed = (rows["address"] + rows["who"].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
    twice = rows[mixed % np.uint64(_ONE_IN) == 0].copy()
    twice["source"] = 15
    return joined([rows, twice]), rows[:0]


N15 = Confuser(
    "N15",
    "one partition of twelve is delivered twice",
    "twins: the same moment, client, record and size",
    change=_change,
)
