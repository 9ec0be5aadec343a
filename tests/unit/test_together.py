"""Clients convicted of the same on the same route: one incident, and when it is not."""

from __future__ import annotations

import numpy as np

from detector.evidence.constants import RUN
from detector.handing import extract
from detector.incidents.render import incidents
from detector.incidents.together import AT_ONCE, WITHIN_US
from detector.records.batch import MISS, Batch
from tests.unit.test_snapshot import USERS, Line, crowd, reads, walk

HOUR_S = WITHIN_US / 1e6


def misses(first_s: float, n: int, client: int) -> Batch:
    """One client asking for records that do not exist, ten a second."""
    batch = reads(first_s + np.arange(n) / 10, np.full(n, client), np.arange(n) * 977 + client)
    batch.status[:] = 404
    batch.flags |= np.uint8(MISS)
    return batch


def test_two_that_walk_the_same_route_are_one_incident() -> None:
    """It names both, counts the records of both, and says so the moment the second one is convicted."""
    line = Line().take(walk(0, 300), walk(40, 300, client=8, first_id=90_000))
    assert len({i.incident for i in line.news}) == 1
    joined = line.news[-1]
    assert (joined.client_count, joined.revision) == (2, len(line.news))
    assert joined.records_exposed.estimate == 300 + RUN
    line.pipeline.finish()
    (ended,) = incidents(line.pipeline.book, {})
    assert ended.records_exposed.estimate == 600
    assert len(ended.clients) == 2


def test_another_route_or_another_time_is_another_incident() -> None:
    """Neither a walk elsewhere nor one that begins when nothing has been heard for an hour joins."""
    line = Line().take(walk(0, 300), walk(40, 300, client=8, first_id=90_000, literal=USERS))
    line.take(walk(100 + HOUR_S, 300, client=9, first_id=50_000))
    assert len({i.incident for i in line.news}) == 3


def test_who_only_missed_is_named_too() -> None:
    """A guesser that joins without having been given a single record is in the list, and the route is the one it
    tried."""
    line = Line().take(crowd(0, 400, 3), misses(100, 60, 7), misses(110, 60, 8))
    (guessed,) = {i.incident for i in line.news}
    last = line.news[-1]
    assert (last.incident, last.pattern, last.client_count) == (guessed, "guessing", 2)
    (story,) = line.pipeline.open_stories()
    assert line.pipeline.routes.name(story.route) == "GET /items/{id}"


def test_the_first_ones_are_told_at_once_and_later_ones_as_it_grows() -> None:
    """So that an incident of thousands is not written out thousands of times."""
    line = Line()
    for k in range(AT_ONCE + 8):
        line.take(walk(20 * k, 150, client=1000 + k, first_id=5000 * k + 1))
    counts = [i.client_count for i in line.news]
    assert len({i.incident for i in line.news}) == 1
    assert set(range(1, AT_ONCE + 1)) <= set(counts)
    line.pipeline.finish()
    assert incidents(line.pipeline.book, {})[0].client_count == AT_ONCE + 8


def test_a_snapshot_in_between_changes_nothing() -> None:
    """What is told after a restart, of those who had joined before it as well, is told as without."""
    parts = [walk(0, 300), walk(40, 300, client=8, first_id=90_000), walk(80, 300, client=8, first_id=90_300)]
    whole = Line().take(*[part.take(np.arange(len(part))) for part in parts])
    first = Line().take(*parts[:2])
    rest = Line()
    rest.pipeline.load(*first.pipeline.save())
    rest.take(parts[2])
    assert first.told() + rest.told() == whole.told()


def test_those_who_stay_when_a_partition_goes_are_judged_anew() -> None:
    """The incident goes with the client it was raised about; who had joined it is raised here when it goes on."""
    line = Line().take(walk(0, 300), walk(40, 300, client=8, first_id=90_000, part=1))
    assert len({i.incident for i in line.news}) == 1
    extract(line.pipeline, 0)
    assert line.pipeline.open_stories() == []
    line.take(walk(80, 300, client=8, first_id=90_300, part=1))
    line.pipeline.finish()
    (anew,) = incidents(line.pipeline.book, {})
    assert anew.clients == ["client-8"]
