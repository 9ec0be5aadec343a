"""Answers of 200 with nothing in them: a try that found nothing, not a record that has gone."""

from __future__ import annotations

import numpy as np
import pytest

from detector.state.layout import COUNTER
from tests.unit.test_judging import batch_of, judged, pipeline


@pytest.mark.parametrize(
    ("size", "status", "misses"), [(2, 200, 40), (3, 200, 40), (0, 200, 0), (4, 200, 0), (2, 304, 0), (2, 500, 0)]
)
def test_an_empty_body_is_a_miss(size: int, status: int, misses: int) -> None:
    """Braces and a line's end hold no record; no bytes at all may not have been counted, and an error is no answer."""
    rows = batch_of(np.arange(40), np.arange(40) % 4, np.arange(40) * 7)
    rows.bytes_out[:], rows.status[:] = size, status
    line = pipeline()
    line.take(rows)
    clients = line.state.in_use
    assert int(clients["misses"].sum()) == misses
    assert int(clients["reads"].sum()) == (0 if misses or status == 500 else 40)
    assert int(line.state.counters[COUNTER["judged"]]) == (0 if status == 500 else 40)


def test_a_guesser_is_found_where_misses_are_answered_200() -> None:
    """Sixty ids that do not exist, each answered with braces, convict as sixty not found would; no record has gone."""
    rng = np.random.default_rng(4)
    ordinary = batch_of(np.arange(4000) / 10, rng.integers(0, 300, 4000), rng.integers(0, 10**6, 4000))
    ordinary.bytes_out[:] = np.where(rng.random(4000) < 0.03, 2, 900)
    guesser = batch_of(400 + np.arange(60), np.full(60, 999), rng.integers(0, 10**9, 60))
    guesser.bytes_out[:] = 2
    (story,) = judged(ordinary, guesser)
    assert (story.pattern, story.exposed().estimate) == ("guessing", 0)
