"""What would have stopped it: the limits that cap an incident, and how many ordinary clients each would have hit.

Three kinds: a limit on what one client may read a day; a limit on what a route gives out an hour, whoever asks, where
many clients share the work; and cutting off who was named when it was raised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.attribution import ACTIONABLE_SHARE
from detector.incidents.book import Book
from detector.incidents.story import Story
from detector.state.sketch import distinct_each

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000

LIMITS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000)
"""Records a client and day: round numbers, about two an octave, as people set them (judgement)."""

HEADROOM = 2.0  # of a route's limit over its busiest ordinary hour: growth within a season (judgement)


def ordinary_clients(book: Book) -> npt.NDArray[np.float64]:
    """Distinct records of the larger of its last two days, for each of at most 20,000 ordinary clients with any."""
    clients = book.state.sample()
    clients = clients[clients["incident"] == 0]
    reads = np.maximum(np.minimum(distinct_each(clients["registers"]), clients["fresh"][:, 0]), clients["fresh"][:, 1])
    return np.sort(reads[reads > 0])


def limits(story: Story, book: Book, usual: npt.NDArray[np.float64], first: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """What could have been set, best first: how many records would have gone, and whom else it would have hit.

    Keys: ``kind`` (``client``, ``route``, ``cut_off``), ``limit`` (records a day, an hour; null), ``exposed``,
    ``ordinary`` (clients looked at) and ``hit`` (of those, how many exceed it).

    Args:
        story: the incident.
        book: the book it is in.
        usual: what `ordinary_clients` gives.
        first: the first reading of each of its records (`records.first_readings`).
    """
    gone = story.exposed().estimate
    found = [_client_limit(story, usual, gone, first)]
    if (route := _route_limit(story, book, gone, first)) is not None:
        found.append(route)
    found.append({"kind": "cut_off", "limit": None, "exposed": min(story.at_alert, gone), "ordinary": 0, "hit": 0})
    return sorted((one for one in found if one["exposed"] < gone), key=lambda one: (one["exposed"], one["kind"]))


def _client_limit(
    story: Story, ordinary: npt.NDArray[np.float64], gone: int, first: npt.NDArray[Any]
) -> dict[str, Any]:
    """The lowest of `LIMITS` that no more than one in a thousand ordinary clients exceed."""
    rows = story.records.rows()
    _, whom = np.unique(rows["client"], return_inverse=True)
    days = np.bincount(_groups(whom, rows["time_us"] // DAY_US), weights=rows["rows"].astype(np.float64))
    share = gone / max(float(first["rows"].sum()), 1.0)
    hits = [len(ordinary) - int(np.searchsorted(ordinary, limit, "right")) for limit in LIMITS]
    at = next((at for at, hit in enumerate(hits) if hit <= ACTIONABLE_SHARE * len(ordinary)), len(LIMITS) - 1)
    exposed = min(round(float(np.minimum(days, LIMITS[at]).sum()) * share), gone)
    return {"kind": "client", "limit": LIMITS[at], "exposed": exposed, "ordinary": len(ordinary), "hit": hits[at]}


def _route_limit(story: Story, book: Book, gone: int, first: npt.NDArray[Any]) -> dict[str, Any] | None:
    """Twice the busiest hour of its main route before it began, of the two days known; None where nothing is, for the
    log begins with it or nobody else used the route."""
    known_us = book.ordinary.since_us()
    mine, known = book.ordinary.read_on(story.route, story.first_us, known_us)
    if not len(mine) or not known:
        return None
    scale = max(book.ordinary.requests(known_us, story.first_us) / known, 1.0)
    busiest = float(np.bincount(_groups(mine["time_us"] // HOUR_US)).max()) * scale
    limit = max(round(HEADROOM * busiest), 1)
    rows = first[first["route"] == story.route]
    if not len(rows):
        return None
    hours = np.bincount(_groups(rows["time_us"] // HOUR_US), weights=rows["rows"].astype(np.float64))
    whole = float(first["rows"].sum())
    left = float(np.minimum(hours, max(limit - busiest, 0.0)).sum()) + whole - float(hours.sum())
    exposed = min(round(left / max(whole, 1.0) * gone), gone)
    return {"kind": "route", "limit": limit, "exposed": exposed, "ordinary": 0, "hit": 0}


def _groups(*columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Equal rows get the same small number. Columns of small numbers or of log time: their ranges fit 63 bits."""
    found: npt.NDArray[np.int64] = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if len(column):
            low = int(column.min())
            found = found * (int(column.max()) - low + 1) + (column.astype(np.int64) - low)
    return np.asarray(np.unique(found, return_inverse=True)[1]).reshape(-1)
