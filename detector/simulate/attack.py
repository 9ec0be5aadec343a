"""A pattern in a world: the source of the attacker's rows."""

from __future__ import annotations

import math

import numpy as np

from detector.errors import UsageError
from detector.simulate.columns.rows import ROW, Rows
from detector.simulate.evasion import disguised
from detector.simulate.options import Options
from detector.simulate.patterns.pattern import Pattern
from detector.simulate.scene import Scene
from detector.simulate.stream import Source
from detector.simulate.turns import turns
from detector.simulate.world import TILE_US, World

_AFTER_US = 8 * 3_600_000_000  # the longest script of an identity (an account of P8 lives up to six hours)


def stage(world: World, pattern: Pattern, start_us: int | None = None, end_us: int | None = None) -> Scene:
    """The attack the world's options describe; start and end may be given in log time instead.

    Raises:
        UsageError: the pattern has no such form or variant, or the catalogue is too small for it.
    """
    o = world.options
    if o.form != "plain" and o.form not in pattern.forms:
        allowed = ", ".join(("plain", *pattern.forms))
        raise UsageError(f"{pattern.key} makes no sense as {o.form}; its forms are {allowed}")
    try:
        variant = pattern.variant(o.variant)
    except KeyError as error:
        names = ", ".join(v.name for v in pattern.variants)
        raise UsageError(f"{pattern.key} has no variant {o.variant!r}; it has {names}") from error
    start = _start(o) if start_us is None else start_us
    seconds = o.attack_seconds or (math.inf if o.form == "e5" else pattern.seconds)
    end = min(start + round(min(seconds, 1e9) * 1e6), o.end_us if end_us is None else end_us)
    rate = (o.attack_rate or variant.rate) / (2 if o.form == "e1" else 1)
    identities = variant.identities if o.identities is None else o.identities
    scene = Scene(
        world, np.random.default_rng([o.seed, o.start_us, 3]), pattern, variant, o.form, start, end, rate, identities
    )
    if scene.expected > world.ids:
        raise UsageError(
            f"cannot simulate: {pattern.title} would take {scene.expected:,} turns, the catalogue has {world.ids:,} "
            "records; raise --ids, or lower --attack-rate or --attack-seconds"
        )
    return scene


def _start(options: Options) -> int:
    begin = options.attack_start_seconds
    return options.start_us + round((options.duration_seconds / 3 if begin is None else begin) * 1e6)


def attack(scene: Scene) -> Source:
    """The attacker's rows, tile by tile from his first; a source that can be read once."""

    def rows(begin_us: int) -> Rows:
        first, last = max(begin_us, scene.start_us), min(begin_us + TILE_US, scene.end_us)
        if first >= last:
            return np.zeros(0, ROW)
        time_us, actor = (scene.pattern.turns or turns)(scene, first, last)
        if not len(time_us):
            return np.zeros(0, ROW)
        made = disguised(scene, scene.pattern.requests(scene, time_us, actor))
        return made[made["time_us"] < scene.end_us]

    return Source(rows, TILE_US, _AFTER_US, scene.start_us)
