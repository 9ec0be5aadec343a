"""The clock of a consent ledger: at which log time each of its changes is taken in.

A change stands in the order at the moment the ledger had it. Nothing is refused as late or future there, for a change
that is lost accuses somebody: one dated wrongly waits for its moment, and holds up no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.engines.moments import I64, NEVER, Moments

LOOK = 9  # changes whose median is the watermark: four wrong dates among nine move nothing


class LedgerClock:
    """Moments of a ledger's changes, like `moments.FileClock`: each its own, but not before the watermark."""

    def __init__(self) -> None:
        self._last: I64 = np.empty(0, np.int64)
        self._mark = NEVER

    @property
    def watermark(self) -> int:
        """The median of the last changes, as far as it has ever risen."""
        return self._mark

    @property
    def waiting(self) -> int:
        """Rows without a moment: none."""
        return 0

    def push(self, times: I64, last: bool = False) -> Moments:
        """Takes the next changes' times, int64 (n,); returns their moments."""
        line = np.concatenate([self._last, times])
        marks = np.full(len(line), NEVER, np.int64)
        if len(line) >= LOOK:
            windows = np.lib.stride_tricks.sliding_window_view(line, LOOK)
            marks[LOOK - 1 :] = np.median(windows, axis=1).astype(np.int64)
        marks = np.maximum.accumulate(np.maximum(marks, self._mark))
        before = np.concatenate([[self._mark], marks[len(self._last) :]])[:-1]
        self._mark = int(marks[-1]) if len(marks) else self._mark
        self._last = line[-(LOOK - 1) :].copy()
        none = np.zeros(len(times), np.bool_)
        return Moments(np.maximum(times, before), none, none.copy())

    def save(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The whole state."""
        return {"ledger": True, "mark": self._mark}, {"line": self._last.copy()}

    @classmethod
    def load(cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> LedgerClock:
        """The clock as it was saved."""
        clock = cls()
        clock._mark, clock._last = int(meta["mark"]), arrays["line"].astype(np.int64)
        return clock
