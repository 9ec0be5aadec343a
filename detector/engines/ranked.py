"""Feeds a ranking of clients at every full hour of log time, wherever batches are cut."""

from __future__ import annotations

import numpy as np

from detector.pipeline import HOUR_US, Pipeline
from detector.ranking import Ranking, Unusual
from detector.records.batch import Batch


class Ranked:
    """A pipeline whose clients are ranked hour by hour.

    Args:
        pipeline: that judges.
        ranking: that is fed.
    """

    def __init__(self, pipeline: Pipeline, ranking: Ranking) -> None:
        self._pipeline = pipeline
        self._ranking = ranking
        self._next_us = 0

    def take(self, batch: Batch) -> None:
        """Judges a batch, cut where hours begin; see `Pipeline.take`."""
        first = 0
        while first < len(batch):
            now = int(batch.time_us[first])
            if self._next_us and now >= self._next_us:
                self._ranking.observe(self._pipeline.state, now // HOUR_US * HOUR_US)
            self._next_us = (now // HOUR_US + 1) * HOUR_US
            last = int(np.searchsorted(batch.time_us, self._next_us, side="left"))
            whole = first == 0 and last == len(batch)
            self._pipeline.take(batch if whole else batch.take(slice(first, last)))
            first = last

    def top(self, most: int) -> list[Unusual]:
        """The most unusual clients as of the last record."""
        self._ranking.observe(self._pipeline.state, self._pipeline.last_us)
        return self._ranking.top(most)
