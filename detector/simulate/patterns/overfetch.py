"""P12: a few requests that return very much each."""

from __future__ import annotations

from detector.simulate.cast import new_accounts
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    return scene.ask(time_us, actor, scene.variant.form, 1 + place)


P12 = Pattern(
    "P12",
    "over-fetch",
    "USPS",
    (
        Variant("limit", "page after page of 1,000 users", "users_bulk", 0.5, 1, 1.0, ("bytes", "status")),
        Variant("wildcard", "a search for everybody, 5,000 a page", "wildcard", 0.5, 1, 1.0, ("bytes", "status")),
        Variant("deep", "page after page of the ordinary 20, very deep", "users_page", 5, 1, 1.0, ("bytes", "status")),
    ),
    seconds=120,
    own=(),
    forms=("e2", "e4", "e5", "e7"),
    tags=("OAT-011", "API3:2023", "API4:2023"),
    cast=lambda scene, rng, n: new_accounts(scene.world, rng, n, scene.start_us),
    requests=_requests,
)
