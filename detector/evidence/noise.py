"""What cells vary by before a day of log has shown it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.evidence.constants import FIRST_DISPERSION, FIRST_SIGMA, ROUTE_SIGMA, SIGMA_BOUNDS, TAIL_POWERS
from detector.state.cells import CHANNELS, KINDS, NOISE_FIELDS, STATISTICS


def begin(noise: npt.NDArray[np.float64]) -> None:
    """Fills a table of noise, float64 (kinds * channels * statistics, NOISE_FIELDS), with what is believed at first."""
    rows = noise.reshape(len(KINDS), len(CHANNELS), len(STATISTICS), NOISE_FIELDS)
    powers = np.array([1.0, 1.0, *TAIL_POWERS])
    rows[...] = 0.0
    rows[..., 0] = np.minimum(FIRST_SIGMA * powers, SIGMA_BOUNDS[1])
    rows[0, ..., 0] = np.maximum(rows[0, ..., 0], ROUTE_SIGMA)
    rows[..., 1] = FIRST_DISPERSION
