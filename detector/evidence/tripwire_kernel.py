"""Machine code: rows that ask for a record nobody may read. See `tripwire`."""

from __future__ import annotations

import numpy as np

from detector.records.batch import DECLARED, MISS, STATIC

U = np.uint64


def find(objects, route, flags, bits, keys, wire, applies, rows, which):
    """Writes the rows, and the tripwire of each; returns how many there are."""
    mask = U(keys.size - 1)
    found = 0
    for i in range(objects.size):
        value = objects[i]
        word = value >> U(48)
        if bits[word >> U(6)] >> (word & U(63)) & U(1) == U(0):
            continue
        if value == U(0) or flags[i] & (DECLARED | MISS | STATIC) != 0:
            continue
        place = value & mask
        while keys[place] != U(0):
            if keys[place] == value and applies[wire[place], route[i]] != 0:
                rows[found] = i
                which[found] = wire[place]
                found += 1
                break
            place = (place + U(1)) & mask
    return found
