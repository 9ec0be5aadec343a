"""P8: an account mill, hundreds of new accounts a day, each read out within hours."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Ints, Rows, joined
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene

_VIEWS = (100, 500)
_LIFE_US = (7_200_000_000, 21_600_000_000)
_DAY = 86_400


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    n = len(time_us)
    views = scene.rng.integers(*_VIEWS, n)
    life = scene.rng.integers(*_LIFE_US, n)
    opened = scene.ask(time_us, actor, "register", status=200)
    entered = scene.ask(time_us + 1_100_000, actor, "login", status=200)
    account = np.repeat(np.arange(n), views)
    gaps = scene.rng.lognormal(0, 1, len(account))
    elapsed = np.cumsum(gaps)
    first = np.cumsum(views) - views
    since = elapsed - (elapsed[first] - gaps[first])[account] if n else elapsed
    whole = np.add.reduceat(gaps, first) if n else gaps
    at = time_us[account] + 3_000_000 + (since / whole[account] * life[account]).astype(np.int64)
    place = scene.places(len(account))
    number = scene.world.spread(scene.first + place)
    views_of = scene.ask(at, actor[account], scene.endpoints(place), number)
    return joined([opened, entered, views_of])


P8 = Pattern(
    "P8",
    "an account mill",
    "ProAPIs",
    (
        Variant("mill", "1,000 new accounts a day", "user", 1000 / _DAY, 0, 0.98),
        Variant("large", "3,000 new accounts a day", "user", 3000 / _DAY, 0, 0.98),
    ),
    seconds=86_400,
    own=(),
    forms=("e1", "e5", "e6", "e7"),  # hours and gaps are human anyway
    tags=("OAT-019", "OAT-011", "API6:2023"),
    cast=lambda scene, rng, n: new_accounts(scene.world, rng, n, scene.start_us),
    requests=_requests,
)
