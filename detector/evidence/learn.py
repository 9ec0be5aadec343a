"""What ordinary clients are like: fitted once an hour of log time from the slots of the running and the last day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.client import Null
from detector.evidence.constants import DAY_US
from detector.evidence.likelihood import fit_strength
from detector.evidence.volume import fit_tail
from detector.state.layout import COUNTER, State
from detector.state.sketch import distinct_each

SETTLED_DAYS = 0.25
"""A quarter of the day over which a record counts as cold: before, everything is read for the first time."""

CARRIED_DAYS = 1.0
"""What an earlier run has learnt stands until the tables span a day again: that is what a fit looks at."""


def learn(state: State, before: Null, now_us: int) -> Null:
    """Fits the null anew.

    Args:
        state: the tables.
        before: the null so far, kept where there is too little to fit.
        now_us: log time.

    Clients with an open incident teach nothing. Over-dispersion is fitted on closed days only. What was carried over
    from an earlier run is not fitted anew from a part of a day; but tables that have just begun find everything cold,
    so whether coldness means anything is theirs to say.
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
    return Null(
        cold_strength=_strength(chosen, "cold", "fresh"),
        miss_strength=_strength(chosen, "misses", "tries"),
        tail=tail or before.tail,
        clients_a_day=len(chosen) * len(state.in_use) / len(clients),
        blocks_a_day=float(state.counters[COUNTER["blocks"]]) / max(span_days, 1.0),
        settled=settled,
        floor=before.floor,
    )


def _strength(chosen: npt.NDArray[Any], successes: str, trials: str) -> float:
    closed = chosen[chosen[trials][:, 1] >= 2]
    return fit_strength(closed[successes][:, 1], closed[trials][:, 1])
