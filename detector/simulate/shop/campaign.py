"""P4: a list of items and their pages of reviews, each page once, through as many addresses as it takes."""

from __future__ import annotations

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.options import Options
from detector.simulate.shop.plan import Plan
from detector.simulate.site import scatter
from detector.simulate.traffic import Actors, Traffic

_MAX_PAGES = 3


def campaign(rng: np.random.Generator, options: Options, actors: Actors, plan: Plan) -> Traffic:
    """Items in no order, pages 1 to k (1 to 3) of each; an address a request, or ``identities`` taking turns."""
    time_us = plan.poisson_times(rng)
    count = len(time_us)
    pages = rng.integers(1, _MAX_PAGES + 1, count)
    items = int(np.searchsorted(np.cumsum(pages), count)) + 1
    plan.first_id(rng, options, items)
    listed = scatter((np.arange(items) + rng.integers(options.ids)) % options.ids, options.ids)
    pages = pages[:items]
    number = np.repeat(listed, pages)[:count]
    page = (np.arange(pages.sum()) - np.repeat(np.cumsum(pages) - pages, pages) + 1)[:count]
    n = plan.identities or count
    rows = actors.add(addresses.distinct_ipv4(rng, n), ["-"] * n, agents.draw(rng, n))
    actor = rows if plan.identities == 0 else rng.choice(rows, count)
    return plan.requests_of(rng, time_us, actor, number, page)
