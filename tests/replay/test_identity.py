"""Who is named, and what never is: proxies in front, secrets in the lines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.config import ReplaySettings, parse_config
from detector.engines.local import replay

WALKER = "198.51.100.7"
LAYOUT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    '"$http_x_forwarded_for"'
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r"
SECRETS = {
    "jwt": JWT,
    "stripe": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "card": "4111111111111111",
    "parted": "5500-0000-0000-0004",
    "mail": "ann.doe@example.com",
    "insured": "078-05-1120",
    "password": "hunter2-geheim",
    "session": "8c5dcafe8c5dcafe8c5dcafe",
    "reset": "rst-9f8a7b",
    "basic": "Basic YW5uOmh1bnRlcjI=",
}


def proxied(seed: int) -> str:
    """A walk and ordinary clients behind two proxies; the seed decides what the clients forge left of their address."""
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(4_000):
        client = WALKER if i % 2 else f"203.0.113.{int(i * 7919) % 200}"
        forged = ", ".join(f"{rng.integers(1, 250)}.0.0.{rng.integers(1, 250)}" for _ in range(rng.integers(0, 4)))
        if rng.random() < 0.2:
            forged = str(rng.choice(["unknown", "10.0.0.1", WALKER, "::1", "'; --", "a,b,,", "127.0.0.1, 10.9.9.9"]))
        chain = f"{forged}, {client}, 10.0.0.2" if forged else f"{client}, 10.0.0.2"
        target = f"/users/{i // 2 + 1}" if i % 2 else f"/users/{(i * 104_729) % 90_000}"
        moment = f"21/Nov/2026:{16 + i // 3600}:{i // 60 % 60:02d}:{i % 60:02d} +0000"
        lines.append(f'10.0.0.1 - - [{moment}] "GET {target} HTTP/1.1" 200 99 "-" "a" "{chain}"')
    return "\n".join(lines) + "\n"


def test_the_right_hop_behind_two_proxies_is_the_client(tmp_path: Path) -> None:
    """Forged values left of it change nothing: not the client named, nor a byte of the incident."""
    config = parse_config(b"identity: {trusted_proxies: [10.0.0.1, 10.0.0.2]}\n", "x.yaml")
    found = []
    for seed in (1, 2):
        log = tmp_path / f"{seed}.log"
        log.write_text(proxied(seed))
        result = replay([str(log)], ReplaySettings(config=config, log_format=LAYOUT, threads=1))
        assert set(result.coverage.by_kind) == {"address"}
        found.append([incident.record() for incident in result.incidents])
    assert [incident["clients"] for incident in found[0]] == [[WALKER]]
    assert found[0] == found[1]


def test_without_trust_the_header_is_not_read(tmp_path: Path) -> None:
    """Whoever declares no proxy sees the proxy, and is told so."""
    log = tmp_path / "a.log"
    log.write_text(proxied(1))
    result = replay([str(log)], ReplaySettings(log_format=LAYOUT, threads=1))
    assert all(incident.clients == ["10.0.0.1"] for incident in result.incidents)
    assert "This log sees a proxy" in result.notes[0]


def leaky(i: int) -> dict[str, object]:
    """A line with a secret wherever one can stand; every twelfth line another one in the path."""
    values = list(SECRETS.values())
    secret = values[i % len(values)].replace(" ", "%20")
    query = "&".join(f"{key}={value.replace(' ', '+')}" for key, value in SECRETS.items())
    path = f"/users/{i + 1}/profile" if i % 4 else f"/reset/{secret}"
    return {
        "time_iso8601": f"2026-11-21T16:{i // 60 % 60:02d}:{i % 60:02d}Z", "status": 200, "body_bytes_sent": 99,
        "remote_addr": "203.0.113.9", "request_method": "GET", "request_uri": f"{path}?{query}&email={SECRETS['mail']}",
        "http_user_agent": f"app ({SECRETS['mail']}; {JWT})", "http_referer": f"https://x/?token={JWT}",
        "http_x_api_key": SECRETS["stripe"], "remote_user": f"Bearer {JWT}" if i % 5 == 0 else "-",
        "cookie_session": SECRETS["session"],
    }  # fmt: skip


def test_no_secret_reaches_any_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither names, incidents, cases, features nor what is printed; the walk is found all the same."""
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "access.log"
    log.write_text("\n".join(json.dumps(leaky(i)) for i in range(3_000)) + "\n")
    run = CliRunner()
    first = run.invoke(
        program.app,
        ["replay", str(log), "--incidents", "out.jsonl", "--cases", "cases", "--features", "f.parquet"],
    )
    assert first.exit_code == 0, first.output
    incidents = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().split("\n") if line]
    endpoints = {route for incident in incidents for route in incident["endpoints"]}
    assert "GET /users/{id}/profile?email={email}&mail={email}" in endpoints
    said = [first.output]
    said += [run.invoke(program.app, ["inspect", str(log), "--output", kind]).output for kind in ("table", "json")]
    said.append(run.invoke(program.app, ["explain", "out.jsonl", "latest"]).output)
    said.append(run.invoke(program.app, ["explain", "--line", log.read_text().split("\n", 1)[0]]).output)
    for file in tmp_path.rglob("*"):
        if file.is_file() and file != log:
            said.append(file.read_bytes().decode("latin-1"))
    for text in said:
        for kind, secret in SECRETS.items():
            assert secret not in text, kind
            assert secret.replace("@", "%40") not in text, kind


def test_data_classes_and_persons_are_told(tmp_path: Path) -> None:
    """A document names the route and what it hands out; a map tells how many persons the records gone belong to."""
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.0.0\npaths:\n  /users/{user}:\n    get: {x-data-class: [phone, name], responses: {}}\n"
    )
    (tmp_path / "map.csv").write_text("record,person\n" + "".join(f"{i},p{i // 2}\n" for i in range(2, 90_000)))
    config = parse_config(b"routes: {openapi: api.yaml}\npolicy: {persons: map.csv}\n", "x.yaml", tmp_path)
    log = tmp_path / "a.log"
    moments = [f"21/Nov/2026:16:{i // 60 % 60:02d}:{i % 60:02d} +0000" for i in range(2, 2_002)]
    lines = [f'{WALKER} - - [{t}] "GET /users/{i} HTTP/1.1" 200 9 "-" "a"' for i, t in enumerate(moments, 2)]
    log.write_text("\n".join(lines) + "\n")
    (incident,) = replay([str(log)], ReplaySettings(config=config, threads=1)).incidents
    assert incident.endpoints == ["GET /users/{user}"]
    assert incident.data_classes == ["name", "phone"]
    assert incident.persons_exposed is not None
    assert incident.persons_exposed.estimate == pytest.approx(incident.records_exposed.estimate / 2, abs=1)


def test_check_reads_the_files_a_configuration_names(tmp_path: Path) -> None:
    """What a run would refuse to start with, all at once."""
    for name in ("api.yaml", "map.csv", "asn.mmdb"):
        (tmp_path / name).write_text("x\n")
    file = tmp_path / "c.yaml"
    file.write_text("routes: {openapi: api.yaml}\npolicy: {persons: map.csv}\nidentity: {asn_database: asn.mmdb}\n")
    said = CliRunner().invoke(program.app, ["check", str(file)])
    assert said.exit_code == 2
    for wrong in ("it has no paths", "header must name", "no MaxMind database", "3 problems"):
        assert wrong in said.stderr
