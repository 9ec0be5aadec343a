"""Wherever a run is cut, saved, packed, unpacked and taken up by a fresh process: nothing changes, to the byte."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import learnt
from detector.config import Config, ReplaySettings
from detector.engines.local import make_resolver, read_settings
from detector.engines.reading import Reader
from detector.incidents.case import case
from detector.incidents.incident import Incident
from detector.incidents.render import incidents
from detector.incidents.story import Story
from detector.packing import Saved
from detector.pipeline import Pipeline, Rules
from detector.records.batch import Batch
from detector.records.routes import PLAIN_FACTOR, SLUG_AFTER, Routes
from detector.records.texts import Texts
from detector.simulate.traffic import Traffic
from detector.sinks.jsonl import json_line
from detector.state.archive import pack, unpack
from detector.state.cells import enter_pasts
from detector.state.layout import COUNTER, TABLES, Sizes
from tests.replay.nine_cases import PROFILE, START_S, USERS, World

SMALL = Sizes(clients=1 << 8, objects=1 << 11, blocks=1 << 6, cells=1 << 5, crossings=1 << 6, maturity=1 << 6)
"""Smaller than the log: slots are given away, objects and blocks forgotten."""

LARGE = Sizes(clients=1 << 11, objects=1 << 15, blocks=1 << 8, cells=1 << 6, crossings=1 << 8, maturity=1 << 8)
RULES = Rules(close_after_us=150_000_000)
MAKER = {"version": "test", "config": "test"}


@dataclass
class Log:
    """Rows in log order, and the texts of their paths."""

    rows: Batch
    texts: Saved

    def cut(self, edges: list[int]) -> list[Batch]:
        """The rows cut there, copied: judging fills columns."""
        return [self.rows.take(np.arange(a, b)) for a, b in pairwise([0, *edges, len(self.rows)])]


@cache
def log() -> Log:
    """Ten minutes of ordinary traffic; a walk that comes back, one that turns out to be part of a sweep, the sweep,
    and another walk that has a rest in the middle."""
    world = World(12)
    walker, worker, resting = world.visitors(1), world.visitors(1), world.visitors(1)
    crew = np.concatenate([world.visitors(24), worker])
    for who, first_s, n, rate, first_id, form in (
        (walker, 40, 700, 10, 1, PROFILE),
        (worker, 60, 300, 6, 40_000, USERS),
        (crew, 100, 3000, 20, 40_300, USERS),
        (resting, 50, 300, 10, 9_000, PROFILE),
        (resting, 420, 500, 10, 9_300, PROFILE),
        (walker, 400, 300, 10, 701, PROFILE),
    ):
        world.parts.append(
            Traffic.of(
                ((START_S + first_s + np.arange(n) / rate) * 1e6).astype(np.int64),
                actor=world.rng.choice(who, n),
                form=form,
                number=first_id + np.arange(n),
                attack=True,
            )
        )
    config = Config()
    resolver, _ = make_resolver(config)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(world.case("snapshot").text)
        released = list(Reader([path], read_settings(ReplaySettings(config=config, threads=1)), resolver))
    rows = Batch.concatenate([replace(part.batch, time_us=part.moment_us) for part in released])
    return Log(rows, Saved({}, resolver.texts.save()))


@dataclass
class Run:
    """A run that may be cut."""

    sizes: Sizes
    stream: bool = True
    told: list[str] = field(default_factory=list)

    def fresh(self, texts: bool = True) -> Pipeline:
        """A pipeline that has seen nothing; the texts are the resolver's, who has read the whole log."""
        routes = Routes(Texts(PLAIN_FACTOR * SLUG_AFTER))
        if texts:
            routes._texts.load(*log().texts.arrays.values())
        return Pipeline(RULES, self.sizes, routes, self._note if self.stream else None, MAKER)

    def _note(self, incident: Incident, story: Story) -> None:
        assert story.identity == incident.incident
        self.told.append(json_line(incident))

    def through(self, edges: list[int]) -> Pipeline:
        """Judges the log; at each edge a fresh pipeline takes over from a snapshot."""
        pipeline = self.fresh()
        for number, part in enumerate(log().cut(edges)):
            if number:
                saved = pipeline.save()
                pipeline = self.fresh(texts=False)
                pipeline.load(*unpack(pack(*saved)))
            pipeline.take(part)
        pipeline.finish()
        return pipeline


@cache
def whole(sizes: Sizes, stream: bool) -> tuple[Pipeline, list[str]]:
    """The log judged without a cut, and what was told on the way."""
    run = Run(sizes, stream)
    return run.through([]), run.told


def final(pipeline: Pipeline) -> tuple[list[str], list[str]]:
    """Incidents and cases as a replay would write them."""
    lines = [json_line(i) for i in incidents(pipeline.book, MAKER)]
    return lines, [json.dumps(case(story, pipeline.book)) for story in pipeline.book.stories]


def test_the_log_holds_what_is_compared() -> None:
    """Walks and a sweep that swallows a walk are raised, grow and end, and small tables overflow."""
    pipeline, told = whole(LARGE, True)
    said = [json.loads(line) for line in told]
    assert sorted(i["pattern"] for i in said if i["revision"] == 1) == ["sweep"] + 3 * ["walk"]
    assert sum(i["merged_into"] is not None for i in said) == 1
    assert sum(i["state"] == "closed" for i in said) == 3
    counters = dict(zip(("clients", "gone", "objects", "blocks"), whole(SMALL, True)[0].state.counters, strict=False))
    assert min(counters["gone"], counters["objects"], counters["blocks"]) > 0
    assert pipeline.book.stories == pipeline.open_stories()


def test_what_is_told_on_the_way_is_what_replay_tells_at_the_end() -> None:
    """Telling changes nothing: for each incident the last revision told is the one a replay ends with."""
    told = {(i["incident"], i["revision"]) for i in map(json.loads, whole(LARGE, True)[1])}
    ended = {(i["incident"], i["revision"]) for i in map(json.loads, final(whole(LARGE, False)[0])[0])}
    newest: dict[str, int] = {}
    for name, revision in told:
        newest[name] = max(newest.get(name, 0), revision)
    assert set(newest.items()) == ended
    assert len(told) == len(whole(LARGE, True)[1])


EDGES = st.lists(st.integers(0, 8000), max_size=6).map(sorted)


@settings(max_examples=25, deadline=None)
@given(edges=EDGES, sizes=st.sampled_from([SMALL, LARGE]), stream=st.booleans())
def test_a_snapshot_anywhere_changes_nothing(edges: list[int], sizes: Sizes, stream: bool) -> None:
    """Tables, incidents, cases and everything told on the way are the same to the byte."""
    edges = [min(edge, len(log().rows)) for edge in edges]
    pipeline, told = whole(sizes, stream)
    run = Run(sizes, stream)
    again = run.through(edges)
    assert run.told == told
    assert final(again) == final(pipeline)
    for side in (again, pipeline):  # the past of a cell is written when its first minute closes
        enter_pasts(side.state.cells, side.state.past, int(side.state.counters[COUNTER["minute"]]))
    for table in TABLES:
        assert getattr(again.state, table).tobytes() == getattr(pipeline.state, table).tobytes(), table
    one, other = again.routes.save(), pipeline.routes.save()
    assert all(one[name].tobytes() == other[name].tobytes() for name in ("nodes", "rows"))


SECONDS = 600


def _lives(deaths: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """What is told by processes that die without a snapshot, one after the other; the last one lives.

    Args:
        deaths: of each process, the second of the log up to which it judges, and how many seconds before the furthest
            any has come the next one begins to read.
    """
    second = (log().rows.time_us - START_S * 1_000_000) // 1_000_000
    told: list[dict[str, Any]] = []
    known, begin, furthest = None, 0, 0
    for end, back in [*deaths, (SECONDS, 0)]:
        run = Run(LARGE)
        pipeline = run.fresh()
        if known is not None:
            learnt.apply(pipeline, *known)
        rows = np.flatnonzero((second >= begin) & (second < end))
        pipeline.take(log().rows.take(rows))
        if end == SECONDS:
            pipeline.finish()
        told += [json.loads(line) for line in run.told]
        known = unpack(pack(*learnt.of(pipeline)))
        furthest = max(furthest, end)
        begin = furthest - back
    return told


DEATHS = st.lists(st.tuples(st.integers(1, SECONDS - 1), st.integers(0, SECONDS)), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(deaths=DEATHS)
def test_a_rewind_on_top_of_what_was_learnt_pages_nobody_twice(deaths: list[tuple[int, int]]) -> None:
    """Whenever processes die and however far the log is read again: revisions only go up, and so none is a first one
    for the second time; nor does a client that has an open incident get another one."""
    newest: dict[str, dict[str, Any]] = {}
    for incident in _lives(deaths):
        before = newest.get(incident["incident"])
        if before is None:
            assert incident["revision"] == 1
            others = [i for i in newest.values() if i["state"] == "open" and i["pattern"] == "walk"]
            assert not [i for i in others if i["clients"] == incident["clients"]]
        else:
            assert incident["revision"] > before["revision"]
            assert incident["requests"] >= before["requests"]
            assert incident["raised_at"] == before["raised_at"]
        newest[incident["incident"]] = incident


@settings(max_examples=25, deadline=None)
@given(deaths=st.lists(st.integers(1, SECONDS - 1), min_size=1, max_size=3))
def test_a_log_read_again_from_its_beginning_counts_nothing_twice(deaths: list[int]) -> None:
    """With the whole log at hand, what is told last of every incident is what a run without a death tells."""
    told = _lives([(end, SECONDS) for end in deaths])
    assert _last(told) == _last([json.loads(line) for line in whole(LARGE, True)[1]])


def _last(told: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    keys = ("revision", "state", "raised_at", "first_seen", "last_seen", "requests", "bytes_out", "clients")
    return {i["incident"]: (*(i[key] for key in keys), i["records_exposed"]["estimate"]) for i in told}
