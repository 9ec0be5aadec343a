"""Labelled logs: a pattern of the catalogue hidden in ordinary traffic, and the truth about it.

A new pattern is one file in `patterns/` and one line in PATTERNS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.errors import UsageError
from detector.simulate.confusers import CONFUSERS, DECLARED
from detector.simulate.options import Options
from detector.simulate.ordinary import ordinary
from detector.simulate.patterns.campaign import campaign
from detector.simulate.patterns.plan import Pattern, Plan
from detector.simulate.patterns.slow import slow
from detector.simulate.patterns.sweep import sweep
from detector.simulate.patterns.walk import walk
from detector.simulate.people import people
from detector.simulate.site import FORMS
from detector.simulate.text import LAYOUTS, Writer, write
from detector.simulate.traffic import Actors, Traffic
from detector.simulate.truth import Truth, iso, observe

__all__ = ["PATTERNS", "QUIET", "Options", "Simulation", "simulate"]

QUIET = "quiet"  # ordinary traffic alone

# Rates, identities and shares of success are those of the published incidents each pattern is drawn after; lengths are
# cut to what fits into a log of some hours.
PATTERNS: dict[str, Pattern] = {
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

    def text(self) -> bytes:
        """The log as bytes."""
        return Writer(self.actors, self.layout).text(self.traffic)

    def write(self, path: Path) -> int:
        """Writes the log (compressed where the name ends in ``.gz``); returns the bytes of text.

        Raises:
            OSError: the file cannot be written.
        """
        return write(path, Writer(self.actors, self.layout).blocks(self.traffic))


def simulate(pattern: str, options: Options) -> Simulation:
    """Makes a log with one pattern in it, or none (``quiet``); the same seed gives the same ordinary traffic under all.

    Args:
        pattern: a key of PATTERNS in any case, or ``quiet``.
        options: everything else.

    Raises:
        UsageError: no such pattern or log format, or an attack that does not fit the catalogue.
    """
    key = pattern.upper()
    if key not in PATTERNS and pattern.lower() != QUIET:
        raise UsageError(f"no pattern {pattern!r}; there are {', '.join((QUIET, *PATTERNS))}")
    if options.log_format not in LAYOUTS:
        raise UsageError(f"cannot write log format {options.log_format!r}; there are {', '.join(LAYOUTS)}")
    actors = Actors()
    crowd = people(np.random.default_rng(options.seed), options, actors)
    # the same seed on another day: the same people, who do something else
    crowd_rng, machine_rng, attack_rng = np.random.default_rng([options.seed, options.start_us]).spawn(3)
    parts = [ordinary(crowd_rng, options, crowd)]
    parts += [confuser(machine_rng, options, actors) for confuser in CONFUSERS]
    if key in PATTERNS:
        plan = Plan.of(PATTERNS[key], options)
        parts.append(plan.pattern.attack(attack_rng, options, actors, plan))
    traffic = Traffic.concatenate(parts).ordered()
    everybody, attack = observe(traffic, actors, [form.route for form in FORMS.values()])
    truth = Truth(
        key if key in PATTERNS else QUIET,
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
