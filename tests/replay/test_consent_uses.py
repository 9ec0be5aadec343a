"""Valid grants used otherwise: every story is found, whatever the seed, and no honest party is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.config import ReplaySettings, load_config
from detector.engines.local import make_resolver, read_settings, replay, rules, sizes
from detector.engines.reading import Reader
from detector.incidents.render import incidents
from detector.pipeline import Pipeline
from detector.records.batch import Batch
from detector.records.resolve import Resolver
from detector.simulate import ConsentLog, ConsentOptions, Options, simulate
from detector.simulate.consent.uses import USES
from detector.simulate.play import Play

HOUR = 3600.0
SEEDS = range(1, 11)


def _story(folder: Path, monkeypatch: pytest.MonkeyPatch, variant: str, seed: int) -> ConsentLog:
    """Log, ledger and policy in a folder, and what is true of them; without the crowd, which reads none of this."""
    options = Options(
        start=datetime(2026, 3, 3, tzinfo=UTC),
        duration_seconds=48 * HOUR,
        attack_start_seconds=36 * HOUR,
        rate=0.02,
        ids=20_000,
        seed=seed,
        variant=variant,
        log_format="nginx_json",
    )
    made = simulate("P14", options, ConsentOptions(scale=1e-5))
    assert isinstance(made, ConsentLog)
    monkeypatch.setattr(Play, "rows", lambda _: iter(()))
    made.write(folder / "a.log")
    made.write_beside(folder / "a.jsonl", folder / "a.yaml")
    return made


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("variant", USES)
def test_a_party_that_turns_is_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, seed: int
) -> None:
    """Two days, the last quarter of which one party uses its grants unlike before: one incident, of that party, with
    what it did and most of the persons; not before it began, and by the end of the night."""
    made = _story(tmp_path, monkeypatch, variant, seed)
    found = replay([tmp_path / "a.log"], ReplaySettings(load_config(tmp_path / "a.yaml"))).incidents
    breach = made.truth.breaches[0]
    told = [one for one in found if one.severity != "informational"]
    assert [(one.pattern, one.partner) for one in told] == [("consent", breach["party"])]
    (one,) = told
    assert set(breach["findings"]) <= {finding.name for finding in one.evidence}
    assert "2026-03-04T12:00" < one.raised_at < "2026-03-04T20:00"
    assert one.persons_exposed is not None
    assert 0.6 * breach["persons"] < one.persons_exposed.low <= 1.1 * breach["persons"]
    assert one.confidence < 0.995  # it is no rule


@pytest.mark.parametrize("variant", USES)
def test_neither_cuts_nor_a_restart_change_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    """Read in pieces of 97 rows and taken up by a fresh process while suspicion grows, the incidents are the same."""
    _story(tmp_path, monkeypatch, variant, 1)
    config = load_config(tmp_path / "a.yaml")

    def fresh() -> tuple[Resolver, Pipeline]:
        resolver, routes = make_resolver(config)
        return resolver, Pipeline(rules(config), sizes(config), routes)

    def batches(resolver: Resolver, rows: int) -> Iterator[Batch]:
        for released in Reader([tmp_path / "a.log"], read_settings(ReplaySettings(config)), resolver):
            batch = replace(released.batch, time_us=released.moment_us)
            yield from (batch.take(slice(at, at + rows)) for at in range(0, len(batch), rows))

    resolver, whole = fresh()
    for batch in batches(resolver, 1 << 20):
        whole.take(batch)
    resolver, cut = fresh()
    for batch in batches(resolver, 97):
        cut.take(batch)
        if len(batch) and int(batch.time_us[-1]) // 1_000_000 % 7 == 0:  # every now and then
            saved, (_, cut) = cut.save(), fresh()
            cut.load(saved.meta, saved.arrays)
    for pipeline in (whole, cut):
        pipeline.finish()
    first, second = ([one.record() for one in incidents(p.book, {})] for p in (whole, cut))
    assert first
    assert first == second
