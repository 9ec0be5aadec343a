"""How much ordinary cells vary by without a reason: of minutes around their mean, and of levels from hour to hour.

One-sided moments, pooled over the cells of a kind: only where more was seen than expected does it count, for only that
can alarm; twice its square stands for the variance of a symmetric distribution.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import (
    DISPERSION_BOUNDS,
    FIRST_DISPERSION,
    FIRST_SIGMA,
    LEVEL_EXPECTED,
    MINUTE_EXPECTED,
    NOISE_HOURS,
    ROUTE_SIGMA,
    SIGMA_BOUNDS,
    TAIL_POWERS,
)
from detector.state.cells import COUNTS, ROUTE_CELL, STATISTICS

U = np.uint64
EACH = len(STATISTICS)
SIGMA, DISPERSION, MINUTE_EXCESS, MINUTE_SQUARE, HOUR_EXCESS, HOUR_SQUARE, HOURS = range(7)


@njit
def learn_minute(row, x, mean, learn):
    """A minute of a cell that is not under suspicion and expects at least one."""
    if not learn or mean < MINUTE_EXPECTED:
        return
    row[MINUTE_EXCESS] += (2.0 * (x - mean) * (x - mean) if x > mean else 0.0) - mean
    row[MINUTE_SQUARE] += mean * mean


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
    _fit(noise)


@njit
def _shrunk(first, excess, square, hours):
    """A variance as the hours so far show it, beside what was believed of it at first."""
    if square <= 0.0:
        return first
    return (NOISE_HOURS * first + hours * max(excess / square, 0.0)) / (NOISE_HOURS + hours)


@njit
def _fit(noise):
    """The noise of each kind and statistic anew; five and seven of eight are too sparse to show all of theirs."""
    for group in range(noise.shape[0] // EACH):
        for k in range(EACH):
            row = noise[group * EACH + k]
            row[HOURS] += 1.0 if row[HOUR_SQUARE] > 0.0 else 0.0
            hours = row[HOURS]
            fitted = _shrunk(FIRST_DISPERSION, row[MINUTE_EXCESS], row[MINUTE_SQUARE], hours)
            row[DISPERSION] = min(max(fitted, DISPERSION_BOUNDS[0]), DISPERSION_BOUNDS[1])
            fitted = np.sqrt(_shrunk(FIRST_SIGMA * FIRST_SIGMA, row[HOUR_EXCESS], row[HOUR_SQUARE], hours))
            if k >= 2:
                fitted = max(fitted, TAIL_POWERS[k - 2] * noise[group * EACH + 1, SIGMA])
            if group // (COUNTS // EACH) == ROUTE_CELL:
                fitted = max(fitted, ROUTE_SIGMA)
            row[SIGMA] = min(max(fitted, SIGMA_BOUNDS[0]), SIGMA_BOUNDS[1])


@njit
def close_day(cells, past, noise):
    """A day of log time is over: what was before counts for half."""
    for row in range(noise.shape[0]):
        for field in range(MINUTE_EXCESS, HOURS + 1):
            noise[row, field] *= 0.5
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
