"""The scales on which sizes of answers are counted: 64 steps each."""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit

STEPS = 64
EXACT = 32  # pages told apart one by one: ordinary clients hardly go further


@njit
def half_octave(size):
    """1 for 0 and 1, 3 for 2, 5 for 4: the size on a scale of two steps an octave."""
    if size <= 1:
        return 1
    return min(1 + math.floor(2.0 * math.log2(np.float64(size))), STEPS - 1)


@njit
def page_step(page):
    """Pages 1 to 32 one by one, then half octaves: 33 up to 45, 34 up to 63 ..."""
    if page <= EXACT:
        return max(page, 1)
    return min(EXACT + math.floor(2.0 * math.log2(page / np.float64(EXACT))) + 1, STEPS - 1)
