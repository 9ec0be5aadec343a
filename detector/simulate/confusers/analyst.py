"""N13: recruiters and analysts, people who read profiles for a living."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Rows, joined
from detector.simulate.confusers.confuser import HOUR_US, Confuser, asked, constant, hours, pick
from detector.simulate.site import CODE
from detector.simulate.world import World

ANALYSTS = 10
_PROFILES_AN_HOUR = 110  # a thousand in a working day
_PER_SEARCH = 6
_OPEN = (7, 17)  # UTC
_STRAY = 0.3  # of the profiles nobody else reads
_AGAIN = 0.2


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    team = new_accounts(world, constant(world, 13), ANALYSTS, world.start_us)
    working = _OPEN[0] <= hours(begin_us) < _OPEN[1]
    parts = []
    for person in range(ANALYSTS if working else 0):
        n = int(rng.poisson(_PROFILES_AN_HOUR * (1 + 1 / _PER_SEARCH)))
        number = world.popular(rng, n, _STRAY)
        again = np.flatnonzero(rng.random(n) < _AGAIN)
        number[again] = number[np.maximum(again - 2, 0)]
        search = np.arange(n) % (_PER_SEARCH + 1) == 0
        form = np.where(search, CODE["people_search"], CODE["user"])
        time_us = begin_us + np.sort(rng.integers(0, HOUR_US, n))
        number = np.where(search, 1 + np.arange(n) // (_PER_SEARCH + 1) % 20, number)
        parts.append(asked(world, rng, time_us, pick(team, np.full(n, person)), form, number=number))
    return joined(parts) if parts else asked(world, rng, np.empty(0, np.int64), pick(team, np.empty(0, int)), "user")


N13 = Confuser(
    "N13",
    "recruiters: ten accounts, a thousand profiles a day each",
    "a search page before every six profiles, a fifth read again, seven in ten read by others too, office hours",
    span_us=HOUR_US,
    rows=_rows,
)
