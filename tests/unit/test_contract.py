"""Declared partners: quiet inside their contract, always told of outside."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from detector.config import parse_config
from detector.engines.declaring import contracts, partners
from detector.evidence.contract import CONTRACT, Terms, recent
from detector.incidents.incident import Incident
from detector.incidents.render import incident
from detector.incidents.story import Story
from detector.pipeline import Pipeline, Rules
from detector.records.batch import DECLARED, KINDS, Batch
from detector.records.declared import Declared, Partner, token
from detector.records.keys import REPLAY_KEY
from detector.records.looks import Looks
from detector.state.layout import Sizes

SMALL = Sizes(clients=1 << 14, objects=1 << 18, blocks=1 << 12)
MIDNIGHT = 1_699_920_000_000_000  # 2023-11-14T00:00:00Z
HOUR = 3600
DAY = 86_400
ACME = token("acme")


class Two:
    """Stands for the routes: the token of a row's first segment is its route, 1 or 2."""

    mark = "two"
    looks = Looks(threading.Lock())

    def assign(self, batch: Batch) -> None:
        """Puts rows where their first token says."""
        batch.route[:] = batch.tokens[:, 0]

    def __len__(self) -> int:
        return 2

    def name(self, route: int) -> str:
        """The template."""
        return ("", "GET /items/{id}", "GET /users/{id}")[route]

    def data_classes(self, route: int) -> tuple[str, ...]:
        """None is declared."""
        return ()

    def save(self) -> dict[str, np.ndarray]:
        """Nothing."""
        return {}

    def load(self, arrays: object) -> None:
        """Nothing."""


def reads(seconds: np.ndarray, route: int = 1, foreign: bool = False, first: int = 1) -> Batch:
    """Record reads by the partner at seconds after midnight, of ids that lie wide apart."""
    batch = Batch.empty(len(seconds))
    batch.time_us[:] = MIDNIGHT + (seconds * 1e6).astype(np.int64)
    batch.client[:] = Partner(accounts=("acme-sync",)).clients(REPLAY_KEY)[0]
    batch.kind[:] = KINDS.index("account")
    batch.name[:, :9] = np.frombuffer(b"acme-sync", np.uint8)
    batch.partner[:] = ACME
    batch.flags[:] = 0 if foreign else DECLARED
    batch.network[:] = 77 if foreign else 7
    batch.tokens[:, 0] = route
    number = (first + np.arange(len(seconds))) * 7919 % 1_000_003
    batch.number[:] = number
    batch.object[:] = (number.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    batch.rows[:], batch.status[:], batch.requests[:], batch.method[:] = 1, 200, 1, 1
    return batch


def terms(**changes: object) -> Terms:
    """Acme's contract."""
    clients = tuple(Partner(accounts=("acme-sync",)).clients(REPLAY_KEY))
    return Terms(**({"name": "acme", "token": ACME, "clients": clients} | changes))  # type: ignore[arg-type]


def line(*said: Terms) -> tuple[Pipeline, list[Incident]]:
    """A pipeline with these contracts and what it tells."""
    told: list[Incident] = []

    def tell(news: Incident, story: Story) -> None:
        told.append(news)

    return Pipeline(Rules(contracts=said), SMALL, Two(), tell), told  # type: ignore[arg-type]


def raised_s(found: Incident) -> float:
    """Seconds after midnight at which it was raised."""
    moment = np.datetime64(found.raised_at.rstrip("Z"), "us").astype(np.int64)
    return float(moment - MIDNIGHT) / 1e6


def nightly(days: int, per_night: int = 3600) -> list[Batch]:
    """An export from two to three each night."""
    night = 2 * HOUR + np.arange(per_night) * HOUR / per_night
    return [reads(day * DAY + night) for day in range(days)]


def test_inside_its_contract_a_partner_is_quiet() -> None:
    """Ten nights of what was agreed raise nothing, whatever it is that was agreed."""
    for said in (
        terms(),
        terms(records_a_day=3600, hours=((120, 180),)),
        terms(routes=("GET /items/*",), hours=((120, 180),)),
        terms(learn=False),
    ):
        pipeline, told = line(said)
        for batch in nightly(10):
            pipeline.take(batch)
        pipeline.finish()
        assert told == []


@pytest.mark.parametrize(
    ("said", "batch", "finding"),
    [
        ({"routes": ("GET /items/{id}",)}, {"route": 2}, "requests_on_other_routes"),
        ({"hours": ((120, 180),)}, {}, "requests_outside_its_hours"),
        ({}, {"foreign": True}, "requests_from_other_networks"),
        ({"records_a_day": 100}, {}, "records_today"),
        ({"records_a_day": 3600, "hours": ((0, 0),)}, {}, "records_in_ten_minutes"),
    ],
)
def test_outside_it_is_told_within_ten_minutes(said: dict[str, object], batch: dict[str, object], finding: str) -> None:
    """Another route, hour or network, or too much: told at the next minute, with the partner's name and the count."""
    pipeline, told = line(terms(**said))
    begin = 12 * HOUR + 30
    pipeline.take(reads(begin + np.arange(6000) / 10, **batch))  # type: ignore[arg-type]
    pipeline.finish()
    found = told[0]
    assert (found.pattern, found.partner, found.clients) == ("contract", "acme", ["acme-sync"])
    assert found.evidence[0].name == finding
    assert raised_s(found) - begin <= 120
    assert found.severity in ("medium", "high", "critical")
    final = incident(pipeline.book.open_stories[0], pipeline.book, {})
    assert final.records_exposed.low <= 6000 <= final.records_exposed.high + 1
    assert len({i.incident for i in told}) == 1


def test_two_requests_outside_are_nobodys_alarm() -> None:
    """A person trying something out makes one or two."""
    pipeline, told = line(terms(routes=("GET /items/{id}",)))
    pipeline.take(reads(np.array([100.0, 130.0]), route=2))
    pipeline.finish()
    assert told == []


def test_a_learnt_amount_holds_after_three_days() -> None:
    """Where no amount is agreed, twice the largest hour is the measure; before three days of it nothing is."""
    for days, loud in ((2, False), (4, True)):
        pipeline, told = line(terms())
        for batch in nightly(days):
            pipeline.take(batch)
        pipeline.take(reads(days * DAY + 2 * HOUR + np.arange(30_000) / 30))
        pipeline.finish()
        assert bool(told) == loud
        if loud:
            expected = told[0].evidence[0]
            assert (expected.name, expected.expected) == ("records_this_hour", 3600.0)
            assert raised_s(told[0]) - (days * DAY + 2 * HOUR) <= 2 * 3600 / 30 + 120


def test_who_doubles_every_day_is_not_his_own_excuse() -> None:
    """An hour that grows by nine tenths a day is told of once it is four times the first days'."""
    pipeline, told = line(terms())
    amount = 1000.0
    for day in range(10):
        n = int(amount)
        pipeline.take(reads(day * DAY + 2 * HOUR + np.arange(n) * HOUR / n))
        amount *= 1.9 if day >= 6 else 1.0
    pipeline.take(reads(10 * DAY + np.array([0.0])))
    assert [i.evidence[0].name for i in told[:1]] == ["records_this_hour"]


def test_a_break_at_the_end_or_before_a_silence_is_told() -> None:
    """Also where the next row of anybody comes hours later."""
    pipeline, told = line(terms(routes=("GET /items/{id}",)))
    pipeline.take(reads(HOUR + np.arange(50.0) / 10, route=2))
    pipeline.take(reads(np.array([9.0 * HOUR])))
    assert len({i.incident for i in told}) == 1


def test_who_was_found_out_by_what_he_read_stays_one_incident() -> None:
    """A walk with the partner's account from elsewhere becomes the broken contract, with the same id."""
    pipeline, told = line(terms())
    batch = reads(HOUR + np.arange(4000) / 20, foreign=True)
    batch.number[:] = 5000 + np.arange(4000)
    pipeline.take(batch)
    pipeline.finish()
    assert [i.pattern for i in told[:2]] == ["walk", "contract"]
    assert len({i.incident for i in told}) == 1
    assert {f.name for f in told[-1].evidence} >= {"ids_in_order", "requests_from_other_networks"}


@pytest.mark.parametrize("cut", [1, 777, 2999])
def test_cuts_and_snapshots_change_nothing(cut: int) -> None:
    """The same incidents and tables, wherever batches end and the state is saved and taken up."""

    def batches() -> Batch:
        mixed = [reads(HOUR + np.arange(3000) / 10, route=2), reads(HOUR + 0.05 + np.arange(3000) / 10, foreign=True)]
        whole = Batch.concatenate(mixed)
        return whole.take(np.argsort(whole.time_us, kind="stable"))

    said = terms(routes=("GET /items/{id}",))
    whole, told = line(said)
    whole.take(batches())
    whole.finish()
    first, early = line(said)
    first.take(batches().take(slice(0, cut)))
    second, late = line(said)
    second.load(*first.save())
    for start in range(cut, 6000, 500):
        second.take(batches().take(slice(start, min(start + 500, 6000))))
    second.finish()
    assert [i.record() for i in early + late] == [i.record() for i in told]
    for mine, its in zip(second.watch.save().values(), whole.watch.save().values(), strict=True):
        assert np.array_equal(mine, its)


def test_the_window_is_ten_minutes() -> None:
    """Older minutes do not count, whether rows have come since or not."""
    slot = np.zeros(1, CONTRACT)[0]
    slot["minute"] = 1005
    slot["foreign"] = np.arange(10)  # minutes 1000 to 1005, then 996 to 999
    assert recent(slot, "foreign", 1006) == 45
    assert recent(slot, "foreign", 1010) == 0 + 1 + 2 + 3 + 4 + 5
    assert recent(slot, "foreign", 1015) == 5
    assert recent(slot, "foreign", 1016) == 0


def test_range_and_account_together_verify() -> None:
    """Of a partner with both, the account from elsewhere is judged and still its own; the range alone is anybody's."""
    acme = Partner("acme", ("acme-sync",), (), ("198.51.100.0/24",))
    bot = Partner("bot", (), (), ("203.0.113.0/24", "198.51.0.0/16"))
    declared = Declared([acme, bot]).bind(REPLAY_KEY)
    batch = Batch.empty(5)
    batch.client[:] = 5
    batch.client[[0, 1, 4]] = acme.clients(REPLAY_KEY)[0]
    address = np.array([0xC6336415, 0x01020304, 0xC6336415, 0xCB007101, 0xC6330101], np.uint64)
    declared.mark(batch, declared.places(address))
    said = [(int(t), bool(f & DECLARED)) for t, f in zip(batch.partner, batch.flags, strict=True)]
    a, b = token("acme"), token("bot")
    assert said == [(a, True), (a, False), (b, True), (b, True), (a, False)]


def test_contracts_come_from_the_configuration() -> None:
    """Every key arrives, and mistakes are told with their line, all at once."""
    text = b"""partners:
- name: acme
  match: {accounts: [acme-sync], keys: [key~00000000000000ff], networks: [198.51.100.0/24]}
  contract: {records_per_day: 2000, routes: [GET /items/*], hours: ["23:30-00:30"], learn: false}
"""
    config = parse_config(text, "x.yaml")
    (said,) = contracts(config)
    assert (said.records_a_day, said.routes, said.hours, said.learn) == (2000, ("GET /items/*",), ((1410, 30),), False)
    assert said.clients[1] == 255
    assert said.minutes_a_day == 60
    assert said.allowed_minutes()[[1405, 1404, 0, 34, 35, 700]].tolist() == [1, 0, 1, 1, 0, 0]
    assert partners(config)[0].networks == ("198.51.100.0/24",)
