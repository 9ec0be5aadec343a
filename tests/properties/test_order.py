"""Moments depend on the records of a file in their order: not on pushes, not on snapshots between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.engines.moments import AHEAD_US, BLOCK, HELD_BLOCKS, I64, LEAD, LIKE, LOOK, NEVER, FileClock
from detector.engines.order import Merger, Pending, Released
from detector.records.batch import Batch

SECOND = 1_000_000
START = 1_753_999_200 * SECOND
LATENESS = 60 * SECOND
Row = tuple[int, bool, bool]  # moment, late, future


@dataclass
class SlowClock:
    """The rule of ``engines.moments``, written record by record."""

    lateness: int
    floor: int
    high: int = NEVER
    highs: list[int] = field(default_factory=list)  # before each record, then after the last

    def rows(self, times: list[int]) -> list[Row]:
        """What the clock must say of these records."""
        rows = []
        for at, time in enumerate(times):
            future = time > self.high + AHEAD_US and self.is_future(times, at)
            if future and self.high == NEVER:
                against = [t for t in times[1 : 1 + LOOK] if t <= time - AHEAD_US]
                self.high = min(against[: LOOK - LEAD - 1])
            self.highs.append(self.high)
            block = at // BLOCK - HELD_BLOCKS
            held = self.highs[(block + 1) * BLOCK] if block >= 0 else NEVER
            mark = max(self.high - self.lateness, held, self.floor)
            moment = max(self.high if future else time, mark)
            rows.append((moment, time < mark and not future, future))
            self.high = self.high if future else max(self.high, time)
        return rows

    def is_future(self, times: list[int], at: int) -> bool:
        """Whether this suspect is."""
        time, recent = times[at], times[max(at - BLOCK, 0) : at]
        if len(recent) == BLOCK:
            median = sorted(recent)[BLOCK // 2]
            if median >= self.high - AHEAD_US:
                return time > median + AHEAD_US
        like = [n for n, t in enumerate(recent[-LIKE:]) if abs(t - time) <= AHEAD_US]
        since = recent[-LIKE:][like[0] + 1 :] if like else []
        behind = times[at + 1 : at + 1 + LOOK]
        lead = sum(1 if t > time - AHEAD_US else -1 for t in since)
        for left, t in enumerate(behind):
            if lead >= LEAD or lead + LOOK - left < LEAD:
                break
            lead += 1 if t > time - AHEAD_US else -1
        if lead >= LEAD or lead + LOOK - len(behind) < LEAD:
            return lead < LEAD
        if since or behind:
            return lead < 0
        return bool(recent) and time - self.high > AHEAD_US + 2 * max(
            self.high - sorted(recent)[(len(recent) - 1) // 2], 0
        )


SHAPES = (
    "ordered",
    "shaken",
    "random",
    "dates",
    "sparse",
    "gaps",
    "hosts",
    "half",
    "newest first",
    "sparse newest first",
)


def times_of(shape: str, seed: int, n: int) -> I64:
    """Times of n records, microseconds UTC."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 3_000, n))
    if shape == "shaken":
        seconds = seconds + rng.integers(0, 90, n)
    elif shape == "random":
        seconds = rng.integers(0, 20_000, n)
    elif shape == "dates":
        seconds = np.where(rng.random(n) < 0.01, rng.integers(-(10**9), 2 * 10**9, n), seconds)
    elif shape == "sparse":
        seconds = np.cumsum(rng.integers(0, 10_000, n))
    elif shape == "gaps":
        seconds = seconds + 7_200 * np.cumsum(rng.random(n) < 4 / (n + 1))
    elif shape == "hosts":
        seconds = seconds + 7_200 * (rng.random(n) < 1 / 3)
    elif shape == "half":
        seconds = seconds + 7_200 * (rng.random(n) < 0.5)
    elif shape == "newest first":
        seconds = seconds[::-1]
    elif shape == "sparse newest first":
        seconds = np.cumsum(rng.integers(0, 10_000, n))[::-1]
    return START + seconds.astype(np.int64) * SECOND


FILES = st.builds(
    lambda pieces: np.concatenate([times_of(*piece) for piece in pieces]),
    st.lists(
        st.tuples(st.sampled_from(SHAPES), st.integers(0, 99), st.one_of(st.integers(0, 30), st.integers(0, 4_000))),
        min_size=1,
        max_size=3,
    ),
)
CUTS = st.lists(st.floats(0, 1), max_size=40).map(sorted)
FLOORS = st.sampled_from([NEVER, START - LATENESS, START + 1_000 * SECOND])


def whole(times: I64, floor: int) -> list[Row]:
    """All rows pushed at once."""
    return told(FileClock(LATENESS, floor).push(times, last=True))


def told(moments: Any) -> list[Row]:
    """Columns as rows."""
    return list(zip(*(column.tolist() for column in moments), strict=True))


@settings(max_examples=60, deadline=None)
@given(FILES, FLOORS)
def test_the_clock_follows_the_rule(times: I64, floor: int) -> None:
    """What is decided in columns is what the rule says record by record."""
    assert SlowClock(LATENESS, floor).rows(times.tolist()) == whole(times, floor)


@pytest.mark.parametrize("step", [500, 1_024, 40_000])
def test_the_bound_by_count_follows_the_rule(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Where more records come within the lateness than may be held, the watermark is ``high`` as of that many ago."""
    monkeypatch.setattr("detector.engines.moments.HELD_BLOCKS", 3)
    monkeypatch.setitem(globals(), "HELD_BLOCKS", 3)
    rng = np.random.default_rng(5)
    times = START + np.sort(rng.integers(0, 30 * SECOND, 30_000)) - rng.integers(0, 20 * SECOND, 30_000)
    clock = FileClock(LATENESS)
    rows = [row for at in range(0, len(times), step) for row in told(clock.push(times[at : at + step]))]
    rows += told(clock.push(times[:0], last=True))

    assert SlowClock(LATENESS, NEVER).rows(times.tolist()) == rows
    assert sum(late for _, late, _ in rows) > 1_000


@settings(max_examples=60, deadline=None)
@given(FILES, FLOORS, CUTS, st.lists(st.booleans(), min_size=41, max_size=41))
def test_no_cut_and_no_snapshot_changes_a_moment(times: I64, floor: int, cuts: list[float], saved: list[bool]) -> None:
    """Any pushes, with the clock saved and loaded between them, give the moments of one push; the watermark holds."""
    clock = FileClock(LATENESS, floor)
    rows: list[Row] = []
    edges = [0, *(int(cut * len(times)) for cut in cuts), len(times)]
    for (start, end), save in zip(pairwise(edges), saved, strict=False):
        promised = clock.watermark
        moments = clock.push(times[start:end])
        assert not len(moments.moment) or moments.moment.min() >= promised
        assert clock.watermark >= promised
        assert clock.waiting <= LOOK + 1
        rows += told(moments)
        assert clock.waiting == end - len(rows)
        if save:
            clock = FileClock.load(*clock.save())
    rows += told(clock.push(times[:0], last=True))
    assert rows == whole(times, floor)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPES), st.integers(0, 99), st.integers(0, 300), st.integers(1, 3))
def test_pushing_row_by_row_changes_nothing(shape: str, seed: int, n: int, step: int) -> None:
    """A stream of single records says what a replay of the file says."""
    times = times_of(shape, seed, n)
    clock = FileClock(LATENESS)
    rows = [row for at in range(0, n, step) for row in told(clock.push(times[at : at + step]))]
    assert rows + told(clock.push(times[:0], last=True)) == whole(times, NEVER)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SHAPES), st.integers(0, 9), st.integers(0, 300)), min_size=1, max_size=3),
    st.integers(1, 200),
    st.sampled_from([1, 50, Merger.LEAST_ROWS]),
    st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_no_snapshot_changes_what_leaves(
    files: list[tuple[str, int, int]], step: int, least_rows: int, saved: list[bool]
) -> None:
    """Several files merged in small steps, all saved and loaded between them: the same rows in the same order."""
    times = [times_of(*file) for file in files]
    once = merged(times, 10_000, Merger.LEAST_ROWS, [False])
    assert merged(times, step, least_rows, saved) == once
    assert [row[:4] for row in once] == sorted(row[:4] for row in once)
    assert len(once) == sum(map(len, times))


def merged(times: list[I64], step: int, least_rows: int, saved: list[bool]) -> list[tuple[int, ...]]:
    """Files read ``step`` rows at a time in turn; rows as (moment, client, origin, position, time, late, future)."""
    lanes = [Pending(FileClock(LATENESS)) for _ in times]
    merger = Merger(least_rows)
    rows: list[tuple[int, ...]] = []
    for turn, at in enumerate(range(0, max(map(len, times)), step)):
        for origin, (lane, column) in enumerate(zip(lanes, times, strict=True)):
            merger.add(lane.push(batch_of(column, origin, at, step)))
        for released in merger.release(min(lane.watermark for lane in lanes)):
            rows += rows_of(released)
        if saved[turn % len(saved)]:
            lanes = [Pending.load(LATENESS, *lane.save()) for lane in lanes]
            merger = Merger.load(*merger.save(), least_rows=least_rows)
    for lane in lanes:
        merger.add(lane.finish())
    for released in merger.release(1 << 62, last=True):
        rows += rows_of(released)
    assert merger.waiting() == {}
    return rows


def batch_of(times: I64, origin: int, at: int, step: int) -> Batch:
    """Rows from ``at`` on; every column says which row it is."""
    cut = slice(at, at + step)
    batch = Batch.empty(len(times[cut]))
    batch.time_us[:] = times[cut]
    batch.origin[:] = origin
    batch.position[:] = np.arange(len(times))[cut]
    batch.client[:] = batch.position % 3 + 1
    batch.name[:] = (batch.position % 251)[:, None]
    return batch


def rows_of(released: Released) -> list[tuple[int, ...]]:
    """The columns that tell rows apart."""
    batch = released.batch
    assert (batch.name == (batch.position % 251)[:, None]).all()
    columns = (released.moment_us, batch.client, batch.origin, batch.position, batch.time_us)
    return list(zip(*(c.tolist() for c in (*columns, released.late, released.future)), strict=True))
