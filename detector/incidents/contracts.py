"""Contracts broken, as stories: what partners read outside of what was agreed, counted from the last rows on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors import contract
from detector.detectors.contract import Break
from detector.detectors.signal import Signal
from detector.evidence.contract import AT_OTHER_HOURS, ELSEWHERE, READ, WINDOW, Contracts, Terms, recent
from detector.evidence.judge import Judged
from detector.incidents.book import DAY_US, Book
from detector.incidents.recent import READS, reads_of
from detector.incidents.story import Member, Story
from detector.packing import Arrays
from detector.records.batch import KINDS, Batch

KEPT = 1 << 14  # reads of partners looked back on (2.4 MB): a minute at 270/s, of what nobody judges
OUTSIDE = ELSEWHERE | AT_OTHER_HOURS
TOO_MUCH = 2  # bit of CONTRACT.broken
BROKEN_TODAY = 1

LAST = np.dtype([("token", "u4"), ("said", "u1"), ("read", READS)])


@dataclass
class ContractWatch:
    """Tells the book of broken contracts.

    Args:
        contracts: the counts.
        book: the stories.
        floor: fewest records that are worth an alert by their amount.
    """

    contracts: Contracts
    book: Book
    floor: int
    _last: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, LAST))  # looked back on
    _new: list[npt.NDArray[Any]] = field(default_factory=list)  # since the last tick
    _ticked: int = 0  # the log minute of that

    @property
    def is_on(self) -> bool:
        """Whether anybody is declared, so that ticks have something to do."""
        return bool(self.contracts)

    def note(self, batch: Batch, judged: Judged, said: npt.NDArray[np.uint8]) -> None:
        """Keeps what partners have read among the rows just judged; what becomes of it is settled at the next tick,
        so that the cuts of batches change nothing."""
        rows = np.flatnonzero(said[judged.first : judged.last] & READ) + judged.first
        if len(rows):
            new = np.zeros(len(rows), LAST)
            new["token"], new["said"], new["read"] = batch.partner[rows], said[rows], reads_of(batch, judged, rows)
            self._new.append(new)

    def tick(self, now_us: int, minute: int) -> None:
        """Log time has reached a minute: raises what is broken, or counts and tells more of it.

        Args:
            now_us: log time.
            minute: the log minute that begins.
        """
        new, self._new = np.concatenate([np.zeros(0, LAST), *self._new]), []
        self._last = np.concatenate([self._last, new])[-KEPT:]
        for place, terms in enumerate(self.contracts.terms):
            total = self.contracts.totals[place]
            story = self.of_partner(terms.name)
            if story is not None:
                story.add(_outside(new, terms, bool(total["broken"] & TOO_MUCH)))
            broken = contract.judge(total, terms, self._moment(total, minute), self.floor)
            bits = int(total["broken"]) & ~TOO_MUCH
            if broken is not None:
                bits |= BROKEN_TODAY | (TOO_MUCH if broken.too_much else 0)
            total["broken"] = bits
            if broken is not None:
                self._raise(terms, broken, int(total["last_us"]), now_us)
        self._ticked = minute

    def _moment(self, total: Any, minute: int) -> int:
        """The minute a partner is judged at: this one, but after a silence the one behind its last, once."""
        silent = minute - int(total["minute"]) > WINDOW
        return int(total["minute"]) + 1 if silent and total["minute"] >= self._ticked else minute

    def _raise(self, terms: Terms, broken: Break, last_us: int, now_us: int) -> None:
        signal = Signal(
            "contract",
            self._lead(terms, broken, last_us // 60_000_000 + 1),
            _story_key(terms),
            last_us,
            contract.NATS,
            0.0,
            broken.findings,
        )
        last = self._last[(self._last["token"] == terms.token) & (self._last["read"]["time_us"] >= broken.since_us)]
        before = _outside(last, terms, broken.too_much)
        unseen = 0
        if broken.too_much:
            counted = max(int(f.value) for f in broken.findings if f.name.startswith("records_") and f.weight > 0)
            unseen = max(0, counted - len(before))
        foreign = any(f.name == "requests_from_other_networks" for f in broken.findings)
        self._tell(signal, terms, (before, unseen), self._slots(terms.clients) if foreign else [], now_us)

    def _tell(
        self, signal: Signal, terms: Terms, before: tuple[npt.NDArray[Any], int], slots: list[int], now_us: int
    ) -> None:
        """A new story, or more about the one that is open. Who uses a partner's key from elsewhere may have been found
        out by what he read: that incident is the one, and becomes a broken contract.

        Args:
            signal: its ``client`` stands for the partner.
            terms: of the partner.
            before: its own reads outside of the contract so far (dtype READS), and how many more were counted.
            slots: of its accounts and keys where others use them; from now on their reads are part of it.
            now_us: log time.
        """
        book = self.book
        story = self.of_partner(terms.name) or self._found_out(slots)
        if story is None:
            story = book.new("contract", terms.name, signal)
            if story is None:
                return
            story.partner = terms.name
            story.add(before[0])
            story.raised_us = now_us
            self._join(story, signal.time_us, slots)
            story.exposure.unseen = before[1]
            if not story.settled().members:
                story.members[signal.client] = Member(terms.name, KINDS.index("account"))
            book.begin(story)
            return
        is_news = not story.partner
        story.pattern, story.partner = "contract", terms.name
        story.support(signal)
        self._join(story, signal.time_us, slots)
        if is_news:
            story.add(before[0])
            book.revise(story)

    def of_partner(self, name: str) -> Story | None:
        """The open story of a contract broken."""
        return next((story for story in self.book.open_stories if story.partner == name), None)

    def _found_out(self, slots: list[int]) -> Story | None:
        """The open story about one of these clients alone."""
        for slot in slots:
            client = self.book.state.clients[slot]
            story = self.book.story(int(client["incident"]))
            if story is not None and story.client == int(client["key"]) and not story.over_us:
                return story
        return None

    def _slots(self, clients: tuple[int, ...]) -> list[int]:
        """Slots of clients by their hashes, of those that have one."""
        wanted = np.array(sorted(clients), np.uint64)
        return np.flatnonzero(np.isin(self.book.state.in_use["key"], wanted)).tolist()

    def _join(self, story: Story, now_us: int, slots: list[int]) -> None:
        """Clients whose reads are part of a story from now on, and were for a day, unless they are in another one."""
        for slot in slots:
            client = self.book.state.clients[slot]
            if not client["incident"]:
                client["incident"] = story.number
                story.add(self.book.recent.of_client(int(client["key"]), now_us - DAY_US))

    def _lead(self, terms: Terms, broken: Break, minute: int) -> int:
        """The route most of it goes to; of equals the one met first."""
        slots = self.contracts.of(terms.token)
        if not len(slots):
            return 0
        amounts = [recent(slot, broken.column, minute) for slot in slots]
        order = sorted(zip((-a for a in amounts), slots["route"].tolist(), strict=True))
        return int(order[0][1])

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything that decides later results."""
        last = np.concatenate([self._last, *self._new])
        columns = {f"last_{name}": np.ascontiguousarray(last["read"][name]) for name in READS.names or ()}
        waiting = np.array([len(last) - len(self._last), self._ticked], np.int64)
        return {
            **self.contracts.save(),
            **columns,
            "token": last["token"].copy(),
            "said": last["said"].copy(),
            "waiting": waiting,
        }

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        self.contracts.load(arrays)
        last = np.zeros(len(arrays["token"]), LAST)
        last["token"], last["said"] = arrays["token"], arrays["said"]
        for name in READS.names or ():
            last["read"][name] = arrays[f"last_{name}"]
        waiting, self._ticked = arrays["waiting"].tolist()
        settled = len(last) - waiting
        self._last, self._new = last[:settled], [last[settled:]]


def _outside(last: npt.NDArray[Any], terms: Terms, too_much: bool) -> npt.NDArray[Any]:
    """Of a partner's last reads (dtype LAST) those outside of its contract, as dtype READS."""
    mine = last["token"] == terms.token
    found: npt.NDArray[Any] = last["read"][mine if too_much else mine & ((last["said"] & OUTSIDE) != 0)]
    return found


def _story_key(terms: Terms) -> int:
    """What stands for a partner where stories are kept by client: no hash of one, but by a chance of 2^-63."""
    return terms.token << 32 | 0x70617274  # "part"
