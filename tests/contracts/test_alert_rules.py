"""What configs/ gives to Prometheus, Alertmanager and Grafana, read by the real tools where there are some."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from configs.source import __main__ as made
from configs.source import alerts as source
from configs.source.alerts import read
from detector.health import METRICS, PATTERN
from detector.sinks.alert_names import PAGING, alert_of
from detector.sinks.prometheus import Metrics
from tests.conftest import ROOT
from tests.e2e.broker import Unavailable, skip_or_fail
from tests.e2e.monitoring import installed
from tests.expressions import asked, metric_of, panels, rules, selectors, where_from

CONFIGS = ROOT / "configs"
DASHBOARDS = sorted((CONFIGS / "grafana" / "dashboards").glob("*.json"))


def run(name: str, *arguments: str, given: bytes | None = None) -> None:
    """Runs a tool that says by its exit code whether all is well."""
    try:
        path = installed(name)
    except Unavailable as why:
        skip_or_fail(why)
    done = subprocess.run([path, *arguments], cwd=CONFIGS, check=False, capture_output=True, input=given)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_made_files_are_those_of_their_source() -> None:
    """Nobody has changed a file that is made."""
    assert made.main(["--check"]) == 0


def test_rules_fire_and_do_not() -> None:
    """promtool runs the cases of rules_test.yaml."""
    run("promtool", "check", "config", "prometheus/scrape.yaml")
    run("promtool", "test", "rules", "prometheus/rules_test.yaml")


def test_alertmanager_takes_the_example() -> None:
    """amtool reads the configuration and its template, and each severity goes where it should."""
    run("amtool", "check-config", "alertmanager/alertmanager.yaml")
    for severity, receiver in (("critical", "on-call"), ("low", "tickets"), ("informational", "nobody")):
        run(
            "amtool", "config", "routes", "test", "--config.file=alertmanager/alertmanager.yaml",
            f"--verify.receivers={receiver}", f"severity={severity}",
        )  # fmt: skip


def test_each_alert_has_its_page() -> None:
    """A runbook with its four parts for each alert, and none for an alert that does not exist."""
    pages = {path.stem: path.read_text() for path in (CONFIGS / "runbooks").glob("*.md") if path.stem != "README"}
    assert pages.keys() == {alert.name for alert in read().alerts}
    for name, text in pages.items():
        parts = [line for line in text.split("\n") if line.startswith("## ")]
        assert parts == [
            "## What it means", "## The first five minutes", "## How to silence it", "## What else it may be",
        ], name  # fmt: skip


def test_each_pattern_has_its_alert() -> None:
    """Whatever the catalogue can raise above informational is in exactly one alert."""
    exprs = [alert.expr for alert in read().alerts if alert.group == "detector-incidents"]
    alerted = [p for expr in exprs for p in re.search(r'pattern=~"([^"]+)"', expr)[1].split("|")]  # type: ignore[index]
    assert sorted(alerted) == sorted(set(PATTERN.values) - {"metronome"})
    for alert in read().alerts:
        if alert.group == "detector-incidents":
            named = re.search(r'pattern=~"([^"]+)"', alert.expr)[1].split("|")  # type: ignore[index]
            assert {alert_of(pattern) for pattern in named} == {alert.name}, (
                "a sink and a replay would call it otherwise"
            )
    assert "|".join(PAGING) == source.PAGING


def test_expressions_ask_for_metrics_there_are() -> None:
    """Each expression of each panel, alert and recording rule parses, and each metric in it is one of the table's."""
    sources = where_from()
    for place, expression in (*panels(), *rules()):
        assert selectors(expression) or expression == "vector(0)", place
        assert {metric_of(selector) for selector in selectors(expression)} <= sources.keys(), place
    assert len(asked()) > 50


def test_metrics_are_as_promtool_likes_them() -> None:
    """promtool's linter has nothing to say of a scrape."""
    metrics = Metrics("1.2.3", {"sink": ["jsonl"], "data_class": ["none", "phone"]}, process=False)
    for metric in METRICS:
        if metric.kind == "gauge" and not metric.labels:
            metrics.set(metric.name, 0)
    run("promtool", "check", "metrics", given=metrics.render()[0])


RANGED = re.compile(r"\b(rate|irate|increase|delta)\([^)]*\[(?!\$__rate_interval\]|\$__range\]|1d\])")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_sound(path: Path) -> None:
    """The rules of Grafana's dashboard linter: one data source variable, job and instance in every query, titles,
    descriptions and units, rates over `$__rate_interval`, nothing to be edited by hand."""
    board = json.loads(path.read_text())
    variables: dict[str, dict[str, Any]] = {one["name"]: one for one in board["templating"]["list"]}
    assert [one["label"] for one in variables.values() if one["type"] == "datasource"] == ["Data source"]
    for name in ("job", "instance"):
        assert variables[name]["allValue"] == ".+"
        assert variables[name]["refresh"] == 2
    assert board["editable"] is False
    assert board["timezone"] == "utc"
    places = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        assert at["x"] + at["w"] <= 24
        places.add((at["x"], at["y"]))
        for target in panel["targets"]:
            expression = target["expr"]
            assert 'job=~"$job",instance=~"$instance"' in expression, expression
            assert not RANGED.search(expression), expression
            assert target["datasource"]["uid"] == "${datasource}" if "datasource" in target else True
    assert len(places) == len(board["panels"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_what_the_sdk_knows(path: Path) -> None:
    """Read by the SDK's models, which are made from Grafana's schema, and written again, nothing is lost or added: no
    key that Grafana does not know, none in the wrong place."""
    board = json.loads(path.read_text())
    assert json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)) == board
    board["panels"][0]["fieldConfig"]["defaults"]["unti"] = "s"
    assert json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)) != board, "the check would see nothing"


def test_provisioning_names_what_there_is() -> None:
    """The data source of the rules and the folder of the dashboards are those that are provisioned."""
    folder = CONFIGS / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"][0]["uid"]
    rules = yaml.safe_load((folder / "alerting" / "rules.yaml.off").read_text())
    uids = {query["datasourceUid"] for group in rules["groups"] for rule in group["rules"] for query in rule["data"]}
    assert uids == {source, "__expr__"}
    titles = [rule["uid"] for group in rules["groups"] for rule in group["rules"]]
    assert len(titles) == len(set(titles))
    boards = {json.loads(path.read_text())["uid"] for path in DASHBOARDS}
    assert {alert.dashboard for alert in read().alerts} <= boards
