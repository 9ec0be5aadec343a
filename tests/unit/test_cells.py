"""Cells on rows made by hand: what clients have in common, counted by the minute, and who is in the rings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors import CELL_DETECTORS, Budget, campaign
from detector.detectors.campaign import CellAlarm
from detector.pipeline import Pipeline, Rules
from detector.records.batch import MISS, Batch
from detector.state.cells import ALARM, BORN_WITH, COHORTS, DIRECT, KINDS, STATISTICS
from detector.state.layout import ACTED, COUNTER, W5, Sizes
from tests.unit.test_judging import OneRoute

SMALL = Sizes(clients=1 << 15, objects=1 << 18, blocks=1 << 8, cells=1 << 10, crossings=1 << 14, maturity=1 << 15)
START = 1_700_000_040_000_000  # a full minute
ODD = np.uint64(0x9E3779B97F4A7C15)
HOUR = 3600.0
SETTLED = 6.5 * HOUR  # cells are judged from six hours on
RARE = 1 << 30  # ids from here on are read once

Numbers = npt.NDArray[np.int64]


def rows(seconds: npt.ArrayLike, client: npt.ArrayLike, record: npt.ArrayLike, agent: npt.ArrayLike = 1) -> Batch:
    """Record reads at given seconds, unordered, with text ids; a client is in one of 200 networks by its number."""
    seconds, client = np.asarray(seconds, np.float64), np.asarray(client, np.int64)
    batch = Batch.empty(len(seconds))
    batch.time_us[:] = START + (seconds * 1e6).astype(np.int64)
    batch.client[:] = (client.astype(np.uint64) + np.uint64(1)) * ODD
    batch.network[:] = 1 + (client * 7919 % 200)
    agents = np.broadcast_to(np.asarray(agent, np.int64), client.shape)
    batch.agent[:] = (agents.astype(np.uint64) + np.uint64(5)) * np.uint64(0xD6E8FEB86659FD93)
    batch.object[:] = (np.asarray(record).astype(np.uint64) + np.uint64(7)) * np.uint64(0xBF58476D1CE4E5B9)
    batch.number[:] = -1
    batch.rows[:], batch.status[:], batch.requests[:], batch.method[:], batch.kind[:] = 1, 200, 1, 1, 1
    return batch


def merged(*parts: Batch) -> Batch:
    """Rows of several in log order."""
    batch = Batch.concatenate(list(parts))
    return batch.take(np.argsort(batch.time_us, kind="stable"))


def crowd(begin: float, end: float, a_second: float, seed: int, rare: float = 0.12, agents: int = 20) -> Batch:
    """Visitors with some eight reads each, popular ones but for a share that nobody else reads."""
    rng = np.random.default_rng(seed)
    visitors = rng.poisson((end - begin) * a_second)
    reads = rng.geometric(1 / 8, visitors)
    who = np.repeat(np.arange(visitors), reads)
    at = np.repeat(rng.uniform(begin, end, visitors), reads) + rng.exponential(60, len(who))
    popular = (300.0 ** rng.random(len(who))).astype(np.int64)
    record = np.where(rng.random(len(who)) < rare, RARE + seed * 10_000_000 + np.arange(len(who)), popular)
    agent = (float(agents) ** rng.random(visitors)).astype(np.int64)
    batch = rows(at, seed * 1_000_000 + who, record, agent[who])
    return batch.take(at < end)


def crawl(begin: float, end: float, a_second: float, identities: int, seed: int = 99, agent: int = 19) -> Batch:
    """So many clients take turns at records that nobody else reads."""
    rng = np.random.default_rng(seed)
    n = int((end - begin) * a_second)
    who = seed * 1_000_000 + rng.integers(0, identities, n)
    return rows(np.sort(rng.uniform(begin, end, n)), who, RARE + seed * 10_000_000 + np.arange(n), np.full(n, agent))


class Line:
    """A pipeline whose campaigns are only listened to."""

    def __init__(self, sizes: Sizes = SMALL, rules: Rules | None = None) -> None:
        self.pipeline = Pipeline(rules or Rules(), sizes, OneRouteKept())  # type: ignore[arg-type]
        self.alarms: list[CellAlarm] = []
        self.crossed: list[int] = []
        self.pipeline.book.raise_campaign = self._hear  # type: ignore[method-assign,attr-defined,unused-ignore]

    def _hear(self, alarms: Sequence[CellAlarm], crossings: npt.NDArray[np.void], now_us: int) -> None:
        assert all((alarm.minute + 1) * 60_000_000 <= now_us for alarm in alarms)
        self.alarms += alarms
        self.crossed.append(len(crossings))

    def take(self, batch: Batch, edges: Sequence[int] = ()) -> Line:
        """Judges a batch, cut there; judging fills columns, so it is copied."""
        for a, b in zip([0, *edges], [*edges, len(batch)], strict=True):
            self.pipeline.take(batch.take(np.arange(a, b)))
        return self

    def counted(self, name: str) -> int:
        """One of the state's counters."""
        return int(self.pipeline.state.counters[COUNTER[name]])


class OneRouteKept(OneRoute):
    """Stands for the routes in a snapshot too."""

    mark = "one"

    def save(self) -> dict[str, npt.NDArray[np.void]]:
        """Nothing is learnt of routes."""
        return {}

    def load(self, arrays: object) -> None:
        """Nothing is taken back."""


def settled_crowd(end: float = SETTLED, a_second: float = 1.0) -> Batch:
    """Ordinary traffic until the cells are judged, and half an hour more."""
    return crowd(0, end, a_second, 1)


def minutes(line: Line, begin: float) -> list[int]:
    """After how many minutes of an event that began then the cells alarmed."""
    first = START // 60_000_000 + int(begin // 60)
    return sorted({alarm.minute - first + 1 for alarm in line.alarms})


def test_a_campaign_of_a_thousand_alarms_within_minutes() -> None:
    """A thousand new clients, a read every twenty seconds each, alarm within three minutes: in the cells of their agent
    and of new clients, and what is said of them adds up."""
    line = Line().take(merged(settled_crowd(SETTLED + 600), crawl(SETTLED, SETTLED + 600, 20, 1000)))
    assert minutes(line, SETTLED)[0] <= 3
    agents = {alarm.value for alarm in line.alarms if alarm.kind == "agent"}
    assert agents == {int(rows([0], [0], [0], [19]).agent[0])}
    for alarm in line.alarms:
        assert alarm.pattern == "campaign"
        assert alarm.nats >= alarm.threshold > 15
        assert alarm.observed > alarm.expected
        assert 100 <= alarm.excess_clients <= 2500
        assert alarm.since_minute <= alarm.minute
    assert max(line.crossed) > 500


def test_a_crew_of_fifty_is_left_to_the_single_client_s_detectors() -> None:
    """Fifty clients with an agent of their own, however much they read, stay below the fewest a campaign has."""
    line = Line().take(merged(settled_crowd(SETTLED + 1200), crawl(SETTLED, SETTLED + 1200, 10, 50)))
    assert line.alarms == []


def _flash(begin: float) -> Batch:
    """Ten times the visitors, on five records."""
    batch = crowd(begin, begin + 600, 10, 7)
    batch.object[:] = batch.object % np.uint64(5) + np.uint64(1)
    return batch


def _back_fill(begin: float) -> Batch:
    """A fifth more traffic on new records that many read."""
    batch = crowd(begin, begin + 1800, 0.3, 8, rare=0.0)
    rng = np.random.default_rng(8)
    batch.object[:] = (2_000_000 + (3000.0 ** rng.random(len(batch))).astype(np.uint64)) * ODD
    return batch


def _release(begin: float) -> Batch:
    """As many visitors again, from one minute to the next all with an agent nobody had before."""
    return crowd(begin, begin + 1800, 1.0, 9, agents=1)


@pytest.mark.parametrize("event", [_flash, _back_fill, _release])
def test_what_is_no_campaign_raises_no_alarm(event: Callable[[float], Batch]) -> None:
    """A flash crowd, a back-fill and a release of a new agent leave the cells quiet."""
    line = Line().take(merged(settled_crowd(SETTLED + 3600), event(SETTLED)))
    assert line.alarms == []


def test_misses_of_many_are_a_look_up_and_repeated_misses_are_not() -> None:
    """Three hundred clients that try ids nobody else tries raise the cells of misses; the same ids missed by all, as
    behind a broken link, do not."""
    guessed = crawl(SETTLED, SETTLED + 300, 20, 300)
    broken = crawl(SETTLED, SETTLED + 300, 20, 300)
    broken.object[:] = broken.object % np.uint64(7) + np.uint64(1)
    for batch in (guessed, broken):
        batch.flags[:] |= MISS
        batch.status[:] = 404
    line = Line().take(merged(settled_crowd(SETTLED + 300), guessed))
    assert {(alarm.pattern, alarm.channel) for alarm in line.alarms} == {("lookup", "miss")}
    assert minutes(line, SETTLED)[0] <= 2
    assert Line().take(merged(settled_crowd(SETTLED + 300), broken)).alarms == []


def test_cuts_and_snapshots_change_nothing() -> None:
    """The tables, rings and alarms are the same to the byte however the rows are cut, and where a fresh process takes
    over from a snapshot before, in and after the campaign."""
    batch = merged(settled_crowd(SETTLED + 300), crawl(SETTLED, SETTLED + 300, 20, 1000))
    whole = Line().take(batch)
    rng = np.random.default_rng(5)
    cut = Line().take(batch, np.sort(rng.choice(len(batch), 40, replace=False)).tolist())
    taken, alarms, done = Line(), [], 0
    for edge in (*np.searchsorted(batch.time_us, START + np.array([2 * HOUR, SETTLED + 70]) * 1e6), len(batch)):
        taken.take(batch.take(np.arange(done, edge)))
        saved, alarms, done = taken.pipeline.save(), alarms + taken.alarms, int(edge)
        taken = Line()
        taken.pipeline.load(saved.meta, saved.arrays)
    assert whole.alarms == cut.alarms == alarms != []
    kept = whole.pipeline.save().arrays
    for other in (cut, taken):
        for name, array in other.pipeline.save().arrays.items():
            assert array.tobytes() == kept[name].tobytes(), name


def test_a_stream_of_networks_seen_once_does_not_sweep_the_large_ones_out() -> None:
    """In a table of 64 cells, 20 networks with half the trials keep theirs beside 5,000 that come once or twice."""
    rng = np.random.default_rng(6)
    n = 20_000
    network = np.where(rng.random(n) < 0.5, rng.integers(1, 21, n), rng.integers(1000, 6000, n))
    batch = rows(np.arange(n) * 1.0, np.arange(n), rng.integers(0, 10**6, n), 0)
    batch.network[:], batch.agent[:] = network, 0
    line = Line(Sizes(clients=1 << 15, objects=1 << 18, blocks=1 << 8, cells=1 << 8, crossings=64, maturity=64))
    line.take(batch)
    past = line.pipeline.state.past
    held = past["value"][(past["kind"] == KINDS.index("network")) & (past["born"] > 0)]
    assert np.isin(np.arange(1, 21, dtype=np.uint64), held).sum() >= 19
    assert line.counted("cells_evicted") > 1000


def test_a_cell_born_in_the_running_minute_has_no_past_for_whoever_looks() -> None:
    """In a table too small for its networks, what a cell has of the one before it is in no snapshot, its name is; and
    who goes on from the snapshot ends up with the same bytes as who was never asked for one."""
    n = 8000
    batch = rows(np.arange(n) * 1.0, np.arange(n), np.random.default_rng(6).integers(0, 10**6, n))
    batch.network[:] = 1 + np.arange(n) % 3000
    sizes = Sizes(clients=1 << 14, objects=1 << 16, blocks=1 << 8, cells=1 << 8, crossings=64, maturity=64)
    asked, never = Line(sizes).take(batch.take(slice(0, 5030))), Line(sizes).take(batch)
    saved, state = asked.pipeline.save(), asked.pipeline.state
    born = state.past[state.past["born"] == asked.counted("minute")]
    assert len(born) > 10
    assert np.isin(born["value"], batch.network[5000:5030]).any()
    assert all(not born[name].any() for name in set(born.dtype.names or ()) - set(BORN_WITH))
    assert asked.counted("cells_evicted") > 1000
    other = Line(sizes)
    other.pipeline.load(saved.meta, saved.arrays)
    other.take(batch.take(slice(5030, n)))
    kept = never.pipeline.save().arrays
    for name, array in other.pipeline.save().arrays.items():
        assert array.tobytes() == kept[name].tobytes(), name


def test_rings_say_who_crossed_and_who_is_new() -> None:
    """A client that reads eight cold records is a newcomer once, and crosses by its first trial, at five, at seven."""
    line = Line().take(rows(np.arange(9.0), [3, *[7] * 8], RARE + np.arange(9)))
    state = line.pipeline.state
    new = state.maturity[: line.counted("newcomers")]
    keys = rows([0, 0], [3, 7], [0, 0]).client
    assert new["key"].tolist() == keys.tolist()
    assert (new["minute"] == START // 60_000_000).all()
    events = state.last_crossings()
    assert events["which"].tolist() == [1, 1, 2, 4]
    assert events["client"].tolist() == [keys[0], *[keys[1]] * 3]
    assert (events["channel"] == 0).all()
    assert (state.clients["key"][events["slot"]] == events["client"]).all()


def test_a_client_crosses_once_a_day() -> None:
    """The window and the lines of a day begin anew with the client's next day; that it did more than read stays."""
    line = Line().take(rows(np.arange(8.0), np.full(8, 7), RARE + np.arange(8)))
    slot = line.pipeline.state.clients[0]
    assert slot["crossed"] & W5
    line.pipeline.state.clients["crossed"][0] |= ACTED
    line.take(rows(2 * 86_400 + np.arange(1.0), [7], [RARE + 9]))
    assert line.pipeline.state.clients[0]["crossed"] == ACTED
    assert line.pipeline.state.clients[0]["bits"] == 1


def test_a_ring_keeps_the_newest() -> None:
    """A ring smaller than what is written to it gives the last events, in log order."""
    small = Sizes(clients=1 << 10, objects=1 << 14, blocks=1 << 6, cells=1 << 6, crossings=1 << 5, maturity=1 << 5)
    line = Line(small).take(rows(np.arange(100.0), np.arange(100), RARE + np.arange(100)))
    events = line.pipeline.state.last_crossings()
    assert events["time_us"].tolist() == (START + np.arange(68, 100) * 1_000_000).tolist()


def test_counts_of_a_route_are_those_of_its_cohorts() -> None:
    """A route's cell is the sum of its cohorts', and of its agents'."""
    line = Line().take(settled_crowd(SETTLED, 0.3))
    past, sizes = line.pipeline.state.past, line.pipeline.sizes
    of_route = past[sizes.cells + DIRECT : sizes.cells + 2 * DIRECT]
    assert of_route["kind"].tolist() == [0, *[1] * COHORTS] or of_route["born"][3:].max() == 0
    agents = past[(past["kind"] == KINDS.index("agent")) & (past["born"] > 0)]
    np.testing.assert_allclose(agents["exposed"].sum(axis=0), of_route["exposed"][0], rtol=0.02)


def test_thresholds_follow_from_the_budget() -> None:
    """Ten times the budget is worth ln 10 nats, ten times the cells cost as much; the parts are within campaigns'."""
    assert campaign.threshold(6000, 4, 0.1) - campaign.threshold(6000, 4, 1.0) == pytest.approx(log(10))
    assert campaign.threshold(60_000, 4, 1.0) - campaign.threshold(6000, 4, 1.0) == pytest.approx(log(10))
    assert sum(detector.share for detector in CELL_DETECTORS.values()) <= Budget.CAMPAIGNS
    limits = np.zeros((2, 3))
    campaign.limit(limits, 216_300, Budget(1.0), CELL_DETECTORS)
    assert limits[0, 0] == pytest.approx(log(3605 * 1440 * 8 / 0.15))


def test_an_alarm_of_a_pattern_that_is_off_is_not_told() -> None:
    """What the kernel wrote is read under the names of the tables, and only for detectors that are on."""
    found = np.zeros(2, ALARM)
    found["channel"], found["statistic"], found["kind"] = [0, 1], [2, 3], [2, 3]
    limits = np.ones((2, 3))
    both = campaign.read(found, limits, CELL_DETECTORS, {"campaign", "lookup"})
    assert [(a.pattern, a.statistic, a.kind) for a in both] == [
        ("campaign", STATISTICS[2], "agent"),
        ("lookup", STATISTICS[3], "network"),
    ]
    assert [a.pattern for a in campaign.read(found, limits, CELL_DETECTORS, {"lookup"})] == ["lookup"]
