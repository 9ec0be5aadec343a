"""N7: a cache warmer that follows the sitemap."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED
from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import HOUR_US, Confuser, asked, during
from detector.simulate.site import CODE
from detector.simulate.versions import WARMER
from detector.simulate.world import TILE_US, World

_SHARE = 0.02  # of the ordinary rate
ADDRESS = 0xC6130101  # in addresses.LOAD_NETWORK
_MINUTES, _FIRST, _EVERY = 20, 60, 6


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    working = during(world, begin_us, _FIRST, _MINUTES, _EVERY)
    rate = world.options.rate * _SHARE if working else 0.0
    since = (begin_us - world.start_us - _FIRST * 60_000_000) % (_EVERY * HOUR_US)
    first, last = (int(t / 1e6 * rate) for t in (since, since + TILE_US))
    n = last - first
    time_us = begin_us + np.sort(rng.integers(0, TILE_US, n))
    cast = Cast(np.full(n, ADDRESS, np.uint64), np.zeros(n, np.int64), np.full(n, WARMER))
    form = np.full(n, CODE["item"])
    number = 1 + np.arange(first, last) % world.ids
    if first == 0 and n:
        form[0], number[0] = CODE["sitemap"], -1
    return asked(world, rng, time_us, cast, form, number=number, flags=DECLARED)


N7 = Confuser(
    "N7",
    "a cache warmer follows the sitemap, ids in order",
    "declared address; the sitemap first",
    declared=True,
    rows=_rows,
)
