"""The nine cases measured with a popular rival, and its negatives, as logs of ten minutes with their truth.

N is one shared counter that starts at 1; around every case are 3,000 ordinary requests of 300 clients, some of them on
the very route that is read; stamps are of one second. An extraction runs at 57.87 requests a second (five million a
day), but for the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.site import Form, Popularity, scatter
from detector.simulate.text import Writer
from detector.simulate.traffic import Actors, Ints, Traffic
from detector.simulate.truth import Truth, iso, observe

START_S = 1_772_532_000  # 2026-03-03T10:00:00Z
SECONDS = 600
RATE = 57.87
SLOW_RATE = 1.9
ORDINARY_REQUESTS = 3000
ORDINARY_CLIENTS = 300
IDS = 50_000  # ids ordinary visitors choose from; the counter runs through the same ones

FORMS = (
    Form("GET", "/api/users/", template="/api/users/{id}"),
    Form("GET", "/api/users/", after="/profile", template="/api/users/{id}/profile"),
    Form("GET", "/api/users?id=", template="/api/users?id={id}"),
    Form("POST", "/api/search/", template="/api/search/{id}"),
    Form("GET", "/items/", template="/items/{id}"),
    Form("GET", "/items?page=", template="/items?page={page}"),
    Form("GET", "/photos/", template="/photos/{id}"),
    Form("GET", "/thumbs/", after=".jpg", template="/thumbs/{id}.jpg"),
    Form("GET", "/"),
    Form("GET", "/static/app.js"),
    Form("GET", "/healthz"),
    Form("GET", "/api/config"),
)
USERS, PROFILE, QUERY, SEARCH, ITEM, LIST, PHOTO, THUMB, HOME, SCRIPT, HEALTH, CONFIG = range(len(FORMS))
RECORDS = (USERS, PROFILE, QUERY, SEARCH, ITEM)


@dataclass(frozen=True)
class Case:
    """One log and what a detector must make of it.

    Attributes:
        name: of the case.
        text: the log, combined format.
        route: what is extracted, as an incident should name it; "" = a negative: no incident.
        clients: the addresses to name, all of them.
        records: distinct records taken.
        latest_seconds: log time from the first request by which it must have been raised.
        truth: the same for `detector.evaluate`.
    """

    name: str
    text: bytes
    route: str
    clients: list[str]
    records: int
    latest_seconds: int
    truth: Truth


class World:
    """The traffic of one case while it is being put together."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.actors = Actors()
        self.parts = [self._ordinary()]

    def visitors(self, n: int, accounts: list[str] | None = None) -> Ints:
        """``n`` clients with distinct public addresses and browsers."""
        return self.actors.add(addresses.distinct_ipv4(self.rng, n), accounts or ["-"] * n, agents.draw(self.rng, n))

    def popular(self, n: int) -> Ints:
        """Ids as people choose them."""
        return Popularity(IDS, 1.0).draw(self.rng, n)

    def moments(self, n: int, first: float = 0, last: float = SECONDS) -> Ints:
        """``n`` moments at random between two seconds of the log."""
        return self.rng.integers(round((START_S + first) * 1e6), round((START_S + last) * 1e6), n)

    def _ordinary(self) -> Traffic:
        n = ORDINARY_REQUESTS
        third = ORDINARY_CLIENTS // 3
        known = [f"user{u}" for u in range(1000, 1000 + third)]
        rows = self.visitors(ORDINARY_CLIENTS, known + ["-"] * (ORDINARY_CLIENTS - third))
        forms = [USERS, PROFILE, QUERY, SEARCH, ITEM, LIST, HOME, SCRIPT]
        form = self.rng.choice(forms, n, p=[0.1, 0.06, 0.06, 0.04, 0.4, 0.14, 0.1, 0.1])
        number = np.where(np.isin(form, RECORDS), self.popular(n), -1)
        lists = form == LIST
        number[lists] = self.rng.geometric(0.5, int(lists.sum()))
        status = np.where(np.isin(form, RECORDS) & (self.rng.random(n) < 0.03), 404, 200)
        weight = self.rng.lognormal(0, 1, len(rows))
        return Traffic.of(
            self.moments(n),
            actor=self.rng.choice(rows, n, p=weight / weight.sum()),
            form=form,
            number=number,
            status=status,
            size=self.rng.integers(200, 9000, n),
        )

    def case(self, name: str, latest_seconds: int = 60) -> Case:
        """The log of everything added so far."""
        end_us = (START_S + SECONDS) * 1_000_000
        traffic = Traffic.concatenate(self.parts).between(START_S * 1_000_000, end_us).ordered()
        everybody, attack = observe(traffic, self.actors, [form.route for form in FORMS])
        truth = Truth(name, "plain", 0, "", iso(START_S), iso(START_S + SECONDS), everybody, [], attack)
        text = Writer(self.actors, forms=FORMS).text(traffic)
        if attack is None:
            return Case(name, text, "", [], 0, latest_seconds, truth)
        return Case(name, text, attack.route, attack.clients, attack.records, latest_seconds, truth)


def extraction(name: str, form: int, identities: int, rate: float, seed: int) -> Case:
    """Addresses that take turns, at random, at one counter."""
    world = World(seed)
    n = round(SECONDS * rate)
    rows = world.visitors(identities)
    time_us = START_S * 1_000_000 + ((np.arange(n) + world.rng.random(n)) / rate * 1e6).astype(np.int64)
    world.parts.append(
        Traffic.of(
            time_us,
            actor=world.rng.choice(rows, n),
            form=form,
            number=np.arange(1, n + 1),
            size=world.rng.integers(200, 9000, n),
            attack=True,
        )
    )
    return world.case(name, 60 if rate == RATE else SECONDS)


def gallery(name: str, form: int, seed: int) -> Case:
    """Twenty people open one gallery page of 60 pictures, each within two seconds."""
    world = World(seed)
    rows = world.visitors(20)
    opened = world.moments(20, 5, SECONDS - 5)
    loads = opened[:, None] + np.arange(60) * 30_000 + world.rng.integers(0, 60_000, (20, 60))
    world.parts.append(
        Traffic.of(loads.ravel(), actor=np.repeat(rows, 60), form=form, number=np.tile(np.arange(1, 61), 20))
    )
    return world.case(name)


def cgnat(seed: int) -> Case:
    """A carrier's address: 400 people with their own browsers, six requests each, one client to the log."""
    world = World(seed)
    rows = world.actors.add(["100.64.3.9"] * 400, ["-"] * 400, agents.draw(world.rng, 400))
    return _browsing(world, rows, 2400).case("cgnat")


def office(seed: int) -> Case:
    """An office behind one address: 60 people, half of them logged in, 25 requests each."""
    world = World(seed)
    names = [f"staff{i}" if i % 2 else "-" for i in range(60)]
    rows = world.actors.add(addresses.ipv4(world.rng, 1) * 60, names, agents.draw(world.rng, 60))
    return _browsing(world, rows, 1500).case("office")


def monitor(seed: int) -> Case:
    """An uptime monitor: the same five addresses of the site every ten seconds."""
    world = World(seed)
    row = world.actors.add(["198.18.0.7"], ["-"], ["UptimeCheck/1.9"])[0]
    rounds = (START_S + np.arange(0, SECONDS, 10)) * 1_000_000
    world.parts.append(
        Traffic.of(
            (rounds[:, None] + np.arange(5) * 200_000).ravel(),
            actor=row,
            form=np.tile([HEALTH, HOME, ITEM, ITEM, USERS], len(rounds)),
            number=np.tile([-1, -1, 1, 2, 1], len(rounds)),
        )
    )
    return world.case("monitor")


def prefetcher(seed: int) -> Case:
    """Five browsers that fetch every link of a list page at once: six pages of twenty popular items each."""
    world = World(seed)
    rows = world.visitors(5)
    ranked = scatter(np.arange(120), IDS)  # six pages in order of popularity
    opened = np.sort(world.moments(30, 0, SECONDS - 5).reshape(5, 6), axis=1)
    loads = opened[:, :, None] + world.rng.integers(0, 1_500_000, (5, 6, 20))
    world.parts += [
        Traffic.of(opened.ravel(), actor=np.repeat(rows, 6), form=LIST, number=np.tile(np.arange(1, 7), 5)),
        Traffic.of(loads.ravel(), actor=np.repeat(rows, 120), form=ITEM, number=np.tile(ranked, 5)),
    ]
    return world.case("prefetcher")


def flash_crowd(seed: int) -> Case:
    """2,000 newcomers within two minutes, ten times the traffic: all want one item, and some look around."""
    world = World(seed)
    rows = world.visitors(2000)
    came = world.moments(2000, 240, 360)
    world.parts.append(Traffic.of(came, actor=rows, form=ITEM, number=777))
    looking = world.rng.choice(len(rows), 3000)
    world.parts.append(
        Traffic.of(
            came[looking] + world.rng.integers(2_000_000, 60_000_000, 3000),
            actor=rows[looking],
            form=world.rng.choice([ITEM, HOME, SCRIPT], 3000),
            number=-1,
        )
    )
    again = world.parts[-1]
    again.number[again.form == ITEM] = world.popular(int((again.form == ITEM).sum()))
    return world.case("flash crowd")


def app_release(seed: int) -> Case:
    """A new app version reaches 600 people: each start fetches the configuration and the person's own record."""
    world = World(seed)
    own = world.rng.choice(IDS, 600, replace=False) + 1
    version = ["ShopApp/6.0.0 (Android 14; Pixel 8)"] * 600
    rows = world.actors.add(addresses.distinct_ipv4(world.rng, 600), [f"user{u}" for u in own.tolist()], version)
    started = world.moments(600, 0, SECONDS - 20)
    for later, form, number in ((0, CONFIG, -1), (400_000, USERS, own), (700_000, PROFILE, own)):
        world.parts.append(Traffic.of(started + later, actor=rows, form=form, number=number))
    return world.case("app release")


def _browsing(world: World, rows: Ints, n: int) -> World:
    """``n`` requests of people who look at popular items, lists and a few profiles."""
    form = world.rng.choice([ITEM, LIST, USERS, HOME, SCRIPT], n, p=[0.5, 0.15, 0.1, 0.1, 0.15])
    number = np.where(np.isin(form, RECORDS), world.popular(n), -1)
    number[form == LIST] = world.rng.geometric(0.5, int((form == LIST).sum()))
    world.parts.append(Traffic.of(world.moments(n), actor=world.rng.choice(rows, n), form=form, number=number))
    return world


EXTRACTIONS: dict[str, Callable[[int], Case]] = {
    "path": partial(extraction, "path", USERS, 1, RATE),
    "number inside the path": partial(extraction, "number inside the path", PROFILE, 1, RATE),
    "query": partial(extraction, "query", QUERY, 1, RATE),
    "POST": partial(extraction, "POST", SEARCH, 1, RATE),
    "25 addresses": partial(extraction, "25 addresses", USERS, 25, RATE),
    "30 addresses": partial(extraction, "30 addresses", USERS, 30, RATE),
    "500 addresses": partial(extraction, "500 addresses", USERS, 500, RATE),
    "slow": partial(extraction, "slow", USERS, 1, SLOW_RATE),
}
NEGATIVES: dict[str, Callable[[int], Case]] = {
    "gallery of photo records": partial(gallery, "gallery of photo records", PHOTO),
    "gallery of thumbnails": partial(gallery, "gallery of thumbnails", THUMB),
    "cgnat": cgnat,
    "monitor": monitor,
    "prefetcher": prefetcher,
    "flash crowd": flash_crowd,
    "office": office,
    "app release": app_release,
}
