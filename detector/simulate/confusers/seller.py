"""N9: sellers who export their own orders."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Rows, joined
from detector.simulate.confusers.confuser import HOUR_US, Confuser, asked, constant, pick
from detector.simulate.site import CODE
from detector.simulate.world import World

SELLERS = 20
_EXPORTS_AN_HOUR = 2
_PAGES, _PER_PAGE = 30, 10
_MEAN_GAP = 50  # other sellers' orders between two of one's own


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    team = new_accounts(world, constant(world, 9), SELLERS, world.start_us)
    parts = []
    for seller, start in zip(
        rng.choice(SELLERS, _EXPORTS_AN_HOUR, replace=False), rng.integers(0, HOUR_US, _EXPORTS_AN_HOUR), strict=True
    ):
        n = _PAGES * (_PER_PAGE + 1)
        gaps = np.random.default_rng([world.options.seed, 9, int(seller)]).geometric(1 / _MEAN_GAP, _PAGES * _PER_PAGE)
        own = 1 + (int(seller) * (world.ids // SELLERS) + np.cumsum(gaps)) % world.ids
        place = np.arange(n) % (_PER_PAGE + 1)
        form = np.where(place == 0, CODE["orders"], CODE["order"])
        number = np.empty(n, np.int64)
        number[place == 0] = 1 + np.arange(_PAGES)
        number[place > 0] = own
        time_us = begin_us + int(start) + np.cumsum(rng.integers(700_000, 2_300_000, n))
        parts.append(asked(world, rng, time_us, pick(team, np.full(n, seller)), form, number=number))
    return joined(parts)


N9 = Confuser(
    "N9",
    "sellers export their own orders: ascending, all cold",
    "ids with gaps, each ten of them first listed by a page of the account's own list; nobody else's records",
    span_us=HOUR_US,
    lead_us=HOUR_US,
    rows=_rows,
)
