"""Runs the judging kernel over batches in log order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Bound, Kernel, Scalar
from detector.evidence import noise
from detector.evidence.constants import DECAYS, FADES
from detector.records.batch import Batch
from detector.state.accounts import SOURCE, SUSPECT, TALLY
from detector.state.cells import ALARM, ALARMS, CELL, COUNTS, CROSSING, MATURITY, PAST
from detector.state.layout import BLOCK, CLIENT, COUNTER, ROUTE, State

READ, COLD, OWN, LISTED = 1, 2, 4, 8  # bits of Judged.flags
COHORT = 4  # where they hold the client's cohort: since when it is known, see `state.cells`

JUDGE = Kernel(
    "detector.evidence.judge_kernel:judge",
    [
        *[Scalar("i8")] * 3,
        *[Array(code) for code in ("i8", "u8", "u8", "u4", "u8", "u1")],
        Array("u1", 2),
        *[Array(code) for code in ("u4", "u8", "i8", "i8", "u1", "u1", "u2", "u1", "i4")],
        Array("u8"),
        Array(CLIENT),
        Array("u1", 2),
        Array(BLOCK),
        Array(ROUTE),
        *[Array(code) for code in ("i8", "f8")],
        Array(CLIENT),
        Array(BLOCK),
        *[Array(dtype) for dtype in (CELL, PAST)],
        *[Array(code, 2) for code in ("u8", "f8", "f8")],
        *[Array(dtype) for dtype in (CROSSING, MATURITY, ALARM, PAST, SOURCE, TALLY, SUSPECT)],
        Array("f8", 2),
        *[Array(code) for code in ("i8", "u1", "i4")],
        Array(CLIENT),
        Array(BLOCK),
    ],
)


def cohort_of(flags: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The cohorts of judged rows' clients at those rows."""
    return flags >> np.uint8(COHORT) & np.uint8(3)


@dataclass
class Judged:
    """Rows ``first`` to ``last`` of a batch, judged.

    Attributes:
        slot: int64, the client's slot; -1 = a declared partner, not judged.
        flags: uint8, READ (a record went out), COLD (nobody else read it in 24 h), OWN (a repeat of its own),
            LISTED (records went out in a list: an answer larger than nearly anybody else's, or of a client convicted of
            it); from bit 4 on the client's cohort: 0 = first seen less than an hour ago, 1 = a day, 2 = a week,
            3 = longer.
        incident: int32, number of the open incident the client belonged to before the row, 0 = none.
        client: a copy of the client's slot as of the last row, where its evidence is worth weighing; else None.
        block: the same for a block of ids.
        alarms: what cells have said at the end of the minute before the next row (dtype ALARM), else None.
    """

    first: int
    last: int
    slot: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]
    incident: npt.NDArray[np.int32]
    client: np.void | None
    block: np.void | None
    alarms: npt.NDArray[Any] | None = None


class Judge:
    """Learns and judges rows in log order; owns the state's tables.

    Args:
        state: the tables.
        floor: fewest records whose loss is worth an alert by volume.
    """

    def __init__(self, state: State, floor: int) -> None:
        self.state = state
        self.floor = floor
        self._scratch = (np.zeros(2 * COUNTS + 2 * FADES + 2 * DECAYS), np.zeros(1, CLIENT), np.zeros(1, BLOCK))
        self._client = np.zeros(1, CLIENT)
        self._block = np.zeros(1, BLOCK)
        self._alarms = np.zeros(ALARMS, ALARM)
        self._blank_cell = np.zeros(1, PAST)
        noise.begin(state.noise)

    def batch(self, batch: Batch, outcomes: npt.NDArray[np.uint8]) -> JudgedBatch:
        """Makes a batch ready to be judged, part by part; its outcomes are those of `evidence.outcome`."""
        return JudgedBatch(self, batch, outcomes)

    def bind(self, batch: Batch, outcomes: npt.NDArray[np.uint8], out: tuple[npt.NDArray[Any], ...]) -> Bound:
        """The kernel with a batch's columns and the tables."""
        s, b = self.state, batch
        return JUDGE.bind(
            *(0, 0, self.floor),
            *(b.time_us, b.client, b.source, b.network, b.agent, b.kind, b.name, b.route, b.object, b.number),
            *(b.bytes_out, b.requests, b.flags, b.origin, outcomes, b.rows),
            *(s.index, s.clients, s.names, s.blocks, s.routes, s.counters, *self._scratch),
            *(s.cells, s.past, s.touched, s.noise, s.limits, s.crossings, s.maturity, self._alarms, self._blank_cell),
            *(s.sources, s.tallies, s.suspects, s.tally_limits),
            *(*out, self._client, self._block),
        )

    def candidates(self) -> tuple[np.void | None, np.void | None, npt.NDArray[Any] | None]:
        """Copies of the client and the block whose evidence is worth weighing now, and of the cells' alarms."""
        found = int(self.state.counters[COUNTER["candidate"]])
        alarms = self._alarms[: int(self.state.counters[COUNTER["alarms"]])].copy() if found & 4 else None
        return self._client[0].copy() if found & 1 else None, self._block[0].copy() if found & 2 else None, alarms


class JudgedBatch:
    """One batch on its way through the judge.

    Attributes:
        slot, flags, incident: one entry a row, filled as far as rows are judged; see `Judged`.
    """

    def __init__(self, judge: Judge, batch: Batch, outcomes: npt.NDArray[np.uint8]) -> None:
        n = len(batch)
        self.slot, self.flags, self.incident = np.zeros(n, np.int64), np.zeros(n, np.uint8), np.zeros(n, np.int32)
        self._judge = judge
        self._call = judge.bind(batch, outcomes, (self.slot, self.flags, self.incident))

    def rows(self, first: int, last: int) -> Judged:
        """Judges rows from ``first`` on, up to ``last`` or to the first one whose evidence is worth weighing.

        What the caller changes in the state (a conviction, an incident's number) holds from the next row on.
        """
        done = self._call(first, last)
        return Judged(first, done, self.slot, self.flags, self.incident, *self._judge.candidates())

    def close_minute(self, row: int) -> npt.NDArray[Any] | None:
        """Log time has reached a row that is not judged yet: what the cells say of the minute before (dtype ALARM), if
        they have not been asked yet."""
        self._call(row, row)
        return self._judge.candidates()[2]
