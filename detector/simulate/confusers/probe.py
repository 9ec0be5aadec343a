"""N5: an uptime probe."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked
from detector.simulate.site import CODE
from detector.simulate.versions import UPTIME
from detector.simulate.world import TILE_US, World

ADDRESS = 0xC6120007  # addresses.MONITOR
_FORMS = ("health", "status", "home", "item", "item")
_NUMBERS = (-1, -1, -1, 1, 2)


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    rounds = np.arange(begin_us, begin_us + TILE_US, 10_000_000)
    time_us = (rounds[:, None] + np.arange(5) * 150_000 + rng.integers(0, 90_000, (len(rounds), 5))).ravel()
    n = len(time_us)
    cast = Cast(np.full(n, ADDRESS, np.uint64), np.zeros(n, np.int64), np.full(n, UPTIME))
    form = np.tile([CODE[name] for name in _FORMS], len(rounds))
    return asked(world, rng, time_us, cast, form, number=np.tile(_NUMBERS, len(rounds)))


N5 = Confuser(
    "N5",
    "an uptime probe: the same five pages every ten seconds",
    "nothing but repeats of the same records",
    always=True,
    rows=_rows,
)
