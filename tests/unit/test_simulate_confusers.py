"""Every confuser bears the mark by which it may be told from an attack; ordinary traffic is ordinary."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from detector.records.batch import DECLARED
from detector.simulate import CONFUSERS, Options, Play
from detector.simulate.columns.rows import MACHINE, PEOPLE, Rows, joined
from detector.simulate.confusers.probe import ADDRESS as PROBE
from detector.simulate.site import CODE
from detector.simulate.world import World

HOUR_US = 3_600_000_000
DAY = Options(rate=4, ids=400_000, duration_seconds=86_400.0)


ADDED = tuple(n.key for n in CONFUSERS.values() if not n.always and (n.rows or n.change))


@cache
def log(*names: str) -> Rows:
    """A whole day with some confusers."""
    return joined(list(Play.of(replace(DAY, confusers=names)).rows()))


def of(name: str) -> Rows:
    """The confuser's own rows of a day with all of them."""
    rows = log(*ADDED)
    return rows[rows["source"] == CONFUSERS[name].number]


def repeats(rows: Rows) -> float:
    """Share of reads that repeat a record."""
    return 1 - len(np.unique(rows[["form", "number", "page"]])) / len(rows)


@pytest.mark.parametrize("name", CONFUSERS)
def test_every_confuser_says_its_mark(name: str) -> None:
    """Key, title and mark are told, and it changes the day; what is declared has DECLARED on each row."""
    confuser = CONFUSERS[name]
    assert confuser.key == name
    assert confuser.title
    assert confuser.mark
    if confuser.rows is not None:
        assert len(of(name)) > 0
        assert ((of(name)["flags"] & DECLARED) > 0).all() == confuser.declared
    elif confuser.change is not None:
        assert len(of(name)) > 0
    else:
        assert dict(confuser.world(DAY))


def test_declared_ranges() -> None:
    """N1, N2, N6 and N7 keep to their addresses; the partner to its account, hours and route as well."""
    assert set(of("N1")["address"] >> np.uint64(8)) == {0xCB0071}
    assert set(of("N2")["address"] >> np.uint64(8)) == {0xC63364}
    assert set(of("N2")["time_us"] // HOUR_US % 24) == {2, 3}
    assert set(of("N2")["form"]) == {CODE["api_item"]}
    assert len(of("N2")) == pytest.approx(2_000_000 * DAY.rate / 10_000, rel=0.02)
    for name in ("N6", "N7"):
        assert set(of(name)["address"] >> np.uint64(16)) == {0xC613}


def test_a_carriers_address_holds_many() -> None:
    """N3: hundreds of accounts, many agents, sign-ins, and records read again, all behind one address."""
    rows = of("N3")
    assert len(np.unique(rows["address"])) == 1
    assert len(np.unique(rows["who"])) > 300
    assert len(np.unique(rows["agent"])) > 20
    assert (rows["form"] == CODE["login"]).mean() > 0.01
    assert repeats(rows[rows["form"] == CODE["item"]]) > 0.3


def test_a_flash_crowd_is_many_on_little() -> None:
    """N4: ten times the traffic within half a minute, on a handful of records, each read again."""
    rows = of("N4")
    minute = np.bincount((rows["time_us"] - DAY.start_us) // 60_000_000)
    assert minute.max() > 7 * 60 * DAY.rate
    assert len(np.unique(rows["number"][rows["form"] == CODE["item"]])) <= 10
    assert len(np.unique(rows[["address", "who"]])) > 500


def test_a_probe_repeats_itself() -> None:
    """N5: the same five pages from one address, every ten seconds."""
    rows = of("N5")
    assert set(rows["address"]) == {PROBE}
    assert len(np.unique(rows[["form", "number"]])) == 5
    assert len(rows) == 5 * 8640


def test_customer_service_searches_first_and_reads_twice() -> None:
    """N8: some 800 customers an account and day, a search before each, every customer twice, by day."""
    rows = of("N8")
    searches = (rows["form"] == CODE["people_search"]).sum()
    assert searches / 4 == pytest.approx(800, rel=0.1)
    customers = rows["number"][rows["form"] == CODE["user"]]
    assert len(customers) >= 1.9 * len(np.unique(customers))
    assert (rows["time_us"] // HOUR_US % 24).min() >= 7
    assert len(np.unique(rows["address"])) == 1


def test_sellers_list_before_they_read() -> None:
    """N9: ids ascend with gaps; each ten of them follow a page of the account's own list; no two share a record."""
    rows = of("N9")
    owners: dict[int, int] = {}
    for who in np.unique(rows["who"]):
        own = rows[rows["who"] == who][:330]
        assert (own["form"][::11] == CODE["orders"]).all()
        ids = own["number"][own["form"] == CODE["order"]]
        assert (np.diff(ids) > 1).mean() > 0.9
        assert (np.diff(ids) > 0).all()
        assert all(owners.setdefault(int(i), int(who)) == who for i in ids)


def test_a_release_changes_agents_alone() -> None:
    """N10: by the end of the day people have a new agent; their requests are the same."""
    old, new = log(), log("N10")
    assert (old["number"] == new["number"]).all()
    assert (old["time_us"] == new["time_us"]).all()
    late = new["time_us"] > DAY.start_us + 20 * HOUR_US
    changed = (old["agent"] != new["agent"])[late & (new["source"] == PEOPLE)]
    assert 0.05 < changed.mean() < 0.3


def test_new_records_find_many_readers() -> None:
    """N11: nobody read them before; within the hour most reads repeat somebody else's."""
    rows = of("N11")
    assert rows["number"].min() > 2 * DAY.ids
    _, clients = np.unique(np.unique(rows[["number", "address", "who"]])["number"], return_counts=True)
    assert clients.mean() > 2
    assert repeats(rows) > 0.6


def test_retries_repeat_the_same() -> None:
    """N12: the same client and record ten times within seconds, 503 before the answer."""
    again = of("N12")
    _, counts = np.unique(again[["address", "who", "form", "number"]], return_counts=True)
    assert counts.min() >= 10
    assert (again["status"] == 503).mean() > 0.85


def test_recruiters_search_and_read_again() -> None:
    """N13: about a thousand profiles a day each, a search before every six, a fifth read again."""
    rows = of("N13")
    profiles = rows[rows["form"] == CODE["user"]]
    assert len(profiles) / 10 == pytest.approx(1100, rel=0.1)
    assert len(profiles) / (rows["form"] == CODE["people_search"]).sum() == pytest.approx(6, rel=0.05)
    own = len(np.unique(profiles[["who", "number"]])) / len(profiles)
    assert own < 0.85
    assert set(rows["time_us"] // HOUR_US % 24) == set(range(7, 17))


def test_a_holiday_moves_everybody() -> None:
    """N14: fewer come, and the busiest hours are three later."""
    plain, holiday = (np.bincount(r[r["source"] == PEOPLE]["time_us"] // HOUR_US % 24) for r in (log(), log("N14")))
    assert holiday.sum() / plain.sum() == pytest.approx(0.6, abs=0.05)
    middle = [np.angle((h * np.exp(2j * np.pi * np.arange(24) / 24)).sum()) * 24 / 2 / np.pi for h in (plain, holiday)]
    assert middle[1] - middle[0] == pytest.approx(3, abs=0.7)


def test_a_partition_comes_twice() -> None:
    """N15: each row of some clients has a twin, equal in everything."""
    rows = log(*ADDED)
    twins = rows[rows["source"] == 15].copy()
    assert len(twins) > 100
    twins["source"] = 0
    rows = rows.copy()
    rows["source"][rows["source"] != 15] = 0
    assert set(twins.tolist()) <= set(rows[rows["source"] == 0].tolist())


def test_a_day_is_an_ordinary_day() -> None:
    """The rate asked for, three to one between day and night, misses, 304s, half the visitors known."""
    rows = log()
    people = rows[rows["source"] == PEOPLE]
    assert len(people) / 86_400 == pytest.approx(DAY.rate, rel=0.1)
    hours = np.bincount(people["time_us"] // HOUR_US % 24)
    assert hours[13:15].sum() / hours[1:3].sum() == pytest.approx(3, rel=0.2)
    reads = people[np.isin(people["form"], [CODE["item"], CODE["user"], CODE["reviews"]])]
    assert (reads["status"] == 404).mean() == pytest.approx(0.05, abs=0.01)
    assert 0.1 < (people["status"] == 304).mean() < 0.2
    clients = np.unique(people[["address", "who"]])
    assert 0.3 < (clients["who"] > 0).mean() < 0.8
    assert (rows["source"] == MACHINE).any()


def test_people_differ_in_what_they_read() -> None:
    """Zipf popularity, and an over-dispersed share of reads off the beaten track: mean .1, rho .22."""
    world = World(DAY)
    stray = world._setup[6]
    mean, variance = stray.mean(), stray.var()
    assert mean == pytest.approx(0.1, abs=0.005)
    assert variance / (mean * (1 - mean)) == pytest.approx(0.22, abs=0.02)
    drawn = world.popular(np.random.default_rng(1), 50_000)
    _, counts = np.unique(drawn, return_counts=True)
    top = np.sort(counts)[::-1][: len(counts) // 100].sum() / 50_000
    assert 0.3 < top < 0.7


def test_accounts_belong_to_one_person_at_a_time() -> None:
    """No two slots share an account, addresses change hands faster than accounts, and new accounts register."""
    world = World(DAY)
    slots = np.arange(world.slots)
    now = np.full(len(slots), DAY.start_us)
    _, account = world.people_at(slots, now)
    assert len(np.unique(account[account > 0])) == (account > 0).sum()
    assert (account > 0).mean() == pytest.approx(0.55, abs=0.02)
    h, _ = world.people_at(slots, now)
    later, _ = world.people_at(slots, now + 86_400_000_000)
    moved = h != later
    assert moved[account > 0].mean() == pytest.approx(0.02, abs=0.01)
    assert moved[account == 0].mean() == pytest.approx(0.3, abs=0.03)
    opened = log()
    opened = opened[opened["form"] == CODE["register"]]
    assert len(opened) == pytest.approx(0.02 * (account > 0).sum(), rel=0.35)
