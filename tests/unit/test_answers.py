"""Sizes of answers, batches and beats on rows made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detector.incidents.recent import READS
from detector.incidents.render import told
from detector.incidents.story import Story, keys_of
from detector.pipeline import Pipeline, Rules
from detector.records.batch import MISS, Batch
from detector.records.shape import METHODS
from detector.state.layout import Sizes
from tests.unit.test_judging import OneRoute

SMALL = Sizes(clients=1 << 12, objects=1 << 14, blocks=1 << 8)
START = 1_700_000_000_000_000
ODD = np.uint64(0x9E3779B97F4A7C15)


def polls(seconds: np.ndarray, client: int = 0, rows: int = 20) -> Batch:
    """Requests for a feed of so many rows, without an object."""
    batch = Batch.empty(len(seconds))
    batch.time_us[:] = START + (seconds * 1e6).astype(np.int64)
    batch.client[:] = (client + 1) * int(ODD) % (1 << 64)
    batch.name[:, :4] = list(b"poll")
    batch.number[:] = -1
    batch.rows[:], batch.status[:], batch.requests[:], batch.method[:], batch.kind[:] = rows, 200, 1, 1, 1
    return batch


def walked(seconds: np.ndarray, client: int = 0) -> Batch:
    """Record reads, one id after the other."""
    batch = polls(seconds, client, 1)
    batch.number[:] = 5000 + np.arange(len(seconds))
    batch.object[:] = batch.number.astype(np.uint64) * ODD
    return batch


def judged(*batches: Batch) -> list[Story]:
    """The stories after judging batches one after the other."""
    line = Pipeline(Rules(), SMALL, OneRoute())  # type: ignore[arg-type]
    for batch in batches:
        line.take(batch)
    line.finish()
    return [story.settled() for story in line.book.stories]


def test_a_clock_is_told_from_a_person() -> None:
    """Every 30 s for an hour is a beat, every 30 s give or take a third is not."""
    every = np.arange(120) * 30.0
    (story,) = judged(polls(every))
    assert story.pattern == "metronome"
    assert story.raised_us == START + 63 * 30_000_000
    rng = np.random.default_rng(1)
    assert judged(polls(every + rng.uniform(0, 20, 120))) == []


def test_an_open_tab_is_no_metronome_before_its_eighth_hour() -> None:
    """What carries no list is told only after eight hours of the day."""
    assert judged(polls(np.arange(600) * 30.0, rows=1)) == []
    (story,) = judged(polls(np.arange(1100) * 30.0, rows=1))
    assert story.pattern == "metronome"


def test_a_metronome_that_walks_is_a_walk() -> None:
    """An informational story does not hide an extraction: it goes on under its id, raised when the walk was seen."""
    (before,) = judged(polls(np.arange(80) * 30.0))
    (after,) = judged(polls(np.arange(80) * 30.0), walked(2500 + np.arange(300) * 0.5))
    assert (before.pattern, after.pattern) == ("metronome", "walk")
    assert before.identity == after.identity
    assert after.raised_us > START + 2_500_000_000
    assert after.revision > 1
    assert (told(before), told(after)) == (False, True)


def test_metronomes_that_walk_together_are_one_walk() -> None:
    """Who polls at a beat and is then convicted of what another one is already told for joins that incident: its own
    informational one says so and ends, and both are named."""
    every = np.arange(80) * 30.0
    both = [polls(every, client) for client in (0, 1)]
    beats = Batch.concatenate(both).take(np.argsort(np.concatenate([b.time_us for b in both]), kind="stable"))
    one, other = walked(2500 + np.arange(300) * 0.5), walked(2700 + np.arange(300) * 0.5, 1)
    other.number += 90_000
    other.object[:] = other.number.astype(np.uint64) * ODD
    wider, merged = judged(beats, one, other)
    assert (wider.pattern, merged.pattern) == ("walk", "metronome")
    assert merged.merged_into == wider.identity
    assert merged.closed
    assert [told(story) for story in (wider, merged)] == [True, False]
    assert len(wider.members) == 2
    assert wider.exposure.estimate().low >= 600


def test_rows_of_a_list_are_counted_once_a_page() -> None:
    """Distinct pages times rows; the same page read again adds nothing, and a record read counts one."""
    reads = np.zeros(4, READS)
    reads["object"], reads["rows"] = [7, 7, 8, 9], [20, 20, 20, 20]
    reads["listed"] = [True, True, True, False]
    assert len(np.unique(keys_of(reads))) == 41


def test_what_is_asked_for_in_a_body_is_counted_each_time() -> None:
    """The same feed asked for again shows the same rows; a batch of numbers by POST other ones, each line once though
    it is judged in pieces, and in the case as well."""
    exposed = []
    for method in ("GET", "POST"):
        batch = polls(np.arange(120) * 30.0)
        batch.method[:], batch.position[:] = METHODS.index(method), np.arange(120) * 300
        (whole,) = judged(batch)
        (cut,) = judged(batch.take(slice(0, 90)), batch.take(slice(90, 120)))
        assert whole.exposed() == cut.exposed()
        assert whole.records.rows()["rows"].sum() == whole.exposed().estimate
        exposed.append(whole.exposed().estimate)
    counted = 120 - 64  # from the row on after the one that convicts
    assert exposed == [20, 20 * counted]


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_an_address_book_of_strangers_is_no_guessing(share: float) -> None:
    """One request of three hundred numbers, most of them unknown, on a route that nobody has used yet."""
    batch = walked(np.zeros(300))
    rng = np.random.default_rng(2)
    batch.number[:] = rng.integers(0, 10**9, 300)
    batch.object[:] = batch.number.astype(np.uint64) * ODD
    batch.requests[1:] = 0
    batch.flags[rng.random(300) < share] |= MISS
    assert judged(batch) == []
