"""Late and future: what wrong, skewed, sparse and disordered stamps do to a file's clock, in figures."""

from __future__ import annotations

import numpy as np
import pytest

from detector.engines.moments import AHEAD_US, BLOCK, HELD_BLOCKS, I64, LOOK, NEVER, FileClock, Moments
from detector.engines.order import Merger, Pending
from detector.records.batch import Batch

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
START = 1_753_999_200 * SECOND
YEAR_2099 = 4_070_908_800 * SECOND
LATENESS = 60 * SECOND
TENTH = SECOND // 10
STEP = 37  # rows a push, as of a slow topic


def judged(times: I64, step: int | None = None, lateness_us: int = LATENESS) -> Moments:
    """All moments, from pushes of ``step`` rows."""
    clock = FileClock(lateness_us)
    step = step or max(len(times), 1)
    parts = [clock.push(times[at : at + step]) for at in range(0, len(times), step)]
    parts.append(clock.push(times[:0], last=True))
    return Moments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def ordinary(n: int, every_us: int = TENTH) -> I64:
    """Times of n records in order."""
    return START + np.arange(n, dtype=np.int64) * every_us


@pytest.mark.parametrize("every_us", [1, TENTH, SECOND, 600 * SECOND])
def test_ordinary_traffic_waits_for_nothing(every_us: int) -> None:
    """But for the first record, which five others must confirm, every row is decided in the push that brings it."""
    clock = FileClock(LATENESS)
    times = ordinary(3_000, every_us)
    decided = [len(clock.push(times[at : at + 1]).moment) for at in range(len(times))]

    assert decided == [0] * 5 + [6] + [1] * (len(times) - 6)


def test_a_pause_in_a_sparse_log_waits_for_five_records() -> None:
    """Where an hour passes without a record, the next is decided with the fifth behind it, as it is dated."""
    clock = FileClock(LATENESS)
    clock.push(ordinary(500))
    after = ordinary(20) + 3 * HOUR
    decided = [len(clock.push(after[at : at + 1]).moment) for at in range(len(after))]

    assert decided == [0] * 5 + [6] + [1] * 14
    assert clock.watermark == int(after[-1]) - LATENESS


@pytest.mark.parametrize("every_us", [TENTH, SECOND, 2 * HOUR])
@pytest.mark.parametrize("place", [0, 1, 2, 700, 1_023, 1_024, 2_490, 2_498, 2_499])
@pytest.mark.parametrize("step", [None, STEP])
def test_one_record_dated_2099(place: int, every_us: int, step: int | None) -> None:
    """Anywhere in a log, busy or sparse, it is one future record, and no other is late or future."""
    times = ordinary(2_500, every_us)
    honest = times.copy()
    times[place] = YEAR_2099
    moments = judged(times, step)

    assert np.flatnonzero(moments.future).tolist() == [place]
    assert not moments.late.any()
    others = np.arange(len(times)) != place
    assert np.array_equal(moments.moment[others], honest[others])
    assert moments.moment[place] == honest[max(place - 1, 1 if place == 0 else 0)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("every_us", [TENTH, 200 * SECOND])
def test_one_percent_of_random_dates(seed: int, every_us: int) -> None:
    """Of the good records at most one in a thousand is late or future (reliability.md, test 12)."""
    rng = np.random.default_rng(seed)
    times = ordinary(60_000, every_us)
    end = int(times[-1])
    wrong = rng.random(len(times)) < 0.01
    times[wrong] = rng.integers(0, YEAR_2099, int(wrong.sum()))
    moments = judged(times, 4_000)

    good = ~wrong
    assert np.count_nonzero((moments.late | moments.future) & good) <= np.count_nonzero(good) / 1_000
    ahead = wrong & (times > end + HOUR)
    assert moments.future[ahead].all()
    assert moments.moment.max() <= end + HOUR


@pytest.mark.parametrize("turn", [3, 300])
def test_a_host_two_hours_ahead(turn: int) -> None:
    """Of three hosts, in turns of one record or of a hundred: it is future throughout, the others are not late."""
    times = ordinary(30_000)
    ahead = (np.arange(len(times)) // (turn // 3)) % 3 == 2
    ahead[:BLOCK] &= turn == 3  # who comes in long turns is told from the rest when 1,024 records were read
    times[ahead] += 2 * HOUR
    moments = judged(times, STEP)

    assert np.array_equal(moments.future, ahead)
    assert not moments.late.any()


def test_a_host_two_hours_ahead_at_random_from_the_start() -> None:
    """Mixed in at random from the first record on, it is believed in 3 logs of 100, as a random walk says."""
    believed = 0
    for seed in range(100):
        ahead = np.random.default_rng(seed).random(1_200) < 1 / 3
        moments = judged(ordinary(1_200) + np.where(ahead, 2 * HOUR, 0))
        believed += bool(moments.late.any())

    assert believed <= 9  # 1 in 1,000 by chance at 3 %


def test_hosts_skewed_by_less_than_the_hour() -> None:
    """Ninety seconds of skew make nothing future, and nothing late where the lateness covers them."""
    times = ordinary(30_000) + np.tile([-90 * SECOND, 0, 90 * SECOND], 10_000)
    moments = judged(times, STEP, lateness_us=200 * SECOND)

    assert not moments.future.any()
    assert not moments.late.any()


@pytest.mark.parametrize("every_us", [TENTH, SECOND, 30 * 60 * SECOND, 2 * HOUR, DAY])
def test_a_log_written_newest_line_first(every_us: int) -> None:
    """It is late but for its head, and three lines of it at most are future."""
    moments = judged(ordinary(3_000, every_us)[::-1].copy(), STEP)

    assert np.count_nonzero(moments.future) <= 3
    on_time = ~moments.late & ~moments.future
    assert np.count_nonzero(on_time) <= LATENESS // every_us + 1


@pytest.mark.parametrize("every_us", [HOUR + SECOND, 5 * HOUR, DAY, 300 * DAY])
@pytest.mark.parametrize("n", [1, 3, 10, 1_500])
def test_a_sparse_log_is_on_time(every_us: int, n: int) -> None:
    """Lines hours or days apart are neither late nor future, the last ones included."""
    times = ordinary(n, every_us)
    moments = judged(times, 1)

    assert not moments.future.any()
    assert np.array_equal(moments.moment, times)


def test_an_outage_in_busy_traffic() -> None:
    """Eight hours of nothing: 512 records until the median has moved, judged where the log stood; none is late."""
    times = np.concatenate((ordinary(5_500), ordinary(5_500) + 8 * HOUR))
    moments = judged(times, STEP)

    assert np.flatnonzero(moments.future).tolist() == list(range(5_500, 5_500 + BLOCK // 2))
    assert (moments.moment[moments.future] == times[5_499]).all()
    assert not moments.late.any()
    assert np.array_equal(moments.moment[~moments.future], times[~moments.future])


def test_a_log_that_grows_busy_and_rests_again() -> None:
    """Bursts of some hundred records with hours between them, as on a small site, are as they are dated."""
    times = np.concatenate([ordinary(300, SECOND) + n * 5 * HOUR for n in range(12)])
    moments = judged(times, STEP)

    assert not moments.future.any()
    assert np.array_equal(moments.moment, times)


def test_the_last_record_of_a_log() -> None:
    """Two hours ahead of a log of some minutes it is future, of a log of half a day it is not."""
    for every_us, future in ((TENTH, True), (60 * SECOND, False)):
        times = np.append(ordinary(800, every_us), 0)
        times[-1] = times[-2] + 2 * HOUR
        assert bool(judged(times).future[-1]) is future


def test_the_first_record_from_1970() -> None:
    """It is believed, and does no harm to the others."""
    times = ordinary(100)
    times[0] = 0
    moments = judged(times, 1)

    assert not (moments.late | moments.future).any()


def test_rows_held_are_bounded_by_count() -> None:
    """However many records come within the lateness, the watermark follows 524,288 of them behind."""
    clock = FileClock(HOUR)
    pushed = 0
    for _ in range(60):
        clock.push(START + np.arange(pushed, pushed + 20_000, dtype=np.int64))
        pushed += 20_000
        held = START + pushed - clock.watermark
        assert held <= HELD_BLOCKS * BLOCK or clock.watermark == START + pushed - 1 - HOUR
    assert held > (HELD_BLOCKS - 1) * BLOCK


@pytest.mark.parametrize("share", [0.01, 1 / 3, 0.45, 0.6])
def test_wrong_clocks_wait_no_longer(share: float) -> None:
    """Whatever share of the records is ahead, no more than ten rows ever wait."""
    clock = FileClock(LATENESS)
    rng = np.random.default_rng(7)
    for _ in range(400):
        clock.push(START + np.where(rng.random(25) < share, 2 * HOUR, 0))
        assert clock.waiting <= LOOK + 1


def test_another_lateness_after_a_restart() -> None:
    """The watermark goes on from where it was: no row leaves before others that left."""
    clock = FileClock(10 * SECOND)
    clock.push(ordinary(2_000))
    reached = clock.watermark
    longer = FileClock.load(*clock.save(), lateness_us=HOUR)
    shorter = FileClock.load(*clock.save(), lateness_us=SECOND)

    assert longer.watermark == reached
    assert shorter.watermark == reached + 9 * SECOND
    assert longer.push(np.array([START], np.int64)).moment.tolist() == [reached]


def test_waiting_rows_keep_their_file_when_it_is_renumbered() -> None:
    """Rows of a snapshot come back under the number their partition has now."""
    batch = Batch.empty(4)
    batch.time_us[:] = ordinary(4)
    batch.origin[:] = 3
    pending = Pending(FileClock(LATENESS))
    assert pending.push(batch) == []
    pending = Pending.load(LATENESS, *pending.save(), origin=5)
    merger = Merger(least_rows=1)
    merger.add(pending.finish())
    assert merger.waiting() == {5: 4}
    merger = Merger.load(*merger.save(), least_rows=1, origins={5: 9})

    assert merger.waiting() == {9: 4}
    (released,) = merger.release(START + DAY)
    assert released.batch.time_us.tolist() == ordinary(4).tolist()


def test_single_rows_do_not_pile_up_as_parts() -> None:
    """A stream of single records is held in a few parts, and leaves as if it had come at once."""
    clock, merger = Pending(FileClock(LATENESS)), Merger(least_rows=1)
    times = ordinary(3_000)[np.random.default_rng(9).permutation(3_000)]
    for at in range(len(times)):
        batch = Batch.empty(1)
        batch.time_us[:], batch.position[:] = times[at], at
        merger.add(clock.push(batch))
    assert len(merger._parts[0]) <= 12
    assert merger.waiting() == {0: 3_000}
    merger.add(clock.finish())
    released = list(merger.release(START + DAY, last=True))

    moments = judged(times)
    order = np.argsort(moments.moment, kind="stable")
    assert np.concatenate([r.batch.position for r in released]).tolist() == order.tolist()
    assert np.concatenate([r.late for r in released]).tolist() == moments.late[order].tolist()


def test_nothing_is_no_rows() -> None:
    """Empty pushes decide nothing and move nothing."""
    clock = FileClock(LATENESS)
    empty = np.empty(0, np.int64)

    assert len(clock.push(empty).moment) == len(clock.push(empty, last=True).moment) == 0
    assert clock.watermark == max(NEVER - LATENESS, NEVER)
    assert AHEAD_US == HOUR
