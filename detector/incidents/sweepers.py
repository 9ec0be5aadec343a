"""Who belongs to a sweep: reads that lie on the line its blocks of ids were worked through along."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import BLOCK_IDS
from detector.state.layout import WAYS, State

FEWEST_HITS = 16  # of a block before its line is trusted: at r = .8 that is five standard errors
STRAIGHT = 0.8  # least correlation of id and time in a block that is being swept
SIGMAS = 4.0
SLACK = 16.0  # ids: answers that overtook one another


def on_the_line(state: State, route: int, reads: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which of the reads (dtype READS, of one route) are cold first reads on their block's line of id over time."""
    slots = _block_slots(state, route, reads["number"] // BLOCK_IDS)
    b = state.blocks[slots]
    n = b["hits"].astype(np.float64)
    mean_t, mean_x = b["sum_t"] / np.maximum(n, 1), b["sum_x"] / np.maximum(n, 1)
    var_t = np.maximum(b["sum_tt"] / np.maximum(n, 1) - mean_t**2, 0.0)
    var_x = np.maximum(b["sum_xx"] / np.maximum(n, 1) - mean_x**2, 0.0)
    cov = b["sum_tx"] / np.maximum(n, 1) - mean_t * mean_x
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.nan_to_num(cov / np.sqrt(var_t * var_x))
        slope = np.nan_to_num(cov / var_t)
    t = (reads["time_us"] - b["begin_us"]) * 1e-6
    x = (reads["number"] % BLOCK_IDS).astype(np.float64)
    away = np.abs(x - mean_x - slope * (t - mean_t))
    near = away <= SIGMAS * np.sqrt(np.maximum(var_x * (1.0 - r**2), 0.0)) + SLACK
    swept = (n >= FEWEST_HITS) & (np.abs(r) >= STRAIGHT) & (b["switches"] * 4 >= b["hits"])
    result: npt.NDArray[np.bool_] = (slots >= 0) & swept & near & reads["cold"] & (t >= 0)
    return result


def _block_slots(state: State, route: int, block: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the blocks lie in the table; -1 where they are not held any more."""
    x = block.astype(np.uint64) ^ (np.uint64(route) * np.uint64(0x9E3779B97F4A7C15))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
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
