"""The rivals of one world: fed with its warm-up, then, each time from there, with every case.

Each rule is shown twice: as shipped, with the false incidents it makes in the warm-up; and with its threshold raised to
the largest value any ordinary client reached there, so that it makes none, as we do.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evaluate.ground import Ground
from detector.evaluate.observed import Observed
from detector.evaluate.rivals.hourly import Hourly
from detector.evaluate.rivals.outliers import Fitted, fit
from detector.evaluate.rivals.rules import RULES, Counter, Total
from detector.evaluate.score import COVERS_ATTACKER
from detector.evaluate.trial import Rival
from detector.simulate.play import Labelled

_MOMENTS = 300  # looked at for the first actionable one


@dataclass
class Warmed:
    """What a rule has met in ordinary traffic: the largest score, and whom it accused as shipped."""

    counter: Counter
    largest: float = 0.0
    accused: set[int] = field(default_factory=set)

    def listen(self, part: Labelled) -> None:
        """Hears of one ordinary batch."""
        at, score = self.counter.scores(part)
        if len(at):
            self.largest = max(self.largest, float(score.max()))
            over = at[score > self.counter.rule.threshold]
            names = part.batch.source if self.counter.rule.by_address else part.batch.client
            self.accused.update(np.unique(names[over]).tolist())


class Rivals:
    """All of them in one world.

    Args:
        ground: the world; its clients decide how large tables are.
    """

    def __init__(self, ground: Ground) -> None:
        bits = max(ground.setting.clients.bit_length(), 16)
        self._rules = [Warmed(Counter(rule, bits)) for rule in RULES]
        self._total, self._total_false = Total(), 0
        self._hourly = Hourly()
        self._hours: list[Any] = []
        self._models: list[Fitted] = []
        self._days = ground.world.warm_seconds / 86_400

    def listen(self, part: Labelled) -> None:
        """Hears of one batch of the warm-up."""
        for rule in self._rules:
            rule.listen(part)
        self._total_false += len(self._total.fires(part))
        self._hours += self._hourly.take(part)

    def settle(self) -> None:
        """The warm-up is over: fits the outlier models."""
        self._models = fit([hour for hour in self._hours if len(hour.values)])
        self._hours = []

    @property
    def false(self) -> list[dict[str, Any]]:
        """Per rival: whom it accused falsely in the warm-up as shipped, a day."""
        days = max(self._days, 1e-9)
        found = [
            {"rival": w.counter.rule.name, "threshold": w.counter.rule.threshold, "largest": round(w.largest, 1)}
            | {"false_a_day": round(len(w.accused) / days, 1)}
            for w in self._rules
        ]
        found.append({"rival": Total.NAME, "threshold": 3, "false_a_day": round(self._total_false / days, 1)})
        return found + [
            {"rival": f"pyod {m.name}", "threshold": None, "largest": round(m.threshold, 3), "false_a_day": None}
            for m in self._models
        ]

    def fresh(self) -> list[Rival]:
        """Rivals for one case, as the warm-up left them."""
        rules: list[Rival] = [
            _Ruled(deepcopy(w.counter), {"shipped": w.counter.rule.threshold, "no false": w.largest})
            for w in self._rules
        ]
        return [*rules, _Totalled(deepcopy(self._total)), _Modelled(self._models)]


@dataclass
class _Ruled:
    """A rule in a case, at two thresholds."""

    counter: Counter
    thresholds: dict[str, float]
    _named: dict[str, dict[int, int]] = field(default_factory=dict)

    def take(self, part: Labelled) -> None:
        """Notes which of the attacker's keys it accuses, and when."""
        at, score = self.counter.scores(part)
        if not part.attack.any():
            return
        theirs = part.attack[at]
        at, score = at[theirs], score[theirs]
        names = (part.batch.source if self.counter.rule.by_address else part.batch.client)[at]
        time_us = part.batch.time_us[at]
        for kind, threshold in self.thresholds.items():
            known = self._named.setdefault(kind, {})
            over = np.flatnonzero(score > threshold)
            found, first = np.unique(names[over], return_index=True)
            for name, moment in zip(found.tolist(), time_us[over[first]].tolist(), strict=True):
                known.setdefault(name, moment)

    def result(self, observed: Observed) -> list[dict[str, Any]]:
        """A record for each threshold."""
        field_name = "source" if self.counter.rule.by_address else "client"
        return [
            {"rival": self.counter.rule.name, "as": kind} | actionable(self._named.get(kind, {}), observed, field_name)
            for kind in self.thresholds
        ]


@dataclass
class _Totalled:
    """The total in a case: it can tell that something is going on, but not whom to stop."""

    total: Total
    _first: list[int] = field(default_factory=list)
    _begun: bool = False

    def take(self, part: Labelled) -> None:
        """Notes the first alarm of the attack."""
        fired = self.total.fires(part)
        self._begun = self._begun or bool(part.attack.any())
        if self._begun:
            self._first += fired[:1]

    def result(self, observed: Observed) -> list[dict[str, Any]]:
        """When it first fired; never actionable."""
        begin = int(observed.ledger().time_us[0]) if observed.attacked else 0
        first = [(moment - begin) / 1e6 for moment in self._first[:1]]
        return [{"rival": Total.NAME, "as": "shipped", "seconds": None, "records": None, "named": 0.0, "fired": first}]


@dataclass
class _Modelled:
    """Outlier models in a case, looked at every full hour."""

    models: list[Fitted]
    _hourly: Hourly = field(default_factory=Hourly)
    _named: dict[str, dict[int, int]] = field(default_factory=dict)
    _best: dict[str, float] = field(default_factory=dict)

    def take(self, part: Labelled) -> None:
        """Scores the clients of each hour that closes."""
        for hour in self._hourly.take(part):
            self._score(hour)

    def _score(self, hour: Any) -> None:
        for model in self.models:
            scores = model.scores(hour.values)
            known = self._named.setdefault(model.name, {})
            for client in hour.clients[scores > model.threshold].tolist():
                known.setdefault(client, hour.end_us)

    def result(self, observed: Observed) -> list[dict[str, Any]]:
        """A record a model; the hour under way is looked at as it stands."""
        if observed.last_us and (rest := self._hourly.rest()) is not None:
            self._score(rest)
        return [
            {"rival": f"pyod {model.name}", "as": "no false"}
            | actionable(self._named.get(model.name, {}), observed, "client")
            for model in self.models
        ]


def actionable(named: dict[int, int], observed: Observed, by: str) -> dict[str, Any]:
    """When what a rival has named until then made half of the attacker's later requests, and what was gone.

    Args:
        named: moment by key.
        observed: the case.
        by: the field of SEEN that keys are of.
    """
    seen, ledger = observed.seen(), observed.ledger()
    theirs = seen[seen["actor"] >= 0]
    nothing = {"seconds": None, "records": None, "named": 0.0}
    if not named or not len(theirs):
        return nothing
    at = _moments(named, theirs[by])
    share = float((at < np.iinfo(np.int64).max).mean())
    moments = np.unique(at[at < np.iinfo(np.int64).max])
    if len(moments) > _MOMENTS:
        moments = moments[np.linspace(0, len(moments) - 1, _MOMENTS).astype(np.int64)]
    for moment in moments.tolist():
        later = theirs["time_us"] > moment
        if (at[later if later.any() else slice(None)] <= moment).mean() >= COVERS_ATTACKER:
            seconds = (moment - int(ledger.time_us[0])) / 1e6
            return {"seconds": round(seconds, 1), "records": ledger.exposed_by(moment), "named": round(share, 4)}
    return {**nothing, "named": round(share, 4)}


def _moments(named: dict[int, int], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    names = np.array(list(named), np.uint64)
    order = np.argsort(names)
    when = np.array(list(named.values()), np.int64)[order]
    at = np.minimum(np.searchsorted(names[order], keys), len(names) - 1)
    return np.where(names[order][at] == keys, when[at], np.iinfo(np.int64).max)
