"""P9: accounts of honest people, taken over by stuffing, each used for one session to read its relatives."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import Cast, strangers, victims
from detector.simulate.columns.rows import Ints, Rows, joined
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene

_PROFILES = 490
_GAP_US = 9_000_000  # median, as everybody's
_FAILURES = 10  # sign-ins that fail for each that succeeds: the lower end of what is known
_REACH = 2000  # how far away in the graph's own numbering a relative is


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    n = len(time_us)
    entered = scene.ask(time_us, actor, "login", status=200)
    account = np.repeat(np.arange(n), _PROFILES)
    gaps = scene.rng.lognormal(np.log(_GAP_US), 1, len(account)).clip(max=600_000_000).astype(np.int64)
    at = time_us[account] + np.cumsum(gaps.reshape(n, -1), axis=1).ravel()
    near = scene.rng.integers(1, _REACH, len(account))
    number = scene.world.spread(np.abs(scene.cast.who[actor])[account] + near)
    place = scene.places(len(account))
    profiles = scene.ask(at, actor[account], scene.endpoints(place), number)
    return joined([_stuffing(scene, time_us), entered, profiles])


def _stuffing(scene: Scene, time_us: Ints) -> Rows:
    """Sign-ins that fail, from strange addresses, without an account's name in the log."""
    n = int(scene.rng.poisson(_FAILURES * len(time_us)))
    at = scene.rng.choice(time_us, n) + scene.rng.integers(0, 30_000_000, n)
    return scene.ask(at, scene.enrol(strangers(scene.world, scene.rng, n, scene.start_us)), "login", status=401)


def _cast(scene: Scene, rng: np.random.Generator, n: int) -> Cast:
    return victims(scene.world, rng, np.full(n, scene.start_us))


P9 = Pattern(
    "P9",
    "compromised accounts fan out",
    "23andMe",
    (Variant("relatives", "0.53 profiles a second, 490 an account", "user", 0.53 / _PROFILES, 0, 0.99),),
    seconds=86_400,
    own=(),
    forms=("e1", "e5", "e6", "e7"),
    tags=("OAT-008", "API2:2023", "API3:2023"),
    cast=_cast,
    requests=_requests,
)
