"""P5: a few fresh partner accounts guess structured keys."""

from __future__ import annotations

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    scene.places(len(time_us))
    ids = scene.world.ids
    hit = scene.hits(len(time_us))
    number = scene.rng.integers(1, ids + 1, len(time_us)) + ids * ~hit  # what lies above the catalogue is no tag
    return scene.ask(time_us, actor, scene.variant.form, number, status=hit * -204 + 404)


P5 = Pattern(
    "P5",
    "key-space guessing by fresh partner accounts",
    "Dell",
    (
        Variant("third", "32 % of the guesses are right", "warranty", 83, 5, 0.32, ("status", "bytes")),
        Variant("most", "98 % are right: the keys' structure is known", "warranty", 83, 5, 0.98),
    ),
    seconds=1800,
    own=("hour",),
    forms=("e1", "e3", "e4", "e5", "e7"),
    tags=("OAT-002", "OAT-011", "API1:2023", "API6:2023"),
    cast=lambda scene, rng, n: new_accounts(scene.world, rng, n, scene.start_us),
    requests=_requests,
)
