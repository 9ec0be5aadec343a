"""Many clients read what nobody else reads, each too little to be convicted alone (a campaign).

No client is weighed here: cells are (`state.cells`), each the clients of a route that share a cohort, an agent or a
network. What they count are clients and a few sampled trials of each, not requests, so that a heavy reader counts for
no more than ten trials a day and ordinary requests, however many, do not dilute a campaign.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Budget
from detector.state.cells import CHANNELS, KINDS, LAMBDAS, STATISTICS

FEWEST_CLIENTS = 100
"""Clients in excess below which cells stay quiet. Fifty operators of a call centre, in a network and with an agent of
their own, read three hundred rare records each; a crew as small is the single client's detectors' business."""

INFLATION = 3.5
"""Standard deviations of their levels' wander by which means are inflated. By simulation of 28,832 scores a day, levels
wandering by .15 an hour: at 3 the survival of the day's peak keeps within its bound to 1e-3, at 4.8 it is under a tenth
of it everywhere; at 0 there were 197 false alarms a day, at 1.5 one, from 3 on none."""


@dataclass(frozen=True)
class Cells:
    """A detector of many clients together.

    Attributes:
        statistics: names in `state.cells.STATISTICS` it listens to.
        channel: name in `state.cells.CHANNELS`.
        fewest: clients in excess before it alarms.
        share: of the user's budget of false incidents.
    """

    statistics: tuple[str, ...]
    channel: str
    fewest: int
    share: float


CELLS = Cells(STATISTICS, "cold", FEWEST_CLIENTS, share=0.15)
"""Half of what campaigns of all kinds may cost (`Budget.CAMPAIGNS`); halving it again would cost .7 nats."""


@dataclass(frozen=True)
class CellAlarm:
    """A cell that counted more than chance, its neighbours and its own past account for.

    Attributes:
        route: id of the route.
        kind: what the clients share, a name in `state.cells.KINDS`.
        value: hash of the agent or network, number of the cohort; 0 for a route.
        channel, statistic: names in `state.cells.CHANNELS`, `STATISTICS`.
        since_minute: log minute in which the score left zero; ``minute``: the one it alarmed at the end of.
        nats: the score; ``threshold``: what it had to reach.
        observed, expected: of the statistic, since the score left zero.
        excess_clients: by the statistic with the largest excess of those that count a client once.
        pattern: which detector's it is.
    """

    route: int
    kind: str
    value: int
    channel: str
    statistic: str
    since_minute: int
    minute: int
    nats: float
    threshold: float
    observed: float
    expected: float
    excess_clients: float
    pattern: str = "campaign"


def threshold(cell_minutes: int, statistics: int, per_day: float) -> float:
    """Nats at which a cell alarms: ln of the scores' ticks a day over the false alarms allowed.

    Args:
        cell_minutes: ticks of cells in the busiest hour lately.
        statistics: scored in each, for each of `LAMBDAS`.
        per_day: false alarms allowed.

    A CUSUM of log likelihood ratios needs exp(h) ticks or more to a false alarm on average (Lorden 1971), whatever the
    distribution.
    """
    return log(24 * max(cell_minutes, 60) * statistics * len(LAMBDAS) / per_day)


def limit(limits: npt.NDArray[np.float64], cell_minutes: int, budget: Budget, detectors: Mapping[str, Cells]) -> None:
    """Writes when cells alarm: float64 (channels, LIMIT_FIELDS)."""
    for detector in detectors.values():
        row = limits[CHANNELS.index(detector.channel)]
        allowed, statistics = detector.share * budget.per_day, len(detector.statistics)
        row[:] = threshold(cell_minutes, statistics, allowed), INFLATION, detector.fewest


def read(
    rows: npt.NDArray[Any],
    limits: npt.NDArray[np.float64],
    detectors: Mapping[str, Cells],
    patterns: Collection[str],
) -> list[CellAlarm]:
    """The alarms of one tick (dtype ALARM) that detectors which are on listen to, in the order of the cells."""
    alarms = []
    for row in rows:
        channel, statistic = CHANNELS[int(row["channel"])], STATISTICS[int(row["statistic"])]
        for pattern, detector in detectors.items():
            if detector.channel != channel or statistic not in detector.statistics or pattern not in patterns:
                continue
            alarms.append(
                CellAlarm(
                    route=int(row["route"]),
                    kind=KINDS[int(row["kind"])],
                    value=int(row["value"]),
                    channel=channel,
                    statistic=statistic,
                    since_minute=int(row["since"]),
                    minute=int(row["minute"]),
                    nats=float(row["nats"]),
                    threshold=float(limits[int(row["channel"]), 0]),
                    observed=float(row["observed"]),
                    expected=float(row["expected"]),
                    excess_clients=float(row["clients"]),
                    pattern=pattern,
                )
            )
    return alarms
