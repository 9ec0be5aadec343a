"""An attack under way: who takes part, how far it has come, and how it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.simulate.cast import Cast
from detector.simulate.columns.rows import ATTACK, Ints, Rows, rows_of
from detector.simulate.patterns.pattern import Pattern, Variant
from detector.simulate.site import CODE, RECORDS, scatter
from detector.simulate.world import World

_SHUFFLED = 100_000  # ids of a block (e2); smaller where the attack is
_ENDPOINTS = ("user", "order", "api_item")  # e6


@dataclass
class Scene:
    """What a pattern works with.

    Attributes:
        world: it happens in.
        rng: the attack's own chance.
        pattern, variant, form: what is carried out, and how it hides.
        start_us, end_us: log time, end exclusive.
        rate: turns a second, full strength.
        identities: clients; 0 = a new one each turn.
        done: turns taken so far.
        cast: everybody who has taken part so far; ``actor`` of the rows counts in it.
        first: where in the catalogue it begins.
        memory: whatever the pattern keeps from stretch to stretch.
    """

    world: World
    rng: np.random.Generator
    pattern: Pattern
    variant: Variant
    form: str
    start_us: int
    end_us: int
    rate: float
    identities: int
    done: int = 0
    cast: Cast = field(init=False)
    first: int = field(init=False)
    memory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cast = self.pattern.cast(self, self.rng, self.identities)
        self.first = int(self.rng.integers(1, max(self.world.ids - self.expected, 2)))

    @property
    def expected(self) -> int:
        """About how many turns it will take; a ramp (e5) takes a fifth of them: (1 - 0.01) / ln 100."""
        share = 0.215 if self.form == "e5" else 1.0
        return int((self.end_us - self.start_us) / 1e6 * self.rate * share)

    def enrol(self, cast: Cast) -> Ints:
        """Takes in further identities; returns their numbers."""
        first = len(self.cast)
        self.cast = Cast.joined([self.cast, cast])
        return np.arange(first, len(self.cast))

    def actors(self, n: int) -> Ints:
        """Who takes the next ``n`` turns: the identities at random, or a new one each."""
        if self.identities:
            return self.rng.integers(0, self.identities, n)
        return self.enrol(self.pattern.cast(self, self.rng, n))

    def places(self, n: int) -> Ints:
        """The places of the next ``n`` turns in the attacker's queue, 0, 1, 2 ...; e2 shuffles them block by block."""
        k = self.done + np.arange(n)
        self.done += n
        if self.form != "e2":
            return k
        block = min(_SHUFFLED, max(self.expected // 2, 2))
        turned = k // block  # each block in an order of its own
        return turned * block + (scatter(k % block, block) - 1 + turned * 7919) % block

    def endpoints(self, k: Ints) -> Ints:
        """The form of each place in the queue: the variant's, or three by turns (e6)."""
        if self.form != "e6":
            return np.full(len(k), CODE[self.variant.form])
        return np.array([CODE[name] for name in _ENDPOINTS])[k % len(_ENDPOINTS)]

    def hits(self, n: int) -> npt.NDArray[np.bool_]:
        """Which of ``n`` requests return a record."""
        return self.rng.random(n) < self.variant.success

    def ask(self, time_us: Ints, actor: Ints, form: Ints | str, number: npt.ArrayLike = -1, **columns: Any) -> Rows:
        """Requests of the cast: misses at the variant's share unless ``status`` is given, sizes as everybody's."""
        n = len(time_us)
        code = np.full(n, CODE[form]) if isinstance(form, str) else form
        status = columns.pop("status", None)
        status = np.where(self.hits(n), 200, 404) if status is None else np.broadcast_to(np.asarray(status), (n,))
        return rows_of(
            time_us,
            address=self.cast.address[actor],
            who=self.cast.who[actor],
            agent=self.cast.agent[actor],
            form=code,
            number=number,
            status=status,
            size=self.world.sizes(self.rng, code, status),
            actor=actor,
            source=ATTACK,
            **{"rows": np.where(status < 400, RECORDS[code], 0), **columns},
        )
