"""How long to wait before the next attempt."""

from __future__ import annotations

import numpy as np

FIRST_S = 0.2  # a restarting receiver is back within seconds; a page should not wait for it (judgement)
MOST_S = 60.0  # a receiver that returns has everything within minutes, and one that is gone costs an attempt a minute


class Backoff:
    """Waits that double from ``FIRST_S`` to ``MOST_S``, each shortened by up to half at random, so that many members
    do not come back to a receiver at the same moment.

    Args:
        seed: of the random part; None takes one from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = np.random.default_rng(seed)

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, 1 at least."""
        whole = min(MOST_S, FIRST_S * 2.0 ** min(failures - 1, 30))
        return whole * float(self._random.uniform(0.5, 1.0))
