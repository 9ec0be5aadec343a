"""Which judged rows go into the sample of ordinary requests, and how many of them each minute had."""

from __future__ import annotations

import numpy as np

from detector.compiled import njit

U = np.uint64
MINUTE_US = 60_000_000


@njit
def _rank(origin, position):
    """A hash of where a line stands (SplitMix64's first round and half of its second)."""
    x = (U(origin) << U(48)) + U(position)
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit
def _tally(minutes, minute, n):
    """Adds to a minute's count, in the place of the one a day before."""
    held = minutes[minute % minutes.shape[0]]
    held[1] = n + (held[1] if held[0] == minute else 0)
    held[0] = minute


def offer(first, last, bound, time_us, requests, origin, position, slot, incident, minutes, rows, ranks):
    """Rows ``first`` to ``last``, in log order: those of requests, of nobody declared and of nobody in an incident are
    counted into ``minutes`` (n, 2), and the ones whose rank is below ``bound`` written to ``rows`` with it. Returns how
    many those are."""
    minute = time_us[first] // MINUTE_US
    found = 0
    n = 0
    for row in range(first, last):
        now = time_us[row] // MINUTE_US
        if now != minute:
            if n > 0:
                _tally(minutes, minute, n)
            minute = now
            n = 0
        if requests[row] == 0 or slot[row] < 0 or incident[row] != 0:
            continue
        n += 1
        rank = _rank(origin[row], position[row])
        if rank < bound:
            rows[found] = row
            ranks[found] = rank
            found += 1
    if n > 0:
        _tally(minutes, minute, n)
    return found
