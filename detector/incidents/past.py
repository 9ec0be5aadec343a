"""Incidents that are over, as far as they must not be told again when the log behind them is read again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.story import Story
from detector.packing import adopted

PAST = np.dtype([("client", "u8"), ("route", "u4"), ("first_us", "i8"), ("until_us", "i8")])

KEPT_US = 3 * 86_400_000_000  # a rewind goes back by the longest window of two days, the lateness and a little
MOST = 1 << 16  # clients remembered (2 MB)


class Past:
    """Who was in an incident, and from when until when.

    Attributes:
        rows: dtype PAST, a row a client, in the order in which incidents ended; client 0 = a whole route (a sweep).
    """

    def __init__(self) -> None:
        self.rows: npt.NDArray[Any] = np.zeros(0, PAST)

    def add(self, story: Story, now_us: int) -> None:
        """An incident has ended at this log time; what ended long ago is let go."""
        clients = sorted({story.client, *story.members})[:MOST]
        new = np.zeros(len(clients), PAST)
        new["client"], new["route"], new["first_us"], new["until_us"] = clients, story.route, story.first_us, now_us
        rows = np.concatenate([self.rows, new])
        self.rows = rows[rows["until_us"] > now_us - KEPT_US][-MOST:]

    def until(self, client: int, route: int, time_us: int) -> int:
        """When the incident of this client, or of many on this route, ended that a signal belongs to; 0 = to none.

        In a log that is read for the first time no signal is older than an incident's end.
        """
        rows = self.rows
        if not len(rows):
            return 0
        same = (rows["client"] == np.uint64(client)) & (rows["first_us"] <= time_us) & (time_us < rows["until_us"])
        found = rows["until_us"][same & ((client != 0) | (rows["route"] == route))]
        return int(found.max()) if len(found) else 0

    def load(self, rows: npt.NDArray[Any]) -> None:
        """Takes back rows, also of another version."""
        self.rows = adopted(rows, PAST)
