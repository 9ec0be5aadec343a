"""Machine code: the query keys that name objects or pages, at most four a request, in the order of their bytes."""

from __future__ import annotations

import numpy as np
from detector.compiled import njit

NUMBER, UUID, PAGE, NO_KEY = 1, 2, 9, 255
FIRST = 8  # the work row of the first key
MOST = 4  # a record is named by one id, at times by two; four leave half of the path's places
MAX_PAIRS = 64  # of a query of thousands of pairs the first are read: a line costs what its bytes cost

U0 = np.uint64(0)
SLOT_FACTOR = np.uint64(0x9E3779B97F4A7C15)
SLOT_SHIFT = np.uint64(54)  # 64 - log2(shape.KEY_SLOTS)


@njit
def lower(byte):
    """An ASCII capital as a small letter, any other byte as it is."""
    return np.int64(byte) | 32 if 65 <= byte <= 90 else np.int64(byte)


@njit
def by_table(buf, start, end, keys):
    """The class `shape.key_table` has for a key, NO_KEY = none ever, 0 = unknown."""
    if end - start > 16:
        return 0
    low = high = U0
    for i in range(start, end):
        place = i - start
        if place < 8:
            low |= np.uint64(lower(buf[i])) << np.uint64(8 * place)
        else:
            high |= np.uint64(lower(buf[i])) << np.uint64(8 * place - 64)
    slot = np.int64(((low ^ high) * SLOT_FACTOR) >> SLOT_SHIFT)
    while keys[slot, 2] != U0:
        if keys[slot, 0] == low and keys[slot, 1] == high:
            return np.int64(keys[slot, 2])
        slot = (slot + 1) & (keys.shape[0] - 1)
    return 0


@njit
def by_end(buf, start, end):
    """The class of keys such as ``order_id``, ``orderId``, ``order-id``, ``filter[id]``, ``order_uuid``; 0 = none."""
    if end - start < 4:
        return 0
    if buf[end - 1] == 93 and buf[end - 4] == 91 and lower(buf[end - 3]) == 105 and lower(buf[end - 2]) == 100:
        return NUMBER
    third = buf[end - 3]
    if lower(buf[end - 1]) == 100 and lower(buf[end - 2]) == 105:  # "id"
        if third == 95 or third == 45 or third == 46:
            return NUMBER
        if buf[end - 2] == 73 and 97 <= third <= 122:
            return NUMBER
        if lower(third) == 117 and end - start > 4:
            head = lower(buf[end - 4])
            if head == 117 or head == 103:  # "uuid", "guid"
                return UUID
    return 0


@njit
def before(buf, first, other):
    """Whether the key (start, end) ``first`` comes before ``other`` in the order of bytes."""
    size = min(first[1] - first[0], other[1] - other[0])
    for i in range(size):
        a = buf[first[0] + i]
        b = buf[other[0] + i]
        if a != b:
            return a < b
    return first[1] - first[0] < other[1] - other[0]


@njit
def insert(buf, work, count, pair, kind):
    """Puts (key start, key end, value start, value end) into its place among the ``count`` there are."""
    at = FIRST + count
    while at > FIRST and before(buf, (pair[0], pair[1]), (work[at - 1, 4], work[at - 1, 5])):
        for k in range(6):
            work[at, k] = work[at - 1, k]
        at -= 1
    work[at, 0] = pair[2]
    work[at, 1] = pair[3]
    work[at, 2] = kind
    work[at, 4] = pair[0]
    work[at, 5] = pair[1]


@njit
def find_ids(buf, start, end, keys, work):
    """The id-like and page-like pairs of a query into ``work``; returns how many there are."""
    count = 0
    at = start
    for _ in range(MAX_PAIRS):
        if at >= end or count == MOST:
            break
        first = at
        while at < end and buf[at] != 61 and buf[at] != 38:
            at += 1
        stop = at
        if at < end and buf[at] == 61:
            at += 1
        value = at
        while at < end and buf[at] != 38:
            at += 1
        if at > value and stop > first:
            kind = by_table(buf, first, stop, keys)
            if kind == 0:
                kind = by_end(buf, first, stop)
            if kind != 0 and kind != NO_KEY:
                insert(buf, work, count, (first, stop, value, at), kind)
                count += 1
        at += 1
    return count
