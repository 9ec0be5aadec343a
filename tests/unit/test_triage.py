"""What people decide about incidents: it stays with them, and what somebody takes care of pages nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.engines.telemetry import Telemetry
from detector.errors import SinkError
from detector.incidents.incident import Incident
from detector.sinks.alertmanager import Alertmanager, AlertmanagerSettings
from detector.sinks.journal import Decision, Journal
from detector.sinks.jsonl import json_line
from detector.sinks.webhook import Webhook, WebhookSettings
from tests.receiver import Receiver

Make = Callable[..., Incident]


class Silent:
    """Metrics nobody reads, but for one gauge."""

    def __init__(self) -> None:
        self.active: dict[Any, float] = {}

    def replace(self, name: str, values: Any) -> None:
        """Keeps what is active."""
        if name == "incidents_active":
            self.active = dict(values)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


def test_what_is_said_last_holds(tmp_path: Path) -> None:
    """Each line changes what it names; another reader of the file sees the same, also after a line cut short."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    assert journal.decisions() == {}
    journal.append("a", "ack", assignee="zoe", note="looking")
    journal.append("b", "close", verdict="false_positive")
    journal.append("a", "close", verdict="true_positive")
    with path.open("ab") as file:
        file.write(b'{"incident":"a","acti')
    assert Journal(path).decisions()["a"].status == "closed"
    journal.append("b", "reopen")
    assert journal.decisions()["a"] == Decision(
        "closed", "true_positive", "zoe", "looking", journal.decisions()["a"].at, journal.decisions()["a"].by
    )
    assert (journal.decisions()["b"].status, journal.decisions()["b"].verdict) == ("new", None)
    assert [line["action"] for line in journal.lines()] == ["ack", "close", "close", "reopen"]
    assert journal.quiet("a")
    assert not journal.quiet("b")
    assert not journal.quiet("never seen")
    with pytest.raises(SinkError, match="cannot be written"):
        Journal(path / "below").append("a", "ack")


def test_who_is_in_care_pages_nobody(tmp_path: Path, make_incident: Make) -> None:
    """An acknowledged incident is no longer active, is not posted anew and is not sent to Alertmanager."""
    journal = Journal(tmp_path / "journal.jsonl")
    exporter = Silent()
    telemetry = Telemetry(exporter)
    telemetry.quiet = journal.quiet
    story = SimpleNamespace(last_us=1_000_000, raised_us=1, first_us=1)
    incident = make_incident(state="open", incident="a" * 32)
    telemetry.tell(incident, story, new=True)  # type: ignore[arg-type]
    assert [record["incident"] for record in telemetry.active()] == ["a" * 32]
    assert sum(exporter.active.values()) == 1
    journal.append("a" * 32, "ack")
    assert telemetry.active() == []
    telemetry.tell(make_incident(state="open", incident="a" * 32, revision=3), story, new=False)  # type: ignore[arg-type]
    assert sum(exporter.active.values()) == 0
    marked = journal.mark(make_incident(state="open", incident="a" * 32))
    assert marked.status == "acknowledged"
    with Receiver() as receiver:
        hook = Webhook(WebhookSettings(receiver.url))
        manager = Alertmanager(AlertmanagerSettings(receiver.url), list)
        for sink in (hook, manager):
            sink.deliver(json_line(marked), marked.incident, marked.revision)
        assert receiver.received == []
        journal.append("a" * 32, "reopen")
        again = journal.mark(marked)
        hook.deliver(json_line(again), again.incident, again.revision)
        assert len(receiver.received) == 1
        manager.close()


def test_what_is_suppressed_pages_nobody(make_incident: Make) -> None:
    """A suppressed incident is not active, is not posted and is not sent; when the suppression ends it is."""
    exporter = Silent()
    telemetry = Telemetry(exporter)
    story = SimpleNamespace(last_us=1_000_000, raised_us=1, first_us=1)
    quiet = make_incident(state="open", incident="a" * 32, suppressed_by="load test")
    telemetry.tell(quiet, story, new=True)  # type: ignore[arg-type]
    assert telemetry.active() == []
    assert sum(exporter.active.values()) == 0
    with Receiver() as receiver:
        hook = Webhook(WebhookSettings(receiver.url))
        manager = Alertmanager(AlertmanagerSettings(receiver.url), list)
        for sink in (hook, manager):
            sink.deliver(json_line(quiet), quiet.incident, quiet.revision)
        assert receiver.received == []
        loud = make_incident(state="open", incident="a" * 32, revision=quiet.revision + 1)
        telemetry.tell(loud, story, new=False)  # type: ignore[arg-type]
        for sink in (hook, manager):
            sink.deliver(json_line(loud), loud.incident, loud.revision)
        assert len(receiver.received) == 2
        manager.close()
    assert [record["incident"] for record in telemetry.active()] == ["a" * 32]


def test_a_verdict_stays_with_its_incident(tmp_path: Path, root: Path) -> None:
    """A verdict, then a replay: it is in the record, in the list and in the report, and --fail-on passes over it."""
    replay = ("replay", root / "sample_logs" / "p1.log.gz", "--config", root / "configs" / "demo.yaml", "-q")
    files = ("--incidents", tmp_path / "i.jsonl", "--cases", tmp_path / "cases", "--fail-on", "high")
    assert run(*replay, *files).exit_code == 1
    first = json.loads((tmp_path / "i.jsonl").read_text())
    assert (first["status"], first["verdict"]) == ("new", None)
    at = ("--cases", tmp_path / "cases")
    closing = ("incidents", "close", "latest", *at, "--verdict", "benign_positive", "--note", "a\x1b[2Jtest")
    assert run(*closing).exit_code == 0
    done = run(*replay, *files)
    assert done.exit_code == 0
    assert "1 closed by somebody not shown" in done.output
    again = json.loads((tmp_path / "i.jsonl").read_text())
    assert again["incident"] == first["incident"]
    assert (again["status"], again["verdict"]) == ("closed", "benign_positive")
    assert "no incidents that wait" in run("incidents", "list", *at).output
    assert "closed benign_positive" in run("incidents", "list", "--all", *at).output
    shown = run("incidents", "show", first["incident"][:6], *at).output
    assert "what would have stopped it" in shown
    assert "a\\x1b[2Jtest" in shown


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    """A verdict without closing, closing without one, no id, no folder: exit 2 or 3 and a line that says so."""
    (tmp_path / "cases").mkdir()
    at = ("--cases", tmp_path / "cases")
    for arguments, code, said in (
        (("ack", "x", "--verdict", "duplicate", *at), 2, "--verdict"),
        (("close", "x", *at), 2, "--verdict"),
        (("show", *at), 2, "needs an incident's id"),
        (("show", "x", *at), 2, "no incident begins with"),
        (("list", "--cases", tmp_path / "none"), 3, "no such folder"),
    ):
        done = run("incidents", *arguments)
        assert (done.exit_code, said in done.output) == (code, True), done.output
