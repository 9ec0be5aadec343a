"""Accounts looked at half an hour after their first request, on rows made by hand: addresses, tallies, one incident."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors import TALLY_DETECTORS, Budget, tallies
from detector.incidents.account_story import AccountStory
from detector.incidents.incident import Incident
from detector.incidents.render import incident
from detector.incidents.story import Story
from detector.packing import Saved
from detector.pipeline import Pipeline, Rules
from detector.records.batch import PAGED, Batch
from detector.state.accounts import HARVESTER, RATIOS, STUB
from detector.state.archive import pack, unpack
from detector.state.layout import ACTED, COUNTER, HARVESTS, Sizes, State
from tests.unit.test_cells import HOUR, ODD, OneRouteKept, merged, rows

SMALL = Sizes(
    clients=1 << 15, objects=1 << 18, blocks=1 << 8, cells=1 << 10, crossings=1 << 12, maturity=1 << 14, sources=1 << 12
)
RULES = Rules(patterns=frozenset({"fan_out"}))  # where everybody else reads the popular, a campaign is seen as well
BEGIN = 12 * HOUR  # six hours after what is usual began to be learnt
FORGED = 1_000_000  # clients from here on
MADE = 2_000_000
ADDRESSES = 30
EVEN = np.uint64(pow(int(ODD), -1, 1 << 64))  # takes a client's hash back to its number, from 1


def signed_in(batch: Batch, source: npt.ArrayLike) -> Batch:
    """The same rows by accounts behind these addresses."""
    batch.kind[:] = 2
    batch.source[:] = (np.asarray(source).astype(np.uint64) + np.uint64(3)) * np.uint64(0xC2B2AE3D27D4EB4F)
    names = np.char.add("user", (batch.client * EVEN).astype("U20")).astype("S48")
    batch.name[:] = names.view(np.uint8).reshape(len(batch), 48)
    return batch


def people(begin: float, end: float, seed: int = 1) -> Batch:
    """Two accounts a minute: nine in ten sign in and then read a dozen popular records, the tenth only reads one or
    two; an office of a hundred sits behind one address."""
    rng = np.random.default_rng(seed)
    n = int((end - begin) / 30)
    quick = rng.random(n) < 0.1
    each = np.where(quick, rng.integers(1, 3, n), 12)
    who = np.repeat(np.arange(n), each)
    place = np.arange(len(who)) - np.repeat(np.cumsum(each) - each, each)
    at = np.repeat(rng.uniform(begin, end, n), each) + 20.0 * place
    source = np.where(np.arange(n) % 8 == 0, 0, 10 + np.arange(n))
    batch = rows(at, seed * 10_000 + who, (100.0 ** rng.random(len(who))).astype(np.int64))
    batch.object[(place == 0) & ~quick[who]] = 0
    return signed_in(batch, source[who])


def forged(begin: float, end: float, each: float = 4.0) -> Batch:
    """An account every few seconds behind one of thirty addresses, which reads what is its own."""
    n = int((end - begin) / each)
    at = begin + each * np.arange(n)
    batch = rows(at, FORGED + np.arange(n), FORGED + np.arange(n), np.full(n, 7))
    return signed_in(batch, 100_000 + np.arange(n) % ADDRESSES)


def mill(begin: float, accounts: int, reads: int = 120) -> Batch:
    """New accounts, one every five minutes, each reading from a list for an hour."""
    who = np.repeat(np.arange(accounts), reads)
    place = np.tile(np.arange(reads), accounts)
    at = begin + 300.0 * who + 30.0 * place
    return signed_in(rows(at, MADE + who, MADE + np.arange(len(who)), who % 20), 500_000 + who)


class Line:
    """A pipeline and what it tells."""

    def __init__(self, kept: Saved | None = None) -> None:
        self.told: list[Incident] = []
        self.pipeline = Pipeline(RULES, SMALL, OneRouteKept(), self._tell)  # type: ignore[arg-type]
        if kept is not None:
            self.pipeline.load(*kept)

    def _tell(self, told: Incident, story: Story) -> None:
        self.told.append(told)

    def take(self, batch: Batch) -> Line:
        """Judges a copy."""
        self.pipeline.take(batch.take(np.arange(len(batch))))
        return self

    @property
    def state(self) -> State:
        """The tables."""
        return self.pipeline.state

    def last(self) -> list[Incident]:
        """Incidents as they are now."""
        book = self.pipeline.book
        return [incident(story, book, {"version": "1", "config": "a"}) for story in book.open_stories]


@cache
def whole(kind: str) -> Batch:
    """People, and from the seventh hour on somebody with many accounts."""
    theirs = {"forged": forged(BEGIN, BEGIN + HOUR), "mill": mill(BEGIN, 12), "nobody": people(0, 60, 5)}[kind]
    return merged(people(0, BEGIN + 2.5 * HOUR), theirs)


@cache
def judged(kind: str) -> Line:
    """That in one go."""
    return Line().take(whole(kind))


def test_people_and_an_office_raise_nothing() -> None:
    """A tenth of ordinary accounts are stubs; neither they nor a hundred accounts behind one address stand out."""
    line = judged("nobody")
    counters = line.state.counters
    assert 0.05 < counters[COUNTER["stubs"]] / counters[COUNTER["plain_accounts"]] < 0.2
    assert line.state.sources["n"].max() > 100
    assert not line.state.sources["told"].any()
    assert line.told == []


def test_forged_tokens_are_one_incident_told_by_how_they_come() -> None:
    """Nine hundred accounts behind thirty addresses, one read each, are one incident within an hour of the first; it
    names them, and its rule selects them and hardly anybody else."""
    line = judged("forged")
    (found,) = line.last()
    assert (found.pattern, found.detector["name"], found.client_kind) == ("fan_out", "fan_out", "account")
    assert found.selector is not None
    assert found.selector["actionable"]
    assert found.selector["entries"] or found.selector["agents"]
    assert found.selector["benign_share"] <= 3e-3  # none of a thousand others: the rule of three
    (story,) = line.pipeline.open_stories()
    assert isinstance(story, AccountStory)
    assert len(story.sources) == ADDRESSES
    numbers = {int(name.removeprefix("user")) - 1 for name in found.clients}
    assert len([n for n in numbers if n >= FORGED]) >= 0.99 * len(numbers)
    assert len(numbers) >= 850
    assert 850 <= found.client_count <= 950
    assert 850 <= found.records_exposed.estimate <= 950
    assert (found.severity, len(found.evidence) >= 3) == ("medium", True)


def test_a_dozen_new_accounts_that_harvest_are_one_incident() -> None:
    """Each reads what nobody else reads, too little to be convicted alone; the ninth is enough, and all are named."""
    line = judged("mill")
    (found,) = line.last()
    assert (found.pattern, found.detector["name"], found.client_count) == ("fan_out", "accounts", 12)
    assert {int(name.removeprefix("user")) - 1 - MADE for name in found.clients} == set(range(12))
    assert found.records_exposed.estimate == 12 * 120
    assert found.selector is not None
    assert found.selector["actionable"]
    slots = line.state.in_use[line.state.in_use["crossed"] & HARVESTS != 0]
    assert len(slots) == 12


@pytest.mark.parametrize("kind", ["forged", "mill"])
def test_cuts_and_a_restart_change_nothing(kind: str) -> None:
    """Batches cut anywhere, and a process that ends in the middle of it, give the same tables and revisions."""
    batch, rng = whole(kind), np.random.default_rng(4)
    edges = np.unique([0, *rng.integers(0, len(batch), 40).tolist(), len(batch)]).tolist()
    line, told = Line(), []
    for place, (a, b) in enumerate(pairwise(edges)):
        line.take(batch.take(slice(a, b)))
        told += line.told
        line.told = []
        if place % 6 == 5:
            line = Line(unpack(pack(*line.pipeline.save())))
    other = judged(kind)
    assert [i.record() for i in told] == [i.record() for i in other.told]
    for name in ("sources", "tallies", "suspects", "maturity", "counters"):
        assert getattr(line.state, name).tobytes() == getattr(other.state, name).tobytes(), name


def test_each_account_is_looked_at_once_at_its_age() -> None:
    """Who came less than half an hour ago is not looked at; what a look found stays, whatever follows."""
    line = Line().take(people(0, 1200))
    assert line.state.counters[COUNTER["accounts"]] == 0
    line.take(people(4000, 4100, 2))
    assert line.state.counters[COUNTER["accounts"]] == len(np.unique(people(0, 1200).client))
    stubs = line.state.last_suspects()
    assert (stubs["which"] == STUB).all()
    held = line.state.clients[stubs["slot"]]
    assert (held["requests"].sum(axis=1) <= 4).all()
    assert not (held["crossed"] & ACTED).any()


def test_who_was_shown_a_list_first_is_no_harvester() -> None:
    """Accounts that read what lists of their own have shown them (an export of one's orders) are not counted."""
    lists = mill(BEGIN, 12, 60)
    first = np.flatnonzero(np.diff(lists.client, prepend=np.uint64(0)))
    lists.flags[first] |= PAGED
    lists.rows[first] = 200
    line = Line().take(merged(people(0, BEGIN + 2.5 * HOUR), lists))
    assert not (line.state.last_suspects()["which"] == HARVESTER).any()
    assert line.told == []


def test_limits_follow_the_budget() -> None:
    """Ten times the budget lowers the threshold by ln 10; at the least number of looks it is what the formula says."""
    state = State(SMALL)
    tallies.limit(state, Budget(1.0), TALLY_DETECTORS)
    one = state.tally_limits.copy()
    tallies.limit(state, Budget(10.0), TALLY_DETECTORS)
    assert np.allclose(one[:, 0] - state.tally_limits[:, 0], np.log(10.0))
    assert np.allclose(one[:, 0], np.log(tallies.FEWEST_LOOKS * len(RATIOS) / 0.05))
    assert one[:, 1].tolist() == [100.0, 9.0]
