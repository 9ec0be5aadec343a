"""Ordinary traffic: people come by the hour of the day, look around, read what is popular and what is theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.simulate.options import Options
from detector.simulate.shop.people import People
from detector.simulate.site import ASSETS, CODE, FAULT, MISS, NOT_MODIFIED, PHOTOS, RETURNED, Popularity, scatter, sizes
from detector.simulate.traffic import Ints, Traffic

_PEAK_HOUR = 14.0
_SWING = 0.5  # 1.5 at the peak to 0.5 at night: three to one
_MEAN_PAGES = 7.4  # of the lognormal below
_ROWS_PER_SESSION = 24.5  # measured on 24 h of this traffic, assets and thumbnails included
_WARM_UP_SECONDS = 1800  # sessions begin before the log does, so that its first minute is not empty

# What a visitor does next, by kind of visitor. Judgement; the share of record reads is what matters.
_STEPS = ("items", "item", "reviews", "search", "user", "gallery", "order", "orders")
_STRANGER = (0.22, 0.46, 0.15, 0.11, 0.045, 0.015, 0.0, 0.0)
_KNOWN = (0.18, 0.40, 0.14, 0.09, 0.085, 0.010, 0.055, 0.04)
_CHOICES = np.array([CODE[name] for name in _STEPS])

_MISS_SHARE = 0.03  # dead links and mistyped ids
_NOT_MODIFIED_SHARE = 0.06
_FAULT_SHARE = 0.001
_STRAY_SHARE = 0.04  # reads off the beaten track: deep links from a search engine
_SHELF = 20  # people choose from every 20th record; the rest of a catalogue finds no reader on most days


@dataclass(frozen=True)
class _Visits:
    """Steps of sessions, by session and time."""

    session: Ints
    time_us: Ints
    person: Ints
    actor: Ints


def hour_factor(time_us: npt.NDArray[np.generic] | Ints) -> npt.NDArray[np.float64]:
    """How busy an hour is, 1 = the day's mean; peak to night 3:1."""
    hours = np.asarray(time_us) / 3.6e9 % 24
    return 1 + _SWING * np.cos(2 * np.pi * (hours - _PEAK_HOUR) / 24)


def ordinary(rng: np.random.Generator, options: Options, crowd: People) -> Traffic:
    """The people's requests in [start, end), unordered; about ``rate`` a second over a day."""
    visits = _visits(rng, options, crowd)
    steps = _steps(rng, options, crowd, visits)
    parts = [steps, _assets(rng, crowd, visits), _thumbs(rng, options, crowd, visits, steps)]
    parts += _galleries(rng, steps, crowd.app[visits.person])
    return Traffic.concatenate(parts).between(options.start_us, options.end_us)


def _visits(rng: np.random.Generator, options: Options, crowd: People) -> _Visits:
    first = options.start_us - _WARM_UP_SECONDS * 1_000_000
    grid = np.arange(first, options.end_us + 60_000_000, 60_000_000)
    mass = np.concatenate([[0.0], np.cumsum(hour_factor(grid[:-1]))])
    count = rng.poisson(mass[-1] * 60 * options.rate / _ROWS_PER_SESSION)
    starts = np.interp(rng.random(count) * mass[-1], mass, grid).astype(np.int64)
    who = np.searchsorted(np.cumsum(crowd.weight), rng.random(count)).clip(0, len(crowd) - 1)
    pages = rng.lognormal(np.log(_MEAN_PAGES) - 0.405, 0.9, count).astype(np.int64).clip(1, 400)
    session = np.repeat(np.arange(count), pages)
    gaps = (rng.lognormal(np.log(9.0), 1.0, len(session)) * 1e6).astype(np.int64)  # seconds to read a page
    opening = np.cumsum(pages) - pages
    gaps[opening] = 0
    elapsed = np.cumsum(gaps)
    time_us = starts[session] + elapsed - elapsed[opening][session]
    actor = crowd.actor[who, (rng.random(count) < 0.25).astype(np.int64)]
    return _Visits(session, time_us, who[session], actor[session])


def _steps(rng: np.random.Generator, options: Options, crowd: People, visits: _Visits) -> Traffic:
    n = len(visits.time_us)
    user = crowd.user[visits.person]
    form = np.where(user > 0, rng.choice(_CHOICES, n, p=_KNOWN), rng.choice(_CHOICES, n, p=_STRANGER))
    opening = np.concatenate([[True], visits.session[1:] != visits.session[:-1]])[:n]
    form[opening] = np.where(user[opening] > 0, CODE["login"], CODE["home"])
    number = _numbers(rng, options, form, user)
    follows = (form[1:] == CODE["reviews"]) & (form[:-1] == CODE["item"]) & ~opening[1:]
    number[1:][follows] = number[:-1][follows]  # one reads the reviews of the item one looks at
    page = np.where(form == CODE["reviews"], rng.geometric(0.6, n).clip(1, 9), -1)
    status = np.full(n, RETURNED)
    u = rng.random(n)
    record = np.isin(form, [CODE[k] for k in ("item", "reviews", "user")])
    status[(u < _NOT_MODIFIED_SHARE) & ~crowd.app[visits.person]] = NOT_MODIFIED
    status[(u > 1 - _MISS_SHARE * 1.6) & record] = MISS  # 1.6: records are six in ten of the steps
    status[(u > 0.5) & (u < 0.5 + _FAULT_SHARE)] = FAULT
    lost = status == MISS
    number[lost] = options.ids + rng.integers(1, options.ids, int(lost.sum()))
    return Traffic.of(
        visits.time_us,
        actor=visits.actor,
        form=form,
        number=number,
        page=page,
        status=status,
        size=sizes(rng, form, status),
        referer=np.where(crowd.app[visits.person], 0, rng.choice(4, n, p=[0.3, 0.3, 0.3, 0.1])),
    )


def _numbers(rng: np.random.Generator, options: Options, form: Ints, user: Ints) -> Ints:
    number = np.full(len(form), -1, np.int64)
    for name in ("item", "reviews", "user"):
        rows = np.flatnonzero(form == CODE[name])
        number[rows] = popular(rng, options, len(rows))
    rows = np.flatnonzero((form == CODE["user"]) & (user > 0) & (rng.random(len(form)) < 0.6))
    number[rows] = user[rows]
    rows = np.flatnonzero(form == CODE["order"])
    number[rows] = scatter((user[rows] * 5 + rng.geometric(0.5, len(rows)).clip(1, 5)) % options.ids, options.ids)
    rows = np.flatnonzero(np.isin(form, [CODE["items"], CODE["orders"]]))
    number[rows] = rng.geometric(0.55, len(rows)).clip(1, 30)
    rows = np.flatnonzero(form == CODE["gallery"])
    number[rows] = Popularity(max(options.ids // PHOTOS // 4, 1), options.zipf).draw(rng, len(rows))
    rows = np.flatnonzero(form == CODE["search"])
    number[rows] = rng.integers(34, 48, len(rows))
    return number


def popular(rng: np.random.Generator, options: Options, count: int) -> Ints:
    """``count`` ids of a catalogue as people choose them: Zipf over the shelf, a few from anywhere."""
    shelf = Popularity(options.ids // _SHELF, options.zipf).draw(rng, count)
    stray = rng.random(count) < _STRAY_SHARE
    return np.where(stray, rng.integers(1, options.ids + 1, count), scatter(shelf - 1, options.ids))


def _assets(rng: np.random.Generator, crowd: People, visits: _Visits) -> Traffic:
    opening = np.concatenate([[True], visits.session[1:] != visits.session[:-1]])[: len(visits.session)]
    rows = np.flatnonzero(opening & ~crowd.app[visits.person])
    rows = np.repeat(rows, len(ASSETS))
    form = np.tile([CODE[name] for name in ASSETS], len(rows) // len(ASSETS))
    status = np.where(rng.random(len(rows)) < 0.35, NOT_MODIFIED, RETURNED)  # browsers that have been here before
    later = rng.integers(20_000, 600_000, len(rows))
    return Traffic.of(
        visits.time_us[rows] + later,
        actor=visits.actor[rows],
        form=form,
        status=status,
        size=sizes(rng, form, status),
        referer=1,
    )


def _thumbs(rng: np.random.Generator, options: Options, crowd: People, visits: _Visits, steps: Traffic) -> Traffic:
    """Twelve thumbnails under half of the list pages (the other half has them cached)."""
    lists = (steps.form == CODE["items"]) & ~crowd.app[visits.person] & (rng.random(len(steps)) < 0.5)
    rows = np.repeat(np.flatnonzero(lists), 12)
    form = np.full(len(rows), CODE["thumb"])
    status = np.where(rng.random(len(rows)) < 0.2, NOT_MODIFIED, RETURNED)
    return Traffic.of(
        steps.time_us[rows] + rng.integers(50_000, 900_000, len(rows)),
        actor=steps.actor[rows],
        form=form,
        number=popular(rng, options, len(rows)),
        status=status,
        size=sizes(rng, form, status),
        referer=2,
    )


def _galleries(rng: np.random.Generator, steps: Traffic, in_app: npt.NDArray[np.bool_]) -> list[Traffic]:
    """A gallery's page loads its 60 thumbnails at once (the app: the 60 photo records); people then click through."""
    opened = steps.form == CODE["gallery"]
    rows = np.repeat(np.flatnonzero(opened), PHOTOS)
    first = (steps.number[rows] - 1) * PHOTOS + 1
    position = np.tile(np.arange(PHOTOS), len(rows) // PHOTOS)
    form = np.where(in_app[rows], CODE["photo"], CODE["thumb"])
    page = Traffic.of(
        steps.time_us[rows] + 200_000 + position * 25_000 + rng.integers(0, 40_000, len(rows)),
        actor=steps.actor[rows],
        form=form,
        number=first + position,
        size=sizes(rng, form, np.full(len(rows), RETURNED)),
    )
    shown = rng.geometric(1 / 10, int(opened.sum())).clip(1, PHOTOS)
    rows = np.repeat(np.flatnonzero(opened), shown)
    position = np.arange(len(rows)) - np.repeat(np.cumsum(shown) - shown, shown)
    clicks = Traffic.of(
        steps.time_us[rows] + 3_000_000 + position * 2_400_000 + rng.integers(0, 1_900_000, len(rows)),
        actor=steps.actor[rows],
        form=CODE["photo"],
        number=(steps.number[rows] - 1) * PHOTOS + 1 + position,
        size=sizes(rng, np.full(len(rows), CODE["photo"]), np.full(len(rows), RETURNED)),
    )
    return [page, clicks]
