"""What is unusual about a client, as columns: each feature grows with what an extraction looks like.

Features are one-sided and taken on a scale on which ordinary clients are spread evenly, for outlier models spend
themselves on harmless oddities otherwise (very few errors, very few bytes). A new one is a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.state.sketch import distinct_each

Clients = npt.NDArray[Any]  # of dtype state.layout.CLIENT
Floats = npt.NDArray[np.float64]

_SHRINK = 10.0  # trials at which a share counts half: judgement, a person's visit


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        name: for machines.
        words: for people, with the unit.
        value: the number people are shown, a column of it (n,).
        log: whether its logarithm is what is compared.
    """

    name: str
    words: str
    value: Callable[[Clients], Floats]
    log: bool = False


def _sum(clients: Clients, field: str) -> Floats:
    return np.asarray(clients[field].sum(axis=1), np.float64)


def _excess(hits: str, trials: str) -> Callable[[Clients], Floats]:
    """Share of a channel above what its routes make expected, drawn to zero where there are few trials."""

    def value(clients: Clients) -> Floats:
        above = _sum(clients, hits) - _sum(clients, f"{hits}_expected")
        return np.asarray(above / (_sum(clients, trials) + _SHRINK))

    return value


def _share(part: str, whole: str) -> Callable[[Clients], Floats]:
    return lambda clients: _sum(clients, part) / (_sum(clients, whole) + _SHRINK)


def _distinct(clients: Clients) -> Floats:
    return np.asarray(np.maximum(distinct_each(clients["registers"]), clients["distinct_before"]), np.float64)


def _in_order(clients: Clients) -> Floats:
    inside = clients["inside"].astype(np.float64)
    dense = 2 * inside >= (clients["high"] - clients["low"]).astype(np.float64) + 1
    return np.asarray(np.maximum(clients["run"], np.where(dense, inside, 0.0)), np.float64)


def _hours(clients: Clients) -> Floats:
    return np.asarray((clients["last_us"] - clients["first_us"]) / 3.6e9, np.float64)


FEATURES: tuple[Feature, ...] = (
    Feature("requests", "requests in two days", lambda c: _sum(c, "requests"), log=True),
    Feature("distinct_records", "distinct records a day", _distinct, log=True),
    Feature("cold_excess", "share of reads nobody else makes, above the route's", _excess("cold", "fresh")),
    Feature("miss_excess", "share of ids that do not exist, above the route's", _excess("misses", "tries")),
    Feature("reads_share", "share of requests that read a record", _share("reads", "requests")),
    Feature("never_twice", "share of reads that repeat nothing of its own", _share("fresh", "reads")),
    Feature("ids_in_order", "ids in order", _in_order, log=True),
    Feature("peak_rate", "requests a second at its peak", lambda c: c["peak_10s"].astype(np.float64), log=True),
    Feature("bytes_out", "bytes in two days", lambda c: _sum(c, "bytes_out"), log=True),
    Feature("hours", "hours between its first request and its last", _hours),
)


def values(clients: Clients) -> Floats:
    """The features of clients as people are shown them, a row each (n, len(FEATURES))."""
    return np.stack([feature.value(clients) for feature in FEATURES], axis=1)


def scaled(shown: Floats) -> Floats:
    """The same on the scale on which they are compared."""
    columns = [np.log1p(np.maximum(shown[:, k], 0)) if f.log else shown[:, k] for k, f in enumerate(FEATURES)]
    return np.stack(columns, axis=1)
