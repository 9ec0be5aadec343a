"""Sinks that write another schema, and lists to block by on an incident's page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.config import parse_config
from detector.engines.assembly import make_sinks
from detector.errors import ConfigError
from detector.incidents.incident import Incident
from detector.incidents.pseudonyms import Pseudonyms
from detector.incidents.schemas import ecs, identity_of, ocsf
from detector.report.blocking import block_list
from detector.sealing import Seal
from detector.sinks.incident_pages import IncidentPages
from detector.sinks.jsonl import JsonLinesLog, json_line, rendered
from detector.sinks.sink import Sink
from detector.sinks.webhook import Webhook, WebhookSettings
from tests.receiver import Receiver
from tests.unit.test_schemas import OCSF

Make = Callable[..., Incident]
ID = "3f9a1c5e7b2d48603f9a1c5e7b2d4860"


def deliver(sink: Sink, incident: Incident) -> None:
    """Gives an incident to a sink, as the outbox does: in the native schema."""
    sink.deliver(json_line(incident), incident.incident, incident.revision)


@pytest.mark.parametrize("schema", ["native", "ocsf", "ecs"])
def test_a_file_of_any_schema(schema: str, tmp_path: Path, make_incident: Make) -> None:
    """Each revision once, also after it was opened anew and its last line cut short; worded as by a replay."""
    path = tmp_path / "incidents.jsonl"
    first = JsonLinesLog(path, schema=schema)
    for revision in (1, 1, 2):
        deliver(first, make_incident(revision=revision))
    first.close()
    assert path.read_text().splitlines()[1] == json_line(make_incident(revision=2), schema)
    with path.open("a") as file:
        file.write(path.read_text()[:50])
    second = JsonLinesLog(path, schema=schema)
    for revision in (2, 3):
        deliver(second, make_incident(revision=revision))
    second.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [identity_of(line, schema) for line in lines] == [("3f9a1c5e7b2d4860", n) for n in (1, 2, 3)]


def test_a_webhook_of_another_schema(make_incident: Make) -> None:
    """What is posted is a Detection Finding; what is asked of severity and repeats holds as ever."""
    with Receiver() as receiver:
        hook = Webhook(WebhookSettings(receiver.url, min_severity="high"), schema="ocsf")
        for severity, revision in (("low", 1), ("high", 2), ("high", 2)):
            deliver(hook, make_incident(severity=severity, revision=revision))
        hook.close()
    assert len(receiver.received) == 1
    jsonschema.validate(json.loads(receiver.received[0].body), OCSF)
    assert receiver.received[0].headers["idempotency-key"].endswith(":2")


def test_the_configuration_says_which(tmp_path: Path) -> None:
    """Each sink has its own; another word is an error with its line."""
    topic = "{topic: t, schema: ocsf, producer: {bootstrap.servers: 'b:9092'}}"
    said = f"sinks: {{jsonl: {{path: a.jsonl, schema: ecs}}, kafka: {topic}, webhook: {{url: 'http://h/'}}}}"
    config = parse_config(f"source: {{kafka: {{topics: [a], start: latest}}}}\n{said}".encode(), "c.yaml", tmp_path)
    sinks = {sink.name: sink.schema for sink in make_sinks(config, False, list)}
    assert sinks == {"jsonl": "ecs", "kafka": "ocsf", "webhook": "native"}
    with pytest.raises(ConfigError, match=r"c.yaml:2: sinks.jsonl.schema: 'ocfs' is not known; did you mean ocsf"):
        parse_config(b"\nsinks: {jsonl: {path: a, schema: ocfs}}", "c.yaml")


def test_the_configuration_of_privacy(tmp_path: Path) -> None:
    """A key file that is not there and a time that is none are told with their lines; `check` reads the keys."""
    assert parse_config(b"", "c.yaml").privacy.case_days == 400.0
    with pytest.raises(ConfigError) as error:
        parse_config(b"privacy:\n  pseudonym_key_file: none\n  case_days: 0\n  keep: 1\n", "c.yaml", tmp_path)
    assert [line.split(": ")[0] + line.split(": ")[1] for line in error.value.problems] == [
        "c.yaml:2privacy.pseudonym_key_file",
        "c.yaml:3privacy.case_days",
        "c.yaml:4privacy.keep",
    ]
    (tmp_path / "short").write_text("too short")
    (tmp_path / "c.yaml").write_text("privacy: {encryption_key_file: short}")
    done = CliRunner().invoke(program.app, ["check", str(tmp_path / "c.yaml")])
    assert done.exit_code == 2
    assert "privacy.encryption_key_file" in done.output
    assert "9 bytes, at least 16" in done.output


def test_pseudonyms_are_no_addresses_for_others(make_incident: Make) -> None:
    """In OCSF they are no observables of type IP address; in ECS they stand where hashes belong."""
    hidden = Pseudonyms(b"0123456789abcdef").of("address", "203.0.113.9")
    record = make_incident(clients=[hidden]).record()
    assert [(one["type_id"], one["value"]) for one in ocsf(record)["observables"]] == [(99, hidden)]
    told = ecs(record)
    assert told["related"] == {"ip": [], "user": [], "hash": [hidden]}
    assert "source" not in told


def test_lists_to_block_by_on_a_page(tmp_path: Path, make_incident: Make) -> None:
    """The page leads to a list in each form, of all clients and not of those shown alone; of pseudonyms there is none,
    and a page that knows no lists offers none. Nothing of a page lies readable where there is a key."""
    many = [f"203.0.{n // 250}.{n % 250}" for n in range(300)]
    pages = IncidentPages(tmp_path / "pages", Seal(b"0123456789abcdef"), block_list)
    deliver(pages, make_incident(incident=ID, clients=many, client_count=300))
    below = pages.below()["/incidents/"]
    for form in ("nginx", "plain", "crowdsec"):
        assert f'href="/incidents/{ID}/{form}"' in below(ID).body.decode()
        page = below(f"{ID}/{form}")
        assert page.status == 200
        assert all(address in page.body.decode() for address in many)
    assert below(ID).body.decode().count("<code>203.0.") == 100
    assert b"203.0." not in (tmp_path / "pages" / f"{ID}.json").read_bytes()
    assert {below(f"{ID}/{name}").status for name in ("", "nginx/", "sh", "../key", "plain/x")} == {404}
    again = IncidentPages(tmp_path / "pages", Seal(b"0123456789abcdef"), block_list)
    assert b"203.0.0.1" in again.below()["/incidents/"](ID).body
    assert IncidentPages(tmp_path / "pages", None, block_list).below()["/incidents/"](ID).status == 404
    hidden = Pseudonyms(b"0123456789abcdef").of("address", "203.0.113.9")
    deliver(again, make_incident(incident=ID, clients=[hidden], revision=9))
    refused = again.below()["/incidents/"](f"{ID}/plain")
    assert (refused.status, b"unmask ID --block" in refused.body) == (409, True)
    bare = IncidentPages(tmp_path / "bare")
    deliver(bare, make_incident(incident=ID))
    assert b"/nginx" not in bare.below()["/incidents/"](ID).body
    assert bare.below()["/incidents/"](f"{ID}/nginx").status == 404
    again.forget(ID)
    assert again.below()["/incidents/"](ID).status == 404
    assert ID.encode() not in again.pages()["/incidents"]("").body


def test_a_line_is_rendered_from_a_line(make_incident: Make) -> None:
    """What a sink makes of the outbox's line is what a replay writes of the incident."""
    incident = make_incident()
    for schema in ("native", "ocsf", "ecs"):
        assert rendered(json_line(incident), schema) == json_line(incident, schema)
