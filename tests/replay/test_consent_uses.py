"""Valid grants used otherwise: every story is found, whatever the seed, and no honest party is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.config import ReplaySettings, load_config
from detector.engines.local import replay
from detector.simulate import ConsentLog, ConsentOptions, Options, simulate
from detector.simulate.consent.uses import USES
from detector.simulate.play import Play

HOUR = 3600.0
SEEDS = range(1, 11)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("variant", USES)
def test_a_party_that_turns_is_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, seed: int
) -> None:
    """Two days, the last quarter of which one party uses its grants unlike before: one incident, of that party, with
    what it did and most of the persons; not before it began, and by the end of the night."""
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
    monkeypatch.setattr(Play, "rows", lambda _: iter(()))  # the crowd reads none of this, and takes half a minute
    made.write(tmp_path / "a.log")
    made.write_beside(tmp_path / "a.jsonl", tmp_path / "a.yaml")
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
