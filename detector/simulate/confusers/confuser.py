"""What all confusers share: a description, and the mark by which each may be told from an attack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Ints, Rows, rows_of
from detector.simulate.options import Options
from detector.simulate.site import CODE, RECORDS
from detector.simulate.stream import Change, Source
from detector.simulate.world import TILE_US, World

Make = Callable[[World, np.random.Generator, int], Rows]
HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Confuser:
    """One of N1 to N15.

    Attributes:
        key: its number in the catalogue.
        title: what it is.
        mark: what tells it from an attack, in words; it is really in the columns (tests look for it).
        declared: whether the owner declares its range: its rows carry DECLARED.
        always: part of every simulated day.
        span_us, lead_us: as in `Source`.
        rows: makes its rows of one stretch; None where it only changes others.
        change: what it does to everybody's rows.
        world: what it changes about the world, by field of `World`.
    """

    key: str
    title: str
    mark: str
    declared: bool = False
    always: bool = False
    span_us: int = TILE_US
    lead_us: int = 0
    rows: Make | None = None
    change: Change | None = None
    world: Callable[[Options], Mapping[str, Any]] = field(default=lambda _: {})

    @property
    def number(self) -> int:
        """1 to 15: the ``source`` of its rows."""
        return int(self.key[1:])

    def source(self, world: World) -> Source | None:
        """Its rows as a source; None where it has none of its own."""
        make = self.rows
        if make is None:
            return None

        def rows(begin_us: int) -> Rows:
            rng = np.random.default_rng([world.options.seed, self.number, begin_us // self.span_us])
            made = make(world, rng, begin_us)
            made["source"] = self.number
            return made

        return Source(rows, self.span_us, self.lead_us)


def asked(
    world: World,
    rng: np.random.Generator,
    time_us: Ints,
    cast: Cast,
    form: str | Ints,
    **columns: Any,
) -> Rows:
    """Requests of the identities in ``cast`` (one a row), with sizes and rows as everybody's."""
    code = np.full(len(time_us), CODE[form]) if isinstance(form, str) else form
    status = np.broadcast_to(np.asarray(columns.pop("status", 200)), (len(time_us),))
    given = {"rows": np.where(status < 400, RECORDS[code], 0), **columns}
    return rows_of(
        time_us,
        address=cast.address,
        who=cast.who,
        agent=cast.agent,
        form=code,
        status=status,
        size=world.sizes(rng, code, status),
        **given,
    )


def pick(cast: Cast, index: Ints) -> Cast:
    """The identities of an index array."""
    return Cast(cast.address[index], cast.who[index], cast.agent[index])


def constant(world: World, key: int) -> np.random.Generator:
    """Chance that is the same in every stretch: who a confuser is."""
    return np.random.default_rng([world.options.seed, 100 + key])


def during(world: World, begin_us: int, first_minutes: float, minutes: float, every_hours: float) -> bool:
    """Whether a stretch lies in an event that begins so many minutes into the log and comes back."""
    since = begin_us - world.start_us - first_minutes * 60e6
    return since >= 0 and since % (every_hours * HOUR_US) < minutes * 60e6


def hours(begin_us: int) -> float:
    """The hour of the day, UTC."""
    return begin_us / HOUR_US % 24
