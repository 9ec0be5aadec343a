"""P11 out of the simulator, plain and evasive, beside its honest partner and crawler."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from detector.config import parse_config
from detector.engines.local import rules
from detector.incidents.incident import Incident
from detector.incidents.story import Story
from detector.pipeline import Pipeline
from detector.records.routes import Routes
from detector.simulate import DECLARED, Options, Play
from detector.state.layout import Sizes

SMALL = Sizes(clients=1 << 14, objects=1 << 18, blocks=1 << 12)
NIGHT = Options(
    start=datetime(2026, 3, 3, 1, 45, tzinfo=UTC),
    rate=5,
    ids=1_000_000,
    duration_seconds=3600,
    attack_start_seconds=1500,
    attack_seconds=1200,
    ramp_days=0.02,
)


def played(pattern: str | None, **changes: object) -> tuple[list[Incident], int]:
    """What is told, and when the attack begins."""
    play = Play.of(Options(**(vars(NIGHT) | changes)), pattern)  # type: ignore[arg-type]
    columns, told = play.columns(), list[Incident]()
    config = parse_config(yaml.safe_dump({"partners": list(DECLARED)}).encode(), "declared")

    def tell(news: Incident, story: Story) -> None:
        told.append(news)

    pipeline = Pipeline(rules(config), SMALL, Routes(columns.resolver.texts), tell)
    begin = 0
    for labelled in play.batches(columns):
        mine = labelled.batch.time_us[labelled.attack]
        begin = begin or (int(mine[0]) if len(mine) else 0)
        pipeline.take(labelled.batch)
    pipeline.finish()
    return told, begin


@pytest.mark.parametrize("variant", ["routes", "volume"])
@pytest.mark.parametrize("form", ["plain", "e1", "e3", "e4", "e5", "e6", "e7"])
def test_a_rogue_partner_is_told_of_within_two_minutes(variant: str, form: str) -> None:
    """Whatever the form: the key is used from other networks, and that is not what was agreed."""
    told, begin = played("P11", variant=variant, form=form)
    first = next(news for news in told if "partner-acme" in news.clients)
    raised_us = datetime.fromisoformat(first.raised_at).timestamp() * 1e6
    assert raised_us - begin <= 120e6
    final = [news for news in told if news.incident == first.incident][-1]
    assert (final.pattern, final.partner) == ("contract", "acme")
    assert {news.incident for news in told if news.severity != "informational"} == {first.incident}


def test_the_honest_ones_are_quiet() -> None:
    """The nightly export begins, the crawler reads on, a load test of one's own runs: nothing."""
    told, _ = played(None, confusers=("N6", "N7"))
    assert told == []
