"""Metrics in log time: they follow from the rows and the step, change nothing that is found, and forget nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser

from detector.config import ReplaySettings
from detector.engines import reading
from detector.engines.local import replay
from detector.errors import SinkError
from detector.health import METRICS, OF_A_STREAM
from tests.e2e.traffic import BEGIN, walkers_among_readers

RECORDS, WALKERS = 40_000, 2
REJECTED = 7


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Readers, two walkers, and a few lines that are no requests."""
    lines, _ = walkers_among_readers(RECORDS, WALKERS, seed=3)
    path = tmp_path_factory.mktemp("log") / "access.log"
    path.write_bytes(b"\n".join([*lines[:20_000], *[b"no request"] * REJECTED, *lines[20_000:]]) + b"\n")
    return path


def written(log: Path, out: Path, **more: object) -> str:
    """The file a replay writes."""
    replay([log], replace(ReplaySettings(metrics=out), **more))  # type: ignore[arg-type]
    return out.read_text()


def test_it_is_a_file_of_the_table(log: Path, tmp_path: Path) -> None:
    """Strictly parsed: every metric of the table that a replay can know, `up` and `ALERTS`, and nothing else; moments
    are full steps of log time; counters end at what was read."""
    families = list(parser.text_string_to_metric_families(written(log, tmp_path / "x.om")))
    names = {sample.name for family in families for sample in family.samples}
    due = {m.full_name for m in METRICS if m.name not in OF_A_STREAM and m.kind != "histogram"}
    due |= {f"detector_alert_delay_seconds_{end}" for end in ("bucket", "sum", "count")}
    assert names == due | {"up", "ALERTS"}
    samples = [sample for family in families for sample in family.samples]
    moments = {float(sample.timestamp) for sample in samples}
    assert all(moment % 15 == 0 for moment in moments)
    assert min(moments) == BEGIN.timestamp()
    last = {(s.name, tuple(s.labels.items())): s.value for s in samples}
    assert sum(v for (name, _), v in last.items() if name == "detector_requests_total") == RECORDS + 400 * WALKERS
    rejected = sum(v for (name, _), v in last.items() if name == "detector_requests_rejected_total")
    assert rejected == REJECTED
    assert sum(v for (name, _), v in last.items() if name == "detector_incidents_total") == WALKERS
    assert sum(v for (name, _), v in last.items() if name == "detector_incidents_active") == 0, "an explicit end"
    assert {v for (name, _), v in last.items() if name == "ALERTS"} == {0}
    raised = {dict(labels)["raised"] for name, labels in last if name == "ALERTS"}
    assert raised == {"1", "2"}, "a second incident of a pattern is another alert"


def test_cuts_and_threads_change_nothing(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the same to the byte however text is cut and rows are released, but for when rejects are seen."""
    whole = written(log, tmp_path / "a.om", threads=2)
    monkeypatch.setattr(reading, "CHUNK_BYTES", 1 << 16)
    monkeypatch.setattr("detector.engines.order.Merger.MOST_ROWS", 777)
    monkeypatch.setattr("detector.engines.order.Merger.LEAST_ROWS", 5)
    cut = written(log, tmp_path / "b.om", threads=1)

    def without(text: str) -> list[str]:
        return [line for line in text.split("\n") if not line.startswith("detector_requests_rejected_total")]

    assert without(cut) == without(whole)


def test_incidents_are_the_same_with_and_without(log: Path, tmp_path: Path) -> None:
    """Telling the metrics of every revision changes none."""
    plain = replay([log], ReplaySettings())
    told = replay([log], ReplaySettings(metrics=tmp_path / "x.om", metrics_step=1))
    assert told.incidents == plain.incidents
    assert len(plain.incidents) == WALKERS
    assert told.coverage == plain.coverage


def test_a_coarse_step_is_told_as_it_is(log: Path, tmp_path: Path) -> None:
    """A step of five minutes writes a sample each."""
    text = written(log, tmp_path / "x.om", metrics_step=300)
    moments = {int(line.rpartition(" ")[2]) for line in text.split("\n") if line and line[0] != "#"}
    assert {moment % 300 for moment in moments} == {0}


def test_a_file_that_cannot_be_written(log: Path, tmp_path: Path) -> None:
    """It is said before hours of reading."""
    with pytest.raises(SinkError, match="metrics cannot be written"):
        replay([log], ReplaySettings(metrics=tmp_path / "none" / "x.om"))
