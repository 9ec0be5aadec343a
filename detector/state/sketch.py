"""HyperLogLog on whole columns: what the kernel does row by row, for estimates and reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel

_POWERS = np.exp2(-np.arange(256.0))
_BIAS = {32: 0.697, 64: 0.709}

SUM = Kernel("detector.state.sketch_kernel:sum_each", [Array("u1", 2), Array("f8"), Array("i8")], "")


def mix_each(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finalizer over two columns of keyed hashes: what the kernels call ``mix``, wrapping as they do."""
    x: npt.NDArray[np.uint64] = a ^ (b * np.uint64(0x9E3779B97F4A7C15))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def distinct(registers: npt.NDArray[Any]) -> float:
    """Distinct elements of one sketch of 32 or 64 registers (Flajolet et al. 2007); standard error 1.04 / sqrt(m)."""
    registers = np.asarray(registers)
    m, zeros = len(registers), len(registers) - int(np.count_nonzero(registers))
    estimate = _BIAS[m] * m * m / float(_POWERS.take(registers).sum())
    return float(m * np.log(m / zeros)) if estimate <= 2.5 * m and zeros > 0 else estimate


def distinct_each(registers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The same for a table of sketches (n, m); linear counting while the estimate is below 2.5 m."""
    n, m = registers.shape
    total, zeros = np.empty(n), np.empty(n, np.int64)
    SUM(np.ascontiguousarray(registers), total, zeros)
    estimate = _BIAS[m] * m * m / total
    small = (estimate <= 2.5 * m) & (zeros > 0)
    result: npt.NDArray[np.float64] = np.where(small, m * np.log(m / np.maximum(zeros, 1)), estimate)
    return result
