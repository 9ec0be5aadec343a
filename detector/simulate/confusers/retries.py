"""N12: a retry storm."""

from __future__ import annotations

import numpy as np

from detector.simulate.columns.rows import Rows, joined
from detector.simulate.confusers.confuser import Confuser, during
from detector.simulate.site import CODE
from detector.simulate.world import World

_STRUCK = 0.3  # of the reads of records
_TIMES = 10
_MINUTES, _FIRST, _EVERY = 5, 50, 6


def _change(world: World, rows: Rows) -> tuple[Rows, Rows]:
    if not len(rows) or not during(world, int(rows["time_us"][0]), _FIRST, _MINUTES, _EVERY):
        return rows, rows[:0]
    # the low digits of the time are as good as chance, and the same whatever else is in the tile
    reads = np.isin(rows["form"], [CODE["item"], CODE["user"], CODE["order"]]) & (rows["actor"] < 0)
    struck = np.flatnonzero(reads & (rows["time_us"] % 1000 < 1000 * _STRUCK) & (rows["flags"] == 0))
    rows = rows.copy()
    again = np.repeat(rows[struck], _TIMES)
    turn = np.tile(np.arange(1, _TIMES + 1), len(struck))
    again["time_us"] += turn * 700_000 + again["time_us"] % 300_000
    again["source"] = 12
    again["status"] = np.where(turn == _TIMES, again["status"], 503)
    again["size"] = np.where(turn == _TIMES, again["size"], 148)
    rows["status"][struck], rows["size"][struck] = 503, 148
    tile = rows["time_us"].min() // 30_000_000
    here = again["time_us"] // 30_000_000 == tile
    return joined([rows, again[here]]), again[~here]


N12 = Confuser(
    "N12",
    "a retry storm: three reads in ten fail and are tried ten times",
    "repeats: the same client, the same record, 503 before the answer",
    change=_change,
)
