"""Look-ups for records that a mesh writes twice."""

from __future__ import annotations

import numpy as np

WAYS = 4
# a row of the table
KEY, TIME, WAITING, SENT = range(4)


def mark(twin, requests, moment_us, window_us, table, keep):
    """Sets ``keep`` to 0 where the other proxy's record of the same hop has been seen.

    Args:
        twin, requests: columns of the batch, in log order; further rows of a request follow the first.
        moment_us: int64 (n,), the log time each row is judged at, never falling.
        window_us: how far apart two records of a hop may stand.
        table: int64 (2^k, 4): key, log time, received records whose sent one has not come, whether a sent one has come.
        keep: out, uint8 (n,), ones.

    Returns:
        How many requests are dropped.
    """
    sets = np.uint64(table.shape[0] // WAYS - 1)
    dropped = 0
    gone = False
    for i in range(len(twin)):
        if requests[i] == 0:
            if gone:
                keep[i] = 0
            continue
        gone = False
        if twin[i] == 0:
            continue
        received = twin[i] & np.uint64(1)
        key = np.int64(twin[i] & ~np.uint64(1))
        first = np.int64((twin[i] >> np.uint64(1)) & sets) * WAYS
        place = first
        found = False
        for way in range(first, first + WAYS):
            if table[way, KEY] == key and moment_us[i] - table[way, TIME] <= window_us:
                place, found = way, True
                break
            if table[way, TIME] < table[place, TIME]:
                place = way
        if not found:
            table[place, KEY], table[place, WAITING], table[place, SENT] = key, 0, 0
        table[place, TIME] = moment_us[i]
        if received == 1:
            gone = table[place, SENT] == 1
            if not gone:
                table[place, WAITING] += 1
        else:
            gone = table[place, WAITING] > 0
            if gone:
                table[place, WAITING] -= 1
            table[place, SENT] = 1
        if gone:
            keep[i] = 0
            dropped += 1
    return dropped
