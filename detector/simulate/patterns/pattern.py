"""A row of the catalogue: what an attacker does, and what he draws from ordinary traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.simulate.columns.rows import Ints, Rows

if TYPE_CHECKING:
    import numpy as np

    from detector.simulate.cast import Cast
    from detector.simulate.scene import Scene

COLUMNS = ("agent", "network", "hour", "status", "bytes")
ALL_BUT_ORDER = ("e1", "e3", "e4", "e5", "e6", "e7")
"""The forms of a pattern that works through a list: there is no order to shuffle."""


@dataclass(frozen=True)
class Variant:
    """One way of carrying a pattern out.

    Attributes:
        name: as `Options.variant` gives it.
        about: what is different.
        form: the request it works with, a name of `site.FORMS`.
        rate: turns a second: requests, or for patterns with a script identities.
        identities: how many take turns; 0 = a new one each turn.
        success: share of its requests that return a record.
        own: columns it does not draw from ordinary traffic, beside the pattern's.
    """

    name: str
    about: str
    form: str
    rate: float
    identities: int
    success: float
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pattern:
    """One of P1 to P13.

    Attributes:
        key, title, model: number in the catalogue, what it is, the incidents it is drawn after.
        variants: the first is the default.
        seconds: length, unless the options say otherwise.
        own: names of COLUMNS the attacker does not draw from ordinary traffic, because the pattern says how they are;
            no classifier on the others may tell him from everybody (a test). "hour": he works day and night alike.
        forms: the evasive forms that make sense for it.
        tags: OWASP Automated Threat and API numbers.
        cast: makes ``n`` identities.
        requests: makes the rows of turns: a moment and an identity each.
        turns: moments and identities of a stretch, where the pattern has a clock of its own; None = `turns.turns`.
    """

    key: str
    title: str
    model: str
    variants: tuple[Variant, ...]
    seconds: float
    own: tuple[str, ...]
    forms: tuple[str, ...]
    tags: tuple[str, ...]
    cast: Callable[[Scene, np.random.Generator, int], Cast]
    requests: Callable[[Scene, Ints, Ints], Rows]
    turns: Callable[[Scene, int, int], tuple[Ints, Ints]] | None = None

    def variant(self, name: str) -> Variant:
        """A variant by its name, the default one for an empty name. Raises ``KeyError``."""
        if not name:
            return self.variants[0]
        return {variant.name: variant for variant in self.variants}[name]

    def draws(self, variant: Variant, form: str = "plain") -> tuple[str, ...]:
        """The columns drawn from ordinary traffic."""
        own = set(self.own) | set(variant.own)
        if form == "e3":
            own.discard("hour")
        return tuple(column for column in COLUMNS if column not in own)
