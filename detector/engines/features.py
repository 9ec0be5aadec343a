"""The per-client features, as pandas and people want them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.batch import KINDS, NAME_BYTES
from detector.state.layout import State
from detector.state.sketch import distinct_each

FEATURES = np.dtype(
    [
        ("client", f"S{NAME_BYTES}"),
        ("kind", "S8"),
        ("first_us", "i8"),
        ("last_us", "i8"),
        ("requests", "i8"),
        ("record_reads", "i8"),
        ("fresh_reads", "i8"),
        ("distinct_records", "f8"),
        ("cold_reads", "i8"),
        ("cold_expected", "f8"),
        ("tries", "i8"),
        ("misses", "i8"),
        ("misses_expected", "f8"),
        ("bytes_out", "i8"),
        ("rate_10s", "f8"),
        ("rate_300s", "f8"),
        ("peak_rate_10s", "f8"),
        ("ids_in_stretch", "i8"),
        ("stretch_low", "i8"),
        ("stretch_high", "i8"),
        ("ids_in_run", "i8"),
        ("incident", "i8"),
    ]
)
"""One row a client. Counts are those of its running day and the day before (log time); rates are requests a second."""

_SUMS = {
    "requests": "requests",
    "record_reads": "reads",
    "fresh_reads": "fresh",
    "cold_reads": "cold",
    "cold_expected": "cold_expected",
    "tries": "tries",
    "misses": "misses",
    "misses_expected": "misses_expected",
    "bytes_out": "bytes_out",
}
_PLAIN = {
    "first_us": "first_us",
    "last_us": "last_us",
    "rate_10s": "rate_10s",
    "rate_300s": "rate_300s",
    "peak_rate_10s": "peak_10s",
    "ids_in_stretch": "inside",
    "stretch_low": "low",
    "stretch_high": "high",
    "ids_in_run": "run",
    "incident": "incident",
}


def features_of(state: State) -> npt.NDArray[Any]:
    """Features of every client held, in order of first sight (dtype FEATURES)."""
    clients = state.in_use
    table = np.zeros(len(clients), FEATURES)
    table["client"] = np.ascontiguousarray(state.names[: len(clients)]).view(f"S{NAME_BYTES}")[:, 0]
    table["kind"] = np.array([k.encode() for k in KINDS])[clients["kind"]]
    for feature, field in _SUMS.items():
        table[feature] = clients[field].sum(axis=1)
    for feature, field in _PLAIN.items():
        table[feature] = clients[field]
    table["distinct_records"] = np.maximum(distinct_each(clients["registers"]), clients["distinct_before"])
    return table
