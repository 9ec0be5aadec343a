"""The story of a campaign: one incident a route, however many cells alarm, clients take part and processes tell it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf, log
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors.campaign import CellAlarm
from detector.detectors.signal import Finding, Signal
from detector.evidence.judge import COHORT, COLD, READ, Judged, JudgedBatch
from detector.incidents import campaign_story, keeping, naming
from detector.incidents.attribution import Selector
from detector.incidents.book import Book
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.case import case
from detector.incidents.incident import Incident
from detector.incidents.naming import SURE
from detector.incidents.recent import Recent
from detector.incidents.render import incident
from detector.incidents.sweep_story import SweepStory
from detector.records.batch import Batch
from detector.state.cells import CROSSING
from detector.state.layout import Sizes, State

START = 29_000_000  # log minute
MINUTE_US = 60_000_000
BEFORE = 40  # minutes
AGENT, NETWORKS = 1042, np.arange(50, 70)
SAID = {"version": "1", "config": "c"}


class Site:
    """A route with ordinary readers and a crew, minute by minute, as the judging kernel would leave it.

    Args:
        shared: whether the crew shares an agent and twenty networks.
    """

    def __init__(self, shared: bool = True, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.shared = shared
        self.state = State(Sizes(clients=1 << 15, objects=1 << 4, blocks=1 << 4))
        self.recent = Recent(self.state, 1 << 16)
        self.slots: dict[int, int] = {}
        self.crossings = np.zeros(0, CROSSING)
        self.minute = START
        self.told: list[Incident] = []
        self.book = self._book()

    def _book(self) -> Book:
        book = Book(self.state, self.recent, "GET /r/{}".format, 30 * 60 * MINUTE_US)
        book.tell = lambda story: self.told.append(incident(story, book, SAID))
        return book

    def reload(self) -> None:
        """Another process takes over what was kept."""
        meta, arrays = self.book.save()
        sample = self.book.ordinary.save()
        self.book = self._book()
        self.book.load(meta, arrays)
        self.book.ordinary.load(sample)

    def rows(self, usual: int, crew: int, identities: int) -> tuple[Batch, npt.NDArray[np.bool_]]:
        """A minute of requests, by log time: half the usual ones read a record, all the crew's do."""
        n, rng = usual + crew, self.rng
        batch = Batch.empty(n)
        own = np.arange(n) >= usual
        who = np.where(own, 10_000_000 + rng.integers(0, identities, n), rng.integers(1, 8000, n))
        batch.client[:], batch.kind[:] = who, 1
        batch.agent[:] = 1000 + (who * 7919) % 997 % 300
        batch.network[:] = 1 + (who * 104_729) % 100_003 % 3000
        if self.shared:
            batch.agent[own], batch.network[own] = AGENT, NETWORKS[who[own] % 20]
        batch.object[:] = np.where(own, rng.integers(1 << 40, 1 << 60, n), rng.integers(1, 5000, n))
        batch.number[:], batch.route[:], batch.requests[:], batch.rows[:] = -1, 1, 1, 1
        batch.position[:] = (self.minute - START) * 1_000_000 + np.arange(n)
        batch.time_us[:] = self.minute * MINUTE_US + np.sort(rng.integers(0, MINUTE_US, n))
        order = rng.permutation(n)
        for column in ("client", "agent", "network", "object"):
            getattr(batch, column)[:] = getattr(batch, column)[order]
        return batch, own[order]

    def judge(self, batch: Batch, own: npt.NDArray[np.bool_]) -> JudgedBatch:
        """What the kernel would say, with the crossings of first cold reads."""
        n = len(batch)
        judged = JudgedBatch.__new__(JudgedBatch)
        judged.slot, judged.incident = np.zeros(n, np.int64), np.zeros(n, np.int32)
        cold = np.where(own, self.rng.random(n) < 0.95, self.rng.random(n) < 0.1)
        read = own | (batch.client % 2 == 0)
        cohort = np.where(own, 0, np.where(batch.client % 10 < 3, 1, 3)).astype(np.uint8)
        judged.flags = (read * READ + (read & cold) * COLD + (cohort << COHORT)).astype(np.uint8)
        crossed = []
        for row, client in enumerate(batch.client.tolist()):
            slot = self.slots.get(client)
            if slot is None:
                slot = self.slots[client] = len(self.slots)
                slot_row = self.state.clients[slot]
                slot_row["key"], slot_row["kind"] = client, 1
                self.state.names[slot] = np.frombuffer(f"c{client}".encode().ljust(48, b"\0"), np.uint8)
                if read[row] and cold[row]:
                    crossed.append((row, slot))
            counts = self.state.clients[slot]
            counts["fresh"][0] += read[row]
            counts["cold"][0] += read[row] and cold[row]
            counts["cold_expected"][0] += 0.1 * read[row]
            judged.slot[row], judged.incident[row] = slot, counts["incident"]
        new = np.zeros(len(crossed), CROSSING)
        for event, (row, slot) in zip(new, crossed, strict=True):
            event["time_us"], event["client"], event["slot"] = batch.time_us[row], batch.client[row], slot
            event["agent"], event["network"], event["route"] = batch.agent[row], batch.network[row], 1
            event["cohort"], event["which"] = cohort[row], 1
        self.crossings = np.concatenate([self.crossings, new])
        self.state.counters[0] = len(self.slots)
        return judged

    def play(
        self, usual: int = 1200, crew: int = 0, identities: int = 4000, alarms: int = 0, cut: bool = False
    ) -> None:
        """One more minute, with alarms of so many cells at its end; cut: a process ends in its middle."""
        batch, own = self.rows(usual, crew, identities)
        judged = self.judge(batch, own)
        edges = [0, len(batch) // 3, len(batch)] if cut else [0, len(batch)]
        for first, last in pairwise(edges):
            part = Judged(first, last, judged.slot, judged.flags, judged.incident, None, None)
            self.recent.add(batch, part)
            self.book.observe(batch, part)
            self.book.ordinary.add(batch, judged, first, last)
            if cut:
                self.reload()
        self.minute += 1
        told = [alarm(self.minute, kind) for kind in ("route", "agent", "network", "cohort")[:alarms]]
        now_us = self.minute * MINUTE_US
        self.book.raise_campaign(told, self.crossings, now_us)
        self.book.tick(now_us)

    def record(self) -> Incident:
        """The one incident there is."""
        (story,) = self.book.stories
        return incident(story, self.book, SAID)


def alarm(minute: int, kind: str = "route", since: int = START + BEFORE, clients: float = 900.0) -> CellAlarm:
    """A cell that alarms at the end of the minute before."""
    return CellAlarm(1, kind, 7, "cold", "c1", since, minute - 1, 40.0, 19.0, 1000.0, 100.0, clients)


def campaign(cuts: frozenset[int] = frozenset(), shared: bool = True) -> Site:
    """A while without, then a crew for six minutes, alarms at the first three of them, then some quiet."""
    site = Site(shared)
    for minute in range(BEFORE + 12):
        crew = 600 if BEFORE <= minute < BEFORE + 6 else 0
        site.play(crew=crew, alarms=4 if BEFORE <= minute < BEFORE + 3 else 0, cut=minute in cuts)
    return site


def test_ten_thousand_cells_and_clients_are_one_actionable_incident() -> None:
    """Four cells alarm at three ticks: one incident, told by the agent and the networks it uses, its clients named, its
    records counted as they were taken."""
    site = campaign()
    record = site.record()
    rule = record.selector
    assert (record.pattern, record.state) == ("campaign", "open")
    assert rule is not None
    assert rule["actionable"]
    assert rule["agents"] == [f"~{AGENT:016x}"]
    assert rule["recall"] > 0.8
    assert rule["benign_share"] < 5e-4
    crew = {name for name in record.clients if int(name[1:]) >= 10_000_000}
    assert len(crew) >= 0.99 * len(record.clients) > 1000
    there = len([client for client in site.slots if client >= 10_000_000])
    assert abs(record.client_count - there) <= 0.1 * there
    assert record.records_exposed.low <= 3600 <= record.records_exposed.high
    assert record.severity == "medium"
    assert 500 < record.records_at_alert < 700
    names = [finding.name for finding in record.evidence]
    assert names[0] == "clients_whose_first_read_nobody_else_makes"
    assert {"clients_more_than_usual", "share_of_them_the_selector_covers", "clients_named"} <= set(names)
    assert [i.revision for i in site.told] == list(range(1, len(site.told) + 1))
    assert len({i.incident for i in site.told}) == 1
    (story,) = site.book.stories
    assert case(story, site.book)["agents"][0][0] == f"~{AGENT:016x}"


def test_its_clients_teach_nobody() -> None:
    """Whoever is named is marked in its slot, and free again when the incident has ended."""
    site = campaign()
    marked = site.state.in_use["incident"] > 0
    assert np.count_nonzero(marked) == len(site.record().clients)
    assert np.count_nonzero(site.state.in_use["key"][marked] >= 10_000_000) >= 0.99 * np.count_nonzero(marked)
    site.minute += 31 * 60
    site.play()
    assert site.record().state == "closed"
    assert not np.any(site.state.in_use["incident"])
    site.play(alarms=1)
    assert len(site.book.stories) == 2


def test_what_shares_nothing_is_informational_and_counted() -> None:
    """Nothing shared but that they are new: not actionable unless names can be told; how many clients there are is
    what the cells have in excess."""
    site = campaign(shared=False)
    record = site.record()
    assert record.selector is not None
    assert not record.selector["agents"]
    assert record.client_count >= 900
    assert record.records_exposed.low <= 3600 <= record.records_exposed.high


def test_a_sample_in_which_nobody_passes_says_nothing_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all who crossed are asked and nobody is sure, the bar stays; where only some of them are, it is out of
    reach: of the others one in a few thousand would pass unproved."""
    site = campaign(shared=False)
    (story,) = site.book.stories
    assert isinstance(story, CampaignStory)
    monkeypatch.setattr(campaign_story, "nats", lambda events, *_: np.zeros(len(events)))
    told = site.crossings[site.crossings["time_us"] >= story.since_us]
    story.selector = Selector()
    assert story._bar(told, story.before, 1.0, site.state) == log(SURE)
    monkeypatch.setattr(naming, "MOST_ASKED", len(told) // 4)
    assert story._bar(told, story.before, 1.0, site.state) == inf


def test_a_campaign_cut_anywhere_is_the_same() -> None:
    """A process that ends in any minute and another that takes over tell the same incident to the byte."""
    whole = campaign()
    for cuts in ({BEFORE, BEFORE + 1}, set(range(BEFORE - 2, BEFORE + 12))):
        cut = campaign(frozenset(cuts))
        assert cut.record().record() == whole.record().record()
        assert [i.record() for i in cut.told] == [i.record() for i in whole.told]
        arrays = (keeping.save(site.book.stories) for site in (whole, cut))
        for (name, kept), (_, again) in zip(*(a.items() for a in arrays), strict=True):
            assert np.array_equal(kept, again), name


def test_stories_of_its_members_are_absorbed() -> None:
    """A client that had an incident of its own and turns out to be of the crew: its story ends in the campaign's."""
    site = Site()
    for minute in range(BEFORE + 1):
        site.play(crew=600 if minute == BEFORE else 0)
    member = next(client for client in site.slots if client >= 10_000_000)
    event = site.crossings[np.flatnonzero(site.crossings["client"] >= 10_000_000)[0]]
    member, slot = int(event["client"]), int(event["slot"])
    bulk = Signal("bulk", 1, member, site.minute * MINUTE_US, 20.0, 17.0, [Finding("reads", 9, 0, 1.0)])
    site.book.raise_client(bulk, slot)
    site.play(crew=600, alarms=1)
    single, shared = site.book.stories
    assert (single.merged_into, single.closed) == (shared.identity, True)
    assert isinstance(shared, CampaignStory)
    assert shared.owns(member)
    assert site.state.clients["incident"][slot] == shared.number


def _found_out(site: Site, client: int, pattern: str = "bulk", route: int = 1) -> None:
    """A client of the crew, or another one, is convicted by itself."""
    found = [Finding("reads", 9, 0, 1.0)]
    site.book.raise_client(
        Signal(pattern, route, client, site.minute * MINUTE_US, 20.0, 17.0, found), site.slots[client]
    )


def test_whoever_is_found_out_during_a_campaign_belongs_to_it() -> None:
    """One of the crew that nobody could name until it was convicted alone is named in the campaign, and raises nothing
    of its own; whoever does something else there, or elsewhere, or was there before, does."""
    site = Site(shared=False)
    for minute in range(BEFORE + 3):
        site.play(crew=600 if minute >= BEFORE else 0, alarms=1 if minute >= BEFORE else 0)
    (story,) = site.book.stories
    assert isinstance(story, CampaignStory)
    crew = [client for client in site.slots if client >= 10_000_000 and client not in story.members]
    _found_out(site, crew[0], pattern="metronome")  # of interest to the curious, but not beside a campaign
    assert site.book.stories == [story]
    _found_out(site, crew[0])
    assert site.book.stories == [story]
    assert site.state.clients["incident"][site.slots[crew[0]]] == story.number
    assert f"c{crew[0]}" in incident(story, site.book, SAID).clients
    usual = next(c for c in site.slots if c < 10_000_000 and len(site.recent.of_client(c, 0)) >= 10)
    _found_out(site, usual)
    _found_out(site, crew[1], pattern="walk")
    _found_out(site, crew[2], route=2)
    assert [s.pattern for s in site.book.stories] == ["campaign", "bulk", "walk", "bulk"]
    story.taken = 5
    _found_out(site, crew[3])
    alone = site.book.stories[1]  # who makes a tenth of it is told beside it, with whoever was convicted of the same
    assert site.state.clients["incident"][site.slots[crew[3]]] == alone.number


def test_names_are_a_rule_on_their_route() -> None:
    """Where the crew shares nothing but can be named, the rule is for the clients listed, at what those it shares with
    ordinary clients cost; nobody named, or too few of them, and it is not."""
    story = campaign(shared=False).book.stories[0]
    assert isinstance(story, CampaignStory)
    wide = story.selector = replace(story.selector, benign_share=0.01)
    assert not wide.actionable
    story.excess, names = {(1, 1): 10.0}, dict(list(story.members.items())[:8])
    story.members = names
    assert (story.rule.listed, story.rule.actionable) == (True, True)
    assert story.rule.recall == pytest.approx(0.8 * wide.recall)
    assert story.rule.benign_share < 1e-3
    story.members = dict(list(names.items())[:3])
    assert story.rule is wide
    story.members = {}
    assert story.rule is wide


def test_alarms_where_a_sweep_is_open_are_the_sweeps() -> None:
    """Workers of one request each cross before their slots can be marked: that is no second incident."""
    site = Site()
    for minute in range(BEFORE + 1):
        site.play(crew=600 if minute == BEFORE else 0)
    sweep = SweepStory(1, "s" * 32, Signal("sweep", 1, 0, site.minute * MINUTE_US, 30.0, 20.0, []))
    sweep.hits = {client: 1 for client in site.slots if client >= 10_000_000}
    site.book._last = 1
    site.book._enter(sweep)
    site.book.raise_campaign([alarm(site.minute)], site.crossings, site.minute * MINUTE_US)
    assert site.book.stories == [sweep]
    sweep.hits = {}
    site.book.raise_campaign([alarm(site.minute)], site.crossings, site.minute * MINUTE_US)
    assert [story.pattern for story in site.book.stories] == ["sweep", "campaign"]


def test_each_route_and_no_more_than_one_a_route() -> None:
    """Alarms of two routes at one tick are two incidents; misses on a route with an open campaign are no third."""
    site = Site()
    for _ in range(BEFORE + 1):
        site.play()
    first, second = alarm(site.minute), replace(alarm(site.minute), route=2, channel="miss", pattern="lookup")
    site.book.raise_campaign([second, first], site.crossings, site.minute * MINUTE_US)
    assert [(s.pattern, s.route) for s in site.book.stories] == [("campaign", 1), ("lookup", 2)]
    third = replace(second, route=1)
    site.book.raise_campaign([third], site.crossings, site.minute * MINUTE_US)
    assert len(site.book.stories) == 2


def test_a_story_known_from_before_counts_nothing_twice() -> None:
    """Where the log is read again, the story goes on from what it had counted."""
    site = campaign()
    before: Any = site.record()
    (story,) = site.book.stories
    assert isinstance(story, CampaignStory)
    story.resume_us = story.counted_us
    batch, own = site.rows(1000, 200, 4000)
    batch.time_us -= 5 * MINUTE_US
    judged = site.judge(batch, own)
    part = Judged(0, len(batch), judged.slot, judged.flags, judged.incident, None, None)
    site.book.observe(batch, part)
    site.book.raise_campaign([], site.crossings, story.counted_us - 4 * MINUTE_US)
    site.book.tick(story.counted_us - 4 * MINUTE_US)
    after: Any = site.record()
    assert after.requests == before.requests
    assert after.records_exposed == before.records_exposed
