"""A campaign of the simulator beside ordinary traffic, as columns: when the cells alarm, and when they must not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors.campaign import CellAlarm
from detector.pipeline import Pipeline, Rules
from detector.records.routes import Routes
from detector.simulate.options import Options
from detector.simulate.play import Play
from detector.state.layout import Sizes

HOUR_S = 3600
BEGIN_S = 6.5 * HOUR_S  # half an hour after cells are judged
SIZES = Sizes(clients=1 << 16, objects=1 << 20, blocks=1 << 12, cells=1 << 13, crossings=1 << 14, maturity=1 << 15)


def alarms(options: Options, pattern: str | None) -> tuple[Pipeline, list[CellAlarm]]:
    """What the cells say of a log; the attack begins half an hour after they are judged."""
    begin_us = options.start_us + int(BEGIN_S * 1e6)
    play = Play.of(options, pattern, begin_us, options.end_us) if pattern else Play.of(options)
    columns = play.columns()
    pipeline = Pipeline(Rules(), SIZES, Routes(columns.resolver.texts))
    heard: list[CellAlarm] = []

    def hear(raised: Sequence[CellAlarm], crossings: npt.NDArray[np.void], now_us: int) -> None:
        assert len(crossings) or not raised
        assert now_us % 60_000_000 == 0
        heard.extend(raised)

    pipeline.book.raise_campaign = hear  # type: ignore[method-assign,attr-defined,unused-ignore]
    for part in play.batches(columns):
        pipeline.take(part.batch)
    return pipeline, heard


@pytest.mark.parametrize("variant", ["shared", "nothing"])
def test_a_thousand_identities_alarm_within_minutes(variant: str) -> None:
    """At 20 ordinary requests a second and 10 of the campaign the cells of its route alarm within five minutes, also
    where its identities share nothing; others say nothing. What they share is among the cells that alarm."""
    seconds = BEGIN_S + 600
    options = Options(rate=20, duration_seconds=seconds, seed=5, identities=1000, attack_rate=10, variant=variant)
    pipeline, heard = alarms(options, "P4")
    first = min(alarm.minute for alarm in heard) - (options.start_us + int(BEGIN_S * 1e6)) // 60_000_000
    assert 0 <= first < 5
    assert {pipeline.routes.name(alarm.route) for alarm in heard} == {"GET /api/v1/reviews?item={id}&page={page}"}
    assert {alarm.pattern for alarm in heard} == {"campaign"}
    if variant == "shared":
        assert "agent" in {alarm.kind for alarm in heard}


def test_a_flash_crowd_and_a_release_are_no_campaign() -> None:
    """Ten times the traffic on five items, and a release that half the people come to within hours, alarm no cell."""
    options = Options(rate=20, duration_seconds=7.5 * HOUR_S, seed=6, confusers=("N4", "N10"))
    assert alarms(options, None)[1] == []
