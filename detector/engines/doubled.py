"""Rows of requests that both proxies of a hop logged: let through once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from detector.engines.coverage import Coverage
from detector.engines.order import Released
from detector.state.twins import Twins


def counted_once(released: Released, twins: Twins, coverage: Coverage) -> Iterator[Released]:
    """The rows without those that say again what another has said; nothing where none is left."""
    kept, dropped = twins.keep(released.batch.twin, released.batch.requests, released.moment_us)
    if not dropped:
        yield released
        return
    coverage.doubled += dropped
    if kept.any():
        yield replace(
            released,
            batch=released.batch.take(np.flatnonzero(kept)),
            moment_us=released.moment_us[kept],
            late=released.late[kept],
            future=released.future[kept],
        )
