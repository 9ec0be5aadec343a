"""Last month's log on today's dashboards: `replay --metrics`, promtool's blocks, a real Prometheus over them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from detector.sinks.alert_names import alert_of
from tests.conftest import ROOT
from tests.e2e.broker import Unavailable, skip_or_fail
from tests.e2e.monitoring import Prometheus, program
from tests.expressions import asked, metric_of, panels, rules, selectors, where_from

pytestmark = pytest.mark.e2e

LOGS = [ROOT / "sample_logs" / name for name in ("p1.log.gz", "p3.log.gz")]  # two half days, a day and a half between
STEP_S = 15
ACTIVE_S = 600  # README: an incident is active while its newest evidence is younger than ten minutes
SETTLED_S = 60  # a sweep's reads are counted in at the next minute of log time


@dataclass
class Filled:
    """A Prometheus over a back-filled replay.

    Attributes:
        server: it.
        incidents: what the replay wrote.
        last_s: the last sample.
    """

    server: Prometheus
    incidents: list[dict[str, Any]]
    last_s: int

    def course(self, expression: str, start_s: float, end_s: float) -> list[tuple[int, float]]:
        """Moments and values of one series over a range, at each step."""
        query = f"query={quote(expression)}&start={start_s:.0f}&end={end_s:.0f}&step={STEP_S}"
        answer = self.server.get(f"/api/v1/query_range?{query}")
        assert answer["status"] == "success", answer
        found = answer["data"]["result"]
        assert len(found) <= 1, found
        return [(int(at), float(value)) for at, value in found[0]["values"]] if found else []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The three commands of the README."""
    folder = tmp_path_factory.mktemp("backfill")
    text, out, data = folder / "replay.om", folder / "found.jsonl", folder / "data"
    try:
        promtool = program("promtool")
    except Unavailable as why:
        skip_or_fail(why)
    command = [sys.executable, "-m", "detector", "replay", "--quiet", "--config", "configs/demo.yaml"]
    run([*command, "--metrics", str(text), "--incidents", str(out), *map(str, LOGS)])
    run([promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)])
    config = folder / "prometheus.yaml"
    config.write_text("{}\n")
    options = (f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=10y")
    last_s = max(int(line.rpartition(" ")[2]) for line in text.read_text().split("\n") if line and line[0] != "#")
    with Prometheus.start(folder, config, *options) as server:
        yield Filled(server, [json.loads(line) for line in out.read_text().split("\n") if line], last_s)


def run(command: list[str]) -> None:
    """Runs a command that must succeed."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def seconds(moment: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def test_windows_are_those_replay_prints(filled: Filled) -> None:
    """Queried over its own dates, each incident is active from the step behind `raised_at` until ten minutes after
    `last_seen`, and explicitly 0 before and after."""
    assert [one["pattern"] for one in filled.incidents] == ["walk", "sweep"]
    for one in filled.incidents:
        raised, ends = seconds(one["raised_at"]), seconds(one["last_seen"]) + ACTIVE_S
        asked_for = f'sum(detector_incidents_active{{pattern="{one["pattern"]}"}})'
        course = filled.course(asked_for, raised // STEP_S * STEP_S - 300, ends // STEP_S * STEP_S + 300)
        active = [at for at, value in course if value > 0]
        assert raised <= active[0] <= raised + STEP_S
        assert ends - STEP_S - SETTLED_S * (one["pattern"] == "sweep") <= active[-1] <= ends
        assert active == list(range(active[0], active[-1] + STEP_S, STEP_S)), "a hole, or a series gone stale"
        assert {value for at, value in course if at < active[0] or at > active[-1]} == {0.0}


def test_alerts_are_those_of_the_rules(filled: Filled) -> None:
    """ALERTS fires as long as the incident is active, with the labels of the rule, and ends in zeros."""
    for one in filled.incidents:
        raised, ends = seconds(one["raised_at"]), seconds(one["last_seen"]) + ACTIVE_S
        name, pattern = alert_of(one["pattern"]), one["pattern"]
        found = f'max(ALERTS{{alertname="{name}",alertstate="firing",pattern="{pattern}",raised="1",job="detector"}})'
        start_s, end_s = raised // STEP_S * STEP_S - 300, ends // STEP_S * STEP_S + 300
        firing = [at for at, value in filled.course(found, start_s, end_s) if value == 1]
        active = f'sum(detector_incidents_active{{pattern="{pattern}"}})'
        assert firing == [at for at, value in filled.course(active, start_s, end_s) if value > 0]


def test_rules_would_have_fired_so(filled: Filled) -> None:
    """The very expressions of the rules, evaluated over the back-filled samples, give the alerts that are written."""
    expression = next(e for place, e in every_rule() if place == "DetectorEnumeration")
    for one in filled.incidents:
        at = seconds(one["raised_at"]) // STEP_S * STEP_S + 4 * STEP_S
        fires = {tuple(sorted(found["metric"].items())) for found in filled.server.query(expression, time=str(at))}
        written = {
            tuple(
                sorted((k, v) for k, v in found["metric"].items() if k not in ("__name__", "alertname", "alertstate"))
            )
            for found in filled.server.query('ALERTS{alertname="DetectorEnumeration"} == 1', time=str(at))
        }
        assert fires
        assert fires == written


def every_rule() -> list[tuple[str, str]]:
    """Alerts and recording rules."""
    return list(rules())


def test_records_are_those_replay_counts(filled: Filled) -> None:
    """The gauge ends at the estimate of the record, and the counter rises by its lower bound."""
    for one in filled.incidents:
        at = str(seconds(one["last_seen"]) // STEP_S * STEP_S + 2 * SETTLED_S)
        (found,) = filled.server.query(f'detector_records_exposed_estimate{{pattern="{one["pattern"]}"}}', time=at)
        assert float(found["value"][1]) >= 0.9 * one["records_exposed"]["estimate"], "told when a tenth has been added"
        gone = f'sum(last_over_time(detector_records_exposed_total{{pattern="{one["pattern"]}"}}[1d]))'
        (total,) = filled.server.query(gone, time=str(filled.last_s))
        assert 0.9 * one["records_exposed"]["low"] <= float(total["value"][1]) <= one["records_exposed"]["low"]


@pytest.mark.parametrize("selector", sorted(asked()))
def test_selectors_return_data(selector: str, filled: Filled) -> None:
    """What panels and rules ask for is in the back-fill; what only a running sidecar has is in `test_paging`."""
    source = where_from()[metric_of(selector)]
    found = filled.server.query(f"count({selector})", time=str(filled.last_s))
    if source == "live":
        assert not found, "a replay cannot know this"
    else:
        assert float(found[0]["value"][1]) > 0, asked()[selector]


ZERO = {
    "detector_requests_rejected_total", "detector_clients_evicted_total", "detector_incidents_suppressed_total",
}  # by label, and nothing of the kind is in these logs: such series have two samples  # fmt: skip


def test_panels_show_last_months_log(filled: Filled) -> None:
    """Each panel's expression is evaluated in the middle of an incident; it gives rows wherever its metrics are not
    only those of a running sidecar."""
    at = str(seconds(filled.incidents[0]["raised_at"]) + 300)
    sources = where_from()
    for place, expression in panels():
        metrics = {metric_of(one) for one in selectors(expression)}
        empty = metrics <= ZERO or any(sources[one] == "live" for one in metrics)
        assert bool(filled.server.query(expression, time=at)) != empty, (place, expression)


def test_one_incident_over_time(filled: Filled) -> None:
    """The dashboard of an incident, asked for the hours of the first one, has a course above zero in every panel."""
    begin, end = seconds(filled.incidents[0]["raised_at"]), seconds(filled.incidents[0]["last_seen"])
    for place, expression in panels():
        if place.startswith("incident: "):
            query = f"query={quote(expression)}&start={begin + 60:.0f}&end={end:.0f}&step={4 * STEP_S}"
            result = filled.server.get(f"/api/v1/query_range?{query}")["data"]["result"]
            assert any(float(value) > 0 for one in result for _, value in one["values"]), place


def test_a_gap_costs_little(filled: Filled) -> None:
    """While the log is at rest nothing changes and samples are two minutes apart; once the open incident would have
    been closed, thirty hours after the last row, there are none."""
    rest = seconds(filled.incidents[0]["last_seen"]) // 86_400 * 86_400 + 43_200
    (kept,) = filled.server.query("count_over_time(up[6h])", time=str(rest + 24 * 3600))
    assert float(kept["value"][1]) == pytest.approx(6 * 3600 / 120, abs=2)
    assert not filled.server.query("count_over_time(up[4h])", time=str(rest + 35 * 3600))
