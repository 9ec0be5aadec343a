"""What selects a sweep: its route where nobody else is, else the ids at its front, and what that costs others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors.signal import Signal
from detector.incidents import keeping
from detector.incidents.front import FEWEST, Front, fronts
from detector.incidents.incident import Incident
from detector.incidents.ordinary import ORDINARY, Ordinary
from detector.incidents.render import incident
from detector.incidents.sweep_rule import Usual, sweep_rule
from detector.incidents.sweep_story import SweepStory
from detector.incidents.trail import POINT
from detector.records.batch import Batch
from tests.unit.test_judging import START, batch_of, pipeline

IDS = 4_000_000


def queue(n: int, pace: float, first: int = 100_000, seed: int = 1) -> npt.NDArray[np.void]:
    """The next ``n`` ids of a queue, at random moments, so many a second."""
    rng = np.random.default_rng(seed)
    points = np.zeros(n, POINT)
    points["time_us"] = START + np.cumsum(rng.exponential(1e6 / abs(pace), n)).astype(np.int64)
    points["number"] = first + np.arange(n) * (1 if pace > 0 else -1)
    return points


def front(points: npt.NDArray[np.void], reads: int) -> Front | None:
    """The only front there is."""
    found = fronts(points, reads)
    assert len(found) <= 1
    return found[0] if found else None


def usual(reads: int, sampled: int = 60_000, seed: int = 2) -> Usual:
    """So many ordinary requests of the route in a sample."""
    return Usual(np.sort(np.random.default_rng(seed).integers(0, IDS, reads)), sampled)


@pytest.mark.parametrize("pace", [2.0, 37.0, -37.0, 900.0])
def test_a_front_is_followed_ahead(pace: float) -> None:
    """From 150 reads of a queue, whichever way it runs, nearly all of the next 20,000 lie where they are expected."""
    points = queue(20_150, pace, first=3_000_000)
    found = front(points[:150], 150)
    assert found is not None
    assert found.per_second == pytest.approx(pace, rel=0.2)
    later = points[150:]
    assert np.mean(found.covers(later["time_us"], later["number"])) > 0.9
    others = np.random.default_rng(3).integers(0, IDS, len(later))
    assert np.mean(found.covers(later["time_us"], others)) < 5e-3


def test_strays_do_not_bend_a_front() -> None:
    """One read in six elsewhere in the block leaves the pace as it is."""
    points = queue(300, 37.0)
    rng = np.random.default_rng(4)
    points["number"] = np.where(rng.random(300) < 1 / 6, 100_000 + rng.integers(0, 1024, 300), points["number"])
    found = front(points, 300)
    assert found is not None
    assert found.per_second == pytest.approx(37.0, rel=0.2)


def test_what_does_not_move_has_no_front() -> None:
    """Too few reads, one id over and over, and reads of one moment have none."""
    assert front(queue(FEWEST - 1, 37.0), FEWEST - 1) is None
    still = queue(100, 37.0)
    still["number"] = 7
    assert front(still, 100) is None
    moment = queue(100, 37.0)
    moment["time_us"] = START
    assert front(moment, 100) is None


@pytest.mark.parametrize("thinned", [1, 16])
def test_each_queue_has_its_front(thinned: int) -> None:
    """Three workers with ranges of their own, one of them downwards, are three fronts; what they read later lies at
    one of them, as it does for a story that keeps one point of sixteen."""
    n = 200 * thinned
    queues = [
        queue(2 * n, pace, first, seed) for seed, (pace, first) in enumerate([(20, 10**6), (-35, 9**6), (9, 10**4)])
    ]
    both = np.concatenate(queues)
    both = both[np.argsort(both["time_us"], kind="stable")]
    seen = both[both["time_us"] < START + n * 10**6 // 40]
    found = fronts(seen[::thinned], len(seen))
    assert [round(f.per_second) for f in found] == pytest.approx([9, -35, 20], rel=0.25)
    later = both[len(seen) : len(seen) + n]
    assert np.mean(np.any([f.covers(later["time_us"], later["number"]) for f in found], axis=0)) > 0.9


def test_no_id_lies_at_no_front() -> None:
    """A request without a number is never selected, also where the front passes zero."""
    found = front(queue(200, -37.0, first=200), 200)
    assert found is not None
    assert not found.covers(np.array([found.at_us]), np.array([-1])).any()


def test_a_route_nobody_uses_is_selected_whole() -> None:
    """The shortest rule that costs nobody anything is told: the route."""
    rule = sweep_rule(queue(200, 37.0), 200, usual(0))
    assert rule is not None
    assert (rule.fronts, rule.recall, rule.actionable) == ((), 1.0, True)
    assert rule.benign_share == pytest.approx(3 / 60_000)


def test_a_busy_route_is_selected_at_the_front() -> None:
    """Of a route with a fifth of all requests the front takes in a share that is told as it is."""
    points, ordinary = queue(2000, 37.0)[::4], usual(12_000)
    rule = sweep_rule(points, 2000, ordinary)
    assert rule is not None
    (front,) = rule.fronts
    assert rule.actionable
    assert rule.recall > 0.9
    later = front.at_us + np.arange(600) * 1_000_000
    low, high = front.between(later)
    assert rule.benign_share == pytest.approx(0.2 * float(np.mean(high - low)) / IDS, rel=0.5)


def test_without_a_sample_nothing_is_believed_harmless() -> None:
    """At the beginning of a log a front is told, but not as one to act upon."""
    rule = sweep_rule(queue(200, 37.0), 200, Usual())
    assert rule is not None
    assert (len(rule.fronts), rule.benign_share, rule.actionable) == (1, 1.0, False)
    assert sweep_rule(queue(5, 37.0), 5, usual(12_000)) is None


def test_usual_requests_are_those_before() -> None:
    """Of a sample the route's own rows from before a moment count, the whole sample is what they are a share of."""

    class Two(Ordinary):
        """Of two routes."""

        def rows(self, before_us: int) -> npt.NDArray[np.void]:
            """Three of one route, of which one has no number, and one of another."""
            rows = np.zeros(4, ORDINARY)
            rows["route"], rows["number"] = [1, 1, 2, 1], [9, 4, 5, -1]
            return rows

    found = Usual.before(Two(), 1, START)
    assert found.numbers.tolist() == [-1, 4, 9]
    assert (found.sampled, found.share(2)) == (4.0, 0.5)
    nobody = Usual.before(Two(), 3, START)
    assert (len(nobody.numbers), nobody.sampled) == (0, 4.0)


def test_a_kept_sweep_knows_whom_it_was_measured_against() -> None:
    """A snapshot keeps the ordinary requests a sweep's rule is weighed with."""
    story = SweepStory(1, "s" * 32, Signal("sweep", 1, 0, START, 30.0, 20.0, []))
    story.usual = usual(100, sampled=500)
    (again,) = keeping.load(keeping.save([story]))
    assert isinstance(again, SweepStory)
    assert again.usual.numbers.tolist() == story.usual.numbers.tolist()
    assert again.usual.sampled == 500


def _crowd_and_sweep() -> tuple[Batch, Batch]:
    rng = np.random.default_rng(6)
    n, swept = 40_000, 12_000
    crowd = batch_of(np.arange(n) / 20, rng.integers(0, 4000, n), rng.integers(0, IDS, n))
    crowd.position[:] = np.arange(n)
    sweep = batch_of(1000 + np.arange(swept) / 20, 10_000 + np.arange(swept), 2_000_000 + np.arange(swept))
    sweep.position[:] = n + np.arange(swept)
    return crowd, sweep


def _told(batches: list[Batch]) -> Incident:
    line = pipeline()
    for batch in batches:
        line.take(batch)
    line.finish()
    (story,) = line.book.stories
    return incident(story, line.book, {})


def test_a_sweep_of_one_read_each_is_told_by_its_front() -> None:
    """Twelve thousand clients with one read each on a route everybody uses: the selector says where and when, the same
    however the rows were cut."""
    crowd, sweep = _crowd_and_sweep()
    rows = Batch.concatenate([crowd, sweep])
    rows = rows.take(np.argsort(rows.time_us, kind="stable"))
    whole = _told([rows])
    cuts = [rows.take(slice(at, at + 617)) for at in range(0, len(rows), 617)]
    assert _told(cuts).record() == whole.record()
    rule = whole.selector
    assert whole.pattern == "sweep"
    assert rule is not None
    (ids,) = rule["ids"]
    assert ids["per_second"] == pytest.approx(20.0, rel=0.1)
    assert rule["recall"] > 0.9
    assert rule["text"].startswith("GET /users/{id} AND id within ")
    assert whole.client_count == pytest.approx(12_000, rel=0.03)
