"""N4: a flash crowd, ten times the traffic within seconds."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import visitors
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked, during, pick
from detector.simulate.site import CODE
from detector.simulate.world import TILE_US, World

_TIMES = 9.0  # on top of the ordinary traffic
_HOT = 5
_STEPS = ("item", "item", "reviews", "item", "buy")  # people load the page again and again
_MINUTES, _FIRST, _EVERY = 5, 30, 6


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    busy = during(world, begin_us, _FIRST, _MINUTES, _EVERY)
    n = int(rng.poisson(_TIMES * world.options.rate * TILE_US / 1e6 / len(_STEPS))) if busy else 0
    start = begin_us + np.sort(rng.integers(0, TILE_US, n))
    cast = visitors(world, rng, start)
    who = np.repeat(np.arange(n), len(_STEPS))
    time_us = start[who] + np.tile(np.arange(len(_STEPS)) * 4_000_000, n) + rng.integers(0, 3_000_000, len(who))
    form = np.tile([CODE[name] for name in _STEPS], n)
    day = begin_us // 86_400_000_000
    number = world.spread(day * 7919 + rng.integers(0, _HOT, n))[who]
    buys = form == CODE["buy"]
    page = np.where(form == CODE["reviews"], 1, -1)
    return asked(world, rng, time_us, pick(cast, who), form, number=np.where(buys, -1, number), page=page)


N4 = Confuser(
    "N4",
    "a flash crowd: ten times the traffic for five minutes, on five items",
    "very many readers of very few records, each read again by the same people",
    lead_us=30_000_000,
    rows=_rows,
)
