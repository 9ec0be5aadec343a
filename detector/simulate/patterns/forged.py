"""P10: forged tokens, every account read once by "itself"."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import Cast, one_agent, strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene
from detector.simulate.site import CODE, scatter

_SOURCES = {"tokens": 500, "few": 50, "many": 2000}  # addresses by variant; 50 to 2,000 in the catalogue
_STEPS = ("user", "orders", "order", "order")
_SHARES = (0.4, 0.3, 0.2, 0.1)  # of accounts asked once, twice ... (judgement; the catalogue says one to four)
_AGENT_SHARE = 0.02


def _cast(scene: Scene, rng: np.random.Generator, n: int) -> Cast:
    fixed = np.random.default_rng([scene.world.options.seed, 10])
    count = _SOURCES[scene.variant.name]
    sources = strangers(scene.world, fixed, count, scene.start_us)
    host = rng.integers(0, count, n)
    number = scene.world.spread(scene.memory.setdefault("begin", int(rng.integers(scene.world.ids))) + _count(scene, n))
    cast = Cast(sources.address[host], number, np.zeros(n, np.int64))
    return one_agent(scene.world, fixed, cast, _AGENT_SHARE, scene.start_us)


def _count(scene: Scene, n: int) -> Ints:
    first = scene.memory.get("accounts", 0)
    scene.memory["accounts"] = first + n
    return np.arange(first, first + n)


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    n = len(time_us)
    scene.places(n)
    asked = 1 + scene.rng.choice(len(_STEPS), n, p=_SHARES)
    who = np.repeat(np.arange(n), asked)
    step = np.arange(len(who)) - np.repeat(np.cumsum(asked) - asked, asked)
    form = np.array([CODE[name] for name in _STEPS])[step]
    account = scene.cast.who[actor][who]
    ids = scene.world.ids
    number = np.where(step == 0, account, np.where(step == 1, 1, scatter((account * 5 + step) % ids, ids)))
    at = time_us[who] + step * 1_400_000 + scene.rng.integers(0, 900_000, len(who))
    return scene.ask(at, actor[who], form, number)


P10 = Pattern(
    "P10",
    "forged tokens",
    "Coupang",
    (
        Variant(
            "tokens", "2.65 accounts a second from 500 addresses, one client program, no sign-in", "user", 2.65, 0, 0.99
        ),
        Variant("few", "the same from 50 addresses", "user", 2.65, 0, 0.99),
        Variant("many", "the same from 2,000 addresses", "user", 2.65, 0, 0.99),
    ),
    seconds=21_600,
    own=("agent", "network", "hour"),
    forms=("e3", "e5", "e7"),
    tags=("API2:2023",),
    cast=_cast,
    requests=_requests,
)
