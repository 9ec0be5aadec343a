"""Forged tokens and an account mill from the simulator: one incident each, and none of confusers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from detector.incidents.account_story import AccountStory
from detector.packing import Saved
from detector.pipeline import Pipeline, Rules
from detector.records.routes import Routes
from detector.records.texts import Texts
from detector.simulate.options import Options
from detector.simulate.play import Play
from detector.state.layout import Sizes

HOUR_US = 3_600_000_000
WARM_HOURS = 9
SIZES = Sizes(clients=1 << 17, objects=1 << 22, blocks=1 << 14, maturity=1 << 15)
OPTIONS = Options(seed=1, rate=30, duration_seconds=14 * 3600, ids=1_000_000)


@cache
def warmed() -> tuple[Saved, Texts]:
    """What nine hours of ordinary traffic teach, and the texts that belong to it."""
    play = Play.of(OPTIONS)
    columns = play.columns()
    pipeline = Pipeline(Rules(), SIZES, Routes(columns.resolver.texts))
    for part in play.batches(columns, OPTIONS.start_us, OPTIONS.start_us + WARM_HOURS * HOUR_US):
        pipeline.take(part.batch)
    assert not [s for s in pipeline.open_stories() if isinstance(s, AccountStory)]
    return pipeline.save(), columns.resolver.texts


@pytest.mark.parametrize(
    ("pattern", "variant", "hours", "detector"),
    [
        ("P10", "few", 1.0, "fan_out"),
        ("P8", "mill", 2.0, "accounts"),
    ],
)
def test_accounts_in_few_hands_are_one_incident_that_can_be_acted_on(
    pattern: str, variant: str, hours: float, detector: str
) -> None:
    """Forged tokens behind 50 addresses, a thousand new accounts a day: one incident each, actionable; at least 99 % of
    the accounts it names are the attacker's."""
    saved, texts = warmed()
    begin = OPTIONS.start_us + WARM_HOURS * HOUR_US
    options = Options(**{**OPTIONS.__dict__, "variant": variant})
    play = Play.of(options, pattern, begin, begin + int(hours * HOUR_US))
    columns = play.columns()
    pipeline = Pipeline(Rules(), SIZES, Routes(texts))
    pipeline.load(*saved)
    theirs: set[int] = set()
    for part in play.batches(columns, begin, begin + int(hours * HOUR_US)):
        theirs.update(np.unique(part.batch.client[part.attack]).tolist())
        pipeline.take(part.batch)
    (story,) = [s for s in pipeline.open_stories() if isinstance(s, AccountStory)]
    assert story.detector == detector
    assert story.actionable
    assert story.rule.actionable
    named = set(story.members)
    assert len(named) >= 5
    assert len(named & theirs) >= 0.99 * len(named)


def test_confusers_are_none() -> None:
    """Twelve hours with every confuser raise no incident of this kind."""
    options = Options(
        seed=3,
        rate=30,
        duration_seconds=12 * 3600,
        ids=1_000_000,
        confusers=tuple(f"N{n}" for n in range(1, 16)),
    )
    play = Play.of(options)
    columns = play.columns()
    pipeline = Pipeline(Rules(), SIZES, Routes(columns.resolver.texts))
    for part in play.batches(columns):
        pipeline.take(part.batch)
    assert not [story for story in pipeline.book.stories if isinstance(story, AccountStory)]
