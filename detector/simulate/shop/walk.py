"""P1: one address asks for one id after the other, as fast as the site answers."""

from __future__ import annotations

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.options import Options
from detector.simulate.shop.plan import Plan
from detector.simulate.traffic import Actors, Traffic


def walk(rng: np.random.Generator, options: Options, actors: Actors, plan: Plan) -> Traffic:
    """Ids +1 over the plan's addresses (one, as a rule), each with a browser's agent."""
    time_us = plan.poisson_times(rng)
    n = max(plan.identities, 1)
    rows = actors.add(addresses.distinct_ipv4(rng, n), ["-"] * n, agents.draw(rng, n))
    number = plan.first_id(rng, options, len(time_us)) + np.arange(len(time_us))
    return plan.requests_of(rng, time_us, rng.choice(rows, len(time_us)), number)
