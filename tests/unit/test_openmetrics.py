"""The file of OpenMetrics: what readers of the format accept, in bounded memory, with the samples that matter."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser

from detector.errors import SinkError
from detector.sinks.openmetrics import Family, OpenMetricsFile, labels_text, number_text
from detector.sinks.sampling import BEAT_S, RATE_STEPS, Samples

COUNTER = Family("detector_requests", "counter", 'Requests "parsed".')
GAUGE = Family("detector_open", "gauge", "Open\\ ones.")
BUCKETS = Family("detector_delay_seconds_bucket", "unknown", "Delay.")
JOB = {"job": "detector", "instance": "replay"}


def read(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Moments and values by series, as prometheus_client's strict parser reads them."""
    found: dict[str, list[tuple[float, float]]] = {}
    for family in parser.text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            key = sample.name + labels_text(sample.labels)
            found.setdefault(key, []).append((float(sample.timestamp), sample.value))
    return found


def test_series_met_in_turns_stand_together(tmp_path: Path) -> None:
    """Families and series interleaved in time are told apart in the file, also where they were spilled between."""
    for spill in (64, 1 << 20):
        path = tmp_path / f"{spill}.om"
        file = OpenMetricsFile(path, spill)
        samples = Samples(file, 15)
        for step in range(100, 200):
            samples.put(step, COUNTER, {**JOB, "format": 'a "b"\\\n'}, float(step))
            samples.put(step, GAUGE, JOB, float(step % 3))
            samples.put(step, BUCKETS, {**JOB, "le": "1.0"}, float(step))
            samples.put(step, BUCKETS, {**JOB, "le": "+Inf"}, step / 3)
        samples.close(200)
        file.close()
    found = read(path)
    assert (tmp_path / "64.om").read_bytes() == path.read_bytes()
    (counter,) = [series for name, series in found.items() if name.startswith("detector_requests_total")]
    assert counter == [(15.0 * step, float(min(step, 199))) for step in range(100, 201)]
    assert len([name for name in found if name.startswith("detector_delay_seconds_bucket")]) == 2
    assert {one.suffix for one in tmp_path.iterdir()} == {".om"}, "scratch files are left behind"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is not there is an error with the file's name, and what stood under a name stays until the end."""
    with pytest.raises(SinkError, match=r"none/x\.om: metrics cannot be written: No such file"):
        OpenMetricsFile(tmp_path / "none" / "x.om")
    path = tmp_path / "x.om"
    path.write_text("old\n")
    file = OpenMetricsFile(path)
    file.add(GAUGE, "a", "detector_open 1 15\n")
    assert path.read_text() == "old\n"
    file.close()
    assert path.read_text().endswith("detector_open 1 15\n# EOF\n")


def test_numbers() -> None:
    """Whole numbers, fractions, and what is none."""
    given_ = (3.0, 0.25, float("inf"), float("-inf"), float("nan"), 1772582415.5)
    assert [number_text(value) for value in given_] == ["3", "0.25", "+Inf", "-Inf", "NaN", "1772582415.5"]


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2)), min_size=1, max_size=12),
    step_s=st.sampled_from([1, 15, 60]),
    kind=st.sampled_from([COUNTER, GAUGE]),
)
def test_a_reader_sees_the_course(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], step_s: int, kind: Family
) -> None:
    """While the log goes on, the newest sample of the last five minutes is the value that holds, at every step; and a
    rate over four steps behind a change of a counter has the value before it."""
    path = tmp_path_factory.mktemp("course") / "x.om"
    file = OpenMetricsFile(path)
    samples = Samples(file, step_s)
    step, value, holds = 1_000, 1.0, {1_000: 1.0}
    samples.put(step, kind, JOB, value)
    for pause, rise in changes:
        holds |= {step + n: value for n in range(pause)}
        samples.awake(step, step + pause)
        step, value = step + pause, value + rise
        holds[step] = value
        samples.put(step, kind, JOB, value)
    samples.close(step)
    file.close()
    text = [line.split(" ") for line in path.read_text().split("\n") if line and line[0] != "#"]
    written = {int(at) // step_s: float(number) for _, number, at in text}
    assert len(written) == len(text), "a moment twice"
    assert list(written) == sorted(written)
    for at, right in holds.items():
        assert written.get(at, right) == right
        newest = max(moment for moment in written if moment <= at)
        assert written[newest] == right
        assert (at - newest) * step_s <= BEAT_S
        if kind is COUNTER and at - 1 in holds and holds[at - 1] != right:
            window = range(at - RATE_STEPS, at)
            assert all(moment in written for moment in window if moment >= 1_000)


def test_at_rest_nothing_is_written(tmp_path: Path) -> None:
    """A labelled series of zeros is at the first and last step; one that has moved is silent while the log rests, and
    its last value stands one step before the next."""
    path = tmp_path / "x.om"
    file = OpenMetricsFile(path)
    samples = Samples(file, 15)
    for step, value in ((1_000, 0.0), (1_010, 1.0), (9_000, 2.0)):
        samples.awake(step, step + 16)
        samples.put(step, GAUGE, {**JOB, "pattern": "walk"}, value)
        samples.put(step, GAUGE, {**JOB, "pattern": "sweep"}, 0.0)
    samples.close(9_020)
    file.close()
    by = {name.split("pattern=")[1][1:5]: [int(at) // 15 for at, _ in series] for name, series in read(path).items()}
    assert by["swee"] == [1_000, 9_020]
    assert by["walk"] == [1_000, 1_009, 1_010, 1_011, 1_016, 1_024, 8_999, 9_000, 9_001, 9_008, 9_016, 9_020]
