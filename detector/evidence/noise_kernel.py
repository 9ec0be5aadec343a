"""How much ordinary cells vary by without a reason: of minutes around their mean, and of levels from hour to hour.

One-sided moments, pooled over the cells of a kind: only where more was seen than expected does it count, for only that
can alarm; twice its square stands for the variance of a symmetric distribution.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import (
    DISPERSION_BOUNDS,
    FEWEST_CELL_HOURS,
    LEVEL_EXPECTED,
    MINUTE_EXPECTED,
    ROUTE_SIGMA,
    SIGMA_BOUNDS,
    TAIL_POWERS,
)
from detector.state.cells import COUNTS, ROUTE_CELL, STATISTICS

U = np.uint64
EACH = len(STATISTICS)
SIGMA, DISPERSION, MINUTE_EXCESS, MINUTE_SQUARE, HOUR_EXCESS, HOUR_SQUARE, MINUTES, HOURS = range(8)


@njit
def learn_minute(row, x, mean, learn):
    """A minute of a cell that is not under suspicion and expects at least one."""
    if not learn or mean < MINUTE_EXPECTED:
        return
    row[MINUTE_EXCESS] += (2.0 * (x - mean) * (x - mean) if x > mean else 0.0) - mean
    row[MINUTE_SQUARE] += mean * mean
    row[MINUTES] += 1.0


@njit
def close_hour(past, touched, noise):
    """The hour of every cell that has counted something in it and expected at least ten."""
    for word in range(touched.shape[1]):
        bits = touched[1, word]
        if bits == U(0):
            continue
        touched[1, word] = U(0)
        for bit in range(64):
            if (bits >> U(bit)) & U(1) == U(0):
                continue
            p = past[(word << 6) + bit]
            for k in range(COUNTS):
                x = np.float64(p.hour_seen[k])
                mean = np.float64(p.hour_expected[k])
                p.hour_seen[k] = 0.0
                p.hour_expected[k] = 0.0
                if mean < LEVEL_EXPECTED:
                    continue
                row = noise[np.int64(p.kind) * COUNTS + k]
                row[HOUR_EXCESS] += (2.0 * (x - mean) * (x - mean) if x > mean else 0.0) - mean
                row[HOUR_SQUARE] += mean * mean
                row[HOURS] += 1.0


@njit
def close_day(cells, past, noise):
    """A day of log time is over: fits the noise anew where the day has shown enough of it, and lets the past fade."""
    for group in range(noise.shape[0] // EACH):
        for k in range(EACH):
            row = noise[group * EACH + k]
            if row[MINUTES] >= FEWEST_CELL_HOURS and row[MINUTE_SQUARE] > 0.0:
                fitted = row[MINUTE_EXCESS] / row[MINUTE_SQUARE]
                row[DISPERSION] = min(max(fitted, DISPERSION_BOUNDS[0]), DISPERSION_BOUNDS[1])
            if row[HOURS] >= FEWEST_CELL_HOURS and row[HOUR_SQUARE] > 0.0:
                fitted = max(row[HOUR_EXCESS] / row[HOUR_SQUARE], 0.0)
                row[SIGMA] = min(max(np.sqrt(fitted), SIGMA_BOUNDS[0]), SIGMA_BOUNDS[1])
            for field in range(MINUTE_EXCESS, HOURS + 1):
                row[field] = 0.0
        sampled = noise[group * EACH + 1, SIGMA]
        for k in range(2, EACH):
            row = noise[group * EACH + k]
            row[SIGMA] = min(max(row[SIGMA], TAIL_POWERS[k - 2] * sampled), SIGMA_BOUNDS[1])
        if group // (COUNTS // EACH) == ROUTE_CELL:
            for k in range(EACH):
                row = noise[group * EACH + k]
                row[SIGMA] = max(row[SIGMA], ROUTE_SIGMA)
    for place in range(cells.shape[0]):
        if cells[place].key == U(0):
            continue
        cells[place].weight = max(cells[place].weight // 2, 1)
        p = past[place]
        for k in range(COUNTS):
            p.seen[k] *= 0.5
            p.expected[k] *= 0.5
        for e in range(3):
            p.exposed[e] *= 0.5
