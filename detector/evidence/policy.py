"""Whose data may be read by whom, and for what: the owner's policy as numbers that rows are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt

from detector.evidence.contract import DAY_MINUTES, Terms
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.persons import hash_id
from detector.records.places import place_number

KINDS = ("first_party", "partner", "advertiser", "staff", "service")
OUTSIDE = ("partner", "advertiser")  # those whose use of grants is held against one another's
INSIDE = ("staff", "service")  # of the house itself: they need a purpose where others need a grant
MOST_CLASSES = 31  # of data, all parties together: bits of a word; the policies of the facts name four to eight


@dataclass(frozen=True)
class Party:
    """Somebody with access of his own, and what he may do with it.

    Attributes:
        name: who it is; ``token``: what its rows carry (`records.declared.token`).
        kind: of `KINDS`.
        classes: of data that it may read; empty = any.
        purposes: that it may name; empty = any.
        hours: of the day in UTC, in minutes; empty = any.
        countries: it may read from, by the names of the database of countries; empty = any.
        persons_a_day: most persons whose data it reads a day of UTC; None = not said.
        until_us: until when it may read at all; 0 = not said.
        consent: classes of data that need a grant of the person.
        manners: places in `records.ledger.MANNERS` of grants that count.
        background: whether it may read while persons are away.
    """

    name: str
    token: int
    kind: str = "partner"
    classes: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    hours: tuple[tuple[int, int], ...] = ()
    countries: tuple[str, ...] = ()
    persons_a_day: int | None = None
    until_us: int = 0
    consent: tuple[str, ...] = ()
    manners: tuple[int, ...] = (0,)
    background: bool = False


class Policy:
    """The parties as tables, a row each in the order of their names.

    Attributes:
        parties: sorted by name.
        tokens: uint32 (n,), sorted, and ``of_token``: the party each belongs to.
        classes: names of the classes of data that anybody speaks of; bits follow this order.
        allowed, consent, content: uint32 (n,), bits of classes: may be read, need a grant, need a purpose.
        manners: uint32 (n,), bits of manners that count.
        partner: uint64 (n,), the hash a ledger's line has for the party's name.
        class_hash: uint64 (classes + 1,), the same of classes; the last is 0, all classes.
        minutes: uint8 (n, 1440), 1 = within its hours.
        watched: bool (n,), how it uses its grants is looked at; ``own``: what it reads, persons read themselves.
        dormant_us: after how long without anything of their own persons are dormant.
        last_seen: uint64 (k,) persons and int64 (k,) moments as the owner knows them; None = not said.
    """

    def __init__(
        self, parties: Sequence[Party] = (), purpose_classes: Sequence[str] = (), key: HashKey = REPLAY_KEY
    ) -> None:
        self.parties = tuple(sorted(parties, key=lambda party: party.name))
        named = {name for p in self.parties for name in (*p.classes, *p.consent)} | set(purpose_classes)
        self.classes = tuple(sorted(named))[:MOST_CLASSES]
        order = np.argsort([p.token for p in self.parties], kind="stable") if self.parties else np.zeros(0, np.int64)
        self.of_token: npt.NDArray[np.int64] = np.asarray(order, np.int64)
        self.tokens = np.array([self.parties[i].token for i in self.of_token], np.uint32)
        every = (1 << 32) - 1
        self.allowed = np.array([self.bits(p.classes) if p.classes else every for p in self.parties], np.uint32)
        self.consent = np.array([self.bits(p.consent) for p in self.parties], np.uint32)
        inside = self.bits(purpose_classes)
        self.content = np.array([inside if p.kind in INSIDE else 0 for p in self.parties], np.uint32)
        self.manners = np.array([sum(1 << m for m in p.manners) for p in self.parties], np.uint32)
        self.partner = np.array([hash_id(p.name, key) for p in self.parties], np.uint64)
        self.class_hash = np.array([*(hash_id(name, key) for name in self.classes), 0], np.uint64)
        self.purposes = [{hash_id(text, key) for text in p.purposes} for p in self.parties]
        minutes = [Terms(p.name, p.token, hours=p.hours).allowed_minutes() for p in self.parties]
        self.minutes = np.array(minutes, np.uint8).reshape(len(minutes), DAY_MINUTES)
        self.until_us = np.array([p.until_us or (1 << 62) for p in self.parties], np.int64)
        self._key, self._countries = key, dict[str, int]()
        self.watched = np.array([p.kind in OUTSIDE for p in self.parties], np.bool_)
        self.own = np.array([p.kind == KINDS[0] for p in self.parties], np.bool_)
        self.dormant_us = 90 * 24 * 60 * 60_000_000  # detection facts, 5.1 C8
        self.last_seen: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] | None = None

    def __bool__(self) -> bool:
        return bool(self.parties)

    def elsewhere(self, party: int, network: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Which networks are countries, by a database of them, and none of a party's; what is no country is not known
        to be elsewhere."""
        own = self.parties[party].countries
        if not self._countries and own:
            codes = ("".join(pair) for pair in product(ascii_uppercase, repeat=2))  # ISO 3166-1 alpha-2
            self._countries = {code: place_number(code, self._key) for code in codes}
        others = [number for code, number in self._countries.items() if code not in own]
        found: npt.NDArray[np.bool_] = np.isin(network, np.array(others, np.uint32))
        return found

    @property
    def needs_ledger(self) -> bool:
        """Whether anybody needs a grant."""
        return bool(self.consent.any())

    def bits(self, names: Sequence[str]) -> int:
        """Classes of data as bits; names nobody's policy speaks of have none."""
        return sum(1 << self.classes.index(name) for name in names if name in self.classes)

    def party_of(self, partner: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """The party of rows by the token they carry; -1 = nobody of these."""
        if not len(self.tokens):
            return np.full(len(partner), -1, np.int64)
        at = np.minimum(np.searchsorted(self.tokens, partner), len(self.tokens) - 1)
        found: npt.NDArray[np.int64] = np.where(self.tokens[at] == partner, self.of_token[at], -1)
        return found

    def party_named(self, partner: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The party of a ledger's changes by the hash of the name; -1 = nobody of these."""
        order = np.argsort(self.partner, kind="stable")
        at = np.minimum(np.searchsorted(self.partner[order], partner), max(len(order) - 1, 0))
        if not len(order):
            return np.full(len(partner), -1, np.int64)
        found: npt.NDArray[np.int64] = np.where(self.partner[order][at] == partner, order[at], -1)
        return found

    def class_named(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The class of data by its hash in a ledger; the last place = all of them, -1 = not known."""
        found = np.full(len(hashes), -1, np.int64)
        for place, known in enumerate(self.class_hash.tolist()):
            found[hashes == np.uint64(known)] = place
        return found
