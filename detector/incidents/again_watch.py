"""From clients that come again for a list to incidents: keeps who they are until they are too many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from detector.detectors import AGAIN, Budget
from detector.evidence.client import ClientEvidence
from detector.evidence.constants import HALF_HOUR_US
from detector.incidents.book import Book
from detector.state.accounts import RETURNER
from detector.state.layout import AGAIN as HAS_COME_AGAIN
from detector.state.layout import COUNTER, State

SECOND = 2  # see `evidence.again_kernel`


class AgainWatch:
    """What is known of clients that come again.

    Args:
        state: the tables.
        book: the stories.
    """

    def __init__(self, state: State, book: Book) -> None:
        self._state = state
        self._book = book

    def weigh(self, evidence: ClientEvidence, slot: int, budget: Budget) -> None:
        """Notes a client that has just come again; where they are too many, each of them is convicted.

        Args:
            evidence: of the client, as of its second visit or later.
            slot: its place.
            budget: the user's.
        """
        client = self._state.clients[slot]
        if evidence.slot["batches"] < SECOND or client["crossed"] & HAS_COME_AGAIN or client["incident"]:
            return
        client["crossed"] |= HAS_COME_AGAIN
        self._note(evidence, slot)
        row = self._state.routes[int(evidence.slot["beat_route"])]
        slots = self._lately(int(evidence.slot["beat_route"]), int(row["half"][0]))
        records = int(self._state.clients["rows"][slots].max(axis=1).sum())
        routes = self._state.routes
        looks = float(routes["usual"][:, 1].sum() + routes["again"].sum())
        if AGAIN(evidence, row, records, looks, budget) is None:
            return
        row["half"][1] = row["half"][0]
        for each in slots.tolist():
            if not self._state.clients["incident"][each]:
                own = ClientEvidence(self._state.clients[each].copy(), evidence.null)
                signal = AGAIN(own, row, records, looks, budget)
                if signal is not None:
                    signal = replace(signal, time_us=int(evidence.slot["last_us"]))
                    self._book.raise_client(signal, each)

    def _note(self, evidence: ClientEvidence, slot: int) -> None:
        state, seen = self._state, evidence.slot
        at = int(state.counters[COUNTER["suspects"]]) % len(state.suspects)
        state.counters[COUNTER["suspects"]] += 1
        entry = np.zeros((), state.suspects.dtype)
        entry["time_us"], entry["client"], entry["slot"] = seen["last_us"], seen["key"], slot
        entry["route"], entry["entry"], entry["which"] = seen["beat_route"], seen["entry"], RETURNER
        entry["requests"] = seen["requests"].sum()
        state.suspects[at] = entry

    def _lately(self, route: int, half: int) -> npt.NDArray[np.int64]:
        """The slots of those that have come again for a route's list in this half hour or the one before, in order."""
        state = self._state
        mine = (state.suspects["which"] == RETURNER) & (state.suspects["route"] == route)
        found = state.suspects[mine & (state.suspects["time_us"] >= (half - 1) * HALF_HOUR_US)]
        found = found[np.argsort(found["time_us"], kind="stable")]
        held = found[state.clients["key"][found["slot"]] == found["client"]]
        slots: npt.NDArray[np.int64] = held["slot"].astype(np.int64)
        return slots
