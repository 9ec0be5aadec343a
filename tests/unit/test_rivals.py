"""The rivals' rules as columns are what they are row by row."""

from __future__ import annotations

import numpy as np

from detector.evaluate.rivals.hourly import Hour
from detector.evaluate.rivals.outliers import fit
from detector.evaluate.rivals.tally import Bucket, Tally

RNG = np.random.default_rng(5)


def test_tally_is_a_running_count() -> None:
    """Each event's count is that of its key up to it, over batches, until the window is emptied."""
    tally, counts = Tally(16, distinct=False), dict[int, int]()
    for size in (1, 50, 0, 300):
        keys = RNG.integers(0, 20, size, np.uint64)
        found = tally.add(keys, keys)
        for key, seen in zip(keys.tolist(), found.tolist(), strict=True):
            counts[key] = counts.get(key, 0) + 1
            assert seen == counts[key]
    tally.empty()
    assert tally.add(np.array([3], np.uint64), np.array([3], np.uint64)).tolist() == [1]


def test_distinct_tally_counts_an_item_once() -> None:
    """A repeat raises nothing, another key's same item does."""
    tally = Tally(16, distinct=True)
    keys, items = np.array([1, 1, 1, 2], np.uint64), np.array([7, 7, 8, 7], np.uint64)
    assert tally.add(keys, items).tolist() == [1, 1, 2, 1]
    assert tally.add(keys, items).tolist() == [2, 2, 2, 1]


def test_bucket_leaks() -> None:
    """Levels are those of pouring one by one, wherever batches are cut."""
    n = 2000
    keys = RNG.integers(0, 5, n, np.uint64)
    time_us = np.sort(RNG.integers(0, 300_000_000, n))
    bucket, found, first = Bucket(16, leak=2.0), [], 0
    for last in (1, 2, 700, 1500, n):
        found += bucket.add(keys[first:last], time_us[first:last]).tolist()
        first = last
    level, before = [0.0] * 5, [0] * 5
    for key, moment, seen in zip(keys.tolist(), time_us.tolist(), found, strict=True):
        level[key] = max(level[key] - 2.0 * (moment - before[key]) / 1e6, 0.0) + 1.0
        before[key] = moment
        assert abs(seen - level[key]) < 1e-6


def test_models_accuse_none_of_the_hours_they_were_tuned_on() -> None:
    """Thresholds lie at the largest score of ordinary hours, and a client unlike all others is above one of them."""
    hours = [Hour(np.arange(300, dtype=np.uint64), RNG.normal(0, 1, (300, 9)), k) for k in range(6)]
    models = fit(hours)
    assert [model.name for model in models] == ["HBOS", "IForest", "ECOD"]
    odd = np.concatenate([hours[0].values[:50], np.full((1, 9), 9.0)])
    for model in models:
        assert (model.scores(hours[0].values) <= model.threshold).all()
        assert model.scores(odd)[-1] == model.scores(odd).max()
    assert fit(hours[:2]) == []
