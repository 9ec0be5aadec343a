"""Reads without consent and against purpose, as stories: one a party and class of data, however many reads."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors import consent as screens
from detector.detectors.signal import Budget, Finding, Signal
from detector.errors import SnapshotVersion
from detector.evidence.asking import MINUTES
from detector.evidence.consent import OF_LEDGER, OF_USE, PENDING, SMELLING, VERDICTS, Reads, judge
from detector.evidence.judge import Judged
from detector.evidence.ledger import Ledger, changes_of
from detector.evidence.policy import Policy
from detector.incidents.book import Book
from detector.incidents.consent_counts import Counts
from detector.incidents.consent_persons import PersonsRead
from detector.incidents.consent_usage import Convicted, UsageWatch
from detector.incidents.consent_waiting import FOUND, Portion, columns, found, pairs_of
from detector.incidents.recent import READS
from detector.incidents.story import Member, Story
from detector.packing import Arrays, adopted, under, within
from detector.records.batch import KINDS, LEDGER, Batch
from detector.records.declared import token

FEWEST = 3
"""Reads within a day before a party is accused: one may be a record its own log and the ledger tell differently, two a
person who tries something out (judgement, as of contracts)."""

DAY_US = 86_400_000_000
MOST_WAITING = 1 << 19  # reads that wait for the ledger (90 MB); beyond, they are judged by what it has
LOOKED_BACK = 1 << 17  # granted reads kept for the day their grants are found to smell (22 MB)

WINDOW = np.dtype([("party", "i4"), ("place", "i4"), ("since_us", "i8"), ("until_us", "i8")])
APART = 1 << 10
"""Added to a class's place: reads whose only fault is that their grants smell. They are told apart, for they are
formally in order and other persons are to be told of them."""


@dataclass
class ConsentWatch:
    """Tells the book of reads that nobody agreed to.

    Args:
        policy: who may read what.
        book: the stories.
        data_classes: the declared classes of what a route hands out.

    Attributes:
        budget: false incidents allowed.
        ledger: what persons have granted.
        unjudged: reads that needed a grant while the ledger could not be trusted.
    """

    policy: Policy
    book: Book
    data_classes: Callable[[int], tuple[str, ...]]
    budget: Budget = field(default_factory=Budget)
    unjudged: int = 0
    _waiting: list[Portion] = field(default_factory=list)
    _found: tuple[npt.NDArray[np.int64], npt.NDArray[Any]] | None = None  # of the batch at hand
    _own: npt.NDArray[np.int64] | None = None  # the rows in it that persons are there by
    _usage: UsageWatch | None = None  # where anybody's use of grants is looked at
    _held: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, FOUND))  # not enough for an accusation
    _granted: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, FOUND))
    _windows: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, WINDOW))
    _counts: Counts = field(default_factory=Counts)
    _persons: PersonsRead = field(default_factory=PersonsRead)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.policy)
        self._reads = Reads(self.policy, self.data_classes)

    def agree(self, policy: Policy) -> None:
        """Another policy from the next row on; what is known of parties goes by their places, so it is let go where
        those have changed. Grants stay."""
        if [p.name for p in policy.parties] != [p.name for p in self.policy.parties] or (
            policy.classes != self.policy.classes
        ):
            self._windows, self._granted, self._held = self._windows[:0], self._granted[:0], self._held[:0]
            self._waiting, self._persons, self._usage = [], PersonsRead(), None
        self.policy = policy
        if self._usage is None and policy.watched.any():
            self._usage = UsageWatch(policy)
        if self._usage is not None:
            self._usage.policy, self.ledger.heard = policy, self._usage.hear
        self.ledger.agree(policy)
        self._reads = Reads(policy, self.data_classes)

    @property
    def is_on(self) -> bool:
        """Whether anything is declared, so that ticks have something to do."""
        return bool(self.policy)

    def take(self, batch: Batch) -> Batch:
        """Takes a batch's changes of the ledger out; ``time_us`` is when each row is judged."""
        changes = batch.flags & LEDGER
        if not changes.any():
            return batch
        self.ledger.give(changes_of(batch, batch.time_us))
        if not self.policy:  # nothing ticks; whoever declares parties again finds the ledger whole
            self.ledger.advance(int(batch.time_us[-1]))
        return batch.take(np.flatnonzero(changes == 0))

    def meet(self, batch: Batch, routes: Sized) -> None:
        """Looks which rows of a batch are reads of a party, once routes are assigned."""
        self._found = self._reads.find(batch, len(routes)) if self.policy else None
        self._own = self._reads.own(batch, len(routes)) if self.policy else None

    def note(self, batch: Batch, judged: Judged) -> None:
        """Keeps the reads of parties among the rows just judged, until the ledger can tell of them."""
        if self._usage is not None and self._own is not None:
            self._usage.begin(int(batch.time_us[judged.first]))
            first, last = np.searchsorted(self._own, [judged.first, judged.last]).tolist()
            self._usage.see(batch, self._own[first:last])
        if self._found is None:
            return
        rows, pending = self._found
        first, last = np.searchsorted(rows, [judged.first, judged.last]).tolist()
        if first < last:
            self._waiting.append(Portion(pending[first:last], source=(batch, judged, rows[first:last])))

    def tick(self, now_us: int, last: bool = False) -> None:
        """Log time has reached a minute: takes in the ledger's changes, judges the reads it can tell of by now.

        Args:
            now_us: log time.
            last: the input has ended: nothing is waited for.
        """
        self.ledger.advance(now_us)
        self._smell(now_us)
        if self._waiting:
            until = now_us if last else now_us - self.ledger.grace_us
            held, self._waiting = self._waiting, []
            over = sum(map(len, held)) - MOST_WAITING
            due = []
            for portion in held:
                stop = int(np.searchsorted(portion.light["time_us"], until, side="left"))
                stop = max(stop, min(over, len(portion)))
                over -= len(portion)
                if stop:
                    due.append((portion, stop))
                if stop < len(portion):
                    self._waiting.append(portion.behind(stop))
            if due:
                self._judge(due, now_us)
        self._held = self._held[self._held["time_us"] > now_us - DAY_US]

    def _judge(self, due: list[tuple[Portion, int]], now_us: int) -> None:
        reads = columns(due)
        verdict = judge(reads, self.policy, self.ledger)
        if self.ledger.is_stale or not self.ledger.moment_us:
            self.unjudged += int(np.count_nonzero(reads["classes"] & self.policy.consent[reads["party"]]))
        party, place, since_s = reads["party"], verdict.place, verdict.since_s
        bits = verdict.bits | self._smelling(party, place, since_s)
        self._note_persons(reads, place, due, now_us)
        at = np.flatnonzero(bits)
        wrong = found(due, at, since_s, np.where(bits == SMELLING, place | APART, place))
        for p, c in pairs_of(wrong["party"], wrong["place"]):
            own = (wrong["party"] == p) & (wrong["place"] == c)
            self._accuse(p, c, wrong[own], bits[at][own], now_us)
        for said in self._usage.weigh(reads, place, due, now_us, self.budget) if self._usage is not None else ():
            self._convict(said, now_us)
        for p, c in pairs_of(party, place):
            for told in (c, c | APART):
                if (story := self._story(p, told)) is not None:
                    self._update(story, p, told)
        first_s = now_us // 1_000_000 - 60 * MINUTES  # grants older than screens are remembered are never suspected
        good = np.flatnonzero((bits == 0) & (since_s > first_s))[-LOOKED_BACK:]
        if len(good):
            self._granted = np.concatenate([self._granted, found(due, good, since_s, place)])[-LOOKED_BACK:]

    def _smelling(
        self, party: npt.NDArray[Any], place: npt.NDArray[Any], since_s: npt.NDArray[Any]
    ) -> npt.NDArray[np.uint32]:
        """SMELLING where the grant that counts was given while the screen did not ask."""
        bits = np.zeros(len(party), np.uint32)
        for window in self._windows:
            of = (party == window["party"]) & (since_s > 0)
            if window["place"] < len(self.policy.classes):
                of &= place == window["place"]
            first_s, last_us = window["since_us"] // 1_000_000, window["until_us"]
            bits[of & (since_s >= first_s) & (since_s * 1_000_000 < last_us)] = SMELLING
        return bits

    def _note_persons(
        self,
        reads: dict[str, npt.NDArray[Any]],
        place: npt.NDArray[np.int64],
        due: list[tuple[Portion, int]],
        now_us: int,
    ) -> None:
        """Counts persons, and tells of parties that have read more of them in a day than was agreed."""
        for p, row, seen, most in self._persons.note(reads, place, self.policy, now_us):
            finding = Finding("persons_today", seen.estimate, most, screens.NATS)
            story = self._story(p, int(place[row]))
            if story is None:
                at = np.flatnonzero(reads["party"] == p)
                self._raise(p, int(place[row]), found(due, at, np.zeros_like(place), place), [finding], now_us)
            else:
                signal = self._signal(p, int(place[row]), int(reads["time_us"][row]), [finding], story.route)
                story.support(signal)

    def _convict(self, said: Convicted, now_us: int) -> None:
        """A party uses its grants unlike itself and the others: the reads meant, and what speaks for it."""
        bits = np.full(len(said.reads), said.bit, np.uint32)
        self._accuse(said.party, said.place, said.reads, bits, now_us, said)
        story = self._story(said.party, said.place)
        if story is not None:
            found = [said.verdict.finding]
            story.support(self._signal(said.party, said.place, now_us, found, story.route, said.threshold))

    def _accuse(
        self,
        party: int,
        place: int,
        wrong: npt.NDArray[Any],
        bits: npt.NDArray[np.uint32],
        now_us: int,
        said: Convicted | None = None,
    ) -> None:
        key = self._key(party, place)
        self._counts.add(key, bits, wrong["subject"])
        story = self._story(party, place)
        if story is not None:
            story.add(wrong["read"])
            self._update(story, party, place)
            return
        mine = (self._held["party"] == party) & (self._held["place"] == place)
        wrong = np.concatenate([self._held[mine], wrong])
        self._held = self._held[~mine]
        if len(wrong) < FEWEST:
            self._held = np.concatenate([self._held, wrong])
            return
        findings, threshold = self._findings(party, place), 0.0
        if said is not None:
            findings, threshold = [*findings, said.verdict.finding], said.threshold
        self._raise(party, place, wrong, findings, now_us, threshold)

    def _raise(
        self,
        party: int,
        place: int,
        reads: npt.NDArray[Any],
        findings: list[Finding],
        now_us: int,
        threshold: float = 0.0,
    ) -> None:
        route = int(np.bincount(reads["read"]["route"]).argmax())
        signal = self._signal(party, place, int(reads["time_us"][0]), findings, route, threshold)
        story = self.book.new("consent", f"{self.policy.parties[party].name}/{self._lead(place)}", signal)
        if story is None:
            return
        story.partner = self.policy.parties[party].name
        story.raised_us = now_us
        story.add(reads["read"])
        self.book.begin(story)

    def _update(self, story: Story, party: int, place: int) -> None:
        findings = self._findings(party, place)
        if findings:
            story.support(self._signal(party, place, story.last_us, findings, story.route))

    def _findings(self, party: int, place: int) -> list[Finding]:
        """The numbers as they stand: reads of each kind, of how many persons where it is grants that are wanting, and
        how many persons were read for one that was asked."""
        key, numbers = self._key(party, place), []
        for bit, name in VERDICTS.items():
            if reads := self._counts.reads(key, bit):
                numbers.append(Finding(name, reads, 0.0, 0.0 if bit & OF_USE else screens.NATS))
                if bit & (OF_LEDGER | SMELLING):
                    persons = self._counts.persons(key, bit).estimate
                    numbers.append(Finding(name.replace("reads_", "persons_", 1), persons, 0.0, 0.0))
        if any(self._counts.reads(key, bit) for bit in VERDICTS if bit & OF_LEDGER):
            asked = max(self.ledger.persons_asked(party, place), 1)
            numbers.append(Finding("persons_per_grant", round(self._persons.ever(party, place) / asked, 2), 1.0, 0.0))
        return sorted(numbers, key=lambda finding: (-finding.weight, -finding.value))

    def _signal(
        self, party: int, place: int, time_us: int, findings: list[Finding], route: int, threshold: float = 0.0
    ) -> Signal:
        nats = max((finding.weight for finding in findings), default=0.0)
        return Signal("consent", route, self._key(party, place), time_us, nats, threshold, findings)

    def _lead(self, place: int) -> str:
        return self._class(place & ~APART) + ("/smelling" if place & APART else "")

    def _class(self, place: int) -> str:
        return self.policy.classes[place] if place < len(self.policy.classes) else "*"

    def _key(self, party: int, place: int, what: str = "reads") -> int:
        """What stands for a party and class where stories are kept by client: no hash of one, but by a chance of
        2^-63."""
        return token(f"{what} {self._lead(place)}") << 32 | self.policy.parties[party].token

    def _story(self, party: int, place: int, what: str = "reads") -> Story | None:
        key = self._key(party, place, what)
        return next((s for s in self.book.open_stories if s.client == key and s.pattern == "consent"), None)

    def _smell(self, now_us: int) -> None:
        """Looks whether people are really asked, by the ledger's own account of its screens."""
        for party, place in self.ledger.asking.pairs:
            minutes = self.ledger.asking.minutes(party, place)
            if not len(minutes) or int(minutes["minute"][-1]) * 60_000_000 < now_us - DAY_US:
                continue
            seen = screens.smell(minutes, now_us // 60_000_000)
            if seen is not None:
                self._note_smell(party, place, seen, now_us)

    def _note_smell(self, party: int, place: int, seen: screens.Smell, now_us: int) -> None:
        known = np.flatnonzero(
            (self._windows["party"] == party)
            & (self._windows["place"] == place)
            & (self._windows["until_us"] >= seen.since_us)
        )
        if len(known):
            window = self._windows[known[-1]]
            window["until_us"] = max(int(window["until_us"]), seen.until_us)
            window["since_us"] = min(int(window["since_us"]), seen.since_us)
        else:
            new = np.array([(party, place, seen.since_us, seen.until_us)], WINDOW)
            self._windows = np.concatenate([self._windows, new])
        story = self._story(party, place, "screen")
        findings = [*seen.findings, Finding("grants_meanwhile", seen.grants, 0.0, 0.0)]
        signal = Signal("consent", 0, self._key(party, place, "screen"), seen.since_us, screens.NATS, 0.0, findings)
        if story is not None:
            story.support(signal)
            story.last_us = max(story.last_us, seen.until_us)
        else:
            self._raise_smell(party, place, signal, seen, now_us)
        self._look_back(now_us)

    def _raise_smell(self, party: int, place: int, signal: Signal, seen: screens.Smell, now_us: int) -> None:
        name = self.policy.parties[party].name
        story = self.book.new("consent", f"{name}/{self._class(place)}/screen", signal)
        if story is None:
            return
        story.partner, story.raised_us, story.last_us = name, now_us, seen.until_us
        story.members[signal.client] = Member(name, KINDS.index("account"))
        self.book.begin(story)

    def _look_back(self, now_us: int) -> None:
        """Reads that were thought granted, on grants that are now found to smell."""
        bits = self._smelling(self._granted["party"], self._granted["place"], self._granted["since_s"])
        doubtful, self._granted = self._granted[bits > 0], self._granted[bits == 0]
        for p, c in pairs_of(doubtful["party"], doubtful["place"]):
            own = doubtful[(doubtful["party"] == p) & (doubtful["place"] == c)]
            own["place"] |= APART
            self._accuse(p, c | APART, own, np.full(len(own), SMELLING, np.uint32), now_us)

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything that decides later results; nothing where nothing is declared and no ledger is read."""
        if not self.policy and not self.ledger.is_known:
            return {}
        lights = [portion.light for portion in self._waiting]
        return {
            "light": np.concatenate([np.zeros(0, PENDING), *lights]),
            "reads": np.concatenate([np.zeros(0, READS), *(p.reads(slice(None)) for p in self._waiting)]),
            "held": self._held.copy(),
            "granted": self._granted.copy(),
            "windows": self._windows.copy(),
            "unjudged": np.array([self.unjudged], np.int64),
            **under("persons", self._persons.save()),
            **under("counts", self._counts.save()),
            **(under("usage", self._usage.save()) if self._usage is not None else {}),
            **under("ledger", self.ledger.save()),
        }

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotVersion: grants are needed, and it was made without a ledger, which must be read from its beginning.
            SnapshotDamaged: it does not fit.
        """
        if not arrays:
            if self.policy.needs_ledger and not self.ledger.is_known:
                raise SnapshotVersion("snapshot: it was made without a consent ledger")
            return
        light, reads = adopted(arrays["light"], np.dtype(PENDING)), adopted(arrays["reads"], READS)
        self._waiting = [Portion(light.copy(), reads.copy())] if len(light) else []
        self._held, self._granted = (adopted(arrays[name], FOUND).copy() for name in ("held", "granted"))
        self._windows = adopted(arrays["windows"], WINDOW).copy()
        self._counts.load(within("counts", arrays))
        self.unjudged = int(arrays["unjudged"][0])
        self._persons.load(within("persons", arrays))
        if self._usage is not None:
            self._usage.load(within("usage", arrays))
        self.ledger.load(within("ledger", arrays))
