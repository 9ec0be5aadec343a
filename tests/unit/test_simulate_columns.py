"""The streamed world: columns are what the log's own text resolves to, tiles depend on nothing but the seed."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from detector.formats import load
from detector.pipeline import Pipeline, Rules
from detector.records.batch import KINDS, Batch
from detector.records.declared import Declared
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from detector.simulate import Options, Play
from detector.simulate.catalogue import PARTNERS
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import KEYS, Rows
from detector.simulate.ledger import Ledger
from detector.simulate.log import as_traffic
from detector.simulate.text import Writer
from detector.simulate.world import TILE_US
from detector.sources.chunk import Chunk
from detector.state.layout import Sizes

SMALL = Options(rate=20, ids=1_000_000, duration_seconds=1200, attack_start_seconds=100, attack_seconds=120)
DIFFERENT = ("time_us", "position", "route", "rows")  # whole seconds; places in a file; not yet; not in these lines


def resolved(rows: Rows, agents: list[str]) -> tuple[Batch, Resolver]:
    """The rows written as combined lines, scanned and resolved."""
    traffic, actors, _ = as_traffic(rows, agents)
    text = Writer(actors).text(traffic)
    buffer = np.frombuffer(text, np.uint8).copy()
    ends = np.flatnonzero(buffer == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    chunk = Chunk(buffer, starts, ends - starts, starts, 0)
    scanned = load("combined").scan(chunk)
    assert not scanned.reason.any()
    resolver = Resolver(declared=Declared(PARTNERS))
    return resolver.resolve(chunk, scanned), resolver


@pytest.mark.parametrize("pattern", [None, "P4", "P5", "P6", "P7", "P10", "P11", "P12", "P13"])
def test_columns_are_what_the_text_resolves_to(pattern: str | None) -> None:
    """Every column of every row equals that of the resolver, but for what text does not hold."""
    options = replace(SMALL, attack_seconds=20, confusers=("N3", "N6", "N7", "N9") if pattern is None else ())
    play = Play.of(options, pattern)
    columns = play.columns(listed=False, with_rows=False)
    rows = columns.shown(np.concatenate(list(play.rows())))
    rows = rows[rows["who"] < KEYS]  # combined lines have no field for API keys
    expected, _ = resolved(rows, play.world.agents)
    found = columns.batch(rows)
    for field in fields(Batch):
        if field.name not in DIFFERENT:
            same = getattr(found, field.name) == getattr(expected, field.name)
            assert same.all(), (field.name, rows[np.flatnonzero(~same.reshape(len(rows), -1).all(axis=1))[:3]])
    assert (found.time_us // 1_000_000 == expected.time_us // 1_000_000).all()


def test_api_keys_are_hashed_names() -> None:
    """A key's row says so, and its name shows nothing of it."""
    play = Play.of(SMALL)
    rows = next(r for r in play.rows() if (r["who"] >= KEYS).any())
    rows = rows[rows["who"] >= KEYS]
    batch = play.columns().batch(rows)
    assert (batch.kind == KINDS.index("key")).all()
    assert all(bytes(name).startswith(b"key~") for name in batch.name)


def test_tiles_depend_on_the_seed_alone() -> None:
    """A stretch made by itself is the same as within the whole log, whoever attacks; another seed gives another."""
    options = replace(SMALL, confusers=("N4", "N8", "N9", "N13"))
    begin, end = options.start_us + 600_000_000, options.start_us + 700_000_000
    whole = np.concatenate(list(Play.of(options).rows()))
    part = np.concatenate(list(Play.of(options).rows(begin, end)))
    inside = whole[(whole["time_us"] >= begin) & (whole["time_us"] < end)]
    assert inside.tobytes() == part.tobytes()
    attacked = np.concatenate(list(Play.of(options, "P1").rows()))
    assert attacked[attacked["actor"] < 0].tobytes() == whole.tobytes()
    other = np.concatenate(list(Play.of(replace(options, seed=2)).rows(begin, end)))
    assert len(other) != len(part) or other.tobytes() != part.tobytes()


def test_an_attack_can_begin_anywhere() -> None:
    """A stream that begins within an attack holds the rest of it; the attack's rows are those of the whole."""
    start = SMALL.start_us + 100_000_000
    whole = np.concatenate(list(Play.of(SMALL, "P4").rows()))
    later = np.concatenate(list(Play.of(SMALL, "P4").rows(start + 2 * TILE_US)))
    theirs = whole[(whole["actor"] >= 0) & (whole["time_us"] >= start + 2 * TILE_US)]
    assert later[later["actor"] >= 0].tobytes() == theirs.tobytes()


def test_log_order_and_labels() -> None:
    """Moments never fall, batches are no larger than asked for, labels go with their rows."""
    play = Play.of(SMALL, "P3")
    last = 0
    for part in play.batches(play.columns(), size=500):
        assert 0 < len(part.batch) <= 500
        assert len(part.rows) == len(part.batch) == len(part.attack)
        assert part.batch.time_us[0] >= last
        assert (np.diff(part.batch.time_us) >= 0).all()
        last = int(part.batch.time_us[-1])


def test_the_pipeline_judges_columns() -> None:
    """Routes have names, and a walk is found and named as the ledger's client."""
    play = Play.of(replace(SMALL, rate=5), "P1")
    columns = play.columns()
    pipeline = Pipeline(Rules(), Sizes(clients=1 << 14, objects=1 << 18), Routes(columns.resolver.texts))
    ledgers = []
    for part in play.batches(columns):
        pipeline.take(part.batch)
        ledgers.append(Ledger.of(part.rows))
    pipeline.finish()
    names = {pipeline.routes.name(k) for k in range(1, len(pipeline.routes) + 1)}
    assert {"GET /items/{id}", "GET /api/v1/users/{id}", "POST /api/v1/login"} <= names
    ledger = Ledger.joined(ledgers)
    assert play.scene is not None
    clients, who = columns.clients(play.scene.cast.address, play.scene.cast.who)
    assert len(pipeline.book.stories) == 1
    assert who == [pipeline.state.name(int(np.flatnonzero(pipeline.state.clients["key"] == clients[0])[0]))]
    assert ledger.records == ledger.exposed_by(1 << 62) > 10_000


def test_ledger_counts_distinct_records() -> None:
    """By hand: repeats count once, misses and decoys not at all, a page of a thousand a thousand times."""
    play = Play.of(SMALL, "P12")
    rows = np.concatenate(list(play.rows()))
    ledger = Ledger.of(rows)
    pages = np.unique(rows["number"][rows["actor"] >= 0])
    assert ledger.records == 1000 * len(pages)
    twice = Ledger.of(np.concatenate([rows, rows]))
    assert twice.records == ledger.records
    assert ledger.later(int(ledger.time_us[0])).records == 1000 * (len(pages) - 1)
    assert Ledger.joined([]).records == 0


def test_many_numbers_of_one_request() -> None:
    """A batched look-up is one request and a row a number; a log that does not list them shows one row."""
    play = Play.of(replace(SMALL, attack_seconds=5), "P7")
    rows = np.concatenate(list(play.rows()))
    theirs = rows[rows["actor"] >= 0]
    assert theirs["requests"].sum() * 5000 == len(theirs)
    counted = Columns(play.world.agents, listed=False)
    shown = counted.shown(theirs)
    assert len(shown) == theirs["requests"].sum()
    batch = counted.batch(shown)
    assert batch.rows.sum() == (theirs["status"] == 200).sum()
    assert not batch.object.any()
