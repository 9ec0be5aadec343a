"""P6: a list of e-mail addresses is looked up, each once, through proxies."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene

_EMPTY_BYTES = 2  # "{}"


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    n = len(time_us)
    ids = scene.world.ids
    place = scene.places(n)
    hit = scene.hits(n)
    number = scene.world.spread(scene.first + place) + ids * ~hit
    if scene.variant.name == "not found":
        return scene.ask(time_us, actor, scene.variant.form, number, status=np.where(hit, 200, 404))
    rows = scene.ask(time_us, actor, scene.variant.form, number, status=200)
    rows["size"][~hit], rows["rows"][~hit] = _EMPTY_BYTES, 0
    return rows


P6 = Pattern(
    "P6",
    "a list of e-mail addresses looked up",
    "Trello, Twitter, Duolingo",
    (
        Variant("not found", "what is unknown is answered 404", "lookup", 400, 2000, 0.03, ("status", "bytes")),
        Variant("empty", "what is unknown is answered 200, empty body", "lookup", 400, 2000, 0.03, ("status", "bytes")),
    ),
    seconds=1200,
    own=("hour",),
    forms=("e1", "e3", "e4", "e5", "e7"),
    tags=("OAT-011", "OAT-018", "API6:2023"),
    cast=lambda scene, rng, n: strangers(scene.world, rng, n, scene.start_us),
    requests=_requests,
)  # fmt: skip
