"""Who belongs to a sweep: reads that lie on the line its blocks of ids were worked through along."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import BLOCK_IDS
from detector.state.layout import WAYS, State
from detector.state.sketch import mix_each

STRAIGHT = 0.5  # least correlation of id and place in a block that is being swept, as where the kernel begins to look
SURE = 5.0  # and five standard errors of a correlation of nothing, 1 / sqrt(n)
SIGMAS = 4.0
SLACK = 16.0  # ids: answers that overtook one another


def on_the_line(state: State, route: int, reads: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which cold first reads lie on their block's line of id over place in time.

    Args:
        state: the tables, as of the last of the reads.
        route: the route.
        reads: dtype READS, on that route, numbered, fresh and in log order; no later read of the route is missing.
    """
    cold = np.flatnonzero(reads["cold"])
    block = reads["number"][cold] // BLOCK_IDS
    slots = _block_slots(state, route, block)
    b = state.blocks[slots]
    n = np.maximum(b["hits"].astype(np.float64), 1.0)
    place = b["hits"] - 1 - _later_in_block(block)
    mean_t, mean_x = b["sum_t"] / n, b["sum_x"] / n
    var_t = np.maximum(b["sum_tt"] / n - mean_t**2, 0.0)
    var_x = np.maximum(b["sum_xx"] / n - mean_x**2, 0.0)
    cov = b["sum_tx"] / n - mean_t * mean_x
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.nan_to_num(cov / np.sqrt(var_t * var_x))
        slope = np.nan_to_num(cov / var_t)
    away = np.abs(reads["number"][cold] % BLOCK_IDS - mean_x - slope * (place - mean_t))
    near = away <= SIGMAS * np.sqrt(np.maximum(var_x * (1.0 - r**2), 0.0)) + SLACK
    swept = (np.abs(r) >= np.maximum(STRAIGHT, SURE / np.sqrt(n))) & (4 * b["switches"].astype(np.int64) >= n)
    line = np.zeros(len(reads), bool)
    line[cold] = (slots >= 0) & (place >= 0) & swept & near
    return line


def _later_in_block(block: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many later entries have the same block, for each entry."""
    order = np.argsort(block, kind="stable")
    ordered = block[order]
    ends = np.searchsorted(ordered, ordered, side="right")
    later = np.empty(len(block), np.int64)
    later[order] = ends - 1 - np.arange(len(block))
    return later


def _block_slots(state: State, route: int, block: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the blocks lie in the table; -1 where they are not held any more."""
    x = mix_each(block.astype(np.uint64), np.full(len(block), route, np.uint64))
    base = (x & np.uint64(len(state.blocks) // WAYS - 1)).astype(np.int64) * WAYS
    found = np.full(len(block), -1)
    for way in range(WAYS):
        slot = base + way
        same = (state.blocks["block"][slot] == block) & (state.blocks["route"][slot] == route)
        found[same] = slot[same]
    return found


def workers(hits: npt.NDArray[np.int64], reads: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which clients to name, given each one's reads on the line and all its fresh reads on the route.

    A visitor who happens to read an id at the line's front has one hit; so a client is named when at least half of
    what it read lies on the line and it has a twentieth of the median worker's hits (one suffices where workers have
    one request each).
    """
    if not len(hits):
        return np.zeros(0, bool)
    usual = float(np.median(hits[2 * hits >= reads])) if np.any(2 * hits >= reads) else 1.0
    named: npt.NDArray[np.bool_] = (2 * hits >= reads) & (hits >= max(1.0, np.ceil(0.05 * usual)))
    return named
