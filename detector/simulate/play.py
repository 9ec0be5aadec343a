"""A simulated log as columns: ordinary traffic, confusers and an attack in log order, with the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.records.batch import Batch
from detector.records.declared import Declared
from detector.records.keys import REPLAY_KEY
from detector.records.resolve import Resolver
from detector.simulate.attack import attack, stage
from detector.simulate.catalogue import CONFUSERS, PARTNERS, PATTERNS
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser
from detector.simulate.machines import machines
from detector.simulate.options import Options
from detector.simulate.scene import Scene
from detector.simulate.stream import Source, Stream, crowd
from detector.simulate.world import World

ROWS_A_BATCH = 65_536


@dataclass(frozen=True)
class Labelled:
    """Rows ready to be judged, and what they really are.

    Attributes:
        batch: as `Pipeline.take` wants it.
        rows: what it was made from: ``actor`` and ``source`` say who made each.
    """

    batch: Batch
    rows: Rows

    @property
    def attack(self) -> npt.NDArray[np.bool_]:
        """Which rows are the attacker's."""
        return np.asarray(self.rows["actor"] >= 0)


@dataclass(frozen=True)
class Play:
    """One simulated log, ready to be streamed.

    Attributes:
        world: it happens in; two plays with the same seed, start, rate, people and records share all ordinary rows.
        confusers: beside those that are always there.
        scene: the attack; None = nobody attacks. It can be streamed once.
    """

    world: World
    confusers: tuple[Confuser, ...] = ()
    scene: Scene | None = None

    @classmethod
    def of(
        cls, options: Options, pattern: str | None = None, start_us: int | None = None, end_us: int | None = None
    ) -> Play:
        """The log the options describe.

        Args:
            options: everything but the pattern; ``confusers`` are added to those always there.
            pattern: a key of PATTERNS; None = nobody attacks.
            start_us, end_us: of the attack, instead of the options'.

        Raises:
            UsageError: no such pattern, form, variant or confuser.
        """
        chosen = tuple(_confuser(name) for name in options.confusers)
        changes: dict[str, Any] = {}
        for confuser in chosen:
            changes.update(confuser.world(options))
        world = World(options, **changes)
        if pattern is None:
            return cls(world, chosen)
        if pattern not in PATTERNS:
            raise UsageError(f"no pattern {pattern!r}; there are {', '.join(PATTERNS)}")
        return cls(world, chosen, stage(world, PATTERNS[pattern], start_us, end_us))

    def columns(self, resolver: Resolver | None = None, **settings: Any) -> Columns:
        """What turns its rows into batches, with the owner's partners declared; see `Columns` for the settings."""
        key = settings.get("key", REPLAY_KEY)
        return Columns(self.world.agents, resolver or Resolver(key=key, declared=Declared(PARTNERS)), **settings)

    def stream(self) -> Stream:
        """Everybody's rows."""
        return Stream(self.world, self._sources(), [c.change for c in self.confusers if c.change])

    def _sources(self) -> list[Source]:
        present = {c.key: c for c in (*(c for c in CONFUSERS.values() if c.always), *self.confusers)}
        sources = [crowd(self.world), *machines(self.world)]
        sources += [s for c in present.values() if (s := c.source(self.world)) is not None]
        return sources if self.scene is None else [*sources, attack(self.scene)]

    def rows(self, begin_us: int | None = None, end_us: int | None = None) -> Iterator[Rows]:
        """The rows of [begin_us, end_us) in log order, by default of the whole log; a tile of half a minute each."""
        o = self.world.options
        return self.stream().tiles(o.start_us if begin_us is None else begin_us, o.end_us if end_us is None else end_us)

    def batches(
        self, columns: Columns, begin_us: int | None = None, end_us: int | None = None, size: int = ROWS_A_BATCH
    ) -> Iterator[Labelled]:
        """The same as batches of at most ``size`` rows with their labels."""
        for rows in self.rows(begin_us, end_us):
            for first in range(0, len(rows), size):
                part = columns.shown(rows[first : first + size])
                yield Labelled(columns.batch(part), part)


def _confuser(name: str) -> Confuser:
    if name.upper() not in CONFUSERS:
        raise UsageError(f"no confuser {name!r}; there are {', '.join(CONFUSERS)}")
    return CONFUSERS[name.upper()]


def attack_rows(scene: Scene) -> Iterator[Rows]:
    """The attacker's rows alone, in log order. Reads the scene, which can be streamed once."""
    return Stream(scene.world, [attack(scene)]).tiles(scene.start_us, scene.end_us)
