"""One request as a record of 64 bytes, a cache line: what the simulator makes, sorts, labels and writes.

A row knows who asks (address, account or key, agent), what for (form, number, page) and what came back. It becomes a
row of a `records.batch.Batch` (`columns.fill`) or a line of text (`simulate.log`), the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar

ROW = np.dtype(
    [
        ("time_us", "i8"),  # log time, microseconds since 1970 UTC
        ("address", "u8"),  # an IPv4 address as a number below 2^32, else the first 64 bits of an IPv6 one
        ("who", "i8"),  # 0 nobody; an account's number; KEYS + an API key's number; -1 - i: NAMED_ACCOUNTS[i]
        ("number", "i8"),  # first number of the path, -1 = none
        ("page", "i4"),  # second number, -1 = none
        ("size", "i4"),  # bytes of the body
        ("rows", "i4"),  # records in the response
        ("batch", "i4"),  # objects asked for in this request; each is a row of its own, the first has requests = 1
        ("actor", "i4"),  # index of the attacker's identity; -1 = not the attacker
        ("agent", "u2"),  # index into the world's agents
        ("form", "u2"),  # index into site.FORMS
        ("status", "u2"),
        ("referer", "u1"),  # index into site.REFERERS
        ("requests", "u1"),  # 1 on the first row of a request
        ("flags", "u1"),  # DECLARED of records.batch | DECOY
        ("source", "u1"),  # PEOPLE, MACHINE, N + 1 to 15, ATTACK
        ("unused", "u2"),  # named, so that equal rows are equal bytes
    ],
    align=True,
)

DEAL = Kernel(
    "detector.simulate.columns.crowd_kernel:deal",
    [Array(ROW), Scalar("i8"), Scalar("i8"), Array("i8"), Array(ROW)],
)
GATHER = Kernel("detector.simulate.columns.crowd_kernel:gather", [Array(ROW), Array("i8"), Array(ROW)])

Rows = npt.NDArray[Any]  # of ROW
Ints = npt.NDArray[np.int64]

KEYS = 1 << 40  # account numbers end below it
NAMED_ACCOUNTS = ("partner-acme", "loadtest", "desk-1", "desk-2", "desk-3", "desk-4")

DECOY = 1  # read by an attacker to look like everybody
PEOPLE, MACHINE, ATTACK = 0, 100, 200  # what made a row; confuser N7 is 7

_DEFAULTS = {"number": -1, "page": -1, "rows": 1, "batch": 1, "actor": -1, "status": 200, "requests": 1}


def rows_of(time_us: npt.ArrayLike, **columns: npt.ArrayLike) -> Rows:
    """Rows at these moments; a column is an array or one value for all, what is not given gets its default."""
    times = np.asarray(time_us, np.int64)
    made = np.zeros(len(times), ROW)
    made["time_us"] = times
    for name, value in {**_DEFAULTS, **columns}.items():
        made[name] = value
    return made


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts; numpy alone would compare the layouts of thousands of parts name by name."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return np.zeros(0, ROW)
    plain = [np.ascontiguousarray(part).view(np.uint64) for part in parts]
    return np.concatenate(plain).view(ROW)


def in_order(rows: Rows) -> Rows:
    """The rows by time; those of one moment keep their order."""
    n = len(rows)
    if n < 2:
        return rows
    time_us = rows["time_us"]
    first = int(time_us.min())
    if int(time_us.max()) - first >= 1 << 31 or n >= 1 << 32:  # too long for one word a row
        order: Ints = np.argsort(time_us, kind="stable")
        return rows[order]
    key = ((time_us - first) << 32) | np.arange(n)  # one sort of words is five times as fast as an argsort
    key.sort()
    ordered = np.empty(n, ROW)
    GATHER(rows, key, ordered)
    return ordered


def deal(rows: Rows, first_us: int, tile_us: int) -> list[Rows]:
    """Rows by tiles of log time from ``first_us`` on, in each in the order they came; what lies before is dropped."""
    tiles = max((int(rows["time_us"].max()) - first_us) // tile_us + 1, 0) if len(rows) else 0
    if tiles == 0:
        return []
    starts, dealt = np.zeros(tiles + 1, np.int64), np.empty(len(rows), ROW)
    DEAL(np.ascontiguousarray(rows), first_us, tile_us, starts, dealt)
    return [dealt[starts[k] : starts[k + 1]] for k in range(tiles)]
