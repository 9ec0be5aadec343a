"""The logs that come with the project, judged by the truth that lies beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from detector.config import ReplaySettings, load_config
from detector.engines.local import replay
from detector.evaluate import Evaluation, evaluate
from detector.simulate.truth import Truth

EXTRACTIONS = ("p1", "p2", "p3")
LEAKED = 0.1  # of the records, before the first actionable alert: a bound that only a fault exceeds


def _evaluated(root: Path, name: str) -> Evaluation:
    """What a replay of the sample with the demo's configuration was worth."""
    samples = root / "sample_logs"
    truth = Truth.parse(json.loads((samples / f"{name}.truth.json").read_text(encoding="ascii")))
    settings = ReplaySettings(config=load_config(root / "configs" / "demo.yaml"))
    result = replay([samples / f"{name}.log.gz"], settings)
    assert result.coverage.parsed == result.coverage.lines
    return evaluate([i.record() for i in result.incidents], truth)


@pytest.mark.parametrize("name", EXTRACTIONS)
def test_a_planted_extraction_is_named_once_and_nothing_else(root: Path, name: str) -> None:
    """One incident names exactly the attacker's clients and counts what they took; no other incident is raised."""
    result = _evaluated(root, name)
    assert result.detected
    assert result.attack_incidents == 1
    assert result.false_incidents == []
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert result.count_error == pytest.approx(0, abs=0.03)
    assert result.leak_share < LEAKED


def test_a_quiet_day_raises_nothing(root: Path) -> None:
    """A day of ordinary traffic with declared partners has no incident."""
    result = _evaluated(root, "quiet")
    assert not result.detected
    assert result.false_incidents == []


def test_threads_change_nothing(root: Path) -> None:
    """Reading, looking records up and judging in turn, or each in a thread of its own, tell the same incidents."""
    settings = ReplaySettings(config=load_config(root / "configs" / "demo.yaml"))
    logs = [root / "sample_logs" / f"{name}.log.gz" for name in ("p2", "p3")]
    told = [replay(logs, replace(settings, threads=threads)) for threads in (1, 2)]
    assert len(told[0].incidents) == 2
    assert [i.record() for i in told[0].incidents] == [i.record() for i in told[1].incidents]
    assert told[0].floor == told[1].floor


def test_every_sample_is_tested(root: Path) -> None:
    """Each log among the samples has its truth and its test."""
    logs = {path.name.removesuffix(".log.gz") for path in (root / "sample_logs").glob("*.log.gz")}
    assert logs == {"quiet", *EXTRACTIONS}
    assert all((root / "sample_logs" / f"{name}.truth.json").is_file() for name in logs)
