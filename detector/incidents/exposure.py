"""How much has gone: the distinct records an incident has exposed, exact as long as they fit."""

from __future__ import annotations

from math import exp, inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.incident import Estimate

EXACT = 1 << 21
"""Distinct records kept one by one (16 MB); beyond, 2^14 registers estimate them with a standard error of 0.8 %."""

PRECISION = 14
SIGMAS_99 = 2.576
_ALL = (1 << 64) - 1


class Exposure:
    """Distinct records read by an incident's clients.

    Args:
        exact: how many are kept one by one.

    Attributes:
        unseen: fresh reads from before the incident that the ring of recent reads no longer held; each may or may not
            be a record counted since, which is what the interval says.
    """

    def __init__(self, exact: int = EXACT) -> None:
        self.unseen = 0
        self._exact = exact
        self._objects: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._new: list[npt.NDArray[np.uint64]] = []
        self._waiting = 0
        self._registers: npt.NDArray[np.uint8] | None = None

    def add(self, objects: npt.NDArray[np.uint64]) -> None:
        """Adds reads of objects (keyed hashes, route included)."""
        if self._registers is not None:
            _observe(self._registers, objects)
            return
        self._new.append(objects)
        self._waiting += len(objects)
        if self._waiting > max(4096, len(self._objects) // 2):
            self._settle()

    def _settle(self) -> None:
        self._objects = np.unique(np.concatenate([self._objects, *self._new]))
        self._new, self._waiting = [], 0
        if len(self._objects) > self._exact:
            self._registers = np.zeros(1 << PRECISION, np.uint8)
            _observe(self._registers, self._objects)
            self._objects = np.zeros(0, np.uint64)

    def save(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
        """Distinct objects settled, objects seen since (with repeats), and the registers, if it has come to those.

        Settling two million objects takes longer than copying all tables, so it is left for when a number is asked for.
        """
        registers = np.zeros(0, np.uint8) if self._registers is None else self._registers.copy()
        new = np.concatenate(self._new) if self._new else np.zeros(0, np.uint64)
        return self._objects, new, registers

    def load(
        self, settled: npt.NDArray[np.uint64], new: npt.NDArray[np.uint64], registers: npt.NDArray[np.uint8]
    ) -> None:
        """Takes back what `save` gave."""
        self._objects = settled.astype(np.uint64)
        self._new, self._waiting = [new.astype(np.uint64)] if len(new) else [], len(new)
        self._registers = registers.copy() if len(registers) == 1 << PRECISION else None

    @property
    def seen_any(self) -> bool:
        """Whether anything was added."""
        return bool(len(self._objects) or self._new) or self._registers is not None

    def objects(self) -> npt.NDArray[np.uint64] | None:
        """The distinct objects, sorted; None where there were too many to keep."""
        if self._new and self._registers is None:
            self._settle()
        return self._objects if self._registers is None else None

    def estimate(self) -> Estimate:
        """Distinct records with a nominal 99 % interval; exact counts have none but for what was not seen."""
        kept = self.objects()
        if kept is not None:
            seen, error = float(len(kept)), 0.0
        else:
            assert self._registers is not None
            seen = _estimate(self._registers)
            error = SIGMAS_99 * 1.04 / np.sqrt(len(self._registers)) * seen
        total = seen + self.unseen
        low = max(seen - error, float(self.unseen))
        return Estimate(round(total), round(min(low, total)), round(total + error))


def unsampled(seen: Estimate, reads: int, omitted: float) -> Estimate:
    """What distinct records a sample tells of all.

    Reads are taken as uniform draws from a set of unknown size: d distinct ones among n draws give the size K by
    d = K (1 - exp(-n / K)), and all N draws then touch K (1 - exp(-N / K)) (occupancy; Feller, "An Introduction to
    Probability Theory", vol. 1, IV.2). Without a repeat that is d N / n, with many it is hardly more than d. What was
    seen stays the lower bound; the upper one takes every record for read once, and 99 % of the draws' own scatter.

    Args:
        seen: distinct records among the lines.
        reads: record reads that have a line.
        omitted: those that have none, by the rate of the sample.
    """
    if omitted <= 0 or reads <= 0 or not seen.estimate:
        return seen
    scale = (reads + omitted) / reads
    size = _drawn_from(seen.estimate, reads)
    estimate = seen.estimate * scale if size == inf else size * (1 - exp(-reads * scale / size))
    most = (seen.high + SIGMAS_99 * sqrt(seen.high * (1 - 1 / scale))) * scale
    total = max(round(estimate), seen.estimate)
    return Estimate(total, min(seen.low, total), max(round(most), total))


def _drawn_from(distinct: int, draws: int) -> float:
    """How many records there are to draw from, where so many draws gave so many distinct ones."""
    if distinct >= draws:
        return inf
    low, high = 0.0, 1e9  # draws a record; (1 - exp(-x)) / x falls from 1 to 0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - exp(-middle)) > middle * distinct / draws else (low, middle)
    return draws / high


def _observe(registers: npt.NDArray[np.uint8], objects: npt.NDArray[np.uint64]) -> None:
    place = objects >> np.uint64(64 - PRECISION)
    rest = (objects << np.uint64(PRECISION)) | np.uint64(1 << (PRECISION - 1))
    higher = np.flatnonzero(rest <= np.uint64(_ALL) >> registers[place])  # once many are known, hardly any raises one
    place, rest = place[higher], rest[higher]
    rank = np.uint8(64) - np.floor(np.log2(rest.astype(np.float64))).astype(np.uint8)
    np.maximum.at(registers, place.astype(np.int64), rank)


def _estimate(registers: npt.NDArray[Any]) -> float:
    m = len(registers)
    return float(0.7213 / (1.0 + 1.079 / m) * m * m / np.sum(np.exp2(-registers.astype(np.float64))))
