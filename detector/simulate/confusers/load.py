"""N6: a load test out of the owner's own range."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED
from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked, during
from detector.simulate.site import CODE
from detector.simulate.versions import LOAD
from detector.simulate.world import TILE_US, World

_SHARE = 0.2  # of the ordinary rate: 2,000/s at 10,000/s
_RANGE = 0xC6130000  # addresses.LOAD_NETWORK
_FORMS = ("item", "user", "order", "reviews")
_MINUTES, _FIRST, _EVERY = 10, 40, 6


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    testing = during(world, begin_us, _FIRST, _MINUTES, _EVERY)
    n = int(rng.poisson(world.options.rate * _SHARE * TILE_US / 1e6)) if testing else 0
    time_us = begin_us + np.sort(rng.integers(0, TILE_US, n))
    host = rng.integers(1, 17, n, np.uint64)
    cast = Cast(np.uint64(_RANGE) + host, np.zeros(n, np.int64), np.full(n, LOAD))
    form = np.array([CODE[name] for name in _FORMS])[rng.integers(0, len(_FORMS), n)]
    number = rng.integers(1, world.ids + 1, n)
    page = np.where(form == CODE["reviews"], 1, -1)
    return asked(world, rng, time_us, cast, form, number=number, page=page, flags=DECLARED)


N6 = Confuser(
    "N6",
    "a load test: random ids, a fifth of the traffic, ten minutes",
    "declared address range",
    declared=True,
    rows=_rows,
)
