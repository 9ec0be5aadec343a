"""Incidents in the words of others: OCSF, ECS, Parquet, and lists to block by, which nginx itself accepts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

from detector.cli.incident_table import write_table
from detector.incidents.incident import NEW, SEVERITIES, Incident
from detector.incidents.schemas import SCHEMAS, VERDICTS, ecs, ocsf
from detector.report.blocking import crowdsec, nginx, plain
from detector.sinks.journal import VERDICTS as GIVEN
from detector.sinks.jsonl import json_line
from tests.report_lines import HOSTILE

Make = Callable[..., Incident]

TIME, TEXT = {"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1}


def _object(required: list[str], one_of: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    """An object of OCSF: attributes it requires, and those of which it wants at least one."""
    wanted = {"anyOf": [{"required": [name]} for name in one_of]} if one_of else {}
    return {"type": "object", "required": required, "properties": properties, **wanted}


PRODUCT = _object([], ["name", "vendor_name"], name=TEXT, vendor_name=TEXT)
TECHNIQUE = _object([], ["name", "uid"])
OCSF = _object(
    ["activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid"],
    activity_id={"enum": [0, 1, 2, 3, 99]},
    category_uid={"const": 2},
    class_uid={"const": 2004},
    type_uid={"enum": [200_400, 200_401, 200_402, 200_403, 200_499]},
    severity_id={"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
    status_id={"enum": [0, 1, 2, 3, 4, 5, 99]},
    verdict_id={"enum": [*range(11), 99]},
    priority_id={"enum": [0, 1, 2, 3, 4, 99]},
    confidence_score={"type": "integer"},
    is_alert={"type": "boolean"},
    is_suspected_breach={"type": "boolean"},
    time=TIME,
    start_time=TIME,
    end_time=TIME,
    count={"type": "integer"},
    assignee=_object([], ["name", "uid", "email_addr"]),
    metadata=_object(["product", "version"], product=PRODUCT, version=TEXT, uid=TEXT, logged_time=TIME),
    finding_info=_object(
        ["uid"],
        uid=TEXT,
        title=TEXT,
        created_time=TIME,
        first_seen_time=TIME,
        last_seen_time=TIME,
        analytic=_object(["type_id"], ["name", "uid"], type_id={"enum": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99]}),
        attacks={"type": "array", "items": _object([], ["technique", "tactic"], technique=TECHNIQUE)},
        types={"type": "array", "items": TEXT},
    ),
    observables={"type": "array", "items": _object(["type_id"], type_id={"type": "integer"}, value=TEXT)},
    resources={"type": "array", "items": _object([], ["name", "uid"])},
    evidences={"type": "array", "items": _object([], ["api", "actor", "data"], api=_object(["operation"]))},
)
"""Attributes that class 2004 and its objects require in 1.8.0, and the numbers they allow
(https://schema.ocsf.io/1.8.0/classes/detection_finding)."""


@pytest.mark.parametrize("state", ["open", "closed"])
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("verdict", [None, *VERDICTS])
def test_ocsf_has_what_its_class_requires(make_incident: Make, state: str, severity: str, verdict: str | None) -> None:
    """Whatever the state, the severity and what people said, the class's required attributes are there."""
    status = "closed" if verdict else NEW
    told = make_incident(state=state, severity=severity, verdict=verdict, status=status, assignee=verdict and "zoe")
    found = ocsf(json.loads(json_line(told)))
    jsonschema.validate(found, OCSF)
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    assert found["unmapped"]["detector"]["records_exposed"]["estimate"] == 34_720
    assert found["is_alert"] == (state == "open" and severity != SEVERITIES[0] and verdict is None)


def test_the_check_of_ocsf_sees_what_is_missing(make_incident: Make) -> None:
    """Without a required attribute, or with a number outside of its list, it is no Detection Finding."""
    found = ocsf(make_incident().record())
    for change in ({"finding_info": {}}, {"severity_id": 7}, {"metadata": {"version": "1.8.0"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(found | change, OCSF)


def test_every_verdict_has_a_name_in_ocsf() -> None:
    """What people can say of an incident can be said there, too."""
    assert set(VERDICTS) == set(GIVEN)


def test_ecs_has_the_fields_of_an_alert(make_incident: Make) -> None:
    """An address is a source, an account a user, and the record is there as a whole."""
    found = ecs(json.loads(json_line(make_incident())))
    assert found["event"]["kind"] == "alert"
    assert found["source"]["ip"] == found["related"]["ip"][0] == "203.0.113.9"
    assert "user" not in found
    assert found["url"]["path"] == "/api/v1/users/{id}"
    assert ecs(make_incident(client_kind="account", clients=["bob"]).record())["user"]["name"] == "bob"
    assert set(SCHEMAS) == {"native", "ocsf", "ecs"}
    assert json.loads(json_line(make_incident(), "ecs"))["detector"] == json.loads(json_line(make_incident()))


def test_a_table_of_incidents(make_incident: Make, tmp_path: Path) -> None:
    """A row an incident, its times as times and its estimate as numbers."""
    write_table(tmp_path / "i.parquet", [make_incident().record(), make_incident(incident="b").record()])
    table = pq.read_table(tmp_path / "i.parquet").to_pylist()
    assert [row["incident"] for row in table] == ["3f9a1c5e7b2d4860", "b"]
    assert table[0]["records_exposed_high"] == 35_300
    assert table[0]["persons_exposed_low"] is None
    assert table[0]["raised_at"].year == 2026
    assert json.loads(table[0]["evidence"])[0]["name"] == "ids_in_order"


def nginx_takes(text: str, folder: Path) -> None:
    """``nginx -t`` on a configuration that has these blocks and uses them."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed (on Debian: apt install nginx-light)")
    used = "if ($detector_blocked) { return 429; }"
    server = f"server {{ listen 127.0.0.1:1; location / {{ {used} }} }}"
    config = folder / "nginx.conf"
    logs = f"error_log {folder}/e.log; pid {folder}/pid;"
    temp = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"{logs} events {{}} http {{ access_log off; map_hash_bucket_size 512; {temp}\n{text}\n{server} }}\n", "utf-8"
    )
    done = subprocess.run([program, "-t", "-c", config, "-p", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SELECTOR = {"actionable": True, "networks": ["203.0.113.0/24", "2001:db8::/48", "~0a0b0c0d"], "agents": []}
STRANGE = [*HOSTILE, "~evil", "default", 'a"; } }', "back\\slash", "$remote_addr", "*.x", "{}", ";", "include"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"client_kind": "network", "clients": ["2001:db8:0:1::/64", "203.0.113.0/24", "no address"]},
        {"client_kind": "account", "clients": STRANGE},
        {"client_kind": "address", "clients": [], "client_count": 900, "selector": SELECTOR},
        {"client_kind": "none", "clients": [], "selector": {**SELECTOR, "agents": STRANGE}},
        {"client_kind": "none", "clients": [], "selector": {**SELECTOR, "networks": [], "agents": ["curl/8"]}},
        {"client_kind": "none", "clients": [], "selector": None},
    ],
)
def test_nginx_accepts_the_lists(make_incident: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Addresses, networks, accounts and selectors, hostile ones too, make a configuration that nginx takes."""
    record = make_incident(**changes).record()
    nginx_takes(nginx(record), tmp_path)
    assert all(
        not line.strip() or " " not in line for line in plain(record).split("\n") if record["client_kind"] != "account"
    )
    for decision in json.loads(crowdsec(record)):
        assert set(decision) == {"duration", "reason", "scope", "type", "value"}
        assert decision["scope"] in ("ip", "range", "username")


def test_lists_name_whom_the_incident_names(make_incident: Make) -> None:
    """An address is an ip, a network a range, and what is no address is left out."""
    record = make_incident(clients=["203.0.113.9", "2001:db8:0:1::/64", "host.example"]).record()
    assert plain(record) == "203.0.113.9\n2001:db8:0:1::/64\n"
    assert [one["scope"] for one in json.loads(crowdsec(record))] == ["ip", "range"]
    rule = make_incident(client_kind="none", clients=[], selector={**SELECTOR, "agents": ["curl/8"]}).record()
    assert 'map "$detector_network$detector_agent" $detector_blocked' in nginx(rule)
    assert '"11" 1;' in nginx(rule)
