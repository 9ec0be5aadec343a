"""The loop: rows in log order are learnt, judged, raised and told, tick by tick of log time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors import (
    BLOCK_DETECTORS,
    CELL_DETECTORS,
    CLIENT_DETECTORS,
    PATTERNS,
    Budget,
    again,
    campaign,
    tripwire,
)
from detector.errors import SnapshotDamaged, SnapshotVersion
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.contract import Contracts, Terms
from detector.evidence.judge import Judge, Judged
from detector.evidence.learn import learn
from detector.evidence.outcome import outcomes
from detector.evidence.policy import Policy
from detector.evidence.reference import Reference
from detector.evidence.sign_in import SignIns
from detector.evidence.tripwire import Tripwires, Wire
from detector.incidents.account_watch import AccountWatch
from detector.incidents.again_watch import AgainWatch
from detector.incidents.book import Book
from detector.incidents.company import company
from detector.incidents.consents import ConsentWatch
from detector.incidents.contracts import ContractWatch
from detector.incidents.incident import Incident
from detector.incidents.recent import Recent
from detector.incidents.render import incident
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Story
from detector.incidents.suppression import Suppression
from detector.packing import Arrays, Saved, under, within
from detector.records.batch import Batch
from detector.records.routes import Routes
from detector.state.layout import COUNTER, Sizes, State

TICK_US = 60_000_000  # revisions are counted and sweeps settled once a minute of log time
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
KEPT = 4  # version of what `Pipeline.save` keeps: another one where the same bytes would mean something else
EARLY_MINUTES = (5, 15, 30)  # of log: as soon as fifty clients may have been seen, then as their number doubles


@dataclass(frozen=True)
class Rules:
    """What the user may set about judging.

    Attributes:
        budget: false incidents accepted a day.
        floor: fewest records whose loss by one client's volume is worth an alert.
        close_after_us: log time without news after which an incident ends.
        patterns: names of the detectors that are on.
        contracts: what was agreed with declared partners.
        suppressions: what is kept quiet.
        tripwires: records nobody may read.
        policy: whose data may be read by whom, and for what.
        reference_from_us: log time; what was usual before it is no measure for what is learnt after it.
    """

    budget: Budget = field(default_factory=Budget)
    floor: int = 100
    close_after_us: int = 30 * 3_600_000_000
    patterns: frozenset[str] = PATTERNS
    contracts: tuple[Terms, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    tripwires: tuple[Wire, ...] = ()
    policy: Policy = field(default_factory=Policy)
    reference_from_us: int = 0


@dataclass
class Pipeline:
    """Judges batches that arrive in log order. Feed it with `take`, end it with `finish`.

    Args:
        rules: what the user has set.
        sizes: of the tables.
        routes: the table of routes, not used by anybody else.
        on_news: called with an incident and its story whenever there is a new revision of it, from within `take`: when
            it is raised, when it has grown, when it has ended. Rows and their log times alone decide when. Without it,
            as in a replay, all stories are kept for the end.
        detector: ``version`` and ``config`` for the incidents told.

    Attributes:
        resumes: whether rows may come that lie before what has been learnt of routes (`learnt.apply`).
    """

    rules: Rules
    sizes: Sizes
    routes: Routes
    on_news: Callable[[Incident, Story], None] | None = None
    detector: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = State(self.sizes)
        self.judge = Judge(self.state, self.rules.floor)
        self.sign_ins = SignIns(self.state, self.routes.name)
        self.recent = Recent(self.state)
        self.book = Book(self.state, self.recent, self.routes.name, self.rules.close_after_us)
        self.book.agent_name, self.book.network_name = self.routes.looks.agent, self.routes.looks.network
        self.book.data_classes = self.routes.data_classes
        if self.on_news is not None:
            self.book.tell, self.book.keep_closed = self._tell, False
        self.accounts = AccountWatch(self.state, self.book)
        self.again = AgainWatch(self.state, self.book)
        self.null = Null(floor=self.rules.floor)
        self.reference = Reference()
        self.watch = ContractWatch(Contracts((), self.routes.name), self.book, self.rules.floor)
        self.consents = ConsentWatch(Policy(), self.book, self.routes.data_classes)
        self._agree()
        self._next_tick = 0
        self._next_learning = 0
        self._begin_us = 0
        self._last_us = 0
        self.resumes = False

    @property
    def last_us(self) -> int:
        """Log time up to which rows are judged; 0 before the first."""
        return self._last_us

    @property
    def warming(self) -> bool:
        """Whether lost state is being rebuilt from the log: incidents raised meanwhile say so."""
        return self.book.warming

    @warming.setter
    def warming(self, warming: bool) -> None:
        """Whether it is."""
        self.book.warming = warming

    def open_stories(self) -> list[Story]:
        """The stories that may still grow or end."""
        return self.book.open_stories

    def change(self, rules: Rules, detector: Mapping[str, str] | None = None) -> None:
        """Other rules from the next row on. Open stories keep their names and go on by the new ones."""
        self.rules = rules
        self.judge.floor = rules.floor
        self.null = replace(self.null, floor=rules.floor)
        self.book.close_after_us = rules.close_after_us
        self._agree()
        self._limit_cells()
        self.detector = dict(self.detector if detector is None else detector)

    def _agree(self) -> None:
        """Takes over what the owner has declared."""
        rules = self.rules
        self.book.suppressions = rules.suppressions
        self.watch.floor = rules.floor
        self.watch.contracts.agree(rules.contracts if "contract" in rules.patterns else ())
        self.consents.budget = rules.budget
        self.consents.agree(rules.policy if "consent" in rules.patterns else Policy())
        self._tripwires = Tripwires(rules.tripwires if "tripwire" in rules.patterns else (), self.routes.name)

    def _tell(self, story: Story) -> None:
        assert self.on_news is not None
        self.on_news(incident(story, self.book, self.detector), story)

    def take(self, batch: Batch) -> None:
        """Judges one batch whose rows follow everything taken before in log order; ``time_us`` never falls."""
        batch = self.consents.take(batch)
        if len(batch):
            self.find_routes(batch)
            self.weigh(batch, self.look_up(batch))

    def find_routes(self, batch: Batch) -> None:
        """The first of the three steps of `take`, for who does the second in another thread: rows learn their routes.

        Each step takes batches in log order; a batch may be ahead of another's next step by one."""
        if self.resumes:
            self._meet(int(batch.time_us[0]))
        self.routes.assign(batch)

    def look_up(self, batch: Batch) -> npt.NDArray[np.uint8]:
        """The second step: whether records were read before by others (`evidence.outcome`). Shares nothing with the
        others but the batch."""
        return outcomes(self.state, batch)

    def weigh(self, batch: Batch, found: npt.NDArray[np.uint8]) -> None:
        """The third step: judges rows, with what the second has found."""
        self.sign_ins.meet(batch)
        judging = self.judge.batch(batch, found)
        counting = self.watch.contracts.batch(batch, len(self.routes)) if self.watch.is_on else None
        self.consents.meet(batch, self.routes)
        tripped = self._tripped(batch)
        first, n = 0, len(batch)
        while first < n:
            now = int(batch.time_us[first])
            if now >= self._boundary():
                self._campaigns(judging.close_minute(first))
                self._tick(now)
            last = int(np.searchsorted(batch.time_us, self._boundary(), side="left"))
            judged = judging.rows(first, min(last, min(tripped, default=n - 1) + 1))
            self.book.ordinary.add(batch, judging, first, judged.last)
            self._note(batch, judged)
            self.consents.note(batch, judged)
            if counting is not None:
                counted, said = counting
                counted(first, judged.last)
                self.watch.note(batch, judged, said)
            wire = tripped.pop(judged.last - 1, None)
            if wire is not None:
                self._weigh_read(judged, wire, int(batch.route[judged.last - 1]))
            first = judged.last
            if judged.alarms is not None:
                self._campaigns(judged.alarms)
        self.book.ordinary.write()
        self.recent.write()
        self._last_us = max(self._last_us, int(batch.time_us[-1]))

    def _boundary(self) -> int:
        """Log time up to which rows may be judged in one go: while nothing is open, ticks have nothing to do."""
        ticks = self.book.is_open or self._watches
        return min(self._next_tick, self._next_learning) if ticks else self._next_learning

    @property
    def _watches(self) -> bool:
        """Whether something is declared that is looked at with every minute."""
        return self.watch.is_on or self.consents.is_on

    def _tick(self, now_us: int) -> None:
        if self.watch.is_on and self._next_tick:
            self.watch.tick(now_us // TICK_US * TICK_US, now_us // TICK_US)
        if self.consents.is_on and self._next_tick:
            self.consents.tick(now_us // TICK_US * TICK_US)
        if self.book.is_open and self._next_tick:
            self.book.tick(now_us // TICK_US * TICK_US)
        self._next_tick = (now_us // TICK_US + 1) * TICK_US
        if now_us >= self._next_learning:
            self._learn(now_us)

    def _learn(self, now_us: int) -> None:
        """Fits what ordinary clients are like at 5, 15 and 30 minutes of log and then with every hour."""
        if self._next_learning:
            self.null = learn(self.state, self.null, now_us)
            if now_us - self._begin_us >= DAY_US:
                self.null = self.reference.hold(self.null, now_us, self.rules.reference_from_us)
        else:
            self._begin_us = now_us
        early = [self._begin_us + m * TICK_US for m in EARLY_MINUTES if self._begin_us + m * TICK_US > now_us]
        self._next_learning = min([*early, (now_us // HOUR_US + 1) * HOUR_US])
        self._limit_cells()

    def _limit_cells(self) -> None:
        """When cells alarm: follows from how many count something in a minute and from the budget."""
        campaign.limit(self.state.limits, int(self.state.counters[COUNTER["busy"]]), self.rules.budget, CELL_DETECTORS)
        self.accounts.limit(self.rules.budget)

    def _note(self, batch: Batch, judged: Judged) -> None:
        self.sign_ins.note(batch, judged)
        self.recent.add(batch, judged)
        was_open = self.book.is_open
        if was_open:
            self.book.observe(batch, judged)
        if judged.client is not None:
            self._weigh_client(judged, int(judged.slot[judged.last - 1]), batch)
        if judged.block is not None:
            self._weigh_block(judged)
        if self.book.is_open and not was_open and not self._watches:
            self._next_tick = (int(batch.time_us[judged.last - 1]) // TICK_US + 1) * TICK_US

    def _campaigns(self, rows: npt.NDArray[Any] | None) -> None:
        """What cells said at the end of a minute of log time, all of it together; open campaigns are followed
        also where they said nothing."""
        was_open = self.book.is_open
        now_us = int(self.state.counters[COUNTER["minute"]]) * TICK_US
        alarms = [] if rows is None else campaign.read(rows, self.state.limits, CELL_DETECTORS, self.rules.patterns)
        if alarms or self.book.follows:
            self.book.raise_campaign(alarms, self.state.last_crossings(), now_us)
        self.accounts.hear(self.null, self.rules.patterns)
        if self.book.is_open and not was_open:
            self._next_tick = now_us + TICK_US

    def _weigh_client(self, judged: Judged, slot: int, batch: Batch) -> None:
        if isinstance(self.book.story(int(self.state.clients[slot]["incident"])), SharedStory):
            return
        evidence = ClientEvidence(judged.client, self.null)
        self.accounts.weigh(evidence, slot, batch, judged.last - 1)
        for pattern, (_, judge) in CLIENT_DETECTORS.items():
            if pattern in self.rules.patterns:
                signal = judge(evidence, self.rules.budget)
                if signal is not None and not self.accounts.takes(signal, slot):
                    self.book.raise_client(signal, slot)
        if again.PATTERN in self.rules.patterns:
            self.again.weigh(evidence, slot, self.rules.budget)

    def _tripped(self, batch: Batch) -> dict[int, Wire]:
        """Rows that read a record nobody may read, in their order."""
        if not self._tripwires:
            return {}
        rows, which = self._tripwires.find(batch, len(self.routes))
        return {row: self._tripwires.wires[number] for row, number in zip(rows.tolist(), which.tolist(), strict=True)}

    def _weigh_read(self, judged: Judged, wire: Wire, route: int) -> None:
        slot = int(judged.slot[judged.last - 1])
        evidence = ClientEvidence(self.state.clients[slot].copy(), self.null)
        self.book.raise_client(tripwire.judge(evidence, wire.name, route, CLIENT_DETECTORS, self.rules.budget), slot)

    def _weigh_block(self, judged: Judged) -> None:
        for pattern, judge in BLOCK_DETECTORS.items():
            if pattern in self.rules.patterns:
                block = judged.block
                around = partial(company, self.state, self.recent, block, self._begin_us)
                signal = judge(block, around, self.null.blocks_a_day, self.rules.budget)
                if signal is not None:
                    self.book.raise_sweep(signal)

    def finish(self) -> None:
        """The input has ended: tells every story as of the last record."""
        if self.watch.is_on:
            self.watch.tick(self._last_us, self._last_us // TICK_US + 1)
        if self.consents.is_on:
            self.consents.tick(self._last_us + 1, last=True)
        if self.book.is_open:
            self.book.tick(self._last_us)

    def _meet(self, first_us: int) -> None:
        """What was learnt of routes fades from the first row that is read again."""
        minutes = self.state.routes["minute"]
        np.minimum(minutes, first_us // TICK_US, out=minutes)
        self.resumes = False

    def save(self) -> Saved:
        """A copy of everything that decides what comes of the rows still to come.

        To be called between two calls of `take`; what is done with the copy later is another thread's matter.
        """
        told, stories = self.book.save()
        ticks = [self._next_tick, self._next_learning, self._begin_us, self._last_us, int(self.resumes)]
        rooms: dict[str, Arrays] = {
            "state": self.state.save(),
            "recent": self.recent.save(),
            "book": stories,
            "ordinary": self.book.ordinary.save(),
            "routes": self.routes.save(),
            "null": {"row": self.null.save(), "habits": self.null.save_habits(), "reference": self.reference.save()},
            "contracts": self.watch.save(),
            "consents": self.consents.save(),
        }
        arrays = {name: array for room, kept in rooms.items() for name, array in under(room, kept).items()}
        return Saved({**self.marks(), "ticks": ticks, "book": told}, arrays)

    def load(self, meta: Mapping[str, Any], arrays: Arrays) -> None:
        """Takes back what `save` gave, into a pipeline that has taken no row; after an error it is of no use any more.

        Raises:
            SnapshotVersion: another version, other table sizes or another key.
            SnapshotDamaged: it cannot be read.
        """
        self.check(meta)
        try:
            self.state.load(within("state", arrays))
            self.recent.load(within("recent", arrays))
            self.routes.load(within("routes", arrays))
            self.book.load(meta["book"], within("book", arrays))
            self.book.ordinary.load(within("ordinary", arrays))
            self.null = Null.load(arrays["null.row"][0], self.rules.floor, arrays.get("null.habits"))
            self.reference.load(arrays.get("null.reference", ()))
            self.watch.load(within("contracts", arrays))
            self.consents.load(within("consents", arrays))
            self._next_tick, self._next_learning, self._begin_us, self._last_us, resumes = meta["ticks"]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SnapshotDamaged(f"snapshot: its tables cannot be read ({type(error).__name__}: {error})") from error
        self.resumes = bool(resumes)

    def renumber(self, parts: Mapping[int, int]) -> None:
        """Partitions have got other numbers since this state was saved: by old number, the new one."""
        numbers = np.arange(1 << 16, dtype=np.uint16)
        for old, new in parts.items():
            numbers[old] = new
        self.state.in_use["part"] = numbers[self.state.in_use["part"]]

    def marks(self) -> dict[str, Any]:
        """What a snapshot can only be taken back into: version, tables, hash key."""
        return {"kept": KEPT, "tables": self.sizes.digest(), "key": self.routes.mark}

    def check(self, meta: Mapping[str, Any], tables: bool = True) -> None:
        """Compares what a snapshot was made of with what is here."""
        here = self.marks()
        for mark, what in (("kept", "version"), ("key", "hash key"), *([("tables", "tables")] if tables else [])):
            if meta.get(mark) != here[mark]:
                raise SnapshotVersion(f"snapshot: its {what} is {meta.get(mark)}, here it is {here[mark]}")
