"""A stream that carries a second format: said once, named, and about how many records it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector import clock
from detector.config import parse_config
from detector.engines.intake import Intake
from detector.engines.leftovers import LOOK_S
from detector.engines.local import make_resolver, rules, sizes
from detector.engines.telemetry import EVERY_S, Telemetry
from detector.formats.fields import MAX_LINE_BYTES
from detector.pipeline import Pipeline
from detector.records.resolve import Resolver
from detector.sinks.prometheus import Metrics
from detector.sources.follow import Follower
from tests import otlp_requests as otlp
from tests.format_lines import PLAIN

COMBINED, KONG = PLAIN["combined"], PLAIN["kong"]
WRAPPED = json.dumps({"log": COMBINED.decode()}).encode()
BODY = otlp.in_json(otlp.bodies(KONG.decode()))


class Stream:
    """A followed file and its reading side; closed by the test."""

    def __init__(self, path: Path, log_format: str | None = None, envelope: str = "auto") -> None:
        self.path = path
        self.follower = Follower([str(path)], quiet_s=0.0, look_s=0.0)
        self.intake = Intake(self.follower, Resolver(), 0, log_format, envelope)

    def take(self, lines: list[bytes]) -> dict[str, int]:
        """Lets some lines come; the other formats known by then."""
        with self.path.open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")
        for _ in range(3):
            list(self.intake.take(self.follower.poll(0)))
        return self.intake.coverage.mixed.get("source", {})


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that passes, in the test's hand."""
    seconds = [clock.monotonic()]
    monkeypatch.setattr(clock, "monotonic", lambda: seconds[0])
    return seconds


def test_a_second_format_is_named(tmp_path: Path, now: list[float]) -> None:
    """What comes after the format was settled is named, and looked at once a minute at most."""
    stream = Stream(tmp_path / "access.log")
    assert stream.take([COMBINED] * 300) == {}
    assert stream.take(([COMBINED] * 3 + [KONG]) * 100) == {"kong": 100}
    assert stream.take([KONG] * 200) == {"kong": 100}
    now[0] += LOOK_S
    assert stream.take([COMBINED]) == {"kong": 300}
    assert stream.intake.coverage.rejected.keys() <= {"layout", "torn", "address", "time"}
    assert sum(stream.intake.coverage.rejected.values()) == 300
    stream.take([PLAIN["aws_alb"]] * 100)
    list(stream.intake.finish())
    assert stream.intake.coverage.mixed == {"source": {"kong": 300, "aws_alb": 100}}
    stream.follower.close()


@pytest.mark.parametrize(
    ("own", "other", "log_format", "named"),
    [
        (COMBINED, WRAPPED, None, {"combined, wrapped by Fluent Bit, Docker or containerd (`log`)": 50}),
        (WRAPPED, json.dumps({"log": KONG.decode()}).encode(), None, {"kong": 50}),
        (COMBINED, KONG, "combined", {"kong": 50}),
        (COMBINED, BODY, None, {"kong, the bodies of OpenTelemetry's log records (otlp_body)": 50}),
    ],
)
def test_envelopes_are_named(
    own: bytes, other: bytes, log_format: str | None, named: dict[str, int], tmp_path: Path
) -> None:
    """Records that something else wraps are told from those of another format."""
    stream = Stream(tmp_path / "access.log", log_format)
    assert stream.take([own] * 300) == {}
    assert stream.take([own, other] * 50) == named
    stream.follower.close()


@pytest.mark.parametrize(
    "dirt",
    [
        [b"dirt"] * 60,
        [b"", b"#comment"] * 60,
        [KONG] * 5,
        [b"x" * (MAX_LINE_BYTES + 9)] * 20,
        [COMBINED[:20], COMBINED[:40], b"GET / HTTP/1.1"] * 20,
    ],
)
def test_dirt_is_no_format(dirt: list[bytes], tmp_path: Path) -> None:
    """What no preset takes, blank lines, and a few strangers among many are said of by their reasons alone."""
    stream = Stream(tmp_path / "access.log")
    assert stream.take([COMBINED] * 400) == {}
    assert stream.take(dirt) == {}
    list(stream.intake.finish())
    assert stream.intake.coverage.mixed == {}
    stream.follower.close()


def test_the_log_names_it_once(tmp_path: Path, now: list[float]) -> None:
    """The sidecar says which format when it is first met, not with each look; no metric gets a label of it."""
    config = parse_config(b"state: {clients: 4096, objects: 65536}", "x.yaml")
    pipeline = Pipeline(rules(config), sizes(config), make_resolver(config)[1])
    said: list[tuple[str, dict[str, Any]]] = []
    metrics = Metrics("1", {"sink": [], "data_class": []}, process=False)
    telemetry = Telemetry(metrics, lambda event, **facts: said.append((event, facts)), now_s=lambda: now[0])
    stream = Stream(tmp_path / "access.log")
    for lines in ([COMBINED] * 300, [COMBINED, KONG] * 50, [KONG] * 50, [PLAIN["aws_alb"]] * 50):
        stream.take(lines)
        telemetry.renew(pipeline, stream.intake.coverage, stream.intake.format)
        now[0] += max(LOOK_S, EVERY_S)
    stream.follower.close()
    first, second = (facts for event, facts in said if event == "mixed")
    assert first == {"rejected": {"kong": 50}, "read_as": "combined"}
    assert second == {"rejected": {"kong": 100, "aws_alb": 50}, "read_as": "combined"}
    assert {labels for labels, count in metrics.shown("requests_total").items() if count} == {("combined",)}
