"""The loop: rows in log order are learnt, judged, raised and told, tick by tick of log time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.detectors import BLOCK_DETECTORS, CLIENT_DETECTORS, Budget
from detector.detectors.sweep import Company
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.judge import Judge, Judged
from detector.evidence.learn import learn
from detector.incidents.book import LOOK_BACK_US, Book
from detector.incidents.recent import Recent
from detector.incidents.sweep_story import SweepStory
from detector.records.batch import Batch
from detector.records.routes import Routes
from detector.state.layout import Sizes, State

TICK_US = 60_000_000  # revisions are counted and sweeps settled once a minute of log time
AGE_US = 30_000_000  # after which a client of a block is looked at again: see detectors.sweep
HOUR_US = 3_600_000_000
EARLY_MINUTES = (5, 15, 30)  # of log: as soon as fifty clients may have been seen, then as their number doubles


@dataclass(frozen=True)
class Rules:
    """What the user may set about judging.

    Attributes:
        budget: false incidents accepted a day.
        floor: fewest records whose loss by one client's volume is worth an alert.
        close_after_us: log time without news after which an incident ends.
        patterns: names of the detectors that are on.
    """

    budget: Budget = field(default_factory=Budget)
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
        self.recent = Recent(self.state)
        self.book = Book(self.state, self.recent, self.routes.name, self.rules.close_after_us)
        self.null = Null(floor=self.rules.floor)
        self._next_tick = 0
        self._next_learning = 0
        self._begin_us = 0
        self._last_us = 0

    def take(self, batch: Batch) -> None:
        """Judges one batch whose rows follow everything taken before in log order; ``time_us`` never falls."""
        if not len(batch):
            return
        self.routes.assign(batch)
        judging = self.judge.batch(batch)
        first, n = 0, len(batch)
        while first < n:
            now = int(batch.time_us[first])
            if now >= self._boundary():
                self._tick(now)
            last = int(np.searchsorted(batch.time_us, self._boundary(), side="left"))
            judged = judging.rows(first, last)
            self._note(batch, judged)
            first = judged.last
        self._last_us = max(self._last_us, int(batch.time_us[-1]))

    def _boundary(self) -> int:
        """Log time up to which rows may be judged in one go: while nothing is open, ticks have nothing to do."""
        return min(self._next_tick, self._next_learning) if self.book.is_open else self._next_learning

    def _tick(self, now_us: int) -> None:
        if self.book.is_open and self._next_tick:
            self.book.tick(now_us // TICK_US * TICK_US)
        self._next_tick = (now_us // TICK_US + 1) * TICK_US
        if now_us >= self._next_learning:
            self._learn(now_us)

    def _learn(self, now_us: int) -> None:
        """Fits what ordinary clients are like at 5, 15 and 30 minutes of log and then with every hour."""
        if self._next_learning:
            self.null = learn(self.state, self.null, now_us)
        else:
            self._begin_us = now_us
        early = [self._begin_us + m * TICK_US for m in EARLY_MINUTES if self._begin_us + m * TICK_US > now_us]
        self._next_learning = min([*early, (now_us // HOUR_US + 1) * HOUR_US])

    def _note(self, batch: Batch, judged: Judged) -> None:
        self.recent.add(batch, judged)
        self.book.observe(batch, judged)
        was_open = self.book.is_open
        if judged.client is not None:
            self._weigh_client(judged, int(judged.slot[judged.last - 1]))
        if judged.block is not None:
            self._weigh_block(judged)
        if self.book.is_open and not was_open:
            self._next_tick = (int(batch.time_us[judged.last - 1]) // TICK_US + 1) * TICK_US

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
                signal = judge(judged.block, lambda: self._company(judged), self.null.blocks_a_day, self.rules.budget)
                if signal is not None:
                    self.book.raise_sweep(signal)

    def _company(self, judged: Judged) -> Company:
        block: Any = judged.block
        until = int(block["last_us"]) - AGE_US
        reads = self.recent.of_route(int(block["route"]), until - LOOK_BACK_US)
        reads = reads[(reads["time_us"] <= until) & reads["cold"] & ~reads["own"]]
        clients = self.state.clients[reads["slot"]]
        requests = clients["requests"].sum(axis=1)
        only = (clients["lead"] == block["route"]) & (5 * clients["lead_margin"].astype(np.int64) >= 3 * requests)
        others = self.state.sample()
        others = others[(others["first_us"] <= until) & (others["lead"] != block["route"])]
        single = float(np.mean(others["requests"].sum(axis=1) == 1)) if len(others) else 0.0
        return Company(len(reads), int(np.count_nonzero(only & (clients["key"] == reads["client"]))), single)

    def finish(self) -> None:
        """The input has ended: tells every story as of the last record."""
        if self.book.is_open:
            self.book.tick(self._last_us)
