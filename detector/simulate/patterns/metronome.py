"""P13: a few addresses poll a public feed to the second."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene
from detector.simulate.turns import human

_EVERY_US = 30_000_000


def _turns(scene: Scene, begin_us: int, end_us: int) -> tuple[Ints, Ints]:
    if scene.form == "e4":
        return human(scene, begin_us, end_us)
    offset = scene.memory.setdefault("offset", np.sort(scene.rng.integers(0, _EVERY_US, scene.identities)))
    since = np.arange((begin_us - scene.start_us) // _EVERY_US, (end_us - scene.start_us) // _EVERY_US + 1) * _EVERY_US
    time_us = (scene.start_us + since[:, None] + offset).ravel()
    actor = np.tile(np.arange(scene.identities), len(since))
    inside = (time_us >= begin_us) & (time_us < end_us)
    return time_us[inside], actor[inside]


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    scene.places(len(time_us))
    rows = scene.ask(time_us, actor, scene.variant.form, status=200)
    rows["page"] = (time_us - scene.start_us) // _EVERY_US  # which twenty records it got; the line does not say
    return rows


P13 = Pattern(
    "P13",
    "a metronome on a feed",
    "Venmo",
    (Variant("feed", "ten addresses, each exactly every 30 s, 20 records", "newest", 10 / 30, 10, 1.0, ("status",)),),
    seconds=7200,
    own=("hour",),
    forms=("e4", "e7"),
    tags=("OAT-011",),
    cast=lambda scene, rng, n: strangers(scene.world, rng, n, scene.start_us),
    requests=_requests,
    turns=_turns,
)
