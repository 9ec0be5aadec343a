"""What a process keeps and gives away: snapshots, what was learnt, partitions that move; and rules that change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import learnt
from detector.errors import SnapshotDamaged, SnapshotVersion
from detector.evidence.client import NULL, Null
from detector.evidence.learn import learn
from detector.evidence.volume import Tail
from detector.handing import extract, insert
from detector.incidents import keeping
from detector.incidents.incident import Incident
from detector.incidents.past import KEPT_US, Past
from detector.incidents.recent import READS
from detector.incidents.render import incident
from detector.incidents.trail import KINDS_KEPT, POINTS, Trail
from detector.packing import Saved, adopted, joined, parted
from detector.pipeline import KEPT, Pipeline, Rules
from detector.records.batch import Batch
from detector.records.keys import HashKey
from detector.records.probing import places
from detector.records.routes import OTHER, Routes
from detector.records.shape import HASHED, NUMBER
from detector.records.texts import TEXT, Texts
from detector.state.archive import pack, unpack
from detector.state.layout import CLIENT, COUNTER, OBJECT, ROUTE, Sizes, State
from detector.state.moving import put_in, take_out
from tests.unit.test_judging import ODD, START, batch_of

SMALL = Sizes(clients=1 << 10, objects=1 << 14, blocks=1 << 8, cells=1 << 6, crossings=1 << 8, maturity=1 << 8)
MINUTE_US = 60_000_000
ITEMS, USERS, PETS = (HASHED + (n << 28) for n in (1, 2, 3))  # tokens of path literals
NAMES = {ITEMS: b"items", USERS: b"users", PETS: b"pets"}


def texts() -> Texts:
    """A table that knows the three literals."""
    known = np.zeros(3, TEXT)
    known["token"], known["text"] = list(NAMES), list(NAMES.values())
    table = Texts(128)
    table.load(known, np.zeros(0, [("chain", "u8"), ("odd", "i4"), ("plain", "i4")]))
    return table


class Line:
    """A pipeline and what it tells."""

    def __init__(self, rules: Rules | None = None, sizes: Sizes = SMALL, key: bytes = b"k" * 16) -> None:
        self.news: list[Incident] = []
        routes = Routes(texts(), HashKey.from_bytes(key))
        said = {"version": "1", "config": "a"}
        self.pipeline = Pipeline(rules or Rules(), sizes, routes, lambda i, _: self.news.append(i), said)

    def take(self, *batches: Batch) -> Line:
        """Judges batches."""
        for batch in batches:
            self.pipeline.take(batch)
        return self

    def learnt(self) -> Saved:
        """What it has learnt, packed and unpacked."""
        return unpack(pack(*learnt.of(self.pipeline)))

    def told(self) -> list[tuple[str, int, str]]:
        """Incident, revision and state of everything told, the incident by its first digits."""
        return [(i.incident[:6], i.revision, i.state) for i in self.news]


def reads(
    seconds: npt.ArrayLike, client: npt.ArrayLike, number: npt.ArrayLike, literal: int = ITEMS, part: int = 0
) -> Batch:
    """Record reads of ``GET /literal/{id}``, from one partition."""
    batch = batch_of(seconds, client, number)
    batch.tokens[:, 0], batch.tokens[:, 1] = literal, NUMBER
    batch.origin[:] = part
    batch.position[:] = np.arange(len(batch)) + 1000 * int(batch.time_us[0] - START) // 1_000_000
    return batch


def walk(first_s: float, n: int, client: int = 7, first_id: int = 5000, **more: int) -> Batch:
    """One client reading ids upwards, ten a second."""
    return reads(first_s + np.arange(n) / 10, np.full(n, client), first_id + np.arange(n), **more)


def crowd(first_s: float, n: int, seed: int, clients: int = 60, **more: int) -> Batch:
    """Readers of whatever."""
    rng = np.random.default_rng(seed)
    return reads(
        first_s + np.sort(rng.uniform(0, 60, n)), rng.integers(100, 100 + clients, n), rng.integers(0, 900, n), **more
    )


def test_news_are_told_when_raised_grown_and_ended() -> None:
    """A walk is told at its 128th id, at each minute it has grown by a tenth, and once it has been quiet long enough;
    a stream then lets it go."""
    line = Line(Rules(close_after_us=5 * MINUTE_US)).take(walk(0, 1500), crowd(160, 50, 1), crowd(600, 50, 2))
    (name,) = {i.incident[:6] for i in line.news}
    assert line.told() == [
        (name, 1, "open"),
        (name, 2, "open"),
        (name, 3, "open"),
        (name, 4, "open"),
        (name, 5, "closed"),
    ]
    assert [i.requests for i in line.news] == [128, 400, 1000, 1500, 1500]
    assert line.pipeline.book.stories == []
    assert {i.detector["config"] for i in line.news} == {"a"}


def test_a_closed_story_leaves_next_to_nothing_behind() -> None:
    """Of an incident that is over a stream keeps a row a client, and that for days only."""
    past = Past()
    line = Line().take(walk(0, 200))
    (story,) = line.pipeline.open_stories()
    for day in range(6):
        past.add(story, START + day * 86_400_000_000)
    assert len(past.rows) == KEPT_US // 86_400_000_000
    assert past.rows.itemsize <= 40


def test_rules_change_in_mid_incident() -> None:
    """An open incident keeps its name and goes on; nobody is paged again; what the new rules say holds from then on."""
    line = Line(Rules(close_after_us=3600 * 1_000_000)).take(walk(0, 700))
    line.pipeline.change(
        Rules(close_after_us=2 * MINUTE_US, floor=7, patterns=frozenset()), {"version": "2", "config": "b"}
    )
    line.take(walk(70, 700, first_id=5700), walk(140, 300, client=8), crowd(400, 50, 1))
    assert len({i.incident for i in line.news}) == 1
    assert [i.revision for i in line.news] == list(range(1, len(line.news) + 1))
    assert (line.news[0].detector["config"], line.news[-1].detector["config"]) == ("a", "b")
    assert (line.news[-1].state, line.news[-1].requests) == ("closed", 1400)
    assert line.pipeline.judge.floor == line.pipeline.null.floor == 7


def test_incidents_raised_while_state_is_rebuilt_say_so() -> None:
    """The mark is set when an incident is raised and stays with it."""
    line = Line()
    line.pipeline.warming = True
    line.take(walk(0, 300))
    line.pipeline.warming = False
    line.take(walk(30, 700, first_id=5300), walk(110, 300, client=8, literal=USERS))
    assert {(i.incident[:4], i.warming) for i in line.news} == {
        (line.news[0].incident[:4], True),
        (line.news[-1].incident[:4], False),
    }


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Line(sizes=replace(SMALL, clients=1 << 11)), "tables"),
        (Line(key=b"another secret!!"), "hash key"),
    ],
)
def test_a_snapshot_of_other_tables_or_another_key_is_refused(other: Line, what: str) -> None:
    """The error says what differs, and names both."""
    saved = Line().take(walk(0, 200)).pipeline.save()
    with pytest.raises(SnapshotVersion, match=what):
        other.pipeline.load(*saved)


def test_a_snapshot_of_another_version_is_refused() -> None:
    """Also where its bytes would fit."""
    meta, arrays = Line().pipeline.save()
    with pytest.raises(SnapshotVersion, match=f"version is 99, here it is {KEPT}"):
        Line().pipeline.load({**meta, "kept": 99}, arrays)


def test_a_snapshot_that_contradicts_itself_is_damaged() -> None:
    """Whatever column is missing or has another length or type, the error is that of damage; but lists of incidents
    may be missing, as from a version that kept none, and so may what is empty."""
    meta, arrays = Line().take(walk(0, 200), crowd(30, 200, 1)).pipeline.save()
    for name, array in arrays.items():
        rest = {other: kept for other, kept in arrays.items() if other != name}
        shorter, flat = array[:-1], array.view(np.uint8).reshape(-1)[:-1]
        bad = [*([] if name.startswith("book.") else [{}]), {name: shorter}, {name: flat}]
        if name in ("routes.rows", "routes.texts", "state.cells.at", "state.past.at") or not len(array):
            continue  # a table with fewer rows is a table
        for change in bad:
            with pytest.raises(SnapshotDamaged):
                Line().pipeline.load(meta, {**rest, **change})
    with pytest.raises(SnapshotDamaged):
        Line().pipeline.load({**meta, "ticks": [1]}, arrays)


def test_what_was_learnt_is_read_by_the_names_of_its_fields() -> None:
    """A version that knows more fields, fewer, or in another order reads what both know; new ones are zero."""
    meta, arrays = Line().take(walk(0, 400)).learnt()
    changed = dict(arrays)
    for name, array in arrays.items():
        if array.dtype.names:
            fields = [(f, array.dtype[f]) for f in reversed(array.dtype.names) if f not in ("warming", "minute")]
            other = np.zeros(len(array), [("unheard", "u4"), *fields])
            for field, _ in fields:
                other[field] = array[field]
            changed[name] = other
    del changed["book.owed"], changed["book.owed.ends"]
    line = Line()
    learnt.apply(line.pipeline, meta, unpack(pack({}, changed)).arrays)
    (story,) = line.pipeline.open_stories()
    assert (story.reads, story.revision, story.requests) == (400, 1, 400)
    assert line.pipeline.routes.name(story.route) == "GET /items/{id}"


def test_what_was_learnt_may_be_made_of_a_snapshot() -> None:
    """With what `save` has just given it is the same, and the snapshot stays as it was."""
    line = Line().take(walk(0, 400), crowd(60, 200, 1))
    saved = line.pipeline.save()
    before = pack(*saved)
    assert pack(*learnt.of(line.pipeline, saved)) == pack(*learnt.of(line.pipeline))
    assert pack(*saved) == before


def test_an_upgrade_migrates_what_was_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version has its step to the next; one that is later than the program, or has no step, is named."""
    meta, arrays = Line().take(walk(0, 400)).learnt()
    monkeypatch.setattr(learnt, "LEARNT_VERSION", 3)
    monkeypatch.setitem(learnt.MIGRATIONS, 1, lambda saved: Saved({**saved.meta, "learnt": 2}, saved.arrays))
    with pytest.raises(SnapshotVersion, match="version 2; this program reads version 3"):
        learnt.apply(Line().pipeline, meta, arrays)
    monkeypatch.setitem(learnt.MIGRATIONS, 2, lambda saved: Saved({**saved.meta, "learnt": 3}, saved.arrays))
    line = Line()
    learnt.apply(line.pipeline, meta, arrays)
    assert len(line.pipeline.open_stories()) == 1
    with pytest.raises(SnapshotVersion, match="version 9"):
        learnt.apply(Line().pipeline, {**meta, "learnt": 9}, arrays)
    with pytest.raises(SnapshotVersion, match="hash key"):
        learnt.apply(Line(key=b"another secret!!").pipeline, {**meta, "learnt": 3}, arrays)
    with pytest.raises(SnapshotDamaged):
        learnt.apply(Line().pipeline, {**meta, "learnt": 3}, {k: v for k, v in arrays.items() if k != "book.stories"})


def test_a_carried_incident_whose_client_stays_away_ends_as_always() -> None:
    """It is closed when it has been quiet for long enough, once, and until then no slot refers to it."""
    rules = Rules(close_after_us=10 * MINUTE_US)
    first = Line(rules).take(walk(0, 400))
    line = Line(rules)
    learnt.apply(line.pipeline, *first.learnt())
    line.take(crowd(20, 300, 1))
    assert not line.pipeline.state.in_use["incident"].any()
    line.take(crowd(700, 300, 2))
    name = first.news[0].incident
    told = [(i.incident, i.revision, i.state, i.requests) for i in line.news]
    assert told == [(name, 2, "open", 400), (name, 3, "closed", 400)]


def test_a_carried_incident_goes_on_where_its_client_comes_back() -> None:
    """A rewind reads half of it again, and then more: the same incident, the next revisions, nothing counted twice."""
    first = Line().take(walk(0, 700))
    line = Line()
    learnt.apply(line.pipeline, *first.learnt())
    line.take(walk(30, 400, first_id=5300), walk(70, 300, first_id=5700), crowd(130, 20, 1))
    assert {i.incident for i in line.news} == {first.news[0].incident}
    assert [i.revision for i in line.news] == [first.news[-1].revision + 1]
    assert (line.news[-1].requests, line.news[-1].records_exposed.estimate) == (1000, 1000)
    assert line.news[-1].raised_at == first.news[0].raised_at


def test_thresholds_are_kept_over_a_rewind() -> None:
    """What an earlier run knows of ordinary clients stands until the tables span a day again; that coldness means
    something they must show themselves."""
    known = Null(0.3, 0.4, Tail(40.0, 0.1, 0.7), 5000.0, 900.0, settled=True)
    first = Line().take(crowd(0, 100, 1))
    first.pipeline.null = known
    line = Line()
    learnt.apply(line.pipeline, *first.learnt())
    carried = replace(known, settled=False, carried=True)
    assert line.pipeline.null == carried
    line.take(*(crowd(hour * 3600, 200, hour) for hour in range(8)))
    assert line.pipeline.null == replace(carried, settled=True)
    line.take(*(crowd(hour * 3600, 200, hour) for hour in range(8, 28)))
    assert not line.pipeline.null.carried
    assert line.pipeline.null.clients_a_day == 60.0


def test_what_is_usual_on_a_route_fades_from_where_the_log_is_read_again() -> None:
    """The table of routes knows a minute that lies ahead of the rows read again; it is taken back to the first."""
    first = Line().take(crowd(0, 300, 1), crowd(3600, 300, 2))
    line = Line()
    learnt.apply(line.pipeline, *first.learnt())
    route = line.pipeline.state.routes[1]
    assert route["tries"] > 0
    assert not any(np.any(route[f]) for f in ROUTE.names or () if f not in learnt.CARRIED)
    line.take(crowd(10, 1, 3))
    assert route["minute"] == START // MINUTE_US


@settings(max_examples=50, deadline=None)
@given(
    tail=st.one_of(st.none(), st.builds(Tail, *[st.floats(0.01, 1e6)] * 3)),
    numbers=st.lists(st.floats(0.0, 1e9), min_size=4, max_size=4),
    yes=st.tuples(st.booleans(), st.booleans()),
    floor=st.integers(1, 10**6),
)
def test_the_null_comes_back(tail: Tail | None, numbers: list[float], yes: tuple[bool, bool], floor: int) -> None:
    """Every number to the last bit; the floor is the user's."""
    null = Null(numbers[0], numbers[1], tail, numbers[2], numbers[3], yes[0], floor, yes[1])
    assert Null.load(null.save()[0], floor) == null


def test_a_fit_without_a_carried_null_is_as_ever() -> None:
    """Only what is carried over waits for a day."""
    line = Line().take(crowd(0, 300, 1))
    assert not learn(line.pipeline.state, Null(), START + 300_000_000).carried
    carried = Null(clients_a_day=123.0, carried=True)
    assert learn(line.pipeline.state, carried, START + 300_000_000) == carried


def test_rows_from_a_second_partition_are_counted() -> None:
    """A client belongs to the partition of its first row; what comes from elsewhere has strayed."""
    line = Line().take(walk(0, 10, part=3), walk(1, 4, part=5, first_id=6000), walk(2, 6, client=8, part=5))
    state = line.pipeline.state
    assert state.counters[COUNTER["strayed"]] == 4
    assert state.in_use["part"].tolist() == [3, 5]


def test_partitions_may_get_other_numbers() -> None:
    """Where topics were added, the same partition has another place in the list."""
    line = Line().take(walk(0, 10, part=3), walk(1, 4, client=8, part=5), walk(2, 6, client=9, part=1))
    line.pipeline.renumber({3: 5, 5: 3})
    assert line.pipeline.state.in_use["part"].tolist() == [5, 3, 1]


def _moved(at: int) -> tuple[Line, Line, Line]:
    """A walk in partition 1 beside others in 0: judged by one process; by one that gives partition 1 away after ``at``
    reads, to a third that has met other routes first."""
    n = 600
    batches = [crowd(0, 200, 1, part=0), walk(60, n, part=1, literal=USERS), crowd(121, 200, 2, part=0)]
    whole = Line().take(*batches)
    giver = Line().take(batches[0], batches[1].take(np.arange(at)))
    taker = Line().take(crowd(0, 100, 3, clients=20, literal=PETS, part=2))
    insert(taker.pipeline, unpack(pack(*extract(giver.pipeline, 1))), 4)
    giver.take(batches[2])
    rest = walk(60, n, part=4, literal=USERS).take(np.arange(at, n))
    rest.position[:] += at
    taker.take(rest, crowd(121, 200, 4, clients=20, literal=PETS, part=2))
    return whole, giver, taker


@pytest.mark.parametrize("at", [1, 60, 127, 128, 129, 400, 599])
def test_a_partition_that_moves_takes_its_clients_along(at: int) -> None:
    """Evidence and incident go on in the other process as if nothing had happened, under its own numbers; what is
    expected on a route is the new process's opinion."""
    whole, giver, taker = _moved(at)
    told = [i for line in (giver, taker) for i in line.news]
    assert len({i.incident for i in told}) == 1
    assert [i.revision for i in told] == list(range(1, len(told) + 1))
    last, expected = (incident(*line.pipeline.open_stories(), line.pipeline.book, {}) for line in (taker, whole))
    for name in ("incident", "raised_at", "first_seen", "last_seen", "endpoints", "clients", "requests"):
        assert getattr(last, name) == getattr(expected, name), name
    assert last.endpoints == ["GET /users/{id}"]
    assert last.records_exposed == expected.records_exposed
    one, other = _slot(whole), _slot(taker)
    opinions = ("cold_expected", "misses_expected", "familiar")
    apart = ("part", "lead", "incident", "registers", "next_check", *opinions)
    assert all(np.array_equal(one[f], other[f]) for f in CLIENT.names or () if f not in apart)
    assert other["part"] == 4
    assert _slot(giver) is None


def _slot(line: Line) -> Any:
    found = line.pipeline.state.in_use
    found = found[found["key"] == np.array([8], np.uint64) * ODD]
    return found[0] if len(found) else None


def test_slots_that_leave_are_gone_and_the_others_are_found() -> None:
    """The rest of the table is what it would be without them: every client is found, and no other."""
    giver = Line().take(crowd(0, 600, 1, part=0), crowd(60, 600, 2, clients=300, part=1))
    state = giver.pipeline.state
    before = {int(c["key"]): c.tobytes() for c in state.in_use if c["part"] == 0}
    names = {int(key): bytes(name) for key, name in zip(state.in_use["key"], state.names, strict=False)}
    extract(giver.pipeline, 1)
    assert {int(c["key"]): c.tobytes() for c in state.in_use} == before
    assert all(bytes(name) == names[int(key)] for key, name in zip(state.in_use["key"], state.names, strict=False))
    assert not state.clients[len(state.in_use) :].view(np.uint8).any()
    giver.take(crowd(120, 600, 3, part=0))
    assert len(state.in_use) == len(set(state.in_use["key"].tolist())) == 60


def test_a_table_that_is_full_takes_those_that_say_most() -> None:
    """What has no room is counted as evicted; who is known here already is held once, by the fuller slot."""
    one, other = State(SMALL), State(replace(SMALL, clients=1 << 3))
    for state, keys in ((one, range(1, 11)), (other, range(8, 12))):
        state.counters[COUNTER["clients"]] = len(keys)
        state.in_use["key"] = np.array(list(keys), np.uint64) << np.uint64(40)
        state.in_use["fresh"][:, 0] = [key if state is one else 9 for key in keys]
        state.in_use["part"] = 2
    clients, names, moved = take_out(one, 2)
    assert (len(one.in_use), len(clients), moved.tolist()) == (0, 10, [0] * 11)
    slots = put_in(other, clients, names, 5)
    kept = dict(zip((other.in_use["key"] >> np.uint64(40)).tolist(), other.in_use["fresh"][:, 0].tolist(), strict=True))
    assert kept == {8: 9, 9: 9, 10: 10, 11: 9, 7: 7, 6: 6, 5: 5, 4: 4}
    assert other.counters[COUNTER["clients_evicted"]] == 3
    assert np.count_nonzero(slots < 0) == 4


@settings(max_examples=50, deadline=None)
@given(home=st.lists(st.integers(0, 31), max_size=31), taken=st.sets(st.integers(0, 31), max_size=0))
def test_every_entry_is_found_from_its_home(home: list[int], taken: set[int]) -> None:
    """Places are distinct, and between an entry's home and its place none is free."""
    at = places(np.array(home, np.int64), 32)
    assert len(set(at.tolist())) == len(home)
    for begin, place in zip(home, at.tolist(), strict=True):
        assert {(begin + step) % 32 for step in range((place - begin) % 32)} <= set(at.tolist())


def test_routes_come_back_and_can_be_told_to_others() -> None:
    """A table that was saved assigns and names as the first; another one learns single routes under its own numbers."""
    line = Line().take(walk(0, 3, literal=USERS), walk(1, 3, literal=ITEMS))
    routes = line.pipeline.routes
    again, other = Routes(Texts(128), HashKey.from_bytes(b"k" * 16)), Routes(Texts(128), HashKey.from_bytes(b"k" * 16))
    again.load(routes.save())
    assert [again.name(r) for r in (1, 2)] == ["GET /users/{id}", "GET /items/{id}"]
    assert all(again.save()[name].tobytes() == array.tobytes() for name, array in routes.save().items())
    numbers = other.adopt(routes.paths(np.array([0, 2, 2, OTHER])))
    assert numbers[[0, 1, 2, OTHER]].tolist() == [0, OTHER, 1, OTHER]
    assert other.name(1) == "GET /items/{id}"
    more = walk(2, 3, literal=ITEMS)
    other.assign(more)
    assert set(more.route.tolist()) == {1}


@pytest.mark.parametrize("field", ["parent", "node", "method"])
def test_routes_outside_the_tree_are_damage(field: str) -> None:
    """What a route refers to must be there."""
    kept = Line().take(walk(0, 3)).pipeline.routes.save()
    table = kept["nodes" if field == "parent" else "rows"]
    table[field][-1] = 200
    with pytest.raises(SnapshotDamaged):
        Routes(Texts(128)).load(kept)


def test_short_columns_are_put_together_and_taken_apart() -> None:
    """Also empty ones, and where another version kept none of that name."""
    parts = [np.arange(n) for n in (3, 0, 2)]
    kept = joined("a", parts, "i8")
    assert [p.tolist() for p in parted("a", kept, 3)] == [p.tolist() for p in parts]
    assert [len(p) for p in parted("b", kept, 3)] == [0, 0, 0]
    for owners in (2, 4):
        with pytest.raises(SnapshotDamaged):
            parted("a", kept, owners)
    assert parted("a", joined("a", [], "i8"), 0) == []


def test_fields_of_another_shape_are_not_taken() -> None:
    """A field that has become a list is a new one."""
    old = np.ones(2, [("a", "u4"), ("b", "u1"), ("gone", "u1")])
    new = adopted(old, np.dtype([("b", "u8"), ("a", "u4", 2), ("c", "f4")]))
    assert (new["b"].tolist(), new["a"].any(), new["c"].any()) == ([1, 1], False, False)
    assert adopted(new, new.dtype) is new


def test_stories_come_back_with_all_they_hold() -> None:
    """Numbers of evidence keep their kind: 128 is not told as 128.0."""
    line = Line().take(walk(0, 400))
    stories = line.pipeline.open_stories()
    (again,) = keeping.load(unpack(pack({}, keeping.save(stories))).arrays)
    (story,) = stories
    assert [repr(f) for f in again.evidence.values()] == [repr(f) for f in story.evidence.values()]
    assert (again.members, again.routes, again.trail.minutes) == (story.members, story.routes, story.trail.minutes)
    assert again.trail.points.tobytes() == story.trail.points.tobytes()
    with pytest.raises(SnapshotDamaged):
        keeping.load(
            {"stories": keeping.save(stories)["stories"], "findings": np.zeros(3), "findings.ends": np.array([2])}
        )


def test_a_trail_is_the_same_in_whatever_portions_and_stays_small() -> None:
    """Points are thinned alike, and of a flood of agents the first ones are counted."""
    rng = np.random.default_rng(3)
    all_reads = np.zeros(30_000, READS)
    all_reads["time_us"], all_reads["number"] = START + np.arange(30_000) * 10_000, rng.integers(-1, 50, 30_000)
    all_reads["agent"] = rng.integers(0, 2**63, 30_000)
    whole, parts = Trail(), Trail()
    whole.add(all_reads)
    for part in np.split(all_reads, np.sort(rng.integers(0, 30_000, 40))):
        parts.add(part)
    assert len(whole.points) <= POINTS
    assert len(whole.agents) == KINDS_KEPT
    assert whole.reads == 30_000
    for name in ("minutes", "hours", "agents", "networks", "stride", "numbered"):
        assert getattr(parts, name) == getattr(whole, name), name
    for name in ("points", "positions", "samples"):
        assert getattr(parts, name).tobytes() == getattr(whole, name).tobytes(), name


@pytest.mark.parametrize("dtype", [CLIENT, ROUTE, OBJECT], ids=["client", "route", "object"])
def test_slots_have_no_hidden_bytes(dtype: np.dtype[np.void]) -> None:
    """Every byte of a slot belongs to a named field, so that equal tables are equal snapshots."""
    assert sum(dtype[name].itemsize for name in dtype.names or ()) == dtype.itemsize


def test_the_null_is_kept_by_names() -> None:
    """Every field of the null that is learnt has its column; habits have rows of their own."""
    assert {f for f in NULL.names or () if not f.startswith(("tail", "has"))} == set(Null.__dataclass_fields__) - {
        "tail",
        "tail_tries",
        "tail_rows",
        "floor",
        "habits",
    }
