"""Machines every site has, beside the confusers that are always there: nobody's enemy, and nothing to declare."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.simulate.batched import look_ups
from detector.simulate.cast import api_keys, strangers, visitors
from detector.simulate.columns.rows import MACHINE, Rows
from detector.simulate.confusers.confuser import asked, constant, pick
from detector.simulate.site import CODE, PROBES
from detector.simulate.stream import Source
from detector.simulate.versions import FEED, SCRIPT, SDK
from detector.simulate.world import TILE_US, World

_FEED_READERS = 40
_FEED_EVERY_US = 1_800_000_000
_FEED_UNCHANGED = 0.7  # judgement
_SCANNER_EVERY = 600.0  # seconds: what any public server sees
_PROGRAMS = 200  # of customers, with API keys
_PROGRAM_SHARE = 0.01  # of the ordinary rate
_SYNC_SHARE = 0.00002  # contact look-ups of app users, a request for each so many ordinary ones
_CONTACTS = 60  # mean length of an address book
_HITS = 0.3  # of its numbers are known


def _feed_readers(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    readers = strangers(world, constant(world, 50), _FEED_READERS, world.start_us)
    offset = constant(world, 51).integers(0, _FEED_EVERY_US, _FEED_READERS)
    due = (begin_us - offset) // _FEED_EVERY_US != (begin_us + TILE_US - offset) // _FEED_EVERY_US
    time_us = -(-(begin_us + 1 - offset[due]) // _FEED_EVERY_US) * _FEED_EVERY_US + offset[due]
    cast = pick(readers, np.flatnonzero(due))
    cast.agent[:] = FEED
    status = np.where(rng.random(len(time_us)) < _FEED_UNCHANGED, 304, 200)
    return asked(world, rng, time_us.clip(begin_us, begin_us + TILE_US - 1), cast, "feed", status=status)


def _scanners(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    n = int(rng.poisson(TILE_US / 1e6 / _SCANNER_EVERY))
    cast = strangers(world, rng, n, begin_us)
    cast.agent[:] = SCRIPT
    who = np.repeat(np.arange(n), len(PROBES))
    start = begin_us + rng.integers(0, TILE_US, n)
    time_us = start[who] + np.tile(np.arange(len(PROBES)) * 310_000, n)
    return asked(world, rng, time_us, pick(cast, who), np.tile([CODE[name] for name in PROBES], n), status=404)


def _programs(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    """Customers' programs: each reads the prices of its own few items again and again."""
    programs = api_keys(world, constant(world, 52), _PROGRAMS, world.start_us)
    programs.agent[:] = SDK
    n = int(rng.poisson(world.options.rate * _PROGRAM_SHARE * TILE_US / 1e6))
    who = rng.integers(0, _PROGRAMS, n)
    time_us = begin_us + rng.integers(0, TILE_US, n)
    number = world.spread(who * 500 + rng.integers(0, 500, n))
    return asked(world, rng, time_us, pick(programs, who), "api_item", number=number)


def _contact_look_ups(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    """App users who let the app look for their friends: one request, a number of the address book a row."""
    n = int(rng.poisson(world.options.rate * _SYNC_SHARE * TILE_US / 1e6))
    cast = visitors(world, rng, begin_us + np.sort(rng.integers(0, TILE_US, n)))
    cast = pick(cast, np.flatnonzero(cast.who > 0))
    sizes = rng.geometric(1 / _CONTACTS, len(cast))
    total = int(sizes.sum())
    known = rng.random(total) < _HITS
    number = np.where(known, world.popular(rng, total, 0.5), world.ids + rng.integers(1, world.ids, total))
    return look_ups(begin_us + rng.integers(0, TILE_US, len(cast)), cast, sizes, number, known)


def machines(world: World) -> list[Source]:
    """All of them."""
    return [_source(world, make, k) for k, make in enumerate((_feed_readers, _scanners, _programs, _contact_look_ups))]


def _source(world: World, make: Callable[[World, np.random.Generator, int], Rows], number: int) -> Source:
    def rows(begin_us: int) -> Rows:
        made = make(world, np.random.default_rng([world.options.seed, 40 + number, begin_us // TILE_US]), begin_us)
        made["source"] = MACHINE
        return made

    return Source(rows, TILE_US, 60_000_000)
