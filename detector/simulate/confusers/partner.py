"""N2: a declared partner's nightly batch."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED
from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked, hours
from detector.simulate.versions import SYNC
from detector.simulate.world import TILE_US, World

PARTNER = -1  # rows.NAMED_ACCOUNTS[0]
FIRST_HOUR, LAST_HOUR = 2, 4  # UTC
_PER_SECOND = 0.0278  # of the ordinary rate: 2 M records in two hours at 10,000/s
_RANGE = 0xC6336400  # addresses.PARTNER_NETWORK


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    opens = begin_us // 86_400_000_000 * 86_400_000_000 + FIRST_HOUR * 3_600_000_000
    rate = world.options.rate * _PER_SECOND if FIRST_HOUR <= hours(begin_us) < LAST_HOUR else 0.0
    first, last = (int((t - opens) / 1e6 * rate) for t in (begin_us, begin_us + TILE_US))
    number = np.arange(first, last) % world.ids + 1
    time_us = begin_us + np.sort(rng.integers(0, TILE_US, len(number)))
    host = 21 + (begin_us // 86_400_000_000) % 2
    n = len(number)
    cast = Cast(np.full(n, _RANGE + host, np.uint64), np.full(n, PARTNER), np.full(n, SYNC))
    return asked(world, rng, time_us, cast, "api_item", number=number, flags=DECLARED)


N2 = Confuser(
    "N2",
    "a declared partner's nightly batch: ids in order, 2 M in two hours",
    "declared account and address range; always these hours, this route",
    declared=True,
    always=True,
    rows=_rows,
)
