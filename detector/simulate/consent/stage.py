"""What all parties share: whom they ask, who says yes, when they read, and from where; drawn as everybody's is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.simulate.cast import Cast, strangers
from detector.simulate.consent.changes import DECLINE, EXPLICIT, GRANT, REVOKE, VIEW, Changes
from detector.simulate.consent.parties import Party
from detector.simulate.site import CODE, PURPOSES
from detector.simulate.traffic import Ints, Traffic
from detector.simulate.world import World

NEVER = 1 << 62
USUAL_SCALE = 1e-4
AFTER_US = 2_000_000  # a partner's first read after the ledger had the grant; logs round down to whole seconds
_MINUTE_US = 60_000_000
_THINKS = (9.0, 0.8)  # seconds to answer a question, lognormal: as long as a page is read (`shop.ordinary`)
_DECLINING = 0.5  # of those who do not grant: the others go away without a word (judgement)
_SERVERS = 3  # addresses of a party


@dataclass(frozen=True)
class Granted:
    """n grants of one party.

    Attributes:
        person: int64, whose.
        had_us: int64, when the ledger had it.
        revoked_us: int64, when it was taken back; NEVER = not.
        revocation_had_us: int64, when the ledger had that; NEVER = not.
        consent: int64, its number.
    """

    person: Ints
    had_us: Ints
    revoked_us: Ints
    revocation_had_us: Ints
    consent: Ints


@dataclass
class Stage:
    """One log's P14 while it is made.

    Attributes:
        world: it happens in.
        scale: of published figures.
        lag_us: the longest a change takes to the ledger.
        rng: chance.
        breach_us: when the breach begins.
        parts, changes: what was made so far: requests whose ``actor`` counts in `cast`, and changes of the ledger.
        last_seen: of each person of the world, from 1 on, days before the log's start; None = the owner does not know.
    """

    world: World
    scale: float
    lag_us: int
    rng: np.random.Generator
    breach_us: int
    parts: list[Traffic] = field(default_factory=list)
    changes: list[Changes] = field(default_factory=list)
    cast: list[tuple[Cast, list[str]]] = field(default_factory=list)
    actors: int = 0
    consents: int = 0
    persons_drawn: int = 0
    last_seen: Ints | None = None

    @property
    def start_us(self) -> int:
        """First moment of the log."""
        return self.world.start_us

    @property
    def end_us(self) -> int:
        """First moment after it."""
        return self.world.options.end_us

    def scaled(self, published: float) -> int:
        """A published figure at the story's scale, at least ten."""
        return max(round(published * self.scale), 10)

    def usual(self, n: float) -> int:
        """How many of what is no published figure: as given, fewer in a smaller story, at least thirty."""
        return max(round(n * min(self.scale / USUAL_SCALE, 1)), 30)

    def persons(self, n: int) -> Ints:
        """``n`` persons, different ones and in no order.

        Raises:
            UsageError: there are not as many.
        """
        if n > self.world.ids:
            raise UsageError(
                f"cannot simulate: {n:,} persons are needed, there are {self.world.ids:,}; raise --ids or lower --scale"
            )
        first = int(self.rng.integers(self.world.ids))
        return self.world.spread(first + np.arange(n))

    def moments(self, n: int, start_us: int | None = None) -> Ints:
        """``n`` moments from ``start_us`` (default: the log's first) to the end, in order, by the crowd's hours."""
        first = self.start_us if start_us is None else start_us
        grid = np.append(np.arange(first, self.end_us, _MINUTE_US), self.end_us)
        mass = np.concatenate([[0.0], np.cumsum(self.world.busy(grid[:-1]) * np.diff(grid))])
        drawn = np.sort(self.rng.random(n)) * mass[-1]
        found: Ints = np.interp(drawn, mass, grid).astype(np.int64).clip(first, self.end_us - 1)
        return found

    def enrol(self, cast: Cast, accounts: list[str]) -> Ints:
        """Takes in identities and returns their numbers."""
        self.cast.append((cast, accounts))
        self.actors += len(cast)
        return np.arange(self.actors - len(cast), self.actors)

    def own(self, persons: Ints, time_us: Ints, form: str) -> None:
        """People read what is theirs, each from an address and an agent as everybody's."""
        cast = strangers(self.world, self.rng, len(persons), self.start_us)
        actor = self.enrol(cast, [f"user{person}" for person in persons.tolist()])
        self.requests(time_us, actor, persons, form)

    def servers(self, party: Party) -> Ints:
        """The addresses a party asks from, one account after the other."""
        n = max(_SERVERS, len(party.accounts))
        cast = strangers(self.world, self.rng, n, self.start_us, 0.0)
        return self.enrol(cast, [party.accounts[k % len(party.accounts)] for k in range(n)])

    def requests(self, time_us: Ints, actor: Ints, number: Ints, form: str, **columns: Any) -> Traffic:
        """Adds requests that are answered; returns them."""
        code = np.full(len(time_us), CODE[form])
        size = self.world.sizes(self.rng, code, np.full(len(time_us), 200))
        made = Traffic.of(time_us, actor=actor, form=code, number=number, size=size, **columns)
        self.parts.append(made)
        return made

    def read(self, party: Party, time_us: Ints, person: Ints, form: str = "", **columns: Any) -> Traffic:
        """A party's requests, from any of its servers; those outside its hours or the log are not made."""
        hour = time_us / 3.6e9 % 24
        kept = (time_us < self.end_us) & (hour >= party.opens) & (hour < party.closes)
        picked = {k: v[kept] if isinstance(v, np.ndarray) else v for k, v in columns.items()}
        actor = self.rng.choice(self.servers(party), int(kept.sum()))
        picked.setdefault("purpose", PURPOSES.index(party.purpose))
        return self.requests(time_us[kept], actor, person[kept], form or party.form, **picked)

    def ask(
        self,
        party: Party,
        person: Ints,
        viewed_us: Ints,
        page: npt.ArrayLike,
        manner: int = EXPLICIT,
        think_us: Ints | None = None,
    ) -> Granted:
        """People are asked: each view, what they answer, and whether they take it back, into the ledger.

        Args:
            party: whose question it is; its ``grant_rate`` and ``revoking`` are what people are like.
            person, viewed_us: who is asked when.
            page: where, an index into `changes.PAGES`, one or one a person.
            manner: as the ledger says it.
            think_us: how long each takes to answer; None = as long as people do.
        """
        n = len(person)
        page = np.broadcast_to(np.asarray(page, np.int8), (n,))
        if think_us is None:
            think_us = (self.rng.lognormal(np.log(_THINKS[0]), _THINKS[1], n) * 1e6).astype(np.int64)
        answer_us = viewed_us + think_us
        says_yes = (self.rng.random(n) < party.grant_rate) & (answer_us < self.end_us)
        says_no = ~says_yes & (self.rng.random(n) < _DECLINING) & (answer_us < self.end_us)
        number = np.where(says_yes, self.consents + np.cumsum(says_yes), -1)
        self.consents += int(says_yes.sum())
        self._change(party, viewed_us, VIEW, person, page=page)
        self._change(party, answer_us[says_no], DECLINE, person[says_no], viewed_us=viewed_us[says_no])
        given = {"viewed_us": viewed_us[says_yes], "page": page[says_yes], "manner": manner}
        had = self._change(party, answer_us[says_yes], GRANT, person[says_yes], consent=number[says_yes], **given)
        revoked, revocation_had = self._revoke(party, person[says_yes], answer_us[says_yes], number[says_yes])
        return Granted(person[says_yes], had, revoked, revocation_had, number[says_yes])

    def _revoke(self, party: Party, person: Ints, granted_us: Ints, consent: Ints) -> tuple[Ints, Ints]:
        """When each grant is taken back, and when the ledger had that."""
        n = len(person)
        left = np.maximum(self.end_us - granted_us, 1)
        at = granted_us + (left * self.rng.beta(2, 2, n)).astype(np.int64)
        goes = self.rng.random(n) < party.revoking
        had = np.full(n, NEVER)
        had[goes] = self._change(party, at[goes], REVOKE, person[goes], consent=consent[goes])
        return np.where(goes, at, NEVER), had

    def _change(self, party: Party, time_us: Ints, action: int, person: Ints, **columns: Any) -> Ints:
        """Adds changes; returns when the ledger had them: most at once, some much later, so that they overtake."""
        lag = np.minimum(self.rng.exponential(self.lag_us / 4, len(time_us)), self.lag_us).astype(np.int64)
        had = time_us + lag
        said: dict[str, Any] = {
            "partner": party.name,
            "data_class": party.data_class,
            "purpose": "" if party.also else party.purpose,
            "action": action,
        }
        self.changes.append(Changes.of(time_us, received_us=had, subject=person, **(said | columns)))
        return had
