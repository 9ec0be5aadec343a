"""The same traffic in every format gives the same incidents."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from detector import replay
from detector.formats import PRESETS
from detector.simulate import Options, simulate
from detector.simulate.layouts import TEMPLATES
from detector.simulate.text import LAYOUTS
from tests import otlp_requests as otlp

OPTIONS = Options(seed=7, duration_seconds=1800, rate=3, clients=500, ids=20_000, attack_seconds=60)
SAME = (
    *("incident", "pattern", "severity", "confidence", "raised_at", "first_seen", "last_seen", "endpoints", "clients"),
    *("client_count", "client_kind", "requests", "bytes_out", "records_exposed", "evidence"),
)
# format -> what it does not write, and so what may differ
LACKS = {
    "zoraxy": {"bytes_out"},
    # no status: what was not found counts as read
    "apache_ssl_request": {"requests", "bytes_out", "records_exposed", "evidence"},
    # neither status nor method
    "aws_cloudtrail": {"incident", "requests", "bytes_out", "records_exposed", "endpoints", "evidence"},
}


def incidents(folder: Path, name: str) -> list[dict[str, Any]]:
    """What a replay of the walk says, written in one format, which must be recognised and read to the last line."""
    path = folder / f"{name}.log"
    simulate("P1", OPTIONS.__class__(**{**OPTIONS.__dict__, "log_format": name})).write(path)
    return told(path, {"time": 1} if name == "csv" else {})  # a table's header


def told(path: Path, rejected: dict[str, int]) -> list[dict[str, Any]]:
    """What a replay says of a file of which no more than this is rejected."""
    found = replay(str(path))
    assert {reason: n for reason, n in found.coverage.rejected.items() if reason != "comment"} == rejected
    return [{key: row[key] for key in SAME} for row in found.incidents.to_dict("records")]


@cache
def in_combined(folder: Path) -> list[dict[str, Any]]:
    """The same in the combined format."""
    return incidents(folder, "combined")


def test_every_preset_can_be_written() -> None:
    """Each preset has its line in `simulate`, and each line its preset but for the table with a header."""
    assert {*LAYOUTS, *TEMPLATES} - {"csv"} == set(PRESETS)


@pytest.mark.parametrize("name", [*LAYOUTS, *TEMPLATES])
def test_the_same_incidents(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The walk is found in each format, at the same second, of the same client, with the same counts."""
    want = in_combined(Path(tmp_path_factory.getbasetemp()))
    got = incidents(tmp_path, name)
    assert len(want) == len(got) == 1
    assert (want[0]["pattern"], want[0]["client_count"], want[0]["severity"]) == ("walk", 1, "medium")
    assert want[0]["records_exposed"]["estimate"] > 1_000
    differs = {key for key in SAME if got[0][key] != want[0][key]}
    assert differs <= LACKS.get(name, set()), {key: (want[0][key], got[0][key]) for key in differs}


def shipped(lines: list[bytes], way: str) -> bytes:
    """The lines as a collector or a shipper writes them into a file, some hundred to a request."""
    texts = [line.decode() for line in lines]
    if way == "fluent_bit":
        return b"".join(json.dumps({"log": text + "\n", "stream": "stdout"}).encode() + b"\n" for text in texts)
    requests = [otlp.bodies(*texts[at : at + 300]) for at in range(0, len(texts), 300)]
    if way == "otlp_json":
        return b"\n".join(map(otlp.in_json, requests))
    return otlp.framed(*(request.SerializeToString() for request in requests))


@pytest.mark.parametrize("way", ["fluent_bit", "otlp_json", "otlp_proto"])
@pytest.mark.parametrize("name", ["combined", "nginx_json"])
def test_the_same_incidents_when_shipped(
    name: str, way: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What wraps the lines of a log changes nothing of what is found in it."""
    want = in_combined(Path(tmp_path_factory.getbasetemp()))
    incidents(tmp_path, name)
    path = tmp_path / "shipped"
    path.write_bytes(shipped((tmp_path / f"{name}.log").read_bytes().splitlines(), way))
    assert told(path, {"empty": 1} if way == "otlp_json" else {}) == want
