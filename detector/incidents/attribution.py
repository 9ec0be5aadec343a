"""Who belongs to a campaign: the shortest rule over crossing events that selects it, and what the rule costs others.

Bracket, then attribute (Javed and Paxson, CCS 2013): events since the campaign's cells began to rise are held against
events of the same route before. Sets of agents and of networks are found by a linear-time subset scan (Neill 2012),
conjunctions of at most three literals are tried, and how well each does is measured on clients it was not chosen from:
a rule that fits single clients must not pass for one that they share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.state.sketch import mix_each

Mask = npt.NDArray[np.bool_]

NEW_COHORTS = 2
"""Cohorts below this one are clients first seen less than a day ago (see `state.cells.CROSSING`)."""

ACTIONABLE_SHARE = 1e-3
"""An alert is actionable when its rule covers at most this share of ordinary requests ..."""

ACTIONABLE_RECALL = 0.5
"""... and at least this share of the attacker's (detection facts, headline metric)."""

SAFE_SHARE = 5e-4
"""Half of `ACTIONABLE_SHARE`: the share is known from a sample, and a rule near the bound may lie beyond it."""

NAMING = 0.99  # precision at which whoever crosses inside a rule may be named for that alone

NEARLY = 0.8
"""A rule counts when it selects this share of what the best one selects; among those the shortest is told."""

MOST_EVENTS = 1 << 15
"""Events looked at on either side, the newest: what ordinary traffic brings in an hour at ten a second."""

KINDS = (1, 2, 4)  # bits of ``which``: first trial, five of eight, seven of eight

NONE_SEEN = 3.0
"""Rule of three: of what was seen in none of n there is less than 3 / n (95 %)."""


@dataclass(frozen=True)
class Selector:
    """A conjunction that selects a campaign, beside its route.

    Attributes:
        agents: uint64, sorted; empty = any.
        networks: uint32, sorted; empty = any.
        only_new: whether only clients first seen less than a day before belong to it.
        listed: whether only the clients the incident lists belong to it.
        recall: share of the campaign's clients it selects, estimated on clients it was not chosen from.
        benign_share: share of all ordinary requests it selects, from a sample.
        precision: share of the clients it selects that belong to the campaign.
        inside: share of the route's ordinary crossing events it selects, with one more than were seen.
    """

    agents: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    networks: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    only_new: bool = False
    recall: float = 1.0
    benign_share: float = 1.0
    precision: float = 0.0
    inside: float = 1.0
    listed: bool = False

    @property
    def literals(self) -> int:
        """How many conjuncts it has beside the route."""
        return bool(len(self.agents)) + bool(len(self.networks)) + self.only_new

    @property
    def actionable(self) -> bool:
        """Whether somebody could act on it: it selects most of the campaign and next to nobody else."""
        return self.benign_share <= ACTIONABLE_SHARE and self.recall >= ACTIONABLE_RECALL

    def covers(self, rows: npt.NDArray[Any]) -> Mask:
        """Which rows it selects; of any dtype with the fields ``agent``, ``network`` and ``cohort``."""
        mask = np.ones(len(rows), bool)
        if len(self.agents):
            mask &= np.isin(rows["agent"], self.agents)
        if len(self.networks):
            mask &= np.isin(rows["network"], self.networks)
        if self.only_new:
            mask &= rows["cohort"] < NEW_COHORTS
        return mask


def attribute(
    observed: npt.NDArray[Any], before: npt.NDArray[Any], scale: float, ordinary: npt.NDArray[Any], sampled: int
) -> list[Selector]:
    """Rules that select what is new among events, the one to tell first.

    Args:
        observed: events of one route since the campaign began, in log order (fields of `state.cells.CROSSING`).
        before: events of that route before.
        scale: events like those before that were to be expected since, for each of them: the ratio of the two spans.
        ordinary: ordinary reads of the route from a sample (fields ``agent``, ``network``, ``cohort``).
        sampled: how many ordinary requests the sample has, of whatever route.

    Without a sample no rule is believed to be harmless. 50 to 200 ms for 2 * `MOST_EVENTS` events.
    """
    scan = _Scan(observed[-MOST_EVENTS:], before[-MOST_EVENTS:], scale * _kept(before), ordinary, sampled)
    rules = [scan.rule(order) for order in _orders()]
    best = max(rule.recall for rule in rules)
    good = [rule for rule in rules if rule.recall >= NEARLY * best]
    return sorted(good, key=_worth)


def _kept(before: npt.NDArray[Any]) -> float:
    """By how much leaving out the oldest events makes those before look rarer."""
    return max(1.0, len(before) / MOST_EVENTS)


def _worth(rule: Selector) -> tuple[float, ...]:
    """Safe rules first, of them those that let clients be named, then the shortest, then the one that hits fewest;
    where none is safe, a further literal must at least halve the share of ordinary requests."""
    if rule.benign_share <= SAFE_SHARE:
        return 0, rule.precision < NAMING, rule.literals, rule.benign_share
    return 1 + (rule.benign_share > ACTIONABLE_SHARE), log(rule.benign_share) + rule.literals * log(2.0)


def _orders() -> Iterator[tuple[str, ...]]:
    """Conjunctions as the order in which their literals are chosen: each set among what the ones before it leave."""
    for newness in ((), ("new",)):
        for sets in ((), ("agent",), ("network",), ("agent", "network"), ("network", "agent")):
            yield (*newness, *sets)


class _Scan:
    """Events and the sample with agents and networks as small numbers, and rules chosen from them."""

    def __init__(
        self,
        observed: npt.NDArray[Any],
        before: npt.NDArray[Any],
        scale: float,
        ordinary: npt.NDArray[Any],
        sampled: int,
    ) -> None:
        self.scale, self.sampled = scale, sampled
        parts = (observed, before, ordinary)
        self.values: dict[str, npt.NDArray[Any]] = {}
        self.codes: dict[str, list[npt.NDArray[np.int64]]] = {}
        ends = np.cumsum([len(part) for part in parts])[:-1]
        for name in ("agent", "network"):
            self.values[name], codes = np.unique(np.concatenate([part[name] for part in parts]), return_inverse=True)
            self.codes[name] = np.split(codes.reshape(-1), ends)
        self.new = [part["cohort"] < NEW_COHORTS for part in parts]
        self.half = [_half(part["client"]) for part in (observed, before)]

    def rule(self, order: tuple[str, ...]) -> Selector:
        """The conjunction chosen in this order, judged on the clients of either half by what the other half chose."""
        every = [np.ones(len(half), bool) for half in self.half]
        chosen, _ = self._choose(order, every)
        caught, excess, inside, sampled = 0.0, 0.0, 0.0, 0.0
        for fit in (self.half, [~half for half in self.half]):
            _, masks = self._choose(order, fit)
            observed, before = masks[0] & ~fit[0], masks[1] & ~fit[1]
            caught += np.count_nonzero(observed) - np.count_nonzero(before) * self.scale
            excess += np.count_nonzero(~fit[0]) - np.count_nonzero(~fit[1]) * self.scale
            inside += np.count_nonzero(before)
            sampled += np.count_nonzero(masks[2]) / 2.0
        return self._judged(order, chosen, (caught / max(excess, 1.0), inside, sampled))

    def _choose(self, order: tuple[str, ...], fit: list[Mask]) -> tuple[dict[str, Mask], list[Mask]]:
        """The sets chosen from a part of the events, as tables by code, and what the conjunction selects of all."""
        masks = [np.ones(len(new), bool) for new in self.new]
        chosen: dict[str, Mask] = {}
        for name in order:
            if name == "new":
                masks = [mask & new for mask, new in zip(masks, self.new, strict=True)]
                continue
            observed, before = (c[m & f] for c, m, f in zip(self.codes[name], masks, fit, strict=False))
            chosen[name] = subset(observed, before, len(self.values[name]), self.scale)
            masks = [mask & chosen[name][codes] for mask, codes in zip(masks, self.codes[name], strict=True)]
        return chosen, masks

    def _judged(self, order: tuple[str, ...], chosen: dict[str, Mask], tried: tuple[float, float, float]) -> Selector:
        recall, before, sampled = tried
        observed, hit = (np.ones(len(self.new[part]), bool) for part in (0, 2))
        for name, values in chosen.items():
            observed &= values[self.codes[name][0]]
            hit &= values[self.codes[name][2]]
        if "new" in order:
            observed &= self.new[0]
            hit &= self.new[2]
        events, reads = len(self.new[1]), len(self.new[2])
        inside = min((before + sampled + 1.0) / (events + reads + 1.0), 1.0)
        caught, usual = float(np.count_nonzero(observed)), inside * events * self.scale
        hits = float(np.count_nonzero(hit))
        sets = {name: self.values[name][values] for name, values in chosen.items()}
        return Selector(
            sets.get("agent", np.zeros(0, np.uint64)),
            sets.get("network", np.zeros(0, np.uint32)),
            "new" in order,
            recall=float(min(max(recall, 0.0), 1.0)),
            benign_share=min((hits or NONE_SEEN) / self.sampled, 1.0) if self.sampled else 1.0,
            precision=float(max(caught - usual, 0.0) / max(caught, 1.0)),
            inside=float(inside),
        )


def _half(clients: npt.NDArray[np.uint64]) -> Mask:
    """Half of all clients, the same whenever they come."""
    return np.asarray(mix_each(clients, np.zeros(1, np.uint64)) & np.uint64(1) == 1)


def subset(
    observed: npt.NDArray[np.int64], before: npt.NDArray[np.int64], values: int, scale: float
) -> npt.NDArray[np.bool_]:
    """The values that are raised most together, as a table by value: linear-time subset scan of Kulldorff's statistic.

    With C observed and B expected the best subset for ``C ln(C / B) + B - C`` is a prefix of the values in the order
    of C / B. Each value of the set must also pay for its description: the logarithm of how many there are.

    Args:
        observed, before: values as numbers below ``values``.
        scale: see `attribute`.
    """
    table = np.zeros(values, bool)
    count = np.bincount(observed, minlength=values).astype(np.float64)
    usual = (np.bincount(before, minlength=values) + 0.5) * scale
    seen = np.flatnonzero(count)
    if not len(seen):
        return table
    order = seen[np.argsort(-count[seen] / usual[seen], kind="stable")]
    c, b = np.cumsum(count[order]), np.cumsum(usual[order])
    score = np.where(c > b, c * np.log(c / b) + b - c, 0.0) - np.arange(1, len(order) + 1) * log(values + 1)
    table[order[: int(np.argmax(score)) + 1]] = True
    return table


def odds(
    observed: npt.NDArray[Any], before: npt.NDArray[Any], scale: float, selector: Selector, kinds: list[int]
) -> dict[int, float]:
    """Odds that an event inside a selector is the campaign's, by kind of event.

    Args:
        observed, before, scale: as for `attribute`.
        selector: one of its rules; ``inside`` of it is what ordinary events it selects.
        kinds: bits of ``which``.
    """
    held = observed["which"][selector.covers(observed)]
    found: dict[int, float] = {}
    for kind in kinds:
        caught = np.count_nonzero(held & kind)
        usual = selector.inside * (np.count_nonzero(before["which"] & kind) + 1.0) * scale
        found[kind] = float(max(caught - usual, 0.0) / usual)
    return found


def telling(observed: npt.NDArray[Any], before: npt.NDArray[Any], scale: float) -> list[int]:
    """Kinds of events (bits of ``which``) more frequent than before by three standard errors; if none is, all.

    Those that are not would only add ordinary clients: who reads eight popular records first never has a cold first
    read.
    """
    raised, seen = [], []
    for kind in KINDS:
        caught, usual = np.count_nonzero(observed["which"] & kind), np.count_nonzero(before["which"] & kind)
        if caught:
            seen.append(kind)
        if caught > usual * scale + 3.0 * sqrt((usual * scale + 1.0) * (1.0 + scale)):
            raised.append(kind)
    return raised or seen
