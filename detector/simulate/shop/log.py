"""The shop's log: the sample logs' four patterns, hidden in the traffic of a small shop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from detector.simulate.options import Options
from detector.simulate.shop.campaign import campaign
from detector.simulate.shop.machines import CONFUSERS, DECLARED
from detector.simulate.shop.ordinary import ordinary
from detector.simulate.shop.people import people
from detector.simulate.shop.plan import Pattern, Plan
from detector.simulate.shop.slow import slow
from detector.simulate.shop.sweep import sweep
from detector.simulate.shop.walk import walk
from detector.simulate.site import FORMS
from detector.simulate.text import Writer, write
from detector.simulate.traffic import Actors, Traffic
from detector.simulate.truth import Truth, iso, observe

QUIET = "quiet"  # ordinary traffic alone

# Rates, identities and shares of success are those of the published incidents each pattern is drawn after; lengths are
# cut to what fits into a log of some hours.
SHOP_PATTERNS: dict[str, Pattern] = {
    "P1": Pattern("a noisy sequential walk", "Parler, Clubhouse", "user", 100, 600, 1, 0.97, walk),
    "P2": Pattern("a slow account under limits", "First American", "order", 0.056, math.inf, 1, 0.98, slow),
    "P3": Pattern("a shared-queue sweep", "Optus", "contact", 37, 2400, 30_000, 0.95, sweep),
    "P4": Pattern("a distributed list-driven crawl", "Taobao", "reviews", 58, 1800, 0, 0.95, campaign),
}


@dataclass(frozen=True)
class Simulation:
    """A labelled log.

    Attributes:
        traffic: all requests by time.
        actors: who they come from.
        truth: what the attacker did, and how much everybody else.
        layout: the log format to write.
    """

    traffic: Traffic
    actors: Actors
    truth: Truth
    layout: str

    @property
    def requests(self) -> int:
        """Lines of the log."""
        return len(self.traffic)

    def text(self) -> bytes:
        """The log as bytes."""
        writer = Writer(self.actors, self.layout)
        return writer.heading + writer.text(self.traffic)

    def write(self, path: Path) -> int:
        """Writes the log (compressed where the name ends in ``.gz``); returns the bytes of text.

        Raises:
            OSError: the file cannot be written.
        """
        writer = Writer(self.actors, self.layout)
        return write(path, chain([writer.heading], writer.blocks(self.traffic)))


def shop(key: str, options: Options) -> Simulation:
    """The log with one of SHOP_PATTERNS in it, or none (QUIET).

    Raises:
        UsageError: the attack does not fit the catalogue.
    """
    actors = Actors()
    crowd = people(np.random.default_rng(options.seed), options, actors)
    # the same seed on another day: the same people, who do something else
    crowd_rng, machine_rng, attack_rng = np.random.default_rng([options.seed, options.start_us]).spawn(3)
    parts = [ordinary(crowd_rng, options, crowd)]
    parts += [confuser(machine_rng, options, actors) for confuser in CONFUSERS]
    if key in SHOP_PATTERNS:
        plan = Plan.of(SHOP_PATTERNS[key], options)
        parts.append(plan.pattern.attack(attack_rng, options, actors, plan))
    traffic = Traffic.concatenate(parts).ordered()
    everybody, attack = observe(traffic, actors, [form.route for form in FORMS.values()])
    truth = Truth(
        key,
        options.form,
        options.seed,
        options.command,
        iso(options.start_us / 1e6),
        iso(options.end_us / 1e6),
        everybody,
        list(DECLARED),
        attack,
    )
    return Simulation(traffic, actors, truth, options.log_format)
