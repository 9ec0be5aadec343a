"""Records that a mesh writes twice: the proxy that sends a request and the one that receives it both log it.

Two records are of one hop where request id, method and path are the same and one was sent, the other received. Each
sent record counts, and a received one where none was sent: so a client that gives all its requests one id hides none of
them, and a log of one side alone loses nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar

WINDOW_US = 15_000_000
"""How far apart both may begin: Envoy tries a route again within its timeout, 15 s unless told otherwise
(envoyproxy.io, config.route.v3.RouteAction.timeout)."""

ROWS = 1 << 17  # 4 MB: 8,000 requests a second of both sides within the window; then the oldest go
COLUMNS = 4  # as in twins_kernel.py

_MARK = Kernel(
    "detector.state.twins_kernel:mark",
    [
        Array("u8"),  # twin
        Array("u1"),  # requests
        Array("i8"),  # moment_us
        Scalar("i8"),  # window_us
        Array("i8", 2),  # table
        Array("u1"),  # keep
    ],
    "i8",
)


class Twins:
    """Remembers what either proxy has logged of late, in fixed memory; rows come in log order."""

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._table: npt.NDArray[np.int64] | None = None  # made when the first such record comes

    def keep(
        self, twin: npt.NDArray[np.uint64], requests: npt.NDArray[np.uint8], moment_us: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], int]:
        """Which rows to keep, bool (n,), and how many requests the others are.

        Args:
            twin, requests: columns of a batch.
            moment_us: int64 (n,), the log time each row is judged at.
        """
        kept = np.ones(len(twin), np.uint8)
        if not twin.any():
            return kept.view(np.bool_), 0
        if self._table is None:
            self._table = np.zeros((self._rows, COLUMNS), np.int64)
        columns = [np.ascontiguousarray(column) for column in (twin, requests, moment_us)]
        dropped = int(_MARK(*columns, WINDOW_US, self._table, kept))
        return kept.view(np.bool_), dropped

    def save(self) -> npt.NDArray[np.int64]:
        """int64 (k, 1 + COLUMNS): the rows in use with their places (copies)."""
        if self._table is None:
            return np.zeros((0, 1 + COLUMNS), np.int64)
        used = np.flatnonzero(self._table[:, 0])
        return np.concatenate([used[:, None], self._table[used]], axis=1)

    def load(self, kept: npt.NDArray[np.int64]) -> None:
        """Takes back what :meth:`save` gave, into a table of the same size."""
        if len(kept):
            self._table = np.zeros((self._rows, COLUMNS), np.int64)
            self._table[kept[:, 0]] = kept[:, 1:]
