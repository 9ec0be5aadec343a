"""What accounts in few hands have in common that others do not, as a rule somebody can act on.

Unlike a campaign's clients such accounts come once and never again, so names alone stop nobody. What stays is how they
come: the first request they make (`entries`), the program, the networks; or, where nothing else is shared, how many
records of a route an account takes in a day (`over`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import MATURE_MINUTES, STUB_REQUESTS
from detector.incidents.attribution import (
    ACTIONABLE_RECALL,
    ACTIONABLE_SHARE,
    NEARLY,
    NONE_SEEN,
    SAFE_SHARE,
    subset,
)
from detector.state.layout import CLIENT, COUNTER, HARVESTS, State
from detector.state.sketch import mix_each

Mask = npt.NDArray[np.bool_]

_HELD = ("incident", "crossed", "first_us", "requests", "reads", "lead", "lead_margin")
OVER = tuple(1 << k for k in range(3, 13))
"""Records a day that may be told as a limit: the smallest that costs others little is."""

HELD = np.dtype([(name, CLIENT[name]) for name in _HELD])
MATURE_US = MATURE_MINUTES * 60_000_000
SETS = ("entry", "agent", "network")
EMPTY: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class AccountRule:
    """A conjunction that selects accounts, or their requests.

    Attributes:
        entries, agents, networks: uint64, sorted: ids of routes, hashes; empty = any.
        route: id of the route it speaks of; 0 = whatever the incident names.
        over: only what an account reads there beyond so many records a day; 0 = everything.
        recall: share of the accounts' requests it selects.
        benign_share: share of ordinary requests it selects.
        inside: share of ordinary clients it selects, with one more than were seen.
    """

    entries: npt.NDArray[np.uint64] = field(default_factory=EMPTY.copy)
    agents: npt.NDArray[np.uint64] = field(default_factory=EMPTY.copy)
    networks: npt.NDArray[np.uint64] = field(default_factory=EMPTY.copy)
    route: int = 0
    over: int = 0
    recall: float = 1.0
    benign_share: float = 1.0
    inside: float = 1.0

    @property
    def literals(self) -> int:
        """How many conjuncts it has beside the route."""
        return sum(bool(len(part)) for part in (self.entries, self.agents, self.networks)) + bool(self.over)

    @property
    def actionable(self) -> bool:
        """Whether somebody could act on it: it selects most of the accounts' requests and next to nobody else's."""
        return self.literals > 0 and self.benign_share <= ACTIONABLE_SHARE and self.recall >= ACTIONABLE_RECALL

    def covers(self, rows: npt.NDArray[Any]) -> Mask:
        """Which accounts (fields ``entry``, ``agent``, ``network``) it selects, whatever they read."""
        mask = np.ones(len(rows), np.bool_)
        for name, values in zip(SETS, (self.entries, self.agents, self.networks), strict=True):
            if len(values):
                mask &= np.isin(rows[name].astype(np.uint64), values)
        return mask


def is_ordinary(slots: npt.NDArray[Any], now_us: int) -> Mask:
    """Whether clients (dtype CLIENT) are nobody's suspects: they have been looked at and found to do more than a few
    reads, and other things than a harvester. Whoever is still to be looked at may belong to the incident."""
    known = (slots["incident"] == 0) & (slots["crossed"] & HARVESTS == 0)
    return np.asarray(
        known & (slots["first_us"] <= now_us - MATURE_US) & (slots["requests"].sum(axis=1) > STUB_REQUESTS)
    )


def newcomers(state: State, now_us: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Ordinary clients to hold a rule against, of those first seen last, with their slots. Fields ``entry``, ``agent``,
    ``network`` are those of their first request."""
    ring = state.maturity[: int(state.counters[COUNTER["newcomers"]])]
    ring = ring[state.clients["key"][ring["slot"]] == ring["key"]]
    held = np.empty(len(ring), HELD)
    for field_name in HELD.names or ():
        held[field_name] = state.clients[field_name][ring["slot"]]
    fit = is_ordinary(held, now_us)
    rows = np.zeros(int(fit.sum()), np.dtype([(name, "u8") for name in SETS]))
    for name, column in zip(SETS, ("route", "agent", "network"), strict=True):
        rows[name] = ring[column][fit]
    return rows, held[fit]


def on_route(slots: npt.NDArray[Any], route: int) -> npt.NDArray[np.float64]:
    """Record reads of clients (dtype CLIENT) on a route, at most: all of those that mostly read there, of others what
    the vote for their main route leaves. Route 0: all their requests."""
    if not route:
        return np.asarray(slots["requests"].sum(axis=1), np.float64)
    reads = slots["reads"].sum(axis=1).astype(np.float64)
    most = np.where(slots["lead"] == route, reads, np.maximum(reads - slots["lead_margin"], 0.0) / 2.0)
    return np.asarray(most, np.float64)


def choose(
    suspects: npt.NDArray[Any], ordinary: npt.NDArray[Any], slots: npt.NDArray[Any], state: State, route: int
) -> AccountRule:
    """The rule to tell: of those that cost others little the one with fewest conjuncts, if none does the cheapest.

    Args:
        suspects: accounts that belong to it (dtype SUSPECT).
        ordinary, slots: clients that do not, as `newcomers` gives them: what is more frequent among suspects is theirs.
        state: the tables, for what ordinary clients read.
        route: id of the route it is about; 0 = fan-out, whatever they read.
    """
    rules = [*_sets(suspects, ordinary, slots, route), *_over(suspects, state, route)]
    good = [rule for rule in rules if rule.recall >= ACTIONABLE_RECALL] or [AccountRule(route=route)]
    best = max(rule.recall for rule in good)
    return min((rule for rule in good if rule.recall >= NEARLY * best or rule.benign_share <= SAFE_SHARE), key=_worth)


def _worth(rule: AccountRule) -> tuple[float, ...]:
    if rule.benign_share <= SAFE_SHARE:
        return 0, rule.literals, -round(rule.recall, 1), rule.benign_share
    return 1 + (rule.benign_share > ACTIONABLE_SHARE), log(rule.benign_share) + rule.literals * log(2.0), 0, 0


def _sets(
    suspects: npt.NDArray[Any], ordinary: npt.NDArray[Any], slots: npt.NDArray[Any], route: int
) -> Iterator[AccountRule]:
    """Conjunctions of sets of entries, agents and networks, each set chosen among what those before it leave."""
    total = float(slots["requests"].sum())
    reads = on_route(slots, route)
    half = np.asarray(mix_each(suspects["client"], np.zeros(1, np.uint64)) & np.uint64(1) == 1)
    for order in (("entry",), ("agent",), ("network",), ("entry", "agent"), ("agent", "network"), SETS):
        rule = _chosen(order, suspects, ordinary, route)
        caught = 0
        for fit in (half, ~half):  # judged on accounts it was not chosen from
            tried = _chosen(order, suspects[fit], ordinary, route)
            caught += int(np.count_nonzero(tried.covers(suspects[~fit])))
        inside = rule.covers(ordinary)
        hits = float(reads[inside].sum())
        share = (hits / total if hits else NONE_SEEN / len(ordinary)) if total else 1.0
        chance = (float(np.count_nonzero(inside)) + 1.0) / (len(ordinary) + 1.0)
        recall = caught / max(len(suspects), 1)
        yield replace(rule, recall=recall, benign_share=min(share, 1.0), inside=chance)


def _chosen(order: tuple[str, ...], suspects: npt.NDArray[Any], contrast: npt.NDArray[Any], route: int) -> AccountRule:
    found: dict[str, npt.NDArray[np.uint64]] = {}
    for name in order:
        mine, others = suspects[name].astype(np.uint64), contrast[name].astype(np.uint64)
        values, codes = np.unique(np.concatenate([mine, others]), return_inverse=True)
        codes = codes.reshape(-1)
        scale = max(len(mine), 1) / max(len(others), 1)
        table = subset(codes[: len(mine)], codes[len(mine) :], len(values), scale)
        found[name] = values[table]
        suspects, contrast = suspects[table[codes[: len(mine)]]], contrast[table[codes[len(mine) :]]]
    return AccountRule(found.get("entry", EMPTY), found.get("agent", EMPTY), found.get("network", EMPTY), route)


def _over(suspects: npt.NDArray[Any], state: State, route: int) -> Iterator[AccountRule]:
    """Limits on what an account may read of the route in a day."""
    if not route:
        return
    clients = state.sample()
    usual = clients[is_ordinary(clients, int(suspects["time_us"].max()))]
    total, reads = float(usual["requests"].sum()), on_route(usual, route)
    mine = state.clients[suspects["slot"]]
    theirs = on_route(mine[mine["key"] == suspects["client"]], route)
    for over in OVER if total else ():
        share = float(np.maximum(reads - over, 0.0).sum()) / total
        if share <= SAFE_SHARE:
            recall = float(np.maximum(theirs - over, 0.0).sum() / max(theirs.sum(), 1.0))
            yield AccountRule(route=route, over=over, recall=recall, benign_share=max(share, NONE_SEEN / total))
            return
