"""How far what is learnt may grow: a pinned week, one in a hundred a day, and the user's word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import learnt
from detector.config import parse_config
from detector.engines.coverage import Coverage
from detector.engines.floor import floor_lines
from detector.engines.local import rules
from detector.engines.telemetry import Telemetry
from detector.errors import ConfigError
from detector.evidence.client import Habit, Null
from detector.evidence.constants import CREEP, DAY_US, HOUR_US
from detector.evidence.reference import LEVEL_NATS, OF_HABIT, OF_SITE, WEEK_US, Ceiling, Reference
from detector.evidence.volume import Tail
from detector.packing import within
from detector.pipeline import Pipeline, Rules
from detector.records.routes import Routes
from detector.records.texts import Texts
from detector.sinks.prometheus import Metrics
from tests.unit.test_judging import SMALL, pipeline

TAIL = Tail(begin=10.0, share=0.1, excess=0.5)
HABIT = Habit(clients=500, mean=0.2, strength=10.0, cold_strength=3.0, tail=TAIL, unsigned=0.05)
NULL = Null(settled=True, tail=TAIL, tail_rows=TAIL, habits={1: HABIT})


def grown(null: Null, factor: float) -> Null:
    """The same where everything that can hide an extractor is larger by a factor; an over-dispersion is."""

    def wider(strength: float) -> float:
        return (1.0 + strength) / factor - 1.0

    def longer(tail: Tail | None) -> Tail | None:
        return replace(tail, begin=tail.begin * factor) if tail else None

    habits = {
        route: replace(
            habit,
            mean=habit.mean * factor,
            strength=wider(habit.strength),
            cold_strength=wider(habit.cold_strength),
            tail=longer(habit.tail),
            unsigned=habit.unsigned * factor,
        )
        for route, habit in null.habits.items()
    }
    return replace(
        null,
        tail=longer(null.tail),
        tail_rows=longer(null.tail_rows),
        cold_strength=wider(null.cold_strength),
        miss_strength=wider(null.miss_strength),
        over_strength=wider(null.over_strength),
        foreign_strength=wider(null.foreign_strength),
        habits=habits,
    )


def same(a: Null, b: Null) -> bool:
    """Whether two nulls say the same, to rounding."""
    plain = [(x.save()[0].item(), [h.item() for h in x.save_habits()]) for x in (a, b)]
    return bool(np.allclose(plain[0][0], plain[1][0]) and np.allclose(plain[0][1], plain[1][1]))


def test_a_week_with_its_weekend_is_held_in_nothing() -> None:
    """What clients do twice as much on two days of the week is what it is, in the first week and in all that follow."""
    reference = Reference()
    for hour in range(24 * 28):
        learnt_now = grown(NULL, 2.0 if hour // 24 % 7 > 4 else 1.0)
        assert same(reference.hold(learnt_now, hour * HOUR_US), learnt_now)
        assert reference.held == []


def test_growth_counts_by_one_in_a_hundred_a_day() -> None:
    """Five in a hundred a day, for twenty days after the week: each number has grown by 1.01 to the twentieth."""
    reference = Reference()
    last = NULL
    for hour in range(24 * 27 + 1):
        days = max(hour / 24 - 7, 0.0)
        last = reference.hold(grown(NULL, 1.05**days), hour * HOUR_US)
    assert same(last, grown(NULL, CREEP**20))
    told = {(one.route, one.number) for one in reference.held}
    habit = {(1, name) for name in OF_HABIT if name != "strangers"}
    assert told == habit | {(0, name) for name in OF_SITE if name != "tail_tries"}
    assert reference.held[0].learnt / reference.held[0].counts == pytest.approx((1.05 / CREEP) ** 20)


def test_what_shrinks_counts_at_once() -> None:
    """A ceiling is no floor: less than before is what is learnt, and nothing is saved up for later growth."""
    reference = Reference()
    for day in range(60):
        found = reference.hold(grown(NULL, 1.0 if day < 8 else 0.5), day * DAY_US)
    assert same(found, grown(NULL, 0.5))
    assert same(reference.hold(grown(NULL, 3.0), 60 * DAY_US), grown(NULL, CREEP))


def test_a_hole_in_the_log_saves_up_no_growth() -> None:
    """After a month without a fit a day's growth is allowed, not a month's."""
    ceiling = Ceiling(0, 0, 0.0)
    for day in range(8):
        ceiling.hold(10.0, day * DAY_US)
    assert ceiling.hold(100.0, 38 * DAY_US) == pytest.approx(10.0 * CREEP)


@given(st.lists(st.floats(0.01, 100.0), min_size=170, max_size=400))
def test_no_order_of_fits_grows_faster(fits: list[float]) -> None:
    """Whatever is learnt from hour to hour, what counts is at most the week's largest fit and the growth since."""
    ceiling = Ceiling(0, 0, 0.0)
    largest = max(fits[:168])
    for hour, fit in enumerate(fits):
        counts = ceiling.hold(fit, hour * HOUR_US)
        assert counts <= fit
        assert counts <= largest * CREEP ** (max(hour - 167, 0) / 24) * (1 + 1e-9)


def test_the_users_word_begins_a_new_week() -> None:
    """From ``reference_from`` on what is learnt is the reference, not a moment before."""
    reference, word = Reference(), 20 * DAY_US
    for hour in range(24 * 20):
        found = reference.hold(grown(NULL, 1.0 if hour < 170 else 2.0), hour * HOUR_US, word)
    assert same(found, grown(NULL, CREEP ** (310 / 24)))
    assert same(reference.hold(grown(NULL, 2.0), word, word), grown(NULL, 2.0))
    assert reference.held == []
    later = word + WEEK_US + DAY_US
    assert not same(reference.hold(grown(NULL, 4.0), later, word), grown(NULL, 4.0))


def test_the_configuration_says_when() -> None:
    """A moment is read as one; what is none is told with what is allowed."""
    config = parse_config(b'{"detection": {"reference_from": "2026-11-21T16:00:00+01:00"}}', "test")
    assert rules(config).reference_from_us == 1_795_273_200_000_000
    assert rules(parse_config(b"{}", "test")).reference_from_us == 0
    with pytest.raises(ConfigError, match=r"reference_from.*'soon' is not a moment"):
        parse_config(b'{"detection": {"reference_from": "soon"}}', "test")


def test_ceilings_outlive_a_snapshot_and_another_version() -> None:
    """What a pipeline keeps, and what it has learnt, bring its ceilings along."""
    line, exact, carried = (Pipeline(Rules(), SMALL, Routes(Texts(128))) for _ in range(3))
    line.reference.hold(NULL, 0)
    saved = line.save()
    exact.load(saved.meta, saved.arrays)
    known = learnt.of(line)
    learnt.apply(carried, known.meta, known.arrays)
    for other in (exact, carried):
        assert other.reference.save().tolist() == line.reference.save().tolist()
        assert same(other.reference.hold(grown(NULL, 2.0), WEEK_US), grown(NULL, CREEP))
    assert "reference" in within("null", saved.arrays)


def test_the_floor_says_what_is_held_back() -> None:
    """Somebody who knows whether the growth is there to stay reads how large it is and where to say so."""
    line = pipeline()
    line.reference.hold(NULL, 0)
    for day in range(1, 15):
        line.reference.hold(grown(NULL, 2.0 if day > 7 else 1.0), day * DAY_US)
    said = "\n".join(floor_lines(line, Coverage()))
    usual = TAIL.records_for(LEVEL_NATS)
    assert "learning is held to 1 % a day; all routes: records a client reads a day, one in 10,000: " in said
    assert f"{2 * usual:,.0f} learnt, {usual * CREEP**7:,.0f} count" in said
    assert "detection.reference_from" in said
    assert "held" not in "\n".join(floor_lines(pipeline(), Coverage()))


def test_a_stream_says_it_once() -> None:
    """The log names what is held back when it begins to be, not at every look, and again when it has come back."""
    said: list[Any] = []
    now = [0.0]
    telemetry = Telemetry(
        Metrics("1", {"sink": [], "data_class": ["none", "other"]}, process=False),
        say=lambda event, **facts: said.append((event, facts)),
        now_s=lambda: now[0],
    )
    line = pipeline()
    line.reference.hold(NULL, 0)
    for day, factor in enumerate([1.0] * 8 + [2.0] * 3 + [1.0] + [2.0] * 2):
        line.reference.hold(grown(NULL, factor), day * DAY_US)
        now[0] += 60.0
        telemetry.renew(line, Coverage(), "json")
    assert [event for event, _ in said] == ["held", "held"]
    assert any("records a client reads a day" in one for one in said[0][1]["learning"])
