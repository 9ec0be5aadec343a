"""P2: one account under every limit asks for one id after the other, day after day."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene
from detector.simulate.turns import human

_IN_APP = 0.35  # of those who read orders
_REST_HOURS = (3, 7)  # UTC; works 20 hours of 24, within the catalogue's 16 to 24


def _turns(scene: Scene, begin_us: int, end_us: int) -> tuple[Ints, Ints]:
    time_us, actor = human(scene, begin_us, end_us)
    hour = time_us // 3_600_000_000 % 24
    awake = (hour < _REST_HOURS[0]) | (hour >= _REST_HOURS[1])
    return time_us[awake], actor[awake]


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    step = int(scene.variant.name == "walk-3") * 2 + 1
    return scene.ask(time_us, actor, scene.endpoints(place), (scene.first + step * place - 1) % scene.world.ids + 1)


P2 = Pattern(
    "P2",
    "a slow account under limits",
    "First American, Peloton",
    (
        Variant("walk", "an id after the other", "order", 0.056, 1, 0.98),
        Variant("walk-3", "every third id", "order", 0.056, 1, 0.98),
        Variant("brisk", "one in two seconds, just under a minute's limit", "order", 0.5, 1, 0.98),
    ),
    seconds=float(np.inf),
    own=(),
    forms=("e1", "e2", "e5", "e6", "e7"),  # it has human gaps and hours anyway
    tags=("OAT-011", "API1:2023"),
    cast=lambda scene, rng, n: new_accounts(scene.world, rng, n, scene.start_us, _IN_APP),
    requests=_requests,
    turns=_turns,
)
