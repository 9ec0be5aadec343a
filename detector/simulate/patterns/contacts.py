"""P7: phone numbers one after the other, looked up in batches."""

from __future__ import annotations

import numpy as np

from detector.simulate.batched import look_ups
from detector.simulate.cast import Cast, new_accounts
from detector.simulate.columns.rows import ATTACK, Ints, Rows
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.scene import Scene

BATCH = {"fast": 5000, "slow": 500}  # numbers a request; the catalogue's batches are 1,000 to 10,000


def _cast(scene: Scene, rng: np.random.Generator, n: int) -> Cast:
    cast = new_accounts(scene.world, rng, n, scene.start_us)
    if scene.variant.name == "fast":
        return Cast(np.repeat(cast.address[:1], n), cast.who, np.repeat(cast.agent[:1], n))  # one server
    return cast


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    sizes = np.full(len(time_us), BATCH[scene.variant.name])
    place = scene.places(int(sizes.sum()))
    hit = scene.hits(len(place))
    who = Cast(scene.cast.address[actor], scene.cast.who[actor], scene.cast.agent[actor])
    rows = look_ups(time_us, who, sizes, scene.first + place, hit, actor)
    rows["source"] = ATTACK
    return rows


P7 = Pattern(
    "P7",
    "phone numbers enumerated in batches",
    "WhatsApp, Facebook",
    (
        Variant(
            "fast",
            "28,000 numbers a second: five accounts, one server, batches of 5,000",
            "discover",
            5.6,
            5,
            0.056,
            ("network", "agent", "status", "bytes"),
        ),
        Variant(
            "slow",
            "17 numbers a second: 25 accounts of 60,000 a day, batches of 500",
            "discover",
            0.034,
            25,
            0.1,
            ("status", "bytes"),
        ),
    ),
    seconds=180,
    own=("hour",),
    forms=("e2", "e3", "e4", "e5", "e7"),
    tags=("OAT-011", "API6:2023", "API3:2023"),
    cast=_cast,
    requests=_requests,
)
