"""Ranks clients by how unlike the others they are, with a model of pyod fitted anew every hour of log time.

The model learns from a reservoir of clients nobody has accused: those with an open incident are left out, declared
ones have no slot at all, and each client counts once. Its contamination setting is never looked at: what comes out is
an order with reasons, for people, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detector.ranking.features import FEATURES, Floats, scaled, values
from detector.state.layout import State

HOUR_US = 3_600_000_000
FEWEST_REQUESTS = 20  # of a client that is ranked: below it shares say nothing (detection facts, section 3.3)
FEWEST_CLIENTS = 200  # of a reservoir: fifty bins of four
RESERVOIR = 20_000  # clients learnt from: a fit takes a twentieth of a second
AN_HOUR = 2_000  # of them taken in each hour, so that it holds at least ten of them
KEPT = 1_000  # most unusual clients remembered; `--top` cannot ask for more
REASONS = 3


class Model(Protocol):
    """What is used of a detector of pyod."""

    def fit(self, x: Floats) -> Any:
        """Learns from rows."""

    def decision_function(self, x: Floats) -> Floats:
        """The larger, the more unlike what was learnt."""


def hbos() -> Model:
    """HBOS with fifty bins: 0.2 s for 100,000 clients, additive over features, so that reasons are exact."""
    from pyod.models.hbos import HBOS  # seconds to import: only where somebody asks for a ranking

    model: Model = HBOS(n_bins=50, contamination=0.1)
    return model


@dataclass(frozen=True)
class Reason:
    """A feature that makes a client unusual: what was seen, what is typical (the median), its share of the score."""

    feature: str
    words: str
    seen: float
    typical: float
    share: float


@dataclass(frozen=True)
class Unusual:
    """A client in the ranking.

    Attributes:
        rank: from 1.
        client: as the log names it.
        key: its hash.
        score: of the model; only the order means something.
        hour_us: log time of the fit that found it.
        named: whether an open incident names it.
        reasons: the three features that add most to the score.
    """

    rank: int
    client: str
    key: int
    score: float
    hour_us: int
    named: bool
    reasons: tuple[Reason, ...]


@dataclass
class Ranking:
    """Feed it the tables once an hour of log time, and at the end.

    Args:
        make: makes an unfitted model.
    """

    make: Callable[[], Model] = hbos
    _rows: Floats = field(default_factory=lambda: np.empty((0, len(FEATURES))))
    _keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    _found: dict[int, Unusual] = field(default_factory=dict)

    def observe(self, state: State, now_us: int) -> None:
        """Learns from the clients of the last hour, then ranks them."""
        clients = state.in_use
        active = np.flatnonzero(
            (clients["last_us"] > now_us - HOUR_US) & (clients["requests"].sum(axis=1) >= FEWEST_REQUESTS)
        )
        shown = values(clients[active])
        self._learn(clients["key"][active], shown, clients["incident"][active] == 0)
        if len(self._rows) < FEWEST_CLIENTS or not len(active):
            return
        model, typical = self._fit()
        onesided = np.maximum(scaled(shown), typical)
        scores = model.decision_function(onesided)
        excess = (onesided - typical).sum(axis=1)  # beyond the outermost bin all score alike
        best = np.lexsort((clients["key"][active], -excess, -scores))[:KEPT]
        reasons = _reasons(model, onesided[best], shown[best], typical, np.median(self._rows, axis=0))
        for place, row in enumerate(best.tolist()):
            slot = int(active[row])
            self._keep(
                Unusual(
                    rank=0,
                    client=state.name(slot),
                    key=int(clients["key"][slot]),
                    score=float(scores[row]) + float(excess[row]) * 1e-6,
                    hour_us=now_us,
                    named=bool(clients["incident"][slot]),
                    reasons=reasons[place],
                )
            )
        self._trim()

    def heir(self) -> Ranking:
        """One that has learnt the same and found nobody yet."""
        return Ranking(self.make, self._rows, self._keys)

    def top(self, most: int) -> list[Unusual]:
        """The most unusual clients, each by the hour in which it was most unusual; best first."""
        ordered = sorted(self._found.values(), key=lambda u: (-u.score, u.client, u.key))
        return [Unusual(**{**vars(u), "rank": place}) for place, u in enumerate(ordered[:most], 1)]

    def _learn(self, keys: npt.NDArray[np.uint64], shown: Floats, clean: npt.NDArray[np.bool_]) -> None:
        """Takes in some of the clean ones, by their keyed hash; a client's newest row replaces its older one."""
        chosen = np.flatnonzero(clean)
        chosen = chosen[np.argsort(keys[chosen], kind="stable")][:AN_HOUR]
        old = ~np.isin(self._keys, keys)
        self._keys = np.concatenate([self._keys[old], keys[chosen]])[-RESERVOIR:]
        self._rows = np.concatenate([self._rows[old], shown[chosen]])[-RESERVOIR:]

    def _fit(self) -> tuple[Model, Floats]:
        rows = scaled(self._rows)
        typical = np.median(rows, axis=0)
        model = self.make()
        model.fit(np.maximum(rows, typical))
        return model, typical

    def _keep(self, found: Unusual) -> None:
        before = self._found.get(found.key)
        if before is None or found.score >= before.score:
            self._found[found.key] = found

    def _trim(self) -> None:
        ordered = sorted(self._found.values(), key=lambda u: (-u.score, u.client, u.key))
        self._found = {u.key: u for u in ordered[:KEPT]}


def _reasons(
    model: Model, onesided: Floats, shown: Floats, typical: Floats, typically: Floats
) -> list[tuple[Reason, ...]]:
    """By how much the score falls where one feature is made typical; exact where the model adds features up."""
    whole = model.decision_function(onesided)
    falls = np.zeros_like(onesided)
    for k in range(len(FEATURES)):
        changed = onesided.copy()
        changed[:, k] = typical[k]
        falls[:, k] = np.maximum(whole - model.decision_function(changed), 0)
    total = np.maximum(falls.sum(axis=1), 1e-9)
    found = []
    for row, order in enumerate(np.argsort(-falls, axis=1, kind="stable")[:, :REASONS].tolist()):
        reasons = [
            Reason(
                FEATURES[k].name,
                FEATURES[k].words,
                float(shown[row, k]),
                float(typically[k]),
                float(falls[row, k] / total[row]),
            )
            for k in order
        ]
        found.append(tuple(reasons))
    return found
