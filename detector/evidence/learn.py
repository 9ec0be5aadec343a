"""What ordinary clients are like: fitted once an hour of log time from the slots of the running and the last day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.client import Null
from detector.evidence.constants import DAY_US
from detector.evidence.likelihood import PRIOR_STRENGTH, fit_strength
from detector.evidence.volume import fit_tail
from detector.state.layout import COUNTER, State
from detector.state.sketch import distinct_each

SETTLED_DAYS = 0.25
"""A quarter of the day over which a record counts as cold: before, everything is read for the first time."""

MISS_NARROWEST = 19.0
"""Largest strength believed of misses: over-dispersion .05, the least for which false alarms were simulated. Ordinary
clients often show none at all, and a null as narrow as that would convict a person with a few stale bookmarks."""

CARRIED_DAYS = 1.0
"""What an earlier run has learnt stands until the tables span a day again: that is what a fit looks at."""


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
    chosen = clients[(clients["last_us"] > now_us - DAY_US) & (clients["incident"] == 0)]
    if not len(chosen):
        return before
    span_days = (now_us - int(clients["first_us"].min())) / DAY_US
    settled = before.settled or span_days >= SETTLED_DAYS
    if before.carried and span_days < CARRIED_DAYS:
        return replace(before, settled=settled)
    reading = chosen[(chosen["reads"][:, 0] + chosen["reads"][:, 1]) > 0]
    tail = fit_tail(np.maximum(distinct_each(reading["registers"]), reading["distinct_before"]))
    whole = {what: chosen[what].max(axis=1).astype(np.float64) for what in ("tries", "rows")}
    return Null(
        cold_strength=_strength(chosen, "cold", "fresh"),
        miss_strength=_running(chosen, "misses", "tries", MISS_NARROWEST),
        tail=tail or before.tail,
        clients_a_day=len(chosen) * len(state.in_use) / len(clients),
        blocks_a_day=float(state.counters[COUNTER["blocks"]]) / max(span_days, 1.0),
        settled=settled,
        floor=before.floor,
        over_strength=_running(chosen, "over", "answers", PRIOR_STRENGTH),
        tail_tries=fit_tail(whole["tries"][whole["tries"] > 0]) or before.tail_tries,
        tail_rows=fit_tail(whole["rows"][whole["rows"] > 0]) or before.tail_rows,
    )


def _strength(chosen: npt.NDArray[Any], successes: str, trials: str) -> float:
    closed = chosen[chosen[trials][:, 1] >= 2]
    return fit_strength(closed[successes][:, 1], closed[trials][:, 1])


def _running(chosen: npt.NDArray[Any], successes: str, trials: str, narrowest: float) -> float:
    """The same of both days together, but never narrower than has been tried."""
    return min(fit_strength(chosen[successes].sum(axis=1), chosen[trials].sum(axis=1)), narrowest)
