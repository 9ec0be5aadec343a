"""P2: one account under every limit asks for one id after the other, day after day."""

from __future__ import annotations

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.options import Options
from detector.simulate.shop.plan import Plan
from detector.simulate.traffic import Actors, Traffic

_REST_HOURS = (3, 7)  # UTC; works 20 hours of 24, within the catalogue's 16 to 24


def slow(rng: np.random.Generator, options: Options, actors: Actors, plan: Plan) -> Traffic:
    """Ids +1, lognormal gaps, a rest at night; several accounts divide one queue."""
    time_us = plan.lognormal_times(rng)
    hour = time_us // 3_600_000_000 % 24
    time_us = time_us[(hour < _REST_HOURS[0]) | (hour >= _REST_HOURS[1])]
    n = max(plan.identities, 1)
    accounts = [f"user{u}" for u in (options.ids + rng.choice(900_000, n, replace=False) + 1).tolist()]
    rows = actors.add(addresses.distinct_ipv4(rng, n), accounts, agents.draw(rng, n))
    number = plan.first_id(rng, options, len(time_us)) + np.arange(len(time_us))
    return plan.requests_of(rng, time_us, rng.choice(rows, len(time_us)), number)
