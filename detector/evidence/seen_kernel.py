"""Machine code: the bits of persons seen, set in the filters of their spans. See `seen`."""

from __future__ import annotations

import numpy as np

U = np.uint64
ONE = np.uint8(1)


def add(rows, held, person, time_us, span_us, mask, probes):
    """Sets the bits of each person in the filter of the span its moment lies in; a filter of an older span is cleared
    first, and what is older than the ring is left out."""
    spans = held.size
    newest = np.int64(-1)
    for at in range(spans):
        newest = max(newest, held[at])
    for i in range(person.size):
        newest = max(newest, time_us[i] // span_us)
    for i in range(person.size):
        span = time_us[i] // span_us
        if person[i] == U(0) or span <= newest - spans:
            continue
        at = span % spans
        if span > held[at]:
            rows[at] = np.uint8(0)
            held[at] = span
        step = person[i] >> U(32) | U(1)
        for probe in range(probes):
            place = (person[i] + U(probe) * step) & U(mask)
            rows[at, np.int64(place >> U(3))] |= ONE << np.uint8(place & U(7))
