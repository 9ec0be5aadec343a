"""The loop: rows in log order are learnt, judged, raised and told, tick by tick of log time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.detectors import BLOCK_DETECTORS, CLIENT_DETECTORS, Budget
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.judge import Judge, Judged
from detector.evidence.learn import learn
from detector.incidents.book import Book
from detector.incidents.recent import Recent
from detector.incidents.sweep_story import SweepStory
from detector.records.batch import Batch
from detector.records.routes import Routes
from detector.state.layout import Sizes, State

TICK_US = 60_000_000  # revisions are counted and sweeps settled once a minute of log time
LEARN_TICKS = 60  # and what ordinary clients are like is fitted once an hour


@dataclass(frozen=True)
class Rules:
    """What the user may set about judging.

    Attributes:
        budget: false incidents accepted a day.
        floor: fewest records whose loss by one client's volume is worth an alert.
        close_after_us: log time without news after which an incident ends.
        patterns: names of the detectors that are on.
    """

    budget: Budget = Budget()
    floor: int = 100
    close_after_us: int = 30 * 3_600_000_000
    patterns: frozenset[str] = frozenset([*CLIENT_DETECTORS, *BLOCK_DETECTORS])


@dataclass
class Pipeline:
    """Judges batches that arrive in log order. Feed it with `take`, end it with `finish`."""

    rules: Rules
    sizes: Sizes
    routes: Routes

    def __post_init__(self) -> None:
        self.state = State(self.sizes)
        self.judge = Judge(self.state, self.rules.floor)
        self.recent = Recent()
        self.book = Book(self.state, self.recent, self.routes.name, self.rules.close_after_us)
        self.null = Null(floor=self.rules.floor)
        self._next_tick = 0
        self._ticks = 0
        self._last_us = 0

    def take(self, batch: Batch) -> None:
        """Judges one batch whose rows follow everything taken before in log order; ``time_us`` never falls."""
        if not len(batch):
            return
        self.routes.assign(batch)
        first, n = 0, len(batch)
        while first < n:
            if int(batch.time_us[first]) >= self._next_tick:
                self._tick(int(batch.time_us[first]))
            last = int(np.searchsorted(batch.time_us, self._next_tick, side="left"))
            self._rows(batch, first, last)
            first = last
        self._last_us = max(self._last_us, int(batch.time_us[-1]))

    def _tick(self, time_us: int) -> None:
        before = self._next_tick
        if before:
            self.book.tick(time_us // TICK_US * TICK_US)
        self._next_tick = (time_us // TICK_US + 1) * TICK_US
        hour = TICK_US * LEARN_TICKS
        if self._next_tick // hour != before // hour or self._ticks in (5, 15, 30):
            self.null = learn(self.state, self.null, time_us)
        self._ticks += 1

    def _rows(self, batch: Batch, first: int, last: int) -> None:
        for judged in self.judge.rows(batch, first, last):
            self.recent.add(batch, judged)
            self.book.observe(batch, judged)
            if judged.client is not None:
                self._weigh_client(judged, int(judged.slot[judged.last - 1]))
            if judged.block is not None:
                self._weigh_block(judged)

    def _weigh_client(self, judged: Judged, slot: int) -> None:
        number = int(self.state.clients[slot]["incident"])
        if number and isinstance(self.book.stories[number - 1], SweepStory):
            return
        evidence = ClientEvidence(judged.client, self.null)
        for pattern, (_, judge) in CLIENT_DETECTORS.items():
            if pattern in self.rules.patterns:
                signal = judge(evidence, self.rules.budget)
                if signal is not None:
                    self.book.raise_client(signal, slot)

    def _weigh_block(self, judged: Judged) -> None:
        for pattern, judge in BLOCK_DETECTORS.items():
            if pattern in self.rules.patterns:
                signal = judge(judged.block, self.null.blocks_a_day, self.rules.budget)
                if signal is not None:
                    self.book.raise_sweep(signal)

    def finish(self) -> None:
        """The input has ended: tells every story as of the last record."""
        if self._next_tick:
            self.book.tick(self._last_us)
