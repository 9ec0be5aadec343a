"""Runs the judging kernel over batches in log order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.evidence.constants import GROUP
from detector.records.batch import Batch
from detector.records.shape import METHODS
from detector.state.layout import BESIDE, BLOCK, CLIENT, COUNTER, OBJECT, ROUTE, State

READ, COLD, OWN = 1, 2, 4  # bits of Judged.flags

READING = ("-", "GET", "POST", "QUERY", "SEARCH", "REPORT", "PROPFIND")
"""Methods whose answers carry records: the safe ones with a body (RFC 9110, RFC 4918), and POST, which look-ups use."""

JUDGE = Kernel(
    "detector.evidence.judge_kernel:judge",
    [
        *[Scalar("i8")] * 3,
        *[Array(code) for code in ("i8", "u8", "u8", "u4", "u8", "u1")],
        Array("u1", 2),
        *[Array(code) for code in ("u4", "u8", "i8", "u2", "i8", "u1", "u1", "u1")],
        Array("u8"),
        Array(CLIENT),
        Array("u1", 2),
        Array(OBJECT),
        Array(BLOCK),
        Array(ROUTE),
        Array(BESIDE, 2),
        *[Array(code) for code in ("i8", "u8")],
        Array(CLIENT),
        Array(BLOCK),
        *[Array(code) for code in ("i8", "u1", "i4")],
        Array(CLIENT),
        Array(BLOCK),
    ],
)


@dataclass
class Judged:
    """Rows ``first`` to ``last`` of a batch, judged.

    Attributes:
        slot: int64, the client's slot; -1 = a declared partner, not judged.
        flags: uint8, READ (a record went out), COLD (nobody else read it in 24 h), OWN (a repeat of its own).
        incident: int32, number of the open incident the client belonged to before the row, 0 = none.
        client: a copy of the client's slot as of the last row, where its evidence is worth weighing; else None.
        block: the same for a block of ids.
    """

    first: int
    last: int
    slot: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]
    incident: npt.NDArray[np.int32]
    client: np.void | None
    block: np.void | None


class Judge:
    """Learns and judges rows in log order; owns the state's tables.

    Args:
        state: the tables.
        floor: fewest records whose loss is worth an alert by volume.
    """

    def __init__(self, state: State, floor: int) -> None:
        self.state = state
        self.floor = floor
        self._look = np.zeros(GROUP, np.uint64)
        self._blank_client = np.zeros(1, CLIENT)
        self._blank_block = np.zeros(1, BLOCK)
        self._client = np.zeros(1, CLIENT)
        self._block = np.zeros(1, BLOCK)
        self._readable = np.array([m in READING for m in METHODS], np.uint8)

    def rows(self, batch: Batch, first: int, last: int) -> Iterator[Judged]:
        """Judges rows ``first`` to ``last``; yields after each row whose evidence is worth weighing and at the end.

        What the caller changes in the state (a conviction, an incident's number) holds from the next row on.
        """
        n = len(batch)
        slot, flags, incident = np.zeros(n, np.int64), np.zeros(n, np.uint8), np.zeros(n, np.int32)
        readable = self._readable[batch.method]
        s = self.state
        while first < last:
            done = JUDGE(
                first, last, self.floor,
                batch.time_us, batch.client, batch.source, batch.network, batch.agent, batch.kind, batch.name,
                batch.route, batch.object, batch.number, batch.status, batch.bytes_out, batch.requests, batch.flags,
                readable,
                s.index, s.clients, s.names, s.objects, s.blocks, s.routes, s.beside, s.counters, self._look, self._blank_client, self._blank_block,
                slot, flags, incident, self._client, self._block,
            )  # fmt: skip
            found = int(s.counters[COUNTER["candidate"]])
            yield Judged(
                first,
                done,
                slot,
                flags,
                incident,
                self._client[0].copy() if found & 1 else None,
                self._block[0].copy() if found & 2 else None,
            )
            first = done
