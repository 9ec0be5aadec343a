"""HyperLogLog's harmonic sums of whole tables of sketches, when many clients are looked at in one go."""

from __future__ import annotations

from detector.state.tables_kernel import POWERS


def sum_each(registers, totals, zeros):
    """Of each sketch, a row (n, m) of registers: the sum of 2 to the minus each, and how many are zero.

    Sums of powers of two that far apart are exact, so their order does not matter.
    """
    for row in range(registers.shape[0]):
        total = 0.0
        empty = 0
        for place in range(registers.shape[1]):
            rank = registers[row, place]
            total += POWERS[rank]
            empty += rank == 0
        totals[row] = total
        zeros[row] = empty
