"""What ordinary clients are like: fitted once an hour of log time from the slots of the running and the last day."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.evidence.client import Habit, Null
from detector.evidence.constants import DAY_US, HOUR_US
from detector.evidence.likelihood import FEWEST_CLIENTS_FOR_FIT, PRIOR_STRENGTH, fit_strength
from detector.evidence.volume import fit_tail
from detector.packing import picked
from detector.records.batch import KINDS
from detector.state.layout import CLIENT, COUNTER, SIGNED, State
from detector.state.sketch import distinct_each

SETTLED_DAYS = 0.25
"""A quarter of the day over which a record counts as cold: before, everything is read for the first time."""

NARROWEST = 19.0
"""Largest strength believed of any channel: over-dispersion .05, the least for which false alarms were simulated.
Ordinary clients often show no misses at all, and a null as narrow as that would convict a person with a few stale
bookmarks."""

CARRIED_DAYS = 1.0
"""What an earlier run has learnt stands until the tables span a day again: that is what a fit looks at."""


HABIT_CLIENTS = 2000
"""Clients a route whose habits are looked at: the error of a mean share is then a hundredth at most."""

Z_95 = 1.645
"""One-sided 95 % of the normal distribution."""

BUSY_READS = 4
"""Fresh reads from which a client counts as one of those who mostly read on its route: before, who leads is chance."""

CLASS = 3
"""Accounts that read other people's records from which that is somebody's work there and says nothing: support, fraud
desks. Three, the smallest of the catalogue's groups of accounts that share one task (`constants.HANDFUL`)."""

WEEK_HOURS, CLASS_HOURS = 168, 336
"""How long a route's owners are known before strangers tell anything, and how long that it is somebody's work there is
remembered: people who work there are seen within a week, and are back from their leave after two (judgement)."""

BUSY = Kernel(
    "detector.evidence.learn_kernel:busy",
    [Scalar("i8"), Scalar("i8"), Array(CLIENT), Array("i8"), Array("u4"), Array("i8", 2)],
)


def learn(state: State, before: Null, now_us: int) -> Null:
    """Fits the null anew.

    Args:
        state: the tables.
        before: the null so far, kept where there is too little to fit.
        now_us: log time.

    Clients with an open incident teach nothing. Over-dispersion of coldness is fitted on closed days only, for in a log
    that has just begun everything is cold; misses and sizes of answers mean the same from the first hour. What was
    carried over from an earlier run is not fitted anew from a part of a day; but tables that have just begun find
    everything cold, so whether coldness means anything is theirs to say.
    """
    clients = state.sample()
    chosen = picked(clients, (clients["last_us"] > now_us - DAY_US) & (clients["incident"] == 0))
    if not len(chosen):
        return before
    span_days = (now_us - int(clients["first_us"].min())) / DAY_US
    settled = before.settled or span_days >= SETTLED_DAYS
    if before.carried and span_days < CARRIED_DAYS:
        return replace(before, settled=settled, habits=_habits(state, now_us, before))
    reading = (chosen["reads"][:, 0] + chosen["reads"][:, 1]) > 0
    distinct = distinct_each(chosen["registers"][reading])
    tail = fit_tail(np.maximum(distinct, chosen["distinct_before"][reading]))
    whole = {what: chosen[what].max(axis=1).astype(np.float64) for what in ("tries", "rows")}
    main_mean, main_strength = _main(chosen, before)
    null = Null(
        cold_strength=_strength(chosen, "cold", "fresh"),
        miss_strength=_running(chosen, "misses", "tries", NARROWEST),
        tail=tail or before.tail,
        clients_a_day=len(chosen) * len(state.in_use) / len(clients),
        blocks_a_day=float(state.counters[COUNTER["blocks"]]) / max(span_days, 1.0),
        settled=settled,
        floor=before.floor,
        foreign_strength=_running(chosen, "foreign", "established", PRIOR_STRENGTH),
        over_strength=_running(chosen, "over", "answers", PRIOR_STRENGTH),
        main_mean=main_mean,
        main_strength=main_strength,
        tail_tries=fit_tail(whole["tries"][whole["tries"] > 0]) or before.tail_tries,
        tail_rows=fit_tail(whole["rows"][whole["rows"] > 0]) or before.tail_rows,
    )
    return replace(null, habits=_habits(state, now_us, null))


def _habits(state: State, now_us: int, before: Null) -> dict[int, Habit]:
    """What clients are like by the route they mostly read on, up to `HABIT_CLIENTS` of each: routes few people use are
    those where a stranger's habits tell most."""
    clients = state.in_use
    order, leads = np.empty(len(clients), np.int64), np.empty(len(clients), np.uint32)
    matched = np.zeros((len(state.routes), 3), np.int64)
    busy = BUSY(now_us - DAY_US, BUSY_READS, clients, order, leads, matched)
    order, lead = order[:busy], leads[:busy].astype(np.uint16 if len(state.routes) <= 1 << 16 else np.uint32)
    order = order[np.argsort(lead, kind="stable")]  # of 16 bits: by radix
    counts = np.bincount(lead, minlength=1)
    found = {}
    for route in np.flatnonzero(counts >= FEWEST_CLIENTS_FOR_FIT).tolist():
        n, at = int(counts[route]), int(counts[:route].sum())
        habit = _habit(picked(clients, order[at : at + n : -(-n // HABIT_CLIENTS)]), n, before)
        if habit is not None:
            found[route] = replace(habit, strangers=_strangers(state.routes[route], matched[route], now_us))
    return found


def _habit(chosen: npt.NDArray[Any], n: int, before: Null) -> Habit | None:
    """What some clients are like, of ``n`` that mostly read on one route."""
    tail = fit_tail(np.maximum(distinct_each(chosen["registers"]), chosen["distinct_before"]))
    if tail is None:
        return None
    requests = np.maximum(chosen["requests"].sum(axis=1), 1)
    reads = np.minimum(chosen["fresh"].sum(axis=1), requests)
    strength = min(fit_strength(reads, requests), NARROWEST)
    closed = np.count_nonzero(chosen["fresh"][:, 1] >= 2) >= FEWEST_CLIENTS_FOR_FIT
    cold = min(_strength(chosen, "cold", "fresh"), NARROWEST) if closed else before.cold_strength
    return Habit(n, float(np.mean(reads / requests)), strength, cold, tail, _unsigned(chosen, reads / requests))


def _unsigned(chosen: npt.NDArray[Any], purity: npt.NDArray[np.float64]) -> float:
    """Share of accounts that were never seen to sign in, of those in the upper half both of reads and of purity:
    programs read most, do little else and keep their tokens, so no others tell what to expect of such a client. Its
    upper bound; 1 where there are too few."""
    of_accounts = chosen["kind"] == KINDS.index("account")
    accounts, purity = chosen[of_accounts], purity[of_accounts]
    if len(accounts) < FEWEST_CLIENTS_FOR_FIT:
        return 1.0
    fresh = accounts["fresh"].sum(axis=1)
    like = accounts[(fresh >= np.median(fresh)) & (purity >= np.median(purity))]
    n, k = len(like), int(np.count_nonzero(like["crossed"] & SIGNED == 0))
    if n < FEWEST_CLIENTS_FOR_FIT:
        return 1.0
    return upper(k, n)


def upper(k: int, n: int) -> float:
    """Upper 95 % bound of a share of which ``k`` in ``n`` were seen (Wilson 1927); 1 where there was nothing to see."""
    if n == 0:
        return 1.0
    p, z2 = k / n, Z_95 * Z_95
    return float((p + z2 / (2 * n) + Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n))


def _strangers(r: Any, matched: npt.NDArray[np.int64], now_us: int) -> float:
    """Share of accounts on a route that mostly read other people's records, of those that read as many whose owners are
    known: its upper bound; 1 where that is not known yet, or was somebody's work lately, which is noted in the route's
    row.

    Args:
        r: the route's row.
        matched: as `learn_kernel.busy` counts them.
        now_us: log time.
    """
    n, strangers, clerks = matched.tolist()
    hour = now_us // HOUR_US
    if clerks >= CLASS:
        r["clerks_hour"] = hour
    since, last = int(r["owned_since"]), int(r["clerks_hour"])
    if not 0 < since <= hour - WEEK_HOURS or (last and last > hour - CLASS_HOURS):
        return 1.0
    return upper(strangers, n)


def _main(chosen: npt.NDArray[Any], before: Null) -> tuple[float, float]:
    """How large a part of clients' requests goes to their main route: mean and strength."""
    k = chosen["beats"].astype(np.float64)
    n = k + chosen["beats_away"]
    k, n = k[n >= BUSY_READS], n[n >= BUSY_READS]
    if len(k) < FEWEST_CLIENTS_FOR_FIT:
        return before.main_mean, before.main_strength
    return float(np.mean(k / n)), min(fit_strength(k, n), NARROWEST)


def _strength(chosen: npt.NDArray[Any], successes: str, trials: str) -> float:
    closed = chosen[trials][:, 1] >= 2
    return fit_strength(chosen[successes][closed, 1], chosen[trials][closed, 1])


def _running(chosen: npt.NDArray[Any], successes: str, trials: str, narrowest: float) -> float:
    """The same of both days together, but never narrower than has been tried."""
    return min(fit_strength(chosen[successes].sum(axis=1), chosen[trials].sum(axis=1)), narrowest)
