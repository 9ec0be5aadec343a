"""Cells: what the clients of one route have in common, counted by the minute, and the rings that tell who they were.

A cell is (route, kind, value): all clients of a route, those of one cohort (how long ago they were first seen), of one
agent, of one network, and of an agent or a network among new clients alone. A campaign of many identities shows in
cells where no single client shows anything. Tables:

- CELL, 64 bytes: the counts of the running minute, one cache line; all that the judging kernel touches.
- PAST, about 380 bytes: what a cell was before; touched once a minute, and only where the minute counted something.
- CROSSING, 40 bytes an event: who has just crossed one of the lines that cells count, for attribution.
- MATURITY, 40 bytes a client: newcomers in the order of their first row, so that each can be looked at once, later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CHANNELS = ("cold", "miss")
"""What a trial may be: a record nobody else read in 24 h; an id that is not there, nobody else's try in 24 h."""

STATISTICS = ("c1", "cs", "w5", "w7")
"""What is counted in each channel: c1 a client-day's first trial is one; cs of the trials sampled; w5, w7 the first
time that day that five, seven of a client's last eight trials are."""

EXPOSURES = ("n1", "ns", "nw")
"""What these are held against: first trials; sampled trials; trials that could complete a window of eight."""

KINDS = ("route", "cohort", "agent", "network", "agent_new", "network_new")
ROUTE_CELL, COHORT_CELL, AGENT_CELL, NETWORK_CELL, AGENT_NEW_CELL, NETWORK_NEW_CELL = range(len(KINDS))
COHORTS = 4  # first seen less than an hour ago, a day, a week, longer
DIRECT = 1 + COHORTS  # cells a route has at a place of its own, behind those found by hash

COUNTS = len(CHANNELS) * len(STATISTICS)
LAMBDAS = (1.5, 4.0)
"""How many times more than expected a campaign is taken to make: each finds those near it soonest; a third value would
cost ln(3/2) nats of threshold."""

CELL = np.dtype([("key", "u8"), ("weight", "u4"), ("_pad", "u4"), ("now", "u4", 12)])
"""``now``: EXPOSURES, then the STATISTICS of each channel, then one not in use. ``weight``: counts so far, halved
daily, worn down by newcomers. Of a network's cell that was born in the running minute, ``_pad`` (twice the route, and
1 or 2 for its kind) and the last of ``now`` (the network) say what it is."""

PAST = np.dtype(
    [
        ("value", "u8"),  # hash of the agent or the network, number of the cohort
        ("route", "u4"),
        ("kind", "u4"),
        ("born", "u4"),  # log minute of its first count; 0 = slot not in use
        ("minute", "u4"),  # of the last minute that counted something
        ("alarmed", "u4"),  # of a route's own cell: log minute in which any of its cells alarmed last
        ("seen", "f4", COUNTS),  # what it counted, halved daily: X
        ("expected", "f4", COUNTS),  # what the route's other cells let expect of it: E
        ("exposed", "f4", len(EXPOSURES)),  # N
        ("recent", "f4", COUNTS),  # a minute, smoothed over five
        ("recent_exposed", "f4", len(EXPOSURES)),
        ("hour", "f4", COUNTS),  # counts faded over an hour
        ("hour_exposed", "f4", len(EXPOSURES)),
        ("score", "f4", 2 * COUNTS),  # CUSUM in nats, one for each of LAMBDAS
        ("since", "u4", COUNTS),  # log minute in which the score left zero; 0 = it is zero
        ("surplus", "f4", COUNTS),  # seen above what was expected since then
        ("since_seen", "f4", COUNTS),
        ("hour_seen", "f4", COUNTS),  # of the running hour, for the wander of levels
        ("hour_expected", "f4", COUNTS),
    ],
    align=True,
)

BORN_WITH = ("value", "route", "kind", "born", "minute", "alarmed")
"""What of PAST holds from a cell's first count on (of a network's: ``_pad`` and the last of ``now`` of its CELL); the
rest from the end of that minute on."""


def enter_pasts(cells: npt.NDArray[Any], past: npt.NDArray[Any], minute: int) -> None:
    """Begins, in place, the pasts of cells born in the running log minute, as its close would: to be called by whoever
    looks at ``past`` (dtype PAST) or ``cells`` (dtype CELL) between two rows."""
    used = np.flatnonzero(cells["key"])  # of the others' pasts not even a page is touched
    born = used[past["born"][used] == minute]
    for name in set(PAST.names or ()) - set(BORN_WITH):
        past[name][born] = 0
    at = np.flatnonzero(cells["_pad"])
    codes = cells["_pad"][at].astype(np.int64)
    entered = np.zeros(len(at), PAST)
    entered["value"], entered["route"] = cells["now"][at, -1], (codes - 1) >> 1
    entered["kind"] = np.where(codes & 1, NETWORK_CELL, NETWORK_NEW_CELL)
    entered["born"] = entered["minute"] = minute
    past[at] = entered
    cells["_pad"][at] = 0
    cells["now"][at, -1] = 0


NOISE_FIELDS = 8
"""A row a kind of cell and statistic: sigma (wander of levels, of their logarithm), dispersion (1 / r of the minute's
counts), then what has been gathered for both: excess and square of minutes, of hours; hours it took; one not in use."""

LIMIT_FIELDS = 3
"""A row a channel: nats at which a cell alarms, z by which its mean is inflated, fewest clients in excess."""

CROSSING = np.dtype(
    [
        ("time_us", "i8"),
        ("client", "u8"),
        ("agent", "u8"),
        ("network", "u4"),
        ("slot", "i4"),
        ("route", "u4"),
        ("cohort", "u1"),
        ("which", "u1"),  # bits: 1 = c1, 2 = w5, 4 = w7
        ("channel", "u1"),
        ("_pad", "u1"),
    ]
)

MATURITY = np.dtype(
    [
        ("key", "u8"),
        ("agent", "u8"),
        ("source", "u8"),
        ("slot", "i4"),
        ("route", "u4"),
        ("network", "u4"),
        ("minute", "u4"),
    ]
)

ALARM = np.dtype(
    [
        ("value", "u8"),
        ("nats", "f8"),
        ("observed", "f8"),  # since the score left zero
        ("expected", "f8"),
        ("clients", "f8"),  # in excess
        ("route", "u4"),
        ("kind", "u4"),
        ("statistic", "u4"),
        ("channel", "u4"),
        ("since", "u4"),
        ("minute", "u4"),
    ]
)

ALARMS = 1024  # told at one tick; a cell whose alarm finds no room alarms again at the next
