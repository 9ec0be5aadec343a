"""N11: a new part of the catalogue, which nobody has read before."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import visitors
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked, during, pick
from detector.simulate.site import Popularity
from detector.simulate.world import TILE_US, World

_SHARE = 0.05  # of the ordinary rate goes to new records for an hour
_EACH = 3  # reads of a visitor: two records, one of them twice
_MINUTES, _FIRST, _EVERY = 60, 90, 12


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    fresh = during(world, begin_us, _FIRST, _MINUTES, _EVERY)
    n = int(rng.poisson(world.options.rate * _SHARE * TILE_US / 1e6 / _EACH)) if fresh else 0
    start = begin_us + np.sort(rng.integers(0, TILE_US, n))
    cast = visitors(world, rng, start)
    size = max(int(world.options.rate * 60), 200)
    seen = Popularity(size, 1.0).draw(rng, 2 * n).reshape(n, 2)
    number = 3 * world.ids + seen[:, [0, 1, 0]].ravel()
    who = np.repeat(np.arange(n), _EACH)
    time_us = start[who] + np.tile(np.arange(_EACH) * 8_000_000, n) + rng.integers(0, 7_000_000, len(who))
    return asked(world, rng, time_us, pick(cast, who), "item", number=number)


N11 = Confuser(
    "N11",
    "a new catalogue: 5 % of the traffic goes to records nobody has read before",
    "many readers per record, each record read again by others within the hour",
    lead_us=60_000_000,
    rows=_rows,
)
