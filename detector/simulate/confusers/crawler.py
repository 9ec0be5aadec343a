"""N1: a search engine from the range it publishes."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED
from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked
from detector.simulate.site import CODE
from detector.simulate.versions import CRAWLER
from detector.simulate.world import TILE_US, World

_SHARE = 0.03  # of the ordinary rate: a polite one
_RANGE = 0xCB007100  # addresses.CRAWLER_NETWORK


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    rate = world.options.rate * _SHARE
    first, last = (int((t - world.epoch_us) / 1e6 * rate) for t in (begin_us, begin_us + TILE_US))
    k = np.arange(first, last)
    time_us = begin_us + np.sort(rng.integers(0, TILE_US, len(k)))
    host = rng.integers(1, 9, len(k), np.uint64)
    cast = Cast(np.uint64(_RANGE) + host, np.zeros(len(k), np.int64), np.full(len(k), CRAWLER))
    form = np.where(k % 5000 == 0, CODE["robots"], CODE["item"])
    return asked(world, rng, time_us, cast, form, number=np.where(k % 5000 == 0, -1, world.spread(k)), flags=DECLARED)


N1 = Confuser(
    "N1",
    "a search engine reads every item once, in no order",
    "declared address range; robots.txt first",
    declared=True,
    always=True,
    rows=_rows,
)
