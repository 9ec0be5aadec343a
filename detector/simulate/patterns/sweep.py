"""P3: one queue of ids, worked off through many addresses that take turns."""

from __future__ import annotations

from detector.simulate.cast import strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    return scene.ask(time_us, actor, scene.endpoints(place), scene.first + place)


P3 = Pattern(
    "P3",
    "a shared-queue sweep",
    "Optus",
    (
        Variant("dormant", "an endpoint nobody else uses any more", "contact", 37, 30_000, 0.95),
        Variant("busy", "an endpoint everybody uses", "user", 37, 30_000, 0.95),
    ),
    seconds=2400,
    own=("hour",),
    forms=("e1", "e2", "e3", "e4", "e5", "e6", "e7"),
    tags=("OAT-011", "API1:2023", "API9:2023"),
    cast=lambda scene, rng, n: strangers(scene.world, rng, n, scene.start_us),
    requests=_requests,
)
