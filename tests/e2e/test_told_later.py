"""An incident of a stream told later: its topic gone, its process restarted, somebody already at work on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detector.sinks.case_files import read_case
from tests.e2e.broker import Broker
from tests.e2e.stream import ROOT, Setting, feed, incidents_of, latest, read_to_end, wait
from tests.e2e.traffic import WALK
from tests.e2e.walked import Walked, on_topic
from tests.receiver import Receiver

pytestmark = pytest.mark.e2e


def detector(*arguments: object) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "detector", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def found_in(setting: Setting) -> dict[str, dict[str, Any]]:
    """The newest revision of each incident, by id."""
    return latest(incidents_of(setting.incidents()))


def delete_topic(setting: Setting) -> None:
    """The topic is gone, and what it held."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": setting.bootstrap})
    for done in admin.delete_topics([setting.topic]).values():
        done.result(20)
    wait(lambda: setting.topic not in admin.list_topics(timeout=10).topics, 20, "end of the topic")


def test_it_can_be_told_when_its_topic_is_gone(broker: Broker, walked: Walked, tmp_path: Path) -> None:
    """Acknowledged between two lives of the process it stays so and is posted no more, and a verdict stays as well; its
    records are listed exactly when the topic is deleted, and the report is made of what the sidecar kept."""
    with Receiver() as receiver:
        setting = on_topic(tmp_path / "told-later", broker, walked.before, partitions=1, webhook=receiver.url)
        read_to_end(setting)
        growing = max(found_in(setting).values(), key=lambda record: str(record["raised_at"]))
        cases = setting.folder / "a" / "state" / "cases"
        assert growing["status"] == "new"
        assert growing["records_exposed"]["estimate"] < WALK
        detector("incidents", "ack", growing["incident"], "--cases", cases, "--assignee", "zoe")
        judged = min(found_in(setting).values(), key=lambda record: str(record["raised_at"]))
        detector("incidents", "close", judged["incident"], "--cases", cases, "--verdict", "true_positive")
        before = len(receiver.received)
        feed(setting.bootstrap, setting.topic, walked.behind)
        read_to_end(setting)
        posted = [json.loads(one.body) for one in receiver.received[before:]]
    assert {growing["incident"], judged["incident"]}.isdisjoint(record["incident"] for record in posted)
    assert len(posted) >= 1  # the walk that came later
    delete_topic(setting)
    found = found_in(setting)
    assert found.keys() == walked.due.keys()
    again = found[growing["incident"]]
    assert (again["status"], again["assignee"], again["revision"] > growing["revision"]) == (
        "acknowledged",
        "zoe",
        True,
    )
    kept = read_case(cases, judged["incident"])
    assert kept is not None
    assert (kept["record"]["status"], kept["record"]["verdict"]) == ("closed", "true_positive")
    out = tmp_path / "gone.csv"
    file = setting.incidents()
    detector("report", file, "--cases", cases, "--exposed", out, "--out", tmp_path / "report.html")
    rows = [line.split(",") for line in out.read_text().splitlines()]
    place = {name: at for at, name in enumerate(rows[0])}
    listed: dict[str, list[int]] = {}
    for row in rows[1:]:
        listed.setdefault(row[place["incident"]], []).append(int(row[place["record"]]))
    for identity, record in walked.due.items():
        number = int(str(record["clients"][0]).split(".")[2])
        assert sorted(listed[identity]) == [1_000_000 * (number + 1) + step for step in range(WALK)]
    text = (tmp_path / "report.html").read_text()
    assert text.count("<article") == len(found)
    assert "assigned to zoe" in text
    shown = detector("incidents", "show", growing["incident"], "--cases", cases)
    assert "what would have stopped it" in shown
    assert f"{setting.topic}/0" in (cases / f"{growing['incident']}.json").read_text()
    since = ("--since-revision", growing["revision"])
    facts = detector("report", file, "--cases", cases, "--notice", growing["incident"], *since)
    assert f"## Changed since revision {growing['revision']}" in facts
    assert f"records exposed: {growing['records_exposed']['estimate']:,} → {WALK}" in facts
