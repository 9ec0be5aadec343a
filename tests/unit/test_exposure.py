"""The count of records that have gone."""

from __future__ import annotations

import numpy as np
import pytest

from detector.incidents import exposure
from detector.incidents.exposure import Exposure


def test_small_counts_are_exact() -> None:
    """Repeats count once, in whatever portions they come."""
    counted = Exposure()
    objects = np.random.default_rng(1).integers(0, 2**64, 10_000, dtype=np.uint64)
    for part in np.array_split(np.concatenate([objects, objects]), 37):
        counted.add(part)
    estimate = counted.estimate()
    assert (estimate.estimate, estimate.low, estimate.high) == (10_000, 10_000, 10_000)


def test_large_counts_are_estimated_within_their_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what is kept, the nominal 99 % interval covers the truth in at least 95 of 100 seeds."""
    monkeypatch.setattr(exposure, "EXACT", 1000)
    covered = 0
    for seed in range(100):
        counted = Exposure()
        counted.add(np.random.default_rng(seed).integers(0, 2**64, 200_000, dtype=np.uint64))
        counted.add(np.zeros(0, np.uint64))
        estimate = counted.estimate()
        covered += estimate.low <= 200_000 <= estimate.high
    print(f"covered in {covered} of 100 seeds")  # noqa: T201  said with -s
    assert covered >= 95


def test_what_was_not_seen_widens_the_interval() -> None:
    """Reads from before the ring may or may not be records counted since."""
    counted = Exposure()
    counted.unseen = 50
    counted.add(np.arange(1, 101, dtype=np.uint64))
    estimate = counted.estimate()
    assert (estimate.low, estimate.high) == (100, 150)
