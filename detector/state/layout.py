"""The fixed memory of the process: every table's slot, byte by byte, and how large the tables are.

All tables are allocated once. Their pages are touched as clients and objects appear, so a small log stays small. What
does not fit pushes out the least informative slot (fewest records read), and is counted.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import SnapshotDamaged
from detector.packing import Arrays, copied, fill, raw, sparse
from detector.records.batch import NAME_BYTES
from detector.state.accounts import LIMITS, SOURCE, SUSPECT, TALLY
from detector.state.aligned import aligned
from detector.state.cells import (
    CELL,
    CHANNELS,
    COUNTS,
    CROSSING,
    DIRECT,
    KINDS,
    LIMIT_FIELDS,
    MATURITY,
    NOISE_FIELDS,
    PAST,
    enter_pasts,
)
from detector.state.owners import OWNER, OWNER_SAMPLE

REGISTERS = 64  # HyperLogLog registers a client: relative standard error 1.04 / sqrt(64) = 13 %
WAYS = 4  # slots a bucket: four 16-byte objects fill one cache line

CLIENT = np.dtype(
    [
        ("key", "u8"),  # keyed hash of the client; 0 = slot not in use
        ("first_us", "i8"),
        ("last_us", "i8"),
        ("bytes_out", "i8", 2),  # pairs: this generation (a day of log time), the one before
        ("last_number", "i8"),  # id of the last numbered attempt
        ("low", "i8"),  # the stretch of ids it works on now: see evidence.order
        ("high", "i8"),
        ("requests", "u4", 2),
        ("reads", "u4", 2),  # record reads, own repeats included
        ("fresh", "u4", 2),  # record reads that repeat none of its own of the last 24 h
        ("cold", "u4", 2),  # of the fresh ones: nobody else read that record in the last 24 h
        ("cold_expected", "f4", 2),  # sum of the route's cold share over the same trials
        ("tries", "u4", 2),  # fresh reads and fresh misses
        ("misses", "u4", 2),
        ("misses_expected", "f4", 2),
        ("established", "u2", 2),  # reads of watched records whose readers are known: see evidence.owners_kernel
        ("foreign", "u2", 2),  # of those, of another account's
        ("foreign_expected", "f4", 2),
        ("distinct_before", "f4"),  # distinct records of the generation before
        ("rate_10s", "f4"),  # requests a second, exponentially decayed
        ("rate_300s", "f4"),
        ("peak_10s", "f4"),
        ("run", "u4"),  # ids in a row with one and the same step
        ("inside", "u4"),  # attempts inside the stretch
        ("advances", "u4"),  # of those: next to the stretch's edge, within two
        ("strays", "u4"),  # attempts elsewhere since the stretch began
        ("step", "i8"),
        ("lead", "u4"),  # the route most of its record reads go to (majority vote), and the vote's margin
        ("lead_margin", "u4"),
        ("generation", "u4"),
        ("next_check", "u4"),  # tries at which the evidence is weighed next
        ("incident", "i4"),  # number of the open incident it belongs to, from 1; 0 = none
        ("kind", "u1"),
        ("raised", "u1"),  # bits: what it was convicted of in the open incident
        ("part", "u2"),  # partition its first row in this process came from
        ("bits", "u2"),  # its last eight trials in each channel: low byte coldness of reads, high byte new misses
        ("crossed", "u1"),  # bits of CROSSED: lines it has crossed
        # how much each answer held and when it was asked for: see evidence.answers_kernel; first what every row touches
        ("asked_over", "u1"),  # whether the request under way counts as over
        ("beat_route", "u4"),  # the route most of its requests go to, by majority vote, and the votes
        ("beat_us", "i8"),  # its last request there
        ("beats", "u4"),
        ("beats_away", "u4"),
        ("beat_rows", "u4"),  # records in its last answer there
        ("beat_hours", "u4"),  # hours of the day (UTC) with a request there, as bits
        ("gap", "f4"),  # mean and mean square of the seconds between requests there, over about the last 32
        ("gap_square", "f4"),
        ("since", "f4"),  # the last of them
        ("asked", "u4"),  # objects of the request under way, and how many of them do not exist
        ("asked_misses", "u4"),
        ("answers", "u4", 2),  # answers that could have held many records
        ("familiar", "f4", 2),  # of the tries, those on routes whose own share of misses was known
        ("over", "u4", 2),  # answers larger or further back than one in a thousand other clients ever gets, or unread
        ("rows", "u4", 2),  # records in lists
        ("over_route", "u4"),  # where the last large answer was
        ("taught_route", "u4"),  # the route whose sizes this client teaches today, and its largest answer of each kind
        ("taught", "u1", 3),  # as steps; 0 = none yet
        ("batches", "u1"),  # lists it has come for again on ``beat_route`` today: see evidence.again_kernel
        ("unread_expected", "f4", 2),  # of ``answers``, those on pages nobody else opens, for an ordinary client
        ("depth", "f4"),  # nats of the furthest back of such pages today
        ("entry", "u4"),  # the route of the first request seen of it
        ("registers", "u1", REGISTERS),
    ],
    align=True,
)

W5, W7, HARVESTS, AGAIN, ACTED, SIGNED, MISS_W5, MISS_W7 = (1 << bit for bit in range(8))
"""Bits of ``crossed``: five, seven of eight cold; counted as an account that harvests, as one that comes again; asked
for what is no record, list or asset (a search); passed where sessions begin (`evidence.sign_in`); 5, 7 misses."""

DAILY = W5 | W7 | HARVESTS | AGAIN | MISS_W5 | MISS_W7
"""Of these, the lines that may be crossed anew each day of the client."""

OBJECT = np.dtype([("tag", "u4"), ("reader", "u4"), ("last_minute", "u4"), ("other_minute", "u4")])

BLOCK = np.dtype(
    [
        ("block", "i8"),  # id // 1024
        ("begin_us", "i8"),
        ("last_us", "i8"),
        ("clients", "u8"),  # bitmap for linear counting of distinct clients
        # sums over cold first reads: of their place in time (0, 1, 2 ...), of ids from the block's start, of products
        *((f"sum_{what}", "f8") for what in ("t", "x", "tt", "xx", "tx")),
        ("route", "u4"),  # 0 = slot not in use
        ("hits", "u4"),  # cold first reads
        ("reads", "u4"),  # all fresh reads
        ("switches", "u4"),  # hits by another client than the hit before, and of those, close to it
        ("near", "u4"),
        ("last_place", "u4"),  # where in the block that was
        ("edge", "u4"),  # hits at the route's newest ids
        ("steady", "u4"),  # hits by clients that have read before, and little but this route
        ("lead_client", "u4"),  # who has most of the hits (majority vote), and the vote's margin
        ("lead_margin", "u4"),
        ("last_client", "u4"),
        ("next_check", "u4"),
        ("flagged", "u4"),
    ],
    align=True,
)

ROUTE = np.dtype(
    [
        ("minute", "i8"),  # log minute of the last decay
        ("tries", "f8"),  # what ordinary clients do here, decayed over an hour, a few trials a client
        ("fresh", "f8"),
        ("cold", "f8"),
        ("misses", "f8"),
        ("requests", "i8"),
        ("reads", "i8"),
        ("low", "i8"),  # smallest and largest id read
        ("high", "i8"),
        ("high_hour", "i8"),  # log hour in which the two below were brought up to date
        ("high_then", "i8"),  # largest id read as of the beginning of that hour, and of the hour before
        ("high_before", "i8"),
        ("sizes", "u4", 192),  # clients by largest answer: 64 steps of rows, bytes, page; route 0 = the site
        ("lessons", "u4"),  # changes of those
        ("edge", "u1", 3),  # the half octave from which an answer is over, 0 = not known yet; and the same for a client
        ("edge_own", "u1", 3),  # that is itself among those counted
        ("typical", "u1"),  # the median half octave of bytes
        ("unused", "u1", 9),  # named, so that equal rows are equal bytes
        ("owned", "f4", 2),  # reads of established records by accounts, those of another's; a few a client, over a day
        ("owned_hour", "u4"),  # log hours: of their last decay, of the first such read, and the last in which reading
        ("owned_since", "u4"),  # other people's records was seen to be somebody's work
        ("clerks_hour", "u4"),
        ("pages", "u4", 2),  # pages opened, a sample of each client's; those nobody else opens; route 0 = the site
        ("half", "u4", 2),  # half hour that is counted, and the one last told of: see evidence.again_kernel
        ("came", "u4", 2),  # clients that came for a list in that half hour, in the one before
        ("again", "u4", 2),  # clients that came again
        ("usual", "f4", 2),  # those that came, and came again, before that; halved a day
    ],
    align=True,
)

SAMPLE = 10_000  # clients a fit looks at: the error of a share is then below half a percent

COUNTERS = (
    "clients",  # slots in use
    "clients_evicted",
    "objects_evicted",
    "blocks_evicted",
    "cells_evicted",
    "blocks",  # blocks opened so far: the number of tests the sweep's budget is spread over
    "hand",  # where the search for a slot to free goes on
    "candidate",  # what stopped the kernel, bits: 1 = a client, 2 = a block, 4 = alarms of cells
    "declared",  # requests of declared partners
    "judged",  # record reads and misses weighed
    "strayed",  # rows that came from another partition than their client's first
    "cells",  # in use
    "minute",  # log minute the cells are counting; 0 = none yet
    "alarms",  # of cells, at the tick that stopped the kernel
    "cell_minutes",  # minutes of cells that have counted something, in the running hour
    "busy",  # the same in the hour that had most lately, faded over a day
    "crossings",  # ever written to their ring
    "newcomers",  # ever written to the ring of clients to be looked at later
    "matured",  # of those, looked at
    "accounts",  # of those, accounts that were still held
    "stubs",  # of those, stubs; both halved daily, behind addresses that do not stand out
    "plain_accounts",
    "accounts_since",  # log minute in which the first account was looked at
    "accounts_settled",  # accounts looked at when the log was long enough for coldness to mean anything, and one
    "accounts_day",
    "tallied",  # whether a tally has counted something since the last minute closed
    "looks",  # minutes in which tallies counted something, in the running day; and the day before
    "looks_before",
    "suspects",  # ever written to their ring
)
WHOLE = ("touched", "noise", "limits", "tally_limits")  # small arrays of plain numbers
COUNTER = {name: place for place, name in enumerate(COUNTERS)}


SLOTS = (CLIENT, OBJECT, OWNER, BLOCK, ROUTE, CELL, PAST, CROSSING, MATURITY, SOURCE, TALLY, SUSPECT)
TABLES = (
    *("clients", "names", "index", "objects", "owners", "blocks", "routes", "cells", "past"),
    *("crossings", "maturity", "sources", "tallies", "suspects", "counters"),
)


@dataclass(frozen=True)
class Sizes:
    """How many slots each table has; powers of two.

    The defaults hold a million clients in 0.44 GB, 8 million objects in 0.13 GB, 65,536 cells beside those of the
    routes in 0.04 GB, the last 131,072 crossings and 262,144 newcomers in 0.016 GB: some hours, and three quarters of
    an hour, at 100 new clients a second; 262,144 addresses of accounts and the last 65,536 suspects in 0.01 GB.
    """

    clients: int = 1 << 20
    objects: int = 1 << 23
    blocks: int = 1 << 16
    cells: int = 1 << 16
    crossings: int = 1 << 17
    maturity: int = 1 << 18
    routes: int = 4097
    sources: int = 1 << 18
    suspects: int = 1 << 16

    def digest(self) -> str:
        """What the tables are: their slots, byte by byte, the counters and the sizes, as 16 hexadecimal digits."""
        slots = [dtype.descr for dtype in SLOTS]
        return blake2b(repr((slots, COUNTERS, astuple(self))).encode(), digest_size=8).hexdigest()


@dataclass
class State:
    """Everything that is remembered between two batches, as plain arrays.

    Attributes:
        clients: CLIENT (sizes.clients,), filled from the front.
        names: uint8 (sizes.clients, NAME_BYTES), the printable name of the client in the same slot.
        index: uint64 (2 * sizes.clients,), hash table over ``clients``: high half of the key, slot + 1.
        objects: OBJECT (sizes.objects,), buckets of WAYS.
        owners: OWNER (sizes.objects // OWNER_SAMPLE, at least a bucket), buckets of WAYS.
        blocks: BLOCK (sizes.blocks,), buckets of WAYS.
        routes: ROUTE (sizes.routes,), by route id.
        cells: CELL (sizes.cells + DIRECT * sizes.routes,): buckets of WAYS, then those of each route and its cohorts.
        past: PAST, the same places.
        touched: uint64 (2, words), a bit a cell: counted something in the running minute, hour.
        noise: float64 (len(KINDS) * COUNTS, NOISE_FIELDS), what counts vary by without a reason.
        limits: float64 (len(CHANNELS), LIMIT_FIELDS), when cells alarm; zeros = never.
        crossings: CROSSING (sizes.crossings,), a ring; the counter of the same name says how many were written.
        maturity: MATURITY (sizes.maturity,), a ring; counter "newcomers".
        sources: SOURCE (sizes.sources,), buckets of WAYS.
        tallies: TALLY (sizes.routes,): what stands out among addresses, then accounts that harvest, by route id.
        suspects: SUSPECT (sizes.suspects,), a ring; the counter of the same name.
        tally_limits: float64 (2, LIMITS), when tallies alarm.
        counters: int64 (len(COUNTERS),).
    """

    sizes: Sizes
    clients: npt.NDArray[Any] = field(init=False)
    names: npt.NDArray[np.uint8] = field(init=False)
    index: npt.NDArray[np.uint64] = field(init=False)
    objects: npt.NDArray[Any] = field(init=False)
    owners: npt.NDArray[Any] = field(init=False)
    blocks: npt.NDArray[Any] = field(init=False)
    routes: npt.NDArray[Any] = field(init=False)
    cells: npt.NDArray[Any] = field(init=False)
    past: npt.NDArray[Any] = field(init=False)
    touched: npt.NDArray[np.uint64] = field(init=False)
    noise: npt.NDArray[np.float64] = field(init=False)
    limits: npt.NDArray[np.float64] = field(init=False)
    crossings: npt.NDArray[Any] = field(init=False)
    maturity: npt.NDArray[Any] = field(init=False)
    sources: npt.NDArray[Any] = field(init=False)
    tallies: npt.NDArray[Any] = field(init=False)
    suspects: npt.NDArray[Any] = field(init=False)
    tally_limits: npt.NDArray[np.float64] = field(init=False)
    counters: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        sizes = self.sizes
        self.clients = aligned(sizes.clients, CLIENT)
        self.names = np.zeros((sizes.clients, NAME_BYTES), np.uint8)
        self.index = aligned(2 * sizes.clients, np.uint64)
        self.objects = aligned(sizes.objects, OBJECT)
        self.owners = aligned(max(sizes.objects // OWNER_SAMPLE, WAYS), OWNER)
        self.blocks = aligned(sizes.blocks, BLOCK)
        self.routes = aligned(sizes.routes, ROUTE)
        cells = sizes.cells + DIRECT * sizes.routes
        self.cells = aligned(cells, CELL)
        self.past = aligned(cells, PAST)
        self.touched = np.zeros((2, -(-cells // 64)), np.uint64)
        self.noise = np.zeros((len(KINDS) * COUNTS, NOISE_FIELDS))
        self.limits = np.zeros((len(CHANNELS), LIMIT_FIELDS))
        self.crossings = np.zeros(sizes.crossings, CROSSING)
        self.maturity = np.zeros(sizes.maturity, MATURITY)
        self.sources = np.zeros(sizes.sources, SOURCE)
        self.tallies = np.zeros(sizes.routes, TALLY)
        self.suspects = np.zeros(sizes.suspects, SUSPECT)
        self.tally_limits = np.zeros((2, LIMITS))
        self.counters = np.zeros(len(COUNTERS), np.int64)

    @property
    def in_use(self) -> npt.NDArray[Any]:
        """The client slots in use, as a view."""
        return self.clients[: int(self.counters[COUNTER["clients"]])]

    @property
    def nbytes(self) -> int:
        """What the tables may take, whether their pages are in use or not."""
        return sum(getattr(self, name).nbytes for name in TABLES)

    def sample(self) -> npt.NDArray[Any]:
        """At most 2 * SAMPLE client slots in use, evenly spread over the table, as a view."""
        clients = self.in_use
        return clients[:: max(1, len(clients) // SAMPLE)]

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything in use."""
        enter_pasts(self.cells, self.past, int(self.counters[COUNTER["minute"]]))
        n = len(self.in_use)
        kept = {"clients": copied(self.in_use), "names": self.names[:n].copy()}
        kept |= {name: copied(getattr(self, name)) for name in ("routes", "tallies")}
        kept |= {name: getattr(self, name).copy() for name in ("counters", *WHOLE)}
        kept |= {name: copied(ring) for name, ring in self._rings(self.counters).items()}
        for name, (table, used) in self._hashed().items():
            kept |= sparse(name, table, used != 0)
        return kept

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave, into tables not used yet.

        Raises:
            SnapshotDamaged: it does not fit the tables.
        """
        counters = arrays["counters"]
        if counters.dtype != self.counters.dtype or counters.shape != self.counters.shape:
            raise SnapshotDamaged("snapshot: its counters are others")
        n = int(counters[COUNTER["clients"]])
        if not 0 <= n <= len(self.clients):
            raise SnapshotDamaged(f"snapshot: {n} clients for a table of {len(self.clients)}")
        self.counters[:] = counters
        whole = {name: getattr(self, name) for name in ("routes", "tallies", *WHOLE)}
        tables = {"clients": self.clients[:n], "names": self.names[:n], **whole, **self._rings(counters)}
        for name, table in tables.items():
            kept = arrays[name]
            if kept.dtype != table.dtype or kept.shape != table.shape:
                raise SnapshotDamaged(f"snapshot: {name} do not fit their table")
            raw(table)[:] = raw(kept)
        for name, (table, _) in self._hashed().items():
            fill(name, table, arrays)

    def _hashed(self) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """The tables whose slots are found by hash, flat, and beside each a column that is 0 where a slot is free."""
        words = self.objects.view(np.uint32).reshape(-1, OBJECT.itemsize // 4)
        return {
            "index": (self.index, self.index),
            "objects": (self.objects, words[:, 0]),
            "owners": (self.owners, self.owners["tag"]),
            "blocks": (self.blocks, self.blocks["route"]),
            "cells": (self.cells, self.cells["key"]),
            "past": (self.past, self.past["born"]),
            "sources": (self.sources, self.sources["key"]),
        }

    def _rings(self, counters: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """The rings as far as they are written, as views."""
        names = {"crossings": "crossings", "maturity": "newcomers", "suspects": "suspects"}
        written = {ring: counters[COUNTER[name]] for ring, name in names.items()}
        if min(written.values()) < 0:
            raise SnapshotDamaged("snapshot: its rings have been written less than never")
        return {name: getattr(self, name)[: int(count)] for name, count in written.items()}

    def last_crossings(self) -> npt.NDArray[Any]:
        """The crossings still held, in log order (dtype CROSSING); a copy."""
        return self._last("crossings")

    def last_suspects(self) -> npt.NDArray[Any]:
        """The accounts counted as suspects that are still held, in log order (dtype SUSPECT); a copy."""
        return self._last("suspects")

    def _last(self, name: str) -> npt.NDArray[Any]:
        ring, size = self._rings(self.counters)[name], len(getattr(self, name))
        at = int(self.counters[COUNTER[name]]) % size
        return np.concatenate([ring[at:], ring[:at]]) if len(ring) == size else copied(ring)

    def name(self, slot: int) -> str:
        """The client of a slot as the log prints it."""
        return bytes(self.names[slot]).rstrip(b"\0").decode("ascii")
