"""N3: a carrier's address with two thousand people behind it."""

from __future__ import annotations

import numpy as np

from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser
from detector.simulate.world import LONGEST_US, TILE_US, World

ADDRESS = 0x64400001  # 100.64.0.1, RFC 6598
_VISITS_A_DAY = 7000.0  # 2,000 people, three and a half visits each


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    count = int(rng.poisson(_VISITS_A_DAY * TILE_US / 86.4e9 * float(world.busy(begin_us))))
    rows = world.sessions(begin_us + 1, TILE_US - 1, count, newcomers=False)  # +1: not the crowd's own visits
    rows["address"] = ADDRESS
    return rows


N3 = Confuser(
    "N3",
    "one carrier's address with 2,000 people behind it",
    "many accounts, agents, sign-ins and repeats behind one address; what is read there is popular",
    lead_us=LONGEST_US + 200_000_000,
    rows=_rows,
)
