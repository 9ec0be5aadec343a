"""The log the benchmark reads: one day of an API's ordinary traffic with one walker and one sweep in it.

Run as a program, ``python -m tests.benchmarks.log LINES FILE [FORMAT]``, so that numpy's memory is not the
benchmark's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.simulate import addresses, agents
from detector.simulate.site import CODE, MISS, RETURNED, Popularity, sizes
from detector.simulate.text import Writer, write
from detector.simulate.traffic import Actors, Ints, Traffic

SEED = 3
START_US = 1_772_496_000_000_000  # 2026-03-03T00:00:00Z, the day `detector simulate` begins at
DAY_US = 86_400_000_000
CLIENTS = 200_000  # the figure
ACTIVITY = 0.6  # Zipf exponent: the busiest client makes 0.3 % of all requests, the idlest some twenty of 10 M
IDS = 500_000
POPULARITY = 0.9  # within the 0.8 to 1.2 of measured catalogues
APPS = 0.78  # share of clients that are an app, not a browser: makes lines of 150 bytes on average
SLICE_ROWS = 1_000_000  # rows made at a time

# Requests of an API with a web page in front, and how many of a hundred each is (judgement): records by number, lists
# by page, static assets, and what has neither.
SHARES = (
    *(("item", 24), ("user", 12), ("order", 12), ("reviews", 8), ("photo", 6), ("api_item", 6)),
    *(("items", 8), ("orders", 4)),
    *(("css", 3), ("js", 3), ("logo", 3), ("thumb", 4)),
    *(("home", 3), ("search", 2), ("status", 2)),
)
LISTS = ("items", "orders")
CHOSEN = ("item", "reviews", "photo", "api_item", "thumb")  # records everybody chooses from
OWN_ORDERS = 10
PAGES = 30
MISSES = 0.03

WALK_SHARE, WALK_HOUR, WALK_RATE, WALK_FIRST = 1 / 500, 8, 10.0, 1_200_000
SWEEP_SHARE, SWEEP_HOUR, SWEEP_RATE, SWEEP_FIRST, SWEEP_CLIENTS = 1 / 200, 14, 37.0, 1, 3_000

WALK_LEAST, SWEEP_LEAST = 400, 5_000  # requests, however short the log: with 1,000 the sweep is not found (tried)
LEAST_LINES = 20_000  # most of which are still ordinary


@dataclass(frozen=True)
class Crowd:
    """The rows of `Actors` by what they do."""

    ordinary: Ints
    walker: Ints
    sweepers: Ints


def people(rng: np.random.Generator, actors: Actors) -> Crowd:
    """Everybody in the log, each with an address of his own."""
    found = addresses.distinct_ipv4(rng, CLIENTS + 1 + SWEEP_CLIENTS)
    browsers = np.array(agents.draw(rng, len(found)), object)
    apps = np.array(agents.draw(rng, len(found), agents.APPS), object)
    chosen = np.where(rng.random(len(found)) < APPS, apps, browsers)
    rows = actors.add(found, ["-"] * len(found), chosen.tolist())
    return Crowd(rows[:CLIENTS], rows[CLIENTS : CLIENTS + 1], rows[CLIENTS + 1 :])


def ordinary(rng: np.random.Generator, crowd: Crowd, start_us: int, end_us: int, count: int) -> Traffic:
    """``count`` requests of the ordinary clients in [start_us, end_us), unordered."""
    client = Popularity(CLIENTS, ACTIVITY).draw(rng, count) - 1
    share = np.array([share for _, share in SHARES]) / 100
    form = rng.choice(np.array([CODE[name] for name, _ in SHARES]), count, p=share)
    number = np.full(count, -1, np.int64)
    chosen = np.isin(form, [CODE[name] for name in CHOSEN])
    number[chosen] = Popularity(IDS, POPULARITY).draw(rng, int(chosen.sum()))
    number[form == CODE["user"]] = client[form == CODE["user"]] + 1
    orders = form == CODE["order"]
    number[orders] = client[orders] * OWN_ORDERS + rng.integers(1, OWN_ORDERS + 1, int(orders.sum()))
    lists = np.isin(form, [CODE[name] for name in LISTS])
    number[lists] = rng.geometric(0.4, int(lists.sum())).clip(max=PAGES)
    page = np.where(form == CODE["reviews"], 1, -1)
    status = np.where(rng.random(count) < MISSES, MISS, RETURNED)
    return Traffic.of(
        rng.integers(start_us, end_us, count),
        actor=crowd.ordinary[client],
        form=form,
        number=number,
        page=page,
        status=status,
        size=sizes(rng, form, status),
    )


def walk(rng: np.random.Generator, crowd: Crowd, lines: int) -> Traffic:
    """One address reads users one after the other."""
    count = max(WALK_LEAST, int(lines * WALK_SHARE))
    return _run(rng, count, WALK_HOUR, WALK_RATE, "user", WALK_FIRST, np.repeat(crowd.walker, count))


def sweep(rng: np.random.Generator, crowd: Crowd, lines: int) -> Traffic:
    """Thousands of addresses take turns at one queue of contacts, which nobody else reads."""
    count = max(SWEEP_LEAST, int(lines * SWEEP_SHARE))
    return _run(rng, count, SWEEP_HOUR, SWEEP_RATE, "contact", SWEEP_FIRST, rng.choice(crowd.sweepers, count))


def _run(rng: np.random.Generator, count: int, hour: int, rate: float, form: str, first: int, actor: Ints) -> Traffic:
    time_us = START_US + hour * 3_600_000_000 + np.cumsum(rng.exponential(1e6 / rate, count)).astype(np.int64)
    forms = np.full(count, CODE[form])
    status = np.full(count, RETURNED)
    number = first + np.arange(count)
    size = sizes(rng, forms, status)
    return Traffic.of(time_us, actor=actor, form=forms, number=number, status=status, size=size, attack=True)


def blocks(lines: int, layout: str = "combined") -> Iterator[bytes]:
    """The log of exactly ``lines`` lines in the order of time, whole lines in each block, below the layout's heading.

    The same number of lines gives the same log. Raises ``ValueError`` below LEAST_LINES.
    """
    if lines < LEAST_LINES:
        raise ValueError(f"{lines} lines; at least {LEAST_LINES:,}")
    rng = np.random.default_rng(SEED)
    actors = Actors()
    crowd = people(rng, actors)
    attacks = Traffic.concatenate([walk(rng, crowd, lines), sweep(rng, crowd, lines)])
    left = lines - len(attacks)
    slices = -(-lines // SLICE_ROWS)
    edges = np.linspace(START_US, START_US + DAY_US, slices + 1).astype(np.int64).tolist()
    counts = np.diff(np.linspace(0, left, slices + 1).astype(np.int64)).tolist()
    writer = Writer(actors, layout)
    yield writer.heading
    for start_us, end_us, count in zip(edges[:-1], edges[1:], counts, strict=True):
        part = [ordinary(rng, crowd, start_us, end_us, count), attacks.between(start_us, end_us)]
        yield from writer.blocks(Traffic.concatenate(part).ordered())


def main() -> None:
    """Writes the log; it appears under its name when it is whole."""
    lines, path = int(sys.argv[1]), Path(sys.argv[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    write(scratch, blocks(lines, *sys.argv[3:4]))
    scratch.replace(path)


if __name__ == "__main__":
    main()
