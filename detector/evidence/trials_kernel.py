"""Counting trials into cells, row by row: what a client's trial says of those it has something in common with."""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import COHORT_ENDS_US, SAMPLED_FIRST, WINDOW_LAST, WINDOW_TRIALS
from detector.state.cells import AGENT_CELL, AGENT_NEW_CELL, COHORT_CELL, NETWORK_CELL, NETWORK_NEW_CELL
from detector.state.cells_kernel import bump, direct_cell, find_cell
from detector.state.layout import COUNTER, MISS_W5, MISS_W7, W5, W7
from detector.state.tables_kernel import mix

U = np.uint64
MINUTE = COUNTER["minute"]
CROSSINGS = COUNTER["crossings"]


@njit
def _ones(x):
    """Bits set among the lowest eight."""
    x = x - ((x >> 1) & 0x55)
    x = (x & 0x33) + ((x >> 2) & 0x33)
    return (x + (x >> 4)) & 0x0F


@njit
def _sampled(j, key):
    """Which trials of a client's day are sampled: the first four, then one an octave, at a place its keyed hash hides:
    who reads popular records first does not know when to stop."""
    if j < SAMPLED_FIRST:
        return True
    octave = SAMPLED_FIRST
    while j >= 2 * octave:
        octave *= 2
    return j == octave + np.int64(mix(key, octave) & U(octave - 1))


@njit
def _what(c, j, key, miss, cold, unshared):
    """What a trial counts as, a bit a place of CELL's ``now``; brings the client's window of eight up to date."""
    low = np.int64(c.bits) & 0xFF
    high = np.int64(c.bits) >> 8
    if miss == 0:
        low = ((low << 1) | cold) & 0xFF
    high = ((high << 1) | unshared) & 0xFF
    c.bits = low | (high << 8)
    what = 0
    if j == 0:
        what |= 1 | (cold << 3) | (unshared << 7)
    if _sampled(j, key):
        what |= 2 | (cold << 4) | (unshared << 8)
    if WINDOW_TRIALS <= j < WINDOW_LAST:
        what |= 4
    crossed = np.int64(c.crossed)
    if cold:
        ones = _ones(low)
        if ones >= 5 and crossed & W5 == 0:
            crossed |= W5
            what |= 1 << 5
        if ones >= 7 and crossed & W7 == 0:
            crossed |= W7
            what |= 1 << 6
    if unshared:
        ones = _ones(high)
        if ones >= 5 and crossed & MISS_W5 == 0:
            crossed |= MISS_W5
            what |= 1 << 9
        if ones >= 7 and crossed & MISS_W7 == 0:
            crossed |= MISS_W7
            what |= 1 << 10
    c.crossed = crossed
    return what


@njit
def cohort_of(age_us):
    """How long ago a client was first seen, as the number of a cohort."""
    cohort = 0
    for end_us in COHORT_ENDS_US:
        cohort += age_us >= end_us
    return cohort


@njit
def _cross(ring, counters, channel, which, time_us, client, agent, network, slot, route, cohort):
    """Appends an event to the ring of crossings."""
    e = ring[counters[CROSSINGS] % ring.shape[0]]
    counters[CROSSINGS] += 1
    e.time_us = time_us
    e.client = client
    e.agent = agent
    e.network = network
    e.slot = slot
    e.route = route
    e.cohort = cohort
    e.which = which
    e.channel = channel


@njit
def note_trial(
    c, slot, j, miss, cold, unshared, time_us, client, agent, network, route, cohort,
    hashed, cells, past, touched, ring, counters,
):  # fmt: skip
    """Counts the trial number ``j`` of a client's day (from 0) into its cells: 1 + at most 4 cache lines, 0 where it is
    neither sampled nor among the first WINDOW_LAST."""
    what = _what(c, j, client, miss, cold, unshared)
    if what == 0:
        return
    minute = counters[MINUTE]
    bump(cells, touched, direct_cell(cells, past, hashed, route, COHORT_CELL, cohort, minute, counters), what)
    new = cohort <= 1
    if agent != U(0):
        place = find_cell(cells, past, hashed, route, AGENT_CELL, agent, minute, counters)
        if place >= 0:
            bump(cells, touched, place, what)
        if new:
            place = find_cell(cells, past, hashed, route, AGENT_NEW_CELL, agent, minute, counters)
            if place >= 0:
                bump(cells, touched, place, what)
    if network != 0:
        value = U(network)
        place = find_cell(cells, past, hashed, route, NETWORK_CELL, value, minute, counters)
        if place >= 0:
            bump(cells, touched, place, what)
        if new:
            place = find_cell(cells, past, hashed, route, NETWORK_NEW_CELL, value, minute, counters)
            if place >= 0:
                bump(cells, touched, place, what)
    crossed = ((what >> 3) & 1) | ((what >> 4) & 6)
    if crossed:
        _cross(ring, counters, 0, crossed, time_us, client, agent, network, slot, route, cohort)
    crossed = ((what >> 7) & 1) | ((what >> 8) & 6)
    if crossed:
        _cross(ring, counters, 1, crossed, time_us, client, agent, network, slot, route, cohort)
