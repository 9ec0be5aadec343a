"""P3: one queue of ids, worked off through many addresses that take turns."""

from __future__ import annotations

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.options import Options
from detector.simulate.shop.plan import Plan
from detector.simulate.traffic import Actors, Traffic


def sweep(rng: np.random.Generator, options: Options, actors: Actors, plan: Plan) -> Traffic:
    """Ids +1 over all, each request from an address drawn anew; an endpoint nobody else uses any more."""
    time_us = plan.poisson_times(rng)
    n = max(min(plan.identities, len(time_us)), 1)
    rows = actors.add(addresses.distinct_ipv4(rng, n), ["-"] * n, agents.draw(rng, n))
    number = plan.first_id(rng, options, len(time_us)) + np.arange(len(time_us))
    return plan.requests_of(rng, time_us, rng.choice(rows, len(time_us)), number)
