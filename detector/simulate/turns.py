"""When an attacker asks: a steady stream, the crowd's hours (e3), human gaps (e4), a slow ramp (e5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.simulate.columns.rows import Ints
from detector.simulate.scene import Scene
from detector.simulate.world import DAY_US

_SIGMA = 1.0  # of human gaps, lognormal: as the crowd's own reading times
_FROM = 0.01  # of its rate: where a ramp begins


def turns(scene: Scene, begin_us: int, end_us: int) -> tuple[Ints, Ints]:
    """Moments in [begin_us, end_us) and who takes each turn."""
    if scene.form == "e4" and scene.identities:
        return human(scene, begin_us, end_us)
    time_us = stream(scene, begin_us, end_us)
    return time_us, scene.actors(len(time_us))


def stream(scene: Scene, begin_us: int, end_us: int) -> Ints:
    """Moments of a Poisson stream at the rate of the hour, in order."""
    most = 2.0
    n = int(scene.rng.poisson(scene.rate * most * (end_us - begin_us) / 1e6))
    time_us = np.sort(scene.rng.integers(begin_us, end_us, n))
    return time_us[scene.rng.random(n) * most < level(scene, time_us)]


def level(scene: Scene, time_us: Ints) -> npt.NDArray[np.float64]:
    """The rate of a moment, 1 = the mean at full strength."""
    flat = "hour" in scene.pattern.own + scene.variant.own and scene.form != "e3"
    now = np.ones(len(time_us)) if flat else np.minimum(scene.world.busy(time_us), 2.0)
    if scene.form == "e5":
        now = now * ramp(scene, time_us)
    return now


def ramp(scene: Scene, time_us: Ints) -> npt.NDArray[np.float64]:
    """The share of its strength a ramp has come to: from a hundredth, by the same factor every day."""
    done = (time_us - scene.start_us) / (scene.world.options.ramp_days * DAY_US)
    return np.asarray(_FROM ** (1 - np.clip(done, 0, 1)))


def human(scene: Scene, begin_us: int, end_us: int) -> tuple[Ints, Ints]:
    """Each identity at its own pace, with lognormal gaps; together they keep the rate of the hour."""
    rng, n = scene.rng, scene.identities
    gap_us = 1e6 * n / scene.rate
    if "next_us" not in scene.memory:  # in the middle of a gap, which is likelier a long one
        left = rng.random(n) * rng.lognormal(_SIGMA * _SIGMA / 2, _SIGMA, n) * gap_us
        scene.memory["next_us"] = scene.start_us + left.astype(np.int64)
    due: Ints = scene.memory["next_us"]
    now = float(level(scene, np.array([(begin_us + end_us) // 2]))[0])
    some = int((end_us - begin_us) / gap_us * now) + 2
    times, actors = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    while len(awake := np.flatnonzero(due < end_us)):
        gaps = rng.lognormal(-_SIGMA * _SIGMA / 2, _SIGMA, (len(awake), some)) * (gap_us / max(now, 1e-3))
        at = due[awake][:, None] + np.concatenate([np.zeros((len(awake), 1)), np.cumsum(gaps, axis=1)], axis=1)
        inside = (at[:, :-1] < end_us).ravel()
        times.append(at[:, :-1].ravel()[inside].astype(np.int64))
        actors.append(np.repeat(awake, some)[inside])
        beyond = np.minimum((at < end_us).sum(axis=1), some)
        due[awake] = np.maximum(at[np.arange(len(awake)), beyond], due[awake] + 1).astype(np.int64)
    time_us, actor = np.concatenate(times), np.concatenate(actors)
    order = np.argsort(time_us, kind="stable")
    return time_us[order], actor[order]
