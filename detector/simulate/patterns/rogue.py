"""P11: a declared partner's key in other hands."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED
from detector.simulate.cast import Cast, strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.confusers.partner import PARTNER
from detector.simulate.patterns.pattern import ALL_BUT_ORDER, Pattern, Variant
from detector.simulate.scene import Scene


def _cast(scene: Scene, rng: np.random.Generator, n: int) -> Cast:
    cast = strangers(scene.world, rng, n, scene.start_us)
    return Cast(cast.address, np.full(n, PARTNER), cast.agent)


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    number = scene.world.spread(scene.first + place)
    return scene.ask(time_us, actor, scene.endpoints(place), number, flags=DECLARED)


P11 = Pattern(
    "P11",
    "a trusted client gone rogue",
    "T-Mobile, Drift, Deezer",
    (
        Variant("routes", "the partner's account from two new networks, another route, by day", "user", 10, 2, 0.99),
        Variant(
            "volume",
            "the same route and hours of the day as its people, ten times its amount",
            "api_item",
            100,
            2,
            0.99,
        ),
    ),
    seconds=7200,
    own=(),
    forms=ALL_BUT_ORDER,
    tags=("OAT-020", "API10:2023", "API8:2023"),
    cast=_cast,
    requests=_requests,
)
