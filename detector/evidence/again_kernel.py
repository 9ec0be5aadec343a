"""Clients that come again for the same list, counted on its route over the last half hours.

An address book is synced once, an export taken once: where hardly anybody comes a second time in a day, a group of
accounts that works through a task shows by coming again, each of them with answers no larger than anybody's. A client
*comes again* with the second answer of several records on its main route (by majority vote, `answers_kernel.beat`), a
minute or more after the one before and of another size: a poll of what has not changed is no second visit. Where the
log says how many records there were, both together must be more than nine in ten of the route's clients get in an
answer: the rest is a forgotten friend. How many come again is held against the same route's past by `detectors.again`;
all there is of it are a few counts a route.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import APART_SECONDS, HALF_HOUR_US, HALVES_A_DAY
from detector.evidence.steps_kernel import STEPS, half_octave
from detector.records.batch import PAGED

WORTH, LISTED = 16, 8
ROUTE, OBJECT, ROW_COUNT, REQUESTS, FLAGS = 0, 1, 3, 5, 6
SECOND, MOST = 2, 255
MANY = 10  # one in so many: the upper tenth, where tails are taken to begin (`volume.Tail`)
SETTLES = 2  # half hours after an alarm that do not become the usual


@njit
def come(c, r, row, time_us):
    """Counts an answer of several records; to be called with the first row of a request, before its beat is followed,
    and with the second, where that asks for something new. Returns LISTED from a client's second visit on (of what the
    log does not name), with WORTH at the second.

    Args:
        c: the client's slot.
        r: the route's row.
        row: see `answers_kernel`.
        time_us: log time.
    """
    rows = np.int64(row[ROW_COUNT])
    named = row[REQUESTS] == 0  # a batch whose objects the log names: new ones are no poll
    if np.int64(row[FLAGS]) & PAGED or (rows <= 1 and not named):
        return 0
    half = time_us // HALF_HOUR_US
    if half > np.int64(r.half[0]):
        _turn(r, half)
    if c.beat_route != row[ROUTE]:
        r.came[0] += 1
        return 0
    if c.batches == 0:
        r.came[0] += 1
        c.batches = 1
        return 0
    told = LISTED if row[OBJECT] == np.uint64(0) else 0  # of objects the log names, each is told as a read
    found = told if c.batches >= SECOND else 0
    if c.since < APART_SECONDS or (rows == np.int64(c.beat_rows) and not named) or c.batches == MOST:
        return found
    if c.batches + 1 == SECOND and not named and not _is_much(r, rows + np.int64(c.beat_rows)):
        return found
    c.batches += 1
    if c.batches == SECOND and c.incident == 0:
        r.again[0] += 1
        return told | WORTH
    return told


@njit
def _is_much(r, rows):
    """Whether one in ten of a route's clients at most gets so many records in an answer."""
    n = at_least = 0
    step = half_octave(rows)
    for other in range(STEPS):
        n += np.int64(r.sizes[other])
        if other >= step:
            at_least += np.int64(r.sizes[other])
    return MANY * at_least <= n


@njit
def _turn(r, half):
    """A new half hour: what is older than the one before becomes the past, unless it was told as an incident."""
    passed = half - np.int64(r.half[0])
    fade = np.float32(0.5 ** (passed / HALVES_A_DAY))
    r.usual[0] *= fade
    r.usual[1] *= fade
    quiet = np.int64(r.half[0]) - np.int64(r.half[1]) > SETTLES
    for age in range(2):
        if age == 1 or passed > 1:
            if quiet:
                r.usual[0] += r.came[age]
                r.usual[1] += r.again[age]
    r.came[1] = r.came[0] if passed == 1 else 0
    r.again[1] = r.again[0] if passed == 1 else 0
    r.came[0] = 0
    r.again[0] = 0
    r.half[0] = half
