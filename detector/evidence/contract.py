"""What declared partners read, counted against what was agreed: by partner, and by partner and route.

A partner is known by the token its rows carry (`records.declared.token`), so nothing depends on the order of the
configuration. Everything is decided from rows in log order; a slot is brought to its minute when the next row comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Bound, Kernel, Scalar
from detector.errors import SnapshotDamaged
from detector.evidence.outcome import READING
from detector.packing import Arrays, adopted
from detector.records.batch import Batch
from detector.records.route_names import names_route
from detector.records.routes import MAX_ROUTES
from detector.records.shape import METHODS

WINDOW = 10  # minutes in which requests outside count together: what the alarm may take
DAYS = 7  # closed days with reads that are remembered: a week has one of each
GRACE = 5  # minutes before and after the hours agreed: clocks differ, requests are logged when they end (judgement)
SLOTS = 4096  # partner and route, 1 MB; what does not fit counts for the partner alone
DAY_MINUTES = 1440
NETWORKS = 16  # networks of a partner that are told apart

READ, FOREIGN, ELSEWHERE, AT_OTHER_HOURS = 1, 2, 4, 8  # what the kernel says of a partner's row

CONTRACT = np.dtype(
    [
        ("first_us", "i8"),
        ("last_us", "i8"),
        ("minute", "i8"),  # the log minute it stands at
        ("records", "i8"),  # ever, and of the running day and hour
        ("day_records", "i8"),
        ("hour_records", "i8"),
        ("peak", "i8"),  # the largest closed hour of the running day
        ("peaks", "i8", DAYS),  # the largest hour of each of the last days with reads, the newest first
        ("reference", "f8"),  # the largest hour of the first days, growing slowly: see `closing`
        ("token", "u4"),  # 0 = slot not in use
        ("route", "u4"),
        ("days", "u4"),  # closed days with reads
        ("broken", "u4"),  # bits: 1 = the running day broke the contract and is not learnt; 2 = too much at present
        ("by_minute", "u4", WINDOW),  # records, by log minute modulo WINDOW
        ("foreign", "u4", WINDOW),  # requests for records outside of the networks, routes and hours, likewise
        ("elsewhere", "u4", WINDOW),
        ("at_other_hours", "u4", WINDOW),
        ("networks", "u4", NETWORKS),  # the first networks it came from
        ("seen", "u4"),  # how many those are
    ],
    align=True,
)

COUNT = Kernel(
    "detector.evidence.contract_kernel:count",
    [
        *[Scalar("i8")] * 2,
        *[Array(code) for code in ("i8", "u4", "u1", "u4", "u8", "u2", "u1", "i4", "u4")],
        Array("u1"),
        Array("u4"),
        *[Array("u1", 2)] * 2,
        *[Array(CONTRACT)] * 2,
        Array("u1"),
    ],
)


@dataclass(frozen=True)
class Terms:
    """What was agreed with one partner.

    Attributes:
        name: of the agreement; ``token``: what its rows carry.
        records_a_day: most records a day of UTC; None = not said.
        routes: templates (`records.templates`); empty = any.
        hours: of the day in UTC, from and until, in minutes, over midnight where until is the smaller; empty = any.
        learn: where no amount is said, whether the largest hour so far is the measure.
        clients: client hashes of its accounts and keys.
    """

    name: str
    token: int
    records_a_day: int | None = None
    routes: tuple[str, ...] = ()
    hours: tuple[tuple[int, int], ...] = ()
    learn: bool = True
    clients: tuple[int, ...] = ()

    @property
    def minutes_a_day(self) -> int:
        """How long its hours are."""
        return int(self._minutes(0).sum()) if self.hours else DAY_MINUTES

    def _minutes(self, grace: int) -> npt.NDArray[np.uint8]:
        open_at = np.zeros(DAY_MINUTES, np.uint8)
        for start, end in self.hours:
            length = (end - start) % DAY_MINUTES or DAY_MINUTES
            open_at[(start - grace + np.arange(min(length + 2 * grace, DAY_MINUTES))) % DAY_MINUTES] = 1
        return open_at

    def allowed_minutes(self) -> npt.NDArray[np.uint8]:
        """uint8 (1440,): 1 where a request is inside of its hours, `GRACE` included."""
        return self._minutes(GRACE) if self.hours else np.ones(DAY_MINUTES, np.uint8)

    def allows(self, route: str) -> bool:
        """Whether it may read through a route."""
        return not self.routes or any(names_route(said, route) for said in self.routes)


class Contracts:
    """The table of contracts.

    Args:
        terms: what was agreed with whom.
        route_name: the printable template of a route.

    Attributes:
        terms: sorted by token.
        totals: CONTRACT (len(terms),), in their order.
        routes: CONTRACT (SLOTS,), open addressing by token and route.
    """

    def __init__(self, terms: Sequence[Terms], route_name: Callable[[int], str]) -> None:
        self._route_name = route_name
        self.routes = np.zeros(SLOTS, CONTRACT)
        self.totals = np.zeros(0, CONTRACT)
        self._readable = np.array([m in READING for m in METHODS], np.uint8)
        self.agree(terms)

    def agree(self, terms: Sequence[Terms]) -> None:
        """Other terms from the next row on; what is known of partners that stay is kept."""
        before = {int(row["token"]): row.copy() for row in self.totals}
        self.terms = sorted(terms, key=lambda t: t.token)
        self.totals = np.zeros(len(self.terms), CONTRACT)
        for place, said in enumerate(self.terms):
            if said.token in before:
                self.totals[place] = before[said.token]
            self.totals[place]["token"] = said.token
        self._tokens = self.totals["token"].copy()
        minutes = [said.allowed_minutes() for said in self.terms]
        self._minutes = np.array(minutes, np.uint8).reshape(len(minutes), DAY_MINUTES)
        self._allowed = np.ones((len(self.terms), MAX_ROUTES + 1), np.uint8)
        self._known = 0

    def __bool__(self) -> bool:
        return bool(self.terms)

    def batch(self, batch: Batch, routes: int) -> tuple[Bound, npt.NDArray[np.uint8]] | None:
        """The counting of a batch whose routes are assigned, to be called with first and last row, and what it will
        say of each row; None where none is a partner's.

        Args:
            batch: in log order.
            routes: how many routes are known.
        """
        if not self.terms or not batch.partner.any():
            return None
        for route in range(self._known + 1, routes + 1):
            name = self._route_name(route)
            self._allowed[:, route] = [said.allows(name) for said in self.terms]
        self._known = routes
        b, said = batch, np.zeros(len(batch), np.uint8)
        bound = COUNT.bind(
            *(0, 0, b.time_us, b.partner, b.flags, b.route, b.object, b.status, self._readable[b.method]),
            *(b.rows, b.network, b.requests, self._tokens, self._allowed, self._minutes),
            *(self.totals, self.routes, said),
        )
        return bound, said

    def of(self, token: int) -> npt.NDArray[Any]:
        """The slots of one partner's routes (copies)."""
        found: npt.NDArray[Any] = self.routes[self.routes["token"] == token]
        return found

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything counted."""
        return {"totals": self.totals.copy(), "routes": self.routes[self.routes["token"] != 0]}

    def load(self, arrays: Arrays | Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes back what `save` gave; partners without terms are forgotten.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        kept = adopted(arrays["routes"], CONTRACT)
        if len(kept) > SLOTS:
            raise SnapshotDamaged(f"snapshot: {len(kept)} contract slots for a table of {SLOTS}")
        before = {int(row["token"]): row for row in adopted(arrays["totals"], CONTRACT)}
        for place, said in enumerate(self.terms):
            if said.token in before:
                self.totals[place] = before[said.token]
        self.routes[:] = np.zeros(1, CONTRACT)
        for row in kept:
            place = home(int(row["token"]), int(row["route"]))
            while self.routes[place]["token"]:
                place = (place + 1) % SLOTS
            self.routes[place] = row


def home(token: int, route: int) -> int:
    """Where the search for a slot begins (Fibonacci hashing of both words)."""
    return (((token << 16 ^ route) * 0x9E3779B97F4A7C15) & (1 << 64) - 1) >> 52


def recent(slot: Any, name: str, minute: int) -> int:
    """Sum of a column by minutes over the `WINDOW` before a log minute, whose first row is still to come."""
    at = int(slot["minute"])
    ages = (at - np.arange(WINDOW)) % WINDOW  # of the entries, counted from the slot's own minute
    return int(slot[name][at - ages > minute - 1 - WINDOW].sum()) if at > minute - 1 - WINDOW else 0
