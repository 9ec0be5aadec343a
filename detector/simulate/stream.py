"""Log time made tile by tile: sources put rows where they belong, and each tile leaves in log order.

A tile is half a minute on a grid of its own, so that what is made of it depends neither on where a stream begins nor
on who reads it. A source may make rows that lie after the tile it makes (a visit goes on for minutes); those wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.simulate.columns.rows import Rows, deal, in_order, joined
from detector.simulate.world import LONGEST_US, TILE_US, World

Change = Callable[[World, Rows], tuple[Rows, Rows]]


@dataclass(frozen=True)
class Source:
    """Something that makes rows.

    Attributes:
        rows: the rows of the stretch that begins at a moment: unordered, none before it.
        span_us: length of a stretch, a divisor or a multiple of a tile.
        lead_us: how long after its stretch a row may lie.
        begin_us: a source with a memory must be asked for all its stretches from here on; None = for any.
    """

    rows: Callable[[int], Rows]
    span_us: int = TILE_US
    lead_us: int = 0
    begin_us: int | None = None

    def first(self, begin_us: int) -> int:
        """The stretch to make first where a stream begins at a moment."""
        if self.begin_us is not None:
            return self.begin_us // self.span_us * self.span_us
        return (begin_us - self.lead_us) // self.span_us * self.span_us


@dataclass
class Stream:
    """The rows of all sources, in log order.

    Attributes:
        world: they live in.
        sources: of the rows; where two rows share a moment, those of the earlier source come first.
        changes: what happens to the rows of each tile (a retry storm, a duplicated partition): the rows as they become,
            and further ones for later tiles.
    """

    world: World
    sources: Sequence[Source]
    changes: Sequence[Change] = field(default_factory=tuple)

    def tiles(self, begin_us: int, end_us: int) -> Iterator[Rows]:
        """The rows of [begin_us, end_us), a tile at a time; empty tiles are left out."""
        waiting: dict[int, list[Rows]] = {}
        next_us = [source.first(begin_us) for source in self.sources]
        for tile_us in range(begin_us // TILE_US * TILE_US, end_us, TILE_US):
            for k, source in enumerate(self.sources):
                while next_us[k] < tile_us + TILE_US:
                    _sort_in(waiting, source.rows(next_us[k]), tile_us)
                    next_us[k] += source.span_us
            rows = joined(waiting.pop(tile_us // TILE_US, []))
            for change in self.changes:
                rows, later = change(self.world, rows)
                _sort_in(waiting, later, tile_us + TILE_US)
            if begin_us > tile_us or end_us < tile_us + TILE_US:
                rows = rows[(rows["time_us"] >= begin_us) & (rows["time_us"] < end_us)]
            if len(rows):
                yield in_order(rows)


def _sort_in(waiting: dict[int, list[Rows]], rows: Rows, first_us: int) -> None:
    """Puts rows to wait for their tiles; those before the first tile are dropped."""
    for k, part in enumerate(deal(rows, first_us, TILE_US)):
        if len(part):
            waiting.setdefault(first_us // TILE_US + k, []).append(part)


def crowd(world: World) -> Source:
    """The people's visits."""

    def rows(begin_us: int) -> Rows:
        rng = np.random.default_rng([world.options.seed, begin_us // TILE_US])
        busy = float(world.busy(begin_us + TILE_US // 2))
        count = int(rng.poisson(busy * world.options.rate * TILE_US / 1e6 / ROWS_PER_VISIT))
        return world.sessions(begin_us, TILE_US, count)

    return Source(rows, TILE_US, LONGEST_US + 200_000_000)


ROWS_PER_VISIT = 22.1
"""Measured on this crowd; the machines' rows come on top."""
