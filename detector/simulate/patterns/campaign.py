"""P4: a list of items and their pages of reviews, each page once, by as many identities as it takes."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import Cast, few_networks, new_accounts, one_agent, strangers
from detector.simulate.columns.rows import Ints, Rows
from detector.simulate.patterns.pattern import ALL_BUT_ORDER, Pattern, Variant
from detector.simulate.scene import Scene
from detector.simulate.site import CODE

_NETWORKS, _NETWORK_SHARE, _AGENT_SHARE = 20, 0.02, 0.01  # of ordinary requests: the figures

# Items have one, two and three pages by turns: the place in a cycle of six requests, as (item, page).
_ITEM = np.array([0, 1, 1, 2, 2, 2])
_PAGE = np.array([1, 1, 2, 1, 2, 3])


def _cast(scene: Scene, rng: np.random.Generator, n: int) -> Cast:
    if scene.variant.name == "nothing":
        return strangers(scene.world, rng, n, scene.start_us)
    fixed = np.random.default_rng([scene.world.options.seed, 4])  # the same agent and networks for all who join
    cast = one_agent(
        scene.world, fixed, new_accounts(scene.world, rng, n, scene.start_us), _AGENT_SHARE, scene.start_us
    )
    return few_networks(scene.world, fixed, cast, _NETWORKS, _NETWORK_SHARE, scene.start_us)


def _requests(scene: Scene, time_us: Ints, actor: Ints) -> Rows:
    place = scene.places(len(time_us))
    form = scene.endpoints(place)
    paged = form == CODE["reviews"]
    item = np.where(paged, place // 6 * 3 + _ITEM[place % 6], place)
    number = scene.world.spread(scene.first + item)
    return scene.ask(time_us, actor, form, number, page=np.where(paged, _PAGE[place % 6], -1))


P4 = Pattern(
    "P4",
    "a distributed list-driven crawl",
    "Taobao",
    (
        Variant("nothing", "identities that share nothing", "reviews", 58, 10_000, 0.95),
        Variant(
            "shared",
            "accounts that share one agent version (1 % of ordinary requests) and 20 networks (2 %)",
            "reviews", 58, 10_000, 0.95, ("agent", "network"),
        ),
    ),
    seconds=7200,
    own=("hour",),  # day and night alike, as the reports say
    forms=ALL_BUT_ORDER,
    tags=("OAT-011", "API6:2023", "API4:2023"),
    cast=_cast,
    requests=_requests,
)  # fmt: skip
