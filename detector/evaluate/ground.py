"""The ground cases stand on: one warm-up of ordinary traffic a world, and forks of what was learnt from it."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import numpy as np

from detector.config import Config, parse_config
from detector.engines.local import make_resolver, rules, sizes
from detector.evaluate.cases import HOUR, Case, Setting
from detector.evaluate.survival import Peaks
from detector.incidents.incident import Incident
from detector.incidents.story import Story
from detector.packing import Saved
from detector.pipeline import HOUR_US, Pipeline
from detector.ranking import Ranking
from detector.records.resolve import Resolver
from detector.simulate import DECLARED, Options, Play
from detector.simulate.play import Labelled

_RAMP = "e5"
_RECORDS = 4_000_000  # in each catalogue at least: as many as a list worked off for two weeks has (e5 of P6)
_LEAD_SECONDS = 60.0  # ordinary traffic between a fork and the attack: the tables are the snapshot's by then
_PHASE_SECONDS = 17  # an attack begins at another place of its minute with every seed, for ticks come by the minute

News = Callable[[Incident, Story], None]


@dataclass(frozen=True)
class World:
    """What two cases must have in common to stand on one warm-up."""

    seed: int
    rate: float
    warm_seconds: float
    confusers: tuple[str, ...]
    budget: float
    listed: bool = True

    @property
    def key(self) -> str:
        """What tells its warm-up from others; empty where it has none."""
        counted = "" if self.listed else "counts-only/"
        return f"warm-up/{self.rate:g}/s/{counted}seed-{self.seed}" if self.warm_seconds else ""


def world_of(case: Case, setting: Setting) -> World:
    """The world a case belongs to. One with confusers is never warmed: they belong to the whole of their log."""
    rate = setting.slow_rate if case.form == _RAMP else setting.rate
    warm = 0.0 if case.pattern == "quiet" else setting.warm_hours * HOUR
    return World(case.seed, min(rate, setting.rate), warm, case.confusers, case.budget, case.listed)


def configuration(setting: Setting, budget: float = 1.0) -> Config:
    """The configuration of all runs: partners as the simulator declares them, tables as large as the traffic asks."""
    text = {
        "detection": {"false_incidents_per_day": budget},
        "partners": list(DECLARED),
        "state": {"clients": setting.clients, "objects": setting.objects},
    }
    return parse_config(json.dumps(text).encode(), "suite")


@dataclass
class Ground:
    """One world, warmed up or about to be.

    Attributes:
        world: what it is.
        setting: of the suite.
        saved: what the warm-up has taught; None before.
        ranking: the second opinion, fed at every hour of the warm-up.
        peaks: how far cells' scores went in it.
    """

    world: World
    setting: Setting
    saved: Saved | None = None
    ranking: Ranking = field(default_factory=Ranking)
    peaks: Peaks = field(default_factory=Peaks)

    def __post_init__(self) -> None:
        self.config = configuration(self.setting, self.world.budget)

    @property
    def begin_us(self) -> int:
        """Where cases begin: the first moment after the warm-up."""
        return self.options().start_us + round(self.world.warm_seconds * 1e6)

    def options(self, case: Case | None = None) -> Options:
        """The simulator's options of the world, with those of a case."""
        seconds = case.seconds if case else 0.0
        if case and case.pattern == "quiet":
            seconds = max(self.setting.quiet_hours * HOUR, case.least_seconds)
        whole = self.world.warm_seconds + _LEAD_SECONDS + _PHASE_SECONDS * 4 + seconds + 60
        plain = Options(
            seed=self.world.seed,
            rate=self.world.rate,
            duration_seconds=whole,
            ids=_RECORDS,
            confusers=self.world.confusers,
        )
        if case is None or case.pattern == "quiet":
            return plain
        return replace(
            plain,
            form=case.form,
            variant=case.variant,
            identities=case.identities,
            attack_rate=case.attack_rate,
            attack_seconds=case.seconds,  # a pattern's own length may be shorter
        )

    def attack_us(self, options: Options) -> int:
        """When attacks begin."""
        late = _LEAD_SECONDS + self.world.seed * _PHASE_SECONDS % 60
        return options.start_us + round((self.world.warm_seconds + late) * 1e6)

    def play(self, case: Case) -> Play:
        """A case's log."""
        options = self.options(case)
        if case.pattern == "quiet":
            return Play.of(options)
        begin = self.attack_us(options)
        return Play.of(options, case.pattern, begin, begin + round(case.seconds * 1e6))

    def fork(self, on_news: News | None = None) -> tuple[Pipeline, Resolver]:
        """A pipeline that knows what the warm-up has taught, and the resolver its routes' texts come from."""
        gc.collect()  # a pipeline and its book know each other: the tables of the fork before, gigabytes, would wait
        resolver, routes = make_resolver(self.config)
        pipeline = Pipeline(rules(self.config), sizes(self.config), routes, on_news)
        if self.saved is not None:
            pipeline.load(self.saved.meta, self.saved.arrays)
        return pipeline, resolver

    def warm(self, *listeners: Callable[[Labelled], None]) -> tuple[Pipeline, Resolver]:
        """Judges the ordinary traffic of the warm-up and keeps what was learnt; listeners hear every batch."""
        pipeline, resolver = self.fork()
        next_us = 0
        for part in self.ordinary(resolver):
            now = int(part.batch.time_us[0])
            if now >= next_us:
                self.ranking.observe(pipeline.state, now)
                next_us = (now // HOUR_US + 1) * HOUR_US
            pipeline.take(part.batch)
            self.peaks.look(pipeline.state, now)
            for listener in listeners:
                listener(part)
        self.saved = self._spilled(pipeline.save())
        return pipeline, resolver

    def _spilled(self, saved: Saved) -> Saved:
        """The same with its arrays in files: beside the tables of a fork, a copy in memory would be half of all."""
        folder = Path(mkdtemp(prefix="ground-"))
        finalize(self, rmtree, folder, ignore_errors=True)
        arrays = {}
        for place, (name, array) in enumerate(saved.arrays.items()):
            path = folder / f"{place}.npy"
            np.save(path, array)
            arrays[name] = np.load(path, mmap_mode="r") if array.size else array
        return Saved(saved.meta, arrays)

    def ordinary(self, resolver: Resolver) -> Iterator[Labelled]:
        """The warm-up's rows."""
        options = self.options()
        play = Play.of(options)
        return play.batches(play.columns(resolver, listed=self.world.listed), options.start_us, self.begin_us)
