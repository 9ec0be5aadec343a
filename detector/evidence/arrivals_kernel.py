"""A client's row as it comes: its day and its rates brought up to the row's time."""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import DAY_US, DECAYS, FADES
from detector.state.cells import COUNTS
from detector.state.tables_kernel import turn_generation

U = np.uint64
SECOND_US = 1_000_000
FAST = 2 * COUNTS + 2 * FADES  # in the kernel's room: behind the fades of cells
SLOW = FAST + DECAYS


@njit
def know_decays(room):
    """What is left of the rates after so many whole seconds, once: most logs tell no part of a second, and two
    exponentials a row would cost more than counting it."""
    if room[FAST] == 0.0:
        for second in range(DECAYS):
            passed = (second * SECOND_US) * 1e-6
            room[FAST + second] = math.exp(-passed / 10.0)
            room[SLOW + second] = math.exp(-passed / 300.0)


@njit
def arrive(c, time_us, bytes_out, is_request, room):
    """Counts a row of a client and brings its day and its rates up to its time."""
    if c.first_us == 0:
        c.first_us = time_us
        c.last_us = time_us
        c.generation = (time_us + _offset(c.key)) // DAY_US
    generation = (time_us + _offset(c.key)) // DAY_US
    if generation > c.generation:
        turn_generation(c, generation)
    gap = time_us - c.last_us
    if gap > 0:
        second = gap // SECOND_US
        if second < DECAYS and second * SECOND_US == gap:
            c.rate_10s *= room[FAST + second]
            c.rate_300s *= room[SLOW + second]
        else:
            passed = gap * 1e-6
            c.rate_10s *= math.exp(-passed / 10.0)
            c.rate_300s *= math.exp(-passed / 300.0)
        c.last_us = time_us
    c.rate_10s += 0.1 * is_request
    c.rate_300s += is_request / 300.0
    if c.rate_10s > c.peak_10s:
        c.peak_10s = c.rate_10s
    c.requests[0] += is_request
    c.bytes_out[0] += bytes_out


@njit
def _offset(key):
    """Spreads the ends of the clients' days over the day, so that tails do not all reset at midnight."""
    return np.int64(U(key) & U(0xFFFF)) * (DAY_US // 65536)
