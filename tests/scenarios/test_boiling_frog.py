"""Who reads a little more every day, alone or with a crowd, is measured by the first week, not by yesterday."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from detector.evidence.constants import CREEP
from detector.evidence.reference import LEVEL_NATS, Reference
from detector.pipeline import Pipeline, Rules
from detector.records.batch import KINDS, Batch
from tests.unit.test_judging import ODD, SMALL, START, OneRoute

DAY = 86_400
PEOPLE, MEDIAN = 600, 40.0  # clients, and distinct records a day of the median one
WEEK = 8  # days: one until coldness is known, seven that are pinned
POPULAR, CATALOGUE = 3_000, 400_000
COLD = 0.12  # of the people's reads, those of the long tail
FROG = 10_000
Volumes = Callable[[int], npt.NDArray[np.float64]]


def day_of(day: int, volumes: npt.NDArray[np.float64], frog: float) -> Batch:
    """One day: people read popular records and now and then one of the long tail; the frog reads from its list.

    Args:
        day: of the log, from 0.
        volumes: reads of each of the people.
        frog: reads of the frog; 0 = there is none.
    """
    rng = np.random.default_rng(day)
    who = np.repeat(np.arange(len(volumes)), rng.poisson(volumes))
    rare = rng.random(len(who)) < COLD
    ids = np.where(rare, rng.integers(POPULAR, CATALOGUE, len(who)), rng.integers(0, POPULAR, len(who)))
    seconds = rng.uniform(day * DAY, (day + 1) * DAY, len(who))
    listed = CATALOGUE + rng.permutation(CATALOGUE)[: round(frog)]
    seconds = np.append(seconds, rng.uniform(day * DAY, (day + 1) * DAY, len(listed)))
    order = np.argsort(seconds)
    who, ids = np.append(who, np.full(len(listed), FROG)), np.append(ids, listed)
    return batch(seconds[order], who[order], ids[order])


def batch(seconds: npt.NDArray[np.float64], who: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> Batch:
    """Record reads through one route, in log order."""
    rows = Batch.empty(len(seconds))
    rows.time_us[:] = START // (DAY * 1_000_000) * DAY * 1_000_000 + (seconds * 1e6).astype(np.int64)
    rows.client[:] = (who.astype(np.uint64) + np.uint64(1)) * ODD
    rows.source[:], rows.kind[:] = rows.client, KINDS.index("account")
    rows.number[:] = -1
    rows.object[:] = (ids.astype(np.uint64) + np.uint64(7)) * np.uint64(0xBF58476D1CE4E5B9)
    rows.rows[:], rows.status[:], rows.requests[:], rows.method[:] = 1, 200, 1, 1
    return rows


def people(day: int) -> npt.NDArray[np.float64]:
    """How much each of the people reads a day, one like another."""
    del day
    return MEDIAN * np.exp(np.random.default_rng(7).normal(0.0, 0.6, PEOPLE))


def live(days: int, volumes: Volumes, frog: Callable[[int], float], rules: Rules | None = None) -> tuple[Pipeline, int]:
    """Lives through a log until somebody is accused, at most so many days; returns that, and the day it ended with."""
    line = Pipeline(rules or Rules(), SMALL, OneRoute())  # type: ignore[arg-type]
    for day in range(days):
        line.take(day_of(day, volumes(day), frog(day)))
        if line.book.stories:
            return line, day
    return line, days


def nobody(day: int) -> float:
    """There is no frog."""
    del day
    return 0.0


def amount(line: Pipeline) -> float:
    """Records a day that one of the people in 10,000 is believed to read."""
    tail = line.null.habits[1].tail
    return tail.records_for(LEVEL_NATS)


@pytest.mark.parametrize("daily", [1.02, 1.05, 1.10])
def test_a_frog_is_caught_before_three_times_the_median(daily: float) -> None:
    """From the median reader's amount upwards by 2, 5 or 10 % a day: convicted before three times that, before 10,000
    records, and nobody else; what is usual among the people has moved by less than a hundredth."""
    begin = WEEK + 1

    def frog(day: int) -> float:
        return MEDIAN * daily ** (day - begin) if day >= begin else 0.0

    line, caught = live(begin + 60, people, frog)
    (story,) = line.book.stories
    taken = sum(frog(day) for day in range(begin, caught + 1))
    assert list(story.members) == [(FROG + 1) * int(ODD) % (1 << 64)]
    assert frog(caught) < 3 * MEDIAN
    assert taken < 10_000
    before, _ = live(caught, people, frog)  # once he is found out he teaches nothing
    alone, _ = live(caught, people, nobody)
    assert before.book.stories == alone.book.stories == []
    assert amount(before) == pytest.approx(amount(alone), rel=0.01)
    for column in ("cold", "fresh"):
        assert before.state.routes[column][1] == pytest.approx(alone.state.routes[column][1], rel=0.01)


def growing(day: int) -> npt.NDArray[np.float64]:
    """A fifth of the people read 8 % more with every day after the first week, all of it popular."""
    volumes = people(day)
    volumes[: PEOPLE // 5] *= 1.08 ** max(day - WEEK, 0)
    return volumes


LAST = WEEK + 30


def late(day: int) -> float:
    """Who waits until the crowd has grown for thirty days."""
    return 6 * MEDIAN if day >= LAST else 0.0


def test_a_crowd_that_grows_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accomplices read ever more, to make much reading usual, and count by 1 % more a day. Who reads six times the
    median from a list is convicted with his first 300 records; without ceilings, not in three days."""
    line, _ = live(LAST + 3, growing, late)
    assert [story.settled().at_alert < 300 for story in line.book.stories] == [True]
    assert [story.settled().pattern for story in line.book.stories] == ["bulk"]
    monkeypatch.setattr(Reference, "hold", lambda _, null, *__: null)
    assert live(LAST + 3, growing, late)[1] == LAST + 3


def test_growth_that_is_there_to_stay_is_accepted_where_the_user_says_so() -> None:
    """Everybody reads twice as much from one day on: what counts grows by 1 % a day and is told, until
    ``reference_from``, with which it is what is learnt."""

    def doubled(day: int) -> npt.NDArray[np.float64]:
        return people(day) * (2.0 if day > WEEK + 1 else 1.0)

    before, _ = live(WEEK + 1, doubled, nobody)
    held, _ = live(WEEK + 6, doubled, nobody)
    moment = int(held.last_us) - 2 * DAY * 1_000_000
    free, _ = live(WEEK + 6, doubled, nobody, Rules(reference_from_us=moment))
    assert amount(held) < 1.1 * amount(before) * CREEP**5  # the week's largest fit, not its last
    assert amount(free) > 1.8 * amount(before)
    assert "tail" in {one.number for one in held.reference.held}
    assert not free.reference.held
    assert all(not line.book.stories for line in (before, held, free))
