"""Clients that come again for a list, on a route where hardly anybody does."""

from __future__ import annotations

import numpy as np
import pytest

from detector.incidents.story import Story
from detector.pipeline import Pipeline, Rules
from detector.records.batch import Batch
from detector.state.layout import Sizes
from tests.unit.test_answers import ODD, START
from tests.unit.test_judging import OneRoute

SMALL = Sizes(clients=1 << 12, objects=1 << 14, blocks=1 << 8)
HOUR = 3600.0
Visits = tuple[list[float], list[int], list[int]]  # seconds, client and records of each


def visits(seconds: list[float], clients: list[int], rows: list[int]) -> Batch:
    """Look-ups that say how many were found and nothing else, in the order of their moments."""
    order = np.argsort(seconds, kind="stable")
    batch = Batch.empty(len(order))
    batch.time_us[:] = START + (np.array(seconds)[order] * 1e6).astype(np.int64)
    batch.client[:] = (np.array(clients, np.uint64)[order] + np.uint64(1)) * ODD
    batch.name[:, :4] = list(b"look")
    batch.name[:, 4:7] = 48 + np.array(clients)[order][:, None] // [100, 10, 1] % 10
    batch.rows[:] = np.array(rows)[order]
    batch.number[:], batch.status[:], batch.requests[:], batch.method[:], batch.kind[:] = -1, 200, 1, 1, 2
    return batch


def usual(twice: float = 0.0) -> Visits:
    """Eight hours in which three hundred clients come once each, a share of them twice."""
    rng = np.random.default_rng(3)
    seconds = (rng.random(300) * 8 * HOUR).tolist()
    back = [k for k in range(300) if k < twice * 300]
    sizes = rng.geometric(1 / 18, 300 + len(back)) + 1
    return seconds + [seconds[k] + 900.0 for k in back], [*range(300), *back], sizes.tolist()


def group(n: int, apart: float = 600.0, second: int = 51) -> Visits:
    """``n`` clients, each of which comes twice within the ninth hour."""
    first = [8 * HOUR + 60.0 * k for k in range(n)]
    clients = [400 + k for k in range(n)]
    return first + [at + apart for at in first], clients + clients, [50] * n + [second] * n


def told(*parts: Visits) -> list[Story]:
    """The stories after judging what several groups did."""
    line = Pipeline(Rules(), SMALL, OneRoute())  # type: ignore[arg-type]
    seconds, clients, rows = ([value for part in parts for value in part[k]] for k in range(3))
    line.take(visits(seconds, clients, rows))
    line.finish()
    return [story.settled() for story in line.book.stories]


def test_a_group_that_comes_again_is_one_incident() -> None:
    """Ten clients come twice where nobody did: one incident, raised at the sixth second visit, that names them all."""
    (story,) = told(usual(), group(10))
    assert story.pattern == "over_fetch"
    assert {member.name for member in story.members.values()} == {f"look{400 + k}" for k in range(10)}
    assert story.raised_us == START + round((8 * HOUR + 5 * 60 + 600) * 1e6)
    assert story.exposed().estimate >= 51


@pytest.mark.parametrize(
    "parts",
    [
        (usual(), group(5)),  # a team
        (usual(0.3), group(10)),  # where others come again as well
        (usual(), group(10, apart=30.0)),  # pages of one visit
        (usual(), group(10, second=50)),  # polls of what has not changed
    ],
)
def test_what_is_usual_or_few_or_one_visit_is_left_alone(
    parts: tuple[Visits, ...],
) -> None:
    """A handful, a route on which others come again, the parts of one visit, and unchanged polls raise nothing."""
    assert told(*parts) == []


def test_a_cut_between_two_visits_changes_nothing() -> None:
    """Taken in one batch or in two, the same rows tell the same story."""
    (at, who, rows), (at_10, who_10, rows_10) = usual(), group(10)
    batch = visits(at + at_10, who + who_10, rows + rows_10)
    cut = int(np.searchsorted(batch.time_us, START + round((8 * HOUR + 700) * 1e6)))
    whole, parted = (Pipeline(Rules(), SMALL, OneRoute()) for _ in range(2))  # type: ignore[arg-type]
    whole.take(batch.take(slice(None)))
    parted.take(batch.take(slice(0, cut)))
    parted.take(batch.take(slice(cut, None)))
    (a,), (b,) = whole.book.stories, parted.book.stories
    assert (a.identity, a.revision, a.raised_us, a.count()) == (b.identity, b.revision, b.raised_us, b.count())
    for name, table in whole.state.save().items():
        assert np.array_equal(table, parted.state.save()[name]), name
