"""Evidence and detectors on rows made by hand: who is convicted of what, and who is not."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from detector.incidents.story import Story
from detector.pipeline import Pipeline, Rules
from detector.records.batch import MISS, Batch
from detector.records.looks import Looks
from detector.state.layout import COUNTER, Sizes
from detector.state.sketch import distinct

SMALL = Sizes(clients=1 << 14, objects=1 << 18, blocks=1 << 12, cells=1 << 10, crossings=1 << 12, maturity=1 << 12)
START = 1_700_000_000_000_000
ODD = np.uint64(0x9E3779B97F4A7C15)


class OneRoute:
    """Stands for the routes: everything is read through route 1."""

    looks = Looks(threading.Lock())

    def assign(self, batch: Batch) -> None:
        """Puts every row on route 1."""
        batch.route[:] = 1

    def name(self, route: int) -> str:
        """The template of the only route."""
        return "GET /users/{id}"

    def data_classes(self, route: int) -> tuple[str, ...]:
        """None is declared."""
        return ()


def batch_of(seconds: npt.ArrayLike, client: npt.ArrayLike, number: npt.ArrayLike) -> Batch:
    """Record reads at given seconds, by client number and object id."""
    seconds, client, number = np.asarray(seconds), np.asarray(client, np.int64), np.asarray(number, np.int64)
    batch = Batch.empty(len(seconds))
    order = np.lexsort((np.arange(len(seconds)), client, seconds))
    batch.time_us[:] = START + (seconds[order] * 1_000_000).astype(np.int64)
    batch.client[:] = (client[order].astype(np.uint64) + np.uint64(1)) * ODD
    batch.source[:] = batch.client
    batch.kind[:] = 1
    for row, who in enumerate(client[order].tolist()):
        text = f"client-{who}".encode()
        batch.name[row, : len(text)] = list(text)
    batch.number[:] = number[order]
    batch.object[:] = (number[order].astype(np.uint64) + np.uint64(7)) * np.uint64(0xBF58476D1CE4E5B9)
    batch.rows[:], batch.status[:], batch.requests[:], batch.method[:] = 1, 200, 1, 1
    return batch


def pipeline() -> Pipeline:
    """A pipeline with small tables and one route."""
    return Pipeline(Rules(), SMALL, OneRoute())  # type: ignore[arg-type]


def judged(*batches: Batch) -> list[Story]:
    """The stories after judging batches one after the other."""
    line = pipeline()
    for batch in batches:
        line.take(batch)
    line.finish()
    return [story.settled() for story in line.book.stories]


def test_a_walk_is_named_within_its_first_two_hundred_records() -> None:
    """One client reading ids upwards is one story, raised at its 128th id, with every record counted."""
    n = 3000
    (story,) = judged(batch_of(np.arange(n) / 50, np.zeros(n), 5000 + np.arange(n)))
    assert story.pattern == "walk"
    assert story.at_alert == 128
    assert story.exposure.estimate().estimate == n
    assert [m.name for m in story.members.values()] == ["client-0"]


def test_a_gallery_is_no_walk() -> None:
    """Twenty visitors opening one page of sixty neighbouring photos raise nothing."""
    ids = np.tile(np.arange(60), 20) + 900
    who = np.repeat(np.arange(20), 60)
    assert judged(batch_of(np.repeat(np.arange(20) * 20, 60), who, ids)) == []


def test_a_queue_shared_by_many_is_one_sweep() -> None:
    """Five hundred clients on one counter are one story that names them all and counts what they took."""
    n = 20_000
    rng = np.random.default_rng(1)
    (story,) = judged(batch_of(np.floor(np.arange(n) / 57.87), rng.integers(0, 500, n), 10_000 + np.arange(n)))
    story_members = [m.name for m in story.members.values()]
    assert story.pattern == "sweep"
    assert abs(story.exposure.estimate().estimate - n) <= 0.03 * n
    assert story.at_alert < 1200
    assert len(set(story_members)) == len(story_members)


def test_visitors_of_different_galleries_at_the_same_time_are_no_sweep() -> None:
    """Four visitors go through galleries of their own in one block of ids, two at a time, and those further up came
    first: as many changes of the reader as in a queue, but each goes on where it was itself."""
    begin, first = (0.0, 0.5, 40.0, 40.5, 90.0), (800, 640, 480, 320, 60)
    seconds = np.concatenate([b + np.arange(40) for b in begin])
    ids = np.concatenate([f + np.arange(40) for f in first]) + 7 * 1024
    assert judged(batch_of(seconds, np.repeat(np.arange(5), 40), ids)) == []


def test_readers_of_whatever_ids_are_no_sweep() -> None:
    """A thousand clients reading a small catalogue at random, all for the first time, raise nothing."""
    rng = np.random.default_rng(2)
    n = 30_000
    assert judged(batch_of(np.sort(rng.uniform(0, 600, n)), rng.integers(0, 1000, n), rng.integers(0, 4000, n))) == []


def test_owners_of_growing_ids_are_no_sweep() -> None:
    """New orders are read in order, each by its owner, who also does other things: nothing is raised."""
    rng = np.random.default_rng(3)
    n = 5000
    own = batch_of(np.arange(n) / 10, np.arange(n), 1_000_000 + np.arange(n))
    other = batch_of(np.arange(n) / 10, np.arange(n), rng.integers(0, 100, n))
    other.object[:] = 0
    both = Batch.concatenate([other, own])
    assert judged(both.take(np.lexsort((both.client, both.time_us)))) == []


def test_misses_convict_a_guesser() -> None:
    """A client whose ids do not exist is convicted within twenty tries; the others' rare misses raise nothing."""
    rng = np.random.default_rng(4)
    ordinary = batch_of(np.arange(4000) / 10, rng.integers(0, 300, 4000), rng.integers(0, 10**6, 4000))
    ordinary.flags[rng.random(4000) < 0.03] |= MISS
    guesser = batch_of(400 + np.arange(60), np.full(60, 999), rng.integers(0, 10**9, 60))
    guesser.flags[:] |= MISS
    (story,) = judged(ordinary, guesser)
    assert story.pattern == "guessing"
    assert story.evidence["tries"].value <= 20


def _population(rng: np.random.Generator, n: int) -> Batch:
    popular = (rng.pareto(1.0, n) * 50).astype(np.int64) % 50_000
    return batch_of(np.sort(rng.uniform(0, 28_800, n)), rng.integers(0, 2000, n), popular)


def test_a_reader_of_the_rare_in_bulk_is_named() -> None:
    """Amidst readers of the popular, one that takes a thousand records nobody reads, in no order, is a bulk story."""
    rng = np.random.default_rng(5)
    taken = rng.permutation(np.arange(10**6, 10**6 + 400_000, 97))[:1500]
    bulk = batch_of(np.linspace(25_000, 28_700, 1500), np.full(1500, 5000), taken)
    both = Batch.concatenate([_population(rng, 60_000), bulk])
    stories = judged(both.take(np.lexsort((both.client, both.time_us))))
    assert [(s.pattern, [m.name for m in s.members.values()]) for s in stories] == [("bulk", ["client-5000"])]


def test_a_gateway_of_many_people_is_no_bulk_reader() -> None:
    """One address that carries the reads of two thousand people reads much, but what everybody reads."""
    rng = np.random.default_rng(6)
    crowd = _population(rng, 60_000)
    gateway = rng.random(60_000) < 0.3
    crowd.client[gateway] = np.uint64(77)
    crowd.name[gateway] = 0
    crowd.name[gateway, 0] = ord("g")
    assert judged(crowd.take(np.lexsort((crowd.client, crowd.time_us)))) == []


def _cuts(batch: Batch, rng: np.random.Generator) -> list[Batch]:
    edges = np.sort(rng.integers(0, len(batch), rng.integers(1, 60)))
    return [batch.take(slice(a, b)) for a, b in zip([0, *edges], [*edges, len(batch)], strict=True)]


def test_batches_do_not_matter() -> None:
    """However the rows are cut into batches, stories and tables come out the same to the byte."""
    rng = np.random.default_rng(8)
    n = 6000
    walk = batch_of(np.arange(n) / 50, np.full(n, 3), 5000 + np.arange(n))
    sweep = batch_of(np.floor(np.arange(n) / 50), 3000 + rng.integers(0, 40, n), 10**6 + np.arange(n))
    crowd = _population(rng, 20_000)
    rows = Batch.concatenate([walk, sweep, crowd])
    rows = rows.take(np.lexsort((rows.client, rows.time_us)))
    whole = pipeline()
    whole.take(rows)
    whole.finish()
    for _ in range(5):
        parts = pipeline()
        for part in _cuts(rows, rng):
            parts.take(part)
        parts.finish()
        assert parts.state.clients.tobytes() == whole.state.clients.tobytes()
        assert [_told(s) for s in parts.book.stories] == [_told(s) for s in whole.book.stories]


def _told(story: Story) -> tuple[object, ...]:
    story.settled()
    return (story.identity, story.revision, story.at_alert, story.requests, story.exposure.estimate(), story.members)


def test_a_flood_of_clients_stays_in_fixed_memory_and_the_walker_stays_counted() -> None:
    """Sixteen times more one-request clients than slots push each other out, not the one that keeps reading."""
    line = pipeline()
    rng = np.random.default_rng(9)
    for part in range(16):
        begin, first = part * 100, 10_000 + part * 16_000
        flood = batch_of(begin + np.arange(16_000) / 160, first + np.arange(16_000), rng.integers(0, 10**7, 16_000))
        walker = batch_of(begin + np.arange(100), np.full(100, 1), 10**8 + begin + np.arange(100))
        both = Batch.concatenate([flood, walker])
        line.take(both.take(np.lexsort((both.client, both.time_us))))
    line.finish()
    assert line.state.counters[COUNTER["clients_evicted"]] > 200_000
    (story,) = [s for s in line.book.stories if s.pattern == "walk"]
    assert story.settled().exposure.estimate().estimate == 1600


def test_sketch_in_kernel_and_in_numpy_agree() -> None:
    """A client's distinct records, counted row by row, lie within four standard errors of the truth."""
    rng = np.random.default_rng(10)
    line = pipeline()
    line.take(batch_of(np.arange(3000) / 10, np.zeros(3000), rng.permutation(10**6)[:3000]))
    assert abs(distinct(line.state.clients[0]["registers"]) - 3000) < 4 * 0.13 * 3000
