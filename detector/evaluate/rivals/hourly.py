"""Features of every client of each full hour, from the rows alone: what an outlier model is usually given."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.records.batch import DECLARED, MISS, STATIC
from detector.simulate.play import Labelled
from detector.state.sketch import mix_each

HOUR_US = 3_600_000_000
FEWEST_REQUESTS = 20  # of a client in an hour: below it shares say nothing

ROW = np.dtype(
    [
        ("client", "u8"),
        ("item", "u8"),
        ("bytes", "f4"),
        ("route", "u2"),
        ("minute", "u1"),
        ("object", "?"),
        ("miss", "?"),
        ("asset", "?"),
    ]
)


@dataclass(frozen=True)
class Hour:
    """One hour: clients with at least twenty requests (n,), their features (n, 9), and when it ended."""

    clients: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float64]
    end_us: int


@dataclass
class Hourly:
    """Gathers rows until their hour is over."""

    _hour: int = -1
    _rows: list[npt.NDArray[np.void]] = field(default_factory=list)
    _last_us: int = 0

    def take(self, part: Labelled) -> list[Hour]:
        """Takes a batch; returns the hour that has closed, if one has."""
        batch = part.batch
        hour = int(batch.time_us[-1]) // HOUR_US
        closed = [self._close((self._hour + 1) * HOUR_US)] if hour != self._hour and self._rows else []
        self._hour, self._last_us = hour, int(batch.time_us[-1])
        kept = (batch.flags & DECLARED) == 0
        rows = np.zeros(int(kept.sum()), ROW)
        rows["client"], rows["bytes"] = batch.client[kept], batch.bytes_out[kept]
        rows["item"] = mix_each(batch.client[kept], batch.object[kept])
        rows["route"], rows["minute"] = batch.route[kept], (batch.time_us[kept] // 60_000_000 % 60)
        rows["object"] = batch.object[kept] != 0
        rows["miss"] = (batch.flags[kept] & MISS) > 0
        rows["asset"] = (batch.flags[kept] & STATIC) > 0
        self._rows.append(rows)
        return closed

    def rest(self) -> Hour | None:
        """The hour under way, as far as it has come."""
        return self._close(self._last_us) if self._rows else None

    def _close(self, end_us: int) -> Hour:
        rows = np.concatenate(self._rows)
        self._rows = []
        clients, place, requests = np.unique(rows["client"], return_inverse=True, return_counts=True)
        n = len(clients)

        def total(column: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
            return np.asarray(np.bincount(place, column.astype(np.float64), n), np.float64)

        def different(code: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
            pairs = np.unique(place.astype(np.int64) * (1 << 16) + code.astype(np.int64))
            return np.bincount(pairs >> 16, minlength=n).astype(np.float64)

        _, first = np.unique(rows["item"], return_index=True)
        first = first[rows["object"][first]]
        objects = np.bincount(place[first], minlength=n).astype(np.float64)
        reads = total(rows["object"])
        minutes = different(rows["minute"])
        values = np.stack(
            [
                np.log1p(requests),
                np.log1p(objects),
                reads / requests,
                objects / np.maximum(reads, 1),
                total(rows["miss"]) / requests,
                total(rows["asset"]) / requests,
                np.log1p(different(rows["route"])),
                np.log1p(total(rows["bytes"]) / requests),
                np.log1p(requests / minutes),
            ],
            axis=1,
        )
        busy = requests >= FEWEST_REQUESTS
        return Hour(clients[busy], values[busy], end_us)
