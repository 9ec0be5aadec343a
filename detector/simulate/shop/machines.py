"""Machines that are nobody's enemy: each reads more, or more evenly, than people do, and must raise nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.simulate import addresses
from detector.simulate.options import Options
from detector.simulate.site import CODE, MISS, MISS_BYTES, NOT_MODIFIED, PROBES, RETURNED, scatter, sizes
from detector.simulate.traffic import Actors, Ints, Traffic

CRAWLER_AGENT = "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://crawler.example/bot)"
PARTNER_ACCOUNT = "partner-acme"

# What the site's owner declares: the configuration's section `partners`, and the truth's list of confusers.
DECLARED: tuple[dict[str, Any], ...] = (
    {
        "name": "acme",
        "match": {"accounts": [PARTNER_ACCOUNT], "networks": [addresses.PARTNER_NETWORK]},
        "contract": {"routes": ["GET /api/v1/items/{id}"], "hours": ["02:00-04:00"]},
    },
    {
        "name": "examplebot",
        "match": {"networks": [addresses.CRAWLER_NETWORK]},
        "contract": {"routes": ["GET /items/{id}"]},
    },
)

_DAY_US = 86_400_000_000
_FEED_UNCHANGED = 0.7  # judgement


def monitor(rng: np.random.Generator, options: Options, actors: Actors) -> Traffic:
    """An uptime monitor: the same five addresses of the site every 30 s, to the second."""
    row = actors.add([addresses.MONITOR], ["-"], ["UptimeCheck/1.9"])[0]
    rounds = np.arange(options.start_us + 7_000_000, options.end_us, 30_000_000)
    forms = np.array([CODE[name] for name in ("health", "status", "home", "item", "item")])
    numbers = np.array([-1, -1, -1, 1, 2])
    time_us = (rounds[:, None] + np.arange(5) * 150_000 + rng.integers(0, 90_000, (len(rounds), 5))).ravel()
    form, number = np.tile(forms, len(rounds)), np.tile(numbers, len(rounds))
    return Traffic.of(time_us, actor=row, form=form, number=number, size=_sizes(rng, form))


def crawler(rng: np.random.Generator, options: Options, actors: Actors) -> Traffic:
    """A declared search engine: every item once in no order, from eight addresses of its published range."""
    prefix = addresses.CRAWLER_NETWORK.rsplit(".", 1)[0]
    rows = actors.add([f"{prefix}.{h}" for h in range(1, 9)], ["-"] * 8, [CRAWLER_AGENT] * 8)
    count = min(rng.poisson(options.rate * 0.03 * options.duration_seconds), options.ids)  # 3 %: a polite one
    time_us = _uniform(rng, count, options.start_us, options.end_us)
    listed = (np.arange(count) + rng.integers(options.ids)) % options.ids
    form = np.full(count, CODE["item"])
    if count:
        form[0] = CODE["robots"]
    number = np.where(form == CODE["item"], scatter(listed, options.ids), -1)
    return Traffic.of(time_us, actor=rng.choice(rows, count), form=form, number=number, size=_sizes(rng, form))


def partner(rng: np.random.Generator, options: Options, actors: Actors) -> Traffic:
    """A partner's nightly export: from 02:00 UTC for half an hour, ids in order, one account, one address range."""
    prefix = addresses.PARTNER_NETWORK.rsplit(".", 1)[0]
    rows = actors.add([f"{prefix}.{h}" for h in (21, 22)], [PARTNER_ACCOUNT] * 2, ["acme-sync/3.2 (python-httpx)"] * 2)
    parts = [Traffic.of(np.empty(0, np.int64))]
    for night in range(options.start_us // _DAY_US, options.end_us // _DAY_US + 1):
        opens = night * _DAY_US + 2 * 3_600_000_000
        count = min(int(options.rate * 1800), options.ids)
        time_us = _uniform(rng, count, opens, opens + 1_800_000_000)
        form = np.full(count, CODE["api_item"])
        parts.append(
            Traffic.of(
                time_us, actor=rows[night % 2], form=form, number=np.arange(1, count + 1), size=_sizes(rng, form)
            )
        )
    return Traffic.concatenate(parts).between(options.start_us, options.end_us)


def feed_readers(rng: np.random.Generator, options: Options, actors: Actors) -> Traffic:
    """Feed readers: a few dozen addresses that ask for one file every half hour."""
    n = 40
    rows = actors.add(addresses.ipv4(rng, n), ["-"] * n, ["FeedFetcher/1.4 (like a browser)"] * n)
    parts = [
        Traffic.of(np.arange(options.start_us + offset, options.end_us, 1_800_000_000), actor=row, form=CODE["feed"])
        for row, offset in zip(rows.tolist(), rng.integers(0, 1_800_000_000, n).tolist(), strict=True)
    ]
    feed = Traffic.concatenate(parts)
    feed.status[rng.random(len(feed)) < _FEED_UNCHANGED] = NOT_MODIFIED
    feed.size[:] = sizes(rng, feed.form, feed.status)
    return feed


def probes(rng: np.random.Generator, options: Options, actors: Actors) -> Traffic:
    """Vulnerability scanners: an address comes, asks for six files that are not there, and goes."""
    n = max(int(options.duration_seconds / 600), 1)  # one every ten minutes: what any public server sees
    rows = actors.add(addresses.ipv4(rng, n), ["-"] * n, ["python-requests/2.32.3"] * n)
    starts = _uniform(rng, n, options.start_us, options.end_us)
    time_us = (starts[:, None] + np.arange(len(PROBES)) * 310_000).ravel()
    return Traffic.of(
        time_us,
        actor=np.repeat(rows, len(PROBES)),
        form=np.tile([CODE[name] for name in PROBES], n),
        status=MISS,
        size=MISS_BYTES,
    ).between(options.start_us, options.end_us)


CONFUSERS = (monitor, crawler, partner, feed_readers, probes)


def _uniform(rng: np.random.Generator, count: int, start_us: int, end_us: int) -> Ints:
    return np.sort(rng.integers(start_us, end_us, count))


def _sizes(rng: np.random.Generator, form: npt.NDArray[np.generic]) -> Ints:
    return sizes(rng, form, np.full(len(form), RETURNED))
