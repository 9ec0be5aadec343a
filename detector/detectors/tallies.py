"""Counts held against their own past (`state.accounts`), as alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from detector.detectors.signal import Budget
from detector.state.accounts import RATIOS
from detector.state.layout import COUNTER, State

FEWEST_LOOKS = 100
"""Minutes a day that count something, where there were fewer: clients judged are never taken for fewer either."""


@dataclass(frozen=True)
class Tally:
    """A detector of many accounts in few hands.

    Attributes:
        pattern: what its incidents are called.
        row: of the limits in `state.accounts`.
        fewest: accounts above what is usual before it alarms.
        share: of the user's budget of false incidents.
    """

    pattern: str
    row: int
    fewest: int
    share: float


@dataclass(frozen=True)
class TallyAlarm:
    """A count that chance does not account for.

    Attributes:
        detector: whose it is; ``pattern``: what its incident is called.
        route: id of the route it was counted on; 0 = on none.
        since_minute: log minute in which it left what is usual; ``minute``: the one it alarmed in.
        nats: of the e-value; ``threshold``: what it had to reach.
        counted, expected: since then.
        accounts: they stand for.
        rate: of such counts an account looked at, before; ``upto``: accounts looked at when the count began to rise.
    """

    detector: str
    pattern: str
    route: int
    since_minute: int
    minute: int
    nats: float
    threshold: float
    counted: float
    expected: float
    accounts: float
    rate: float
    upto: float


def limit(state: State, budget: Budget, detectors: Mapping[str, Tally]) -> None:
    """Writes when tallies alarm: ln of the looks a day at each ratio over the false alarms allowed.

    An e-value of either look exceeds exp(h) with probability exp(-h) at most (Markov), whatever its past.
    """
    counters = state.counters
    looks = max(int(counters[COUNTER["looks"]]), int(counters[COUNTER["looks_before"]]), FEWEST_LOOKS)
    for detector in detectors.values():
        allowed = detector.share * budget.per_day
        state.tally_limits[detector.row] = log(looks * len(RATIOS) / allowed), detector.fewest


def read(state: State, detectors: Mapping[str, Tally]) -> list[TallyAlarm]:
    """The alarms not heard yet, in the order of their routes; each is heard once."""
    rows = np.flatnonzero(state.tallies["alarm"])
    state.tallies["alarm"][rows] = 0
    names = {detector.row: name for name, detector in detectors.items()}
    alarms = []
    for row in rows.tolist():
        kind = min(row, 1)  # place 0 counts addresses, every other one accounts on its route
        tally = state.tallies[row]
        alarms.append(
            TallyAlarm(
                detector=names[kind],
                pattern=detectors[names[kind]].pattern,
                route=row,
                since_minute=int(tally["alarm_since"]),
                minute=int(tally["alarmed"]),
                nats=float(tally["nats"]),
                threshold=float(state.tally_limits[kind, 0]),
                counted=float(tally["counted"]),
                expected=float(tally["expected"]),
                accounts=float(tally["alarm_accounts"]),
                rate=(float(tally["seen"]) + 0.5) / max(float(tally["exposed"]), 1.0),
                upto=float(tally["since_exposed"]),
            )
        )
    return alarms
