"""Machine code: the ledger's table, words in the order of (key, moment), at the places their keys ask for.

See `grants` for what the words mean.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit

U = np.uint64
ZERO = U(0)
MOST_CHANGES = 64  # of one person, party and class: nobody changes his mind more often


@njit
def home(key, capacity):
    """Where a key would like to stand: its upper half scaled to the table, so that places rise with keys."""
    return np.int64(((key >> U(32)) * U(capacity)) >> U(32))


@njit
def put(words, capacity, key, info):
    """Puts a change where it belongs: 1 = a key's first, 0 = one more, -1 = known already, -2 = no room left.

    A key that changes too often forgets its oldest change.
    """
    at = home(key, capacity)
    end = words.shape[0]
    same, first = 0, -1
    while at < end and words[at, 0] != ZERO and words[at, 0] <= key:
        if words[at, 0] == key:
            if words[at, 1] == info:
                return -1
            if first < 0:
                first = at
            same += 1
            if words[at, 1] > info:
                break
        at += 1
    if first >= 0:
        last = at
        while last < end and words[last, 0] == key:
            last += 1
        if last - first >= MOST_CHANGES:
            if at == first:
                return 0
            for k in range(first, at - 1):
                words[k, 1] = words[k + 1, 1]
            words[at - 1, 1] = info
            return 0
    free = at
    while free < end and words[free, 0] != ZERO:
        free += 1
    if free >= end:
        return -2
    for k in range(free, at, -1):
        words[k, 0] = words[k - 1, 0]
        words[k, 1] = words[k - 1, 1]
    words[at, 0] = key
    words[at, 1] = info
    return 0 if first >= 0 else 1


def put_all(words, capacity, keys, infos, first, out):
    """Puts changes from ``first`` on; returns how far it came: less than all where the table must grow before."""
    for i in range(first, keys.shape[0]):
        said = put(words, capacity, keys[i], infos[i])
        if said == -2:
            return i
        out[i] = said
    return keys.shape[0]


def spread(words, old_end, capacity):
    """Gives a table that has been made longer its new places, within its own memory: everything is pushed to the end in
    its order, then dealt out from the beginning. Returns how many changes it holds, or -1 where they do not fit."""
    write = words.shape[0] - 1
    for read in range(old_end - 1, -1, -1):
        if words[read, 0] != ZERO:
            words[write, 0] = words[read, 0]
            words[write, 1] = words[read, 1]
            if write != read:
                words[read, 0] = ZERO
            write -= 1
    n = words.shape[0] - 1 - write
    at = 0
    for read in range(write + 1, words.shape[0]):
        key = words[read, 0]
        info = words[read, 1]
        at = max(at, home(key, capacity))
        if at > read:
            return -1
        words[read, 0] = ZERO
        words[at, 0] = key
        words[at, 1] = info
        at += 1
    return n
