"""From a log in Kafka to somebody's pager, with the real broker, Prometheus, Alertmanager and configs/."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from detector import clock
from detector.sinks.alertmanager import Alertmanager as Sink
from detector.sinks.alertmanager import AlertmanagerSettings
from tests.conftest import ROOT
from tests.e2e.broker import Broker, Unavailable, skip_or_fail
from tests.e2e.monitoring import Alertmanager, Prometheus
from tests.e2e.stream import Member, feed, pause, wait
from tests.e2e.walked import Walked, committed, ends, on_topic
from tests.expressions import asked
from tests.receiver import Receiver

pytestmark = pytest.mark.e2e

CONFIGS = ROOT / "configs"
PATIENCE_S = 60
LATER = b'10.0.0.9 - - [01/Mar/2026:00:%02d:00 +0000] "GET /items/1 HTTP/1.1" 200 812 "-" "Mozilla/5.0"'


def shortened(folder: Path, receiver: str, interval: str = "1s") -> Path:
    """The example of Alertmanager with a second in place of its waits, and everybody's address the receiver's."""
    text = (CONFIGS / "alertmanager" / "alertmanager.yaml").read_text().replace("http://localhost:9999", receiver)
    document = yaml.safe_load(text)
    document["route"] |= {"group_wait": "1s", "group_interval": interval}
    document["templates"] = [str(CONFIGS / "alertmanager" / "*.tmpl")]
    path = folder / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def scraping(folder: Path, detector: str, alertmanager: str) -> Path:
    """The example of Prometheus and the rules, each second, with these addresses."""
    document = yaml.safe_load((CONFIGS / "prometheus" / "scrape.yaml").read_text())
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document["scrape_configs"][0]["static_configs"][0]["targets"] = [detector]
    document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    rules = yaml.safe_load((CONFIGS / "prometheus" / "rules.yaml").read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def told(receiver: Receiver) -> list[tuple[str, str, dict[str, Any]]]:
    """What came: whose address, firing or resolved, the alert; oldest first, repeats left out."""
    found = []
    for request in receiver.received:
        for alert in json.loads(request.body)["alerts"]:
            one = (request.path, alert["status"], {"labels": alert["labels"], "annotations": alert["annotations"]})
            if one not in found:
                found.append(one)
    return found


def counts(receiver: Receiver, status: str) -> set[str]:
    """The counts of incidents in the alerts about walks."""
    return {one["labels"]["raised"] for _, at, one in told(receiver) if at == status and "raised" in one["labels"]}


def test_an_extraction_pages(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """The first walk pages with its pattern, severity, runbook and dashboard; the second pages although the first is
    there; when it is quiet everything resolves. Meanwhile every selector of every panel and rule returns data."""
    begun = clock.monotonic()
    setting = on_topic(tmp_path, broker, walked.lines[:8_000], 1)
    with Receiver() as receiver, Member(setting) as member:
        address = f"127.0.0.1:{member.port}"
        try:
            alertmanager = Alertmanager.start(tmp_path / "am", shortened(tmp_path, receiver.url.rstrip("/")))
        except Unavailable as why:
            skip_or_fail(why)
        target = alertmanager.url.removeprefix("http://")
        with alertmanager, Prometheus.start(tmp_path / "prometheus", scraping(tmp_path, address, target)) as prometheus:
            wait(lambda: bool(prometheus.query("detector_build_info")), 20, "first scrape", member)
            feed(broker.bootstrap, setting.topic, walked.lines[8_000 : walked.cut // 3])
            wait(lambda: counts(receiver, "firing") == {"1"}, PATIENCE_S, "first page", member)
            feed(broker.bootstrap, setting.topic, walked.lines[walked.cut // 3 : walked.cut // 2])
            wait(lambda: "2" in counts(receiver, "firing"), PATIENCE_S, "second page", member)
            unanswered = [selector for selector in asked() if not prometheus.query(f"count({selector})")]
            assert not unanswered, "panels or rules ask for what a running sidecar does not show"
            quiet = [LATER % minute for minute in range(20, 45) for _ in range(20)]
            feed(broker.bootstrap, setting.topic, quiet)
            wait(lambda: not alertmanager.alerts(), PATIENCE_S, "end of the alerts", member)
            wait(lambda: counts(receiver, "resolved") == {"1", "2"}, PATIENCE_S, "word of it", member)
        assert member.stop() == 0
    first = next(one for _, at, one in told(receiver) if at == "firing" and one["labels"].get("raised") == "1")
    assert first["labels"]["alertname"] == "DetectorEnumeration"
    assert first["labels"]["pattern"] == "walk"
    severity = first["labels"]["severity"]
    (receiving,) = {path.rpartition("/")[2] for path, _, one in told(receiver) if one == first}
    assert receiving == ("page" if severity in ("high", "critical") else "tickets")
    runbook = CONFIGS / "runbooks" / first["annotations"]["runbook_url"].rpartition("/")[2]
    assert runbook.exists()
    assert "/d/detector-leaks?var-pattern=walk" in first["annotations"]["dashboard_url"]
    assert "198.18." not in json.dumps(told(receiver)), "a client in an alert"
    assert clock.monotonic() - begun < 180


RESTART_S = 20
"""In place of the five minutes of the example's `group_interval`: a restart takes some five seconds here."""


def test_a_restart_pages_nobody(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """A sidecar killed while incidents are open and active is one page each, however it comes back: from its snapshot,
    or by reading the topic again from the start; and one more incident is one more page."""
    cut = walked.cut // 2
    setting = on_topic(tmp_path, broker, walked.lines[:cut], 1)
    state = tmp_path / "a" / "state"
    with Receiver() as receiver:
        listen: tuple[str, ...] = ()
        try:
            config = shortened(tmp_path, receiver.url.rstrip("/"), f"{RESTART_S}s")
            alertmanager = Alertmanager.start(tmp_path / "am", config)
        except Unavailable as why:
            skip_or_fail(why)
        with alertmanager:
            with Member(setting) as member:
                listen = ("--web.listen-address", f"127.0.0.1:{member.port}")
                target = alertmanager.url.removeprefix("http://")
                prometheus = Prometheus.start(tmp_path / "prometheus", scraping(tmp_path, listen[1], target))
                wait(lambda: firing(receiver) == ["2"], PATIENCE_S, "the page", member)
                wait(lambda: committed(setting) == ends(setting), 20, "a commit", member)
                member.kill()
            with prometheus:
                for lose in ("nothing", "window"):
                    for path in (state / "snapshots").glob(f"{lose}.*"):
                        path.unlink()
                    with Member(setting, options=listen) as member:
                        member.wait_for("restored" if lose == "nothing" else "rewound")
                        wait(lambda: counted(prometheus) == {"2"}, PATIENCE_S, "the alert again", member)
                        pause(RESTART_S * 1.2)
                        assert firing(receiver) == ["2"], "a second page for the same incidents"
                        if lose == "window":
                            feed(broker.bootstrap, setting.topic, walked.lines[cut : walked.cut * 3 // 4])
                            wait(lambda: firing(receiver) == ["2", "3"], PATIENCE_S, "one more page", member)
                        member.kill()


def firing(receiver: Receiver) -> list[str]:
    """The counts of incidents in the messages about walks that fire, one a message, in order."""
    bodies = [json.loads(request.body) for request in receiver.received]
    return [
        alert["labels"]["raised"]
        for body in bodies
        for alert in body["alerts"]
        if alert["status"] == "firing" and "raised" in alert["labels"]
    ]


def counted(prometheus: Prometheus) -> set[str]:
    """The counts of incidents in the alerts that fire now."""
    return {one["metric"]["raised"] for one in prometheus.query('ALERTS{alertname="DetectorEnumeration"}')}


def test_the_sink_pages(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """Without the rules, the sink sends each incident as an alert of its own, with a link to its page and without a
    client; repeats keep it, a closed one resolves, and one below the least severity is never sent."""
    try:
        alertmanager = Alertmanager.start(tmp_path / "am", shortened(tmp_path, "http://127.0.0.1:9"))
    except Unavailable as why:
        skip_or_fail(why)
    records = list(walked.due.values())
    active: list[dict[str, Any]] = []
    with alertmanager:
        settings = AlertmanagerSettings(
            alertmanager.url,
            labels={"team": "data"},
            incident_url="https://detector.example.org/incidents/{incident}",
            runbooks="https://runbooks.example.org/detector",
        )
        with closing(Sink(settings, lambda: active, every_s=0.2)) as sink:
            for record in records:
                opened = {**record, "state": "open", "revision": 1}
                sink.deliver(json.dumps(opened), record["incident"], 1)
            curious = {**records[0], "incident": "c" * 32, "severity": "informational"}
            quiet = {**records[0], "incident": "d" * 32, "suppressed_by": "tests"}
            for record in (curious, quiet):
                sink.deliver(json.dumps(record), record["incident"], 1)
            found = {one["labels"]["incident"]: one for one in alertmanager.alerts()}
            assert found.keys() == walked.due.keys()
            active.append({**records[0], "state": "open"})
            first = found[records[0]["incident"]]
            wait(lambda: updated(alertmanager, records[0]) > first["updatedAt"], 10, "a repeat")
            active.clear()
            for record in records:
                sink.deliver(json.dumps({**record, "state": "closed", "revision": 9}), record["incident"], 9)
            assert alertmanager.alerts() == []
    assert first["labels"]["alertname"] == "DetectorIncident"
    assert first["labels"]["team"] == "data"
    assert first["annotations"]["incident_url"].endswith(f"/incidents/{records[0]['incident']}")
    assert first["annotations"]["runbook_url"].endswith("/DetectorEnumeration.md")
    assert not any(client in json.dumps(first) for client in records[0]["clients"])


def updated(alertmanager: Alertmanager, record: dict[str, Any]) -> str:
    """When an incident's alert was last sent."""
    moments: list[str] = [
        one["updatedAt"] for one in alertmanager.alerts() if one["labels"]["incident"] == record["incident"]
    ]
    return max(moments, default="")
