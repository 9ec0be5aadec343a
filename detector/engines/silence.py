"""Stretches of a log without any line, longer than its traffic would leave: a file that is missing between two others.

With n lines in a time T, gaps are about exponential around T / n, longer when traffic is low: a night has a third of a
day's traffic (`simulate.world`), and so a ninth of the mean leaves room. A gap of g is then seen by chance in one log
of a thousand where n exp(-g n / 9 T) = 1 / 1,000.
"""

from __future__ import annotations

import math

import numpy as np

from detector.engines.moments import I64

QUIET = 9.0
CHANCE = 1e-3
MOST = 20  # stretches kept
LEAST_S = 10.0  # logs of whole seconds show no finer gaps


class Silence:
    """Finds them in moments that come in order."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._lines = 0
        self._longest: list[tuple[int, int]] = []  # (length, begin), microseconds

    def add(self, moment_us: I64) -> None:
        """Takes in the moments of the next rows, never falling."""
        if not len(moment_us):
            return
        if self._first is None:
            self._first = self._last = int(moment_us[0])
        gaps = np.diff(moment_us, prepend=self._last)
        begins = moment_us - gaps
        longest = np.argsort(-gaps, kind="stable")[:MOST]
        more = zip(gaps[longest].tolist(), begins[longest].tolist(), strict=True)
        self._longest = sorted([*self._longest, *more], key=lambda gap: (-gap[0], gap[1]))[:MOST]
        self._last = int(moment_us[-1])
        self._lines += len(moment_us)

    def stretches(self) -> list[tuple[int, int]]:
        """First and last moment of each, in order of time, microseconds UTC."""
        if self._first is None or self._last == self._first:
            return []
        mean = (self._last - self._first) / self._lines
        least = max(QUIET * mean * math.log(self._lines / CHANCE), LEAST_S * 1e6)
        return sorted((begin, begin + gap) for gap, begin in self._longest if gap > least)
