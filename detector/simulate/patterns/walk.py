"""P1: one address asks for one id after the other, as fast as the site answers."""

from __future__ import annotations

from detector.simulate.cast import strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    return scene.ask(time_us, actor, scene.endpoints(place), scene.first + place)


P1 = Pattern(
    "P1",
    "a noisy sequential walk",
    "Parler, Clubhouse",
    (
        Variant("fast", "100 a second from one address", "user", 100, 1, 0.97),
        Variant("faster", "500 a second from one address", "user", 500, 1, 0.97),
    ),
    seconds=600,
    own=("hour",),
    forms=("e1", "e2", "e3", "e4", "e5", "e6", "e7"),
    tags=("OAT-011", "API1:2023"),
    cast=lambda scene, rng, n: strangers(scene.world, rng, n, scene.start_us),
    requests=_requests,
)
