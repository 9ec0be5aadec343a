"""Machine code: where lines end, 64 bytes at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.word_kernel import equal64, lowest_bit

WIDTH = 64
LINE_FEED = 10


def feeds(text: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> int:
    """Writes the places of all line feeds of a text to ``ends``; returns how many, -1 where there is no room for 64
    more."""
    found = 0
    p = 0
    while p + WIDTH <= text.size:
        bits = equal64(text, p, LINE_FEED)
        if bits != 0 and found + WIDTH > ends.size:
            return -1
        while bits != 0:
            ends[found] = p + lowest_bit(bits)
            found += 1
            bits &= bits - np.uint64(1)
        p += WIDTH
    if found + WIDTH > ends.size:
        return -1
    while p < text.size:
        if text[p] == LINE_FEED:
            ends[found] = p
            found += 1
        p += 1
    return found
