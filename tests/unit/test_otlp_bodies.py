"""Lines in the bodies of OpenTelemetry's log records: read as the lines they are, from messages and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector.config import Config, parse_config
from detector.engines.inspecting import inspect, sample_file
from detector.engines.intake import Intake
from detector.engines.proposal import configuration
from detector.engines.reading import Reader, ReadSettings
from detector.formats import load
from detector.formats.envelope import KEYS, Envelope, detect_envelope
from detector.formats.fields import MAX_LINE_BYTES, REASONS
from detector.records.batch import Batch
from detector.records.resolve import Resolver
from detector.sources.follow import Follower
from tests import otlp_requests as otlp
from tests.envelopes import chunk_of, records
from tests.format_lines import PLAIN

BODY = Envelope.named("otlp_body")
LINE = PLAIN["combined"].decode()


def as_records(request: Any) -> bytes:
    """The records of a request of one scope, as an array."""
    (resource,) = json.loads(otlp.in_json(request))["resourceLogs"]
    return json.dumps(resource["scopeLogs"][0]["logRecords"]).encode()


ENCODINGS = {"protobuf": lambda request: request.SerializeToString(), "json": otlp.in_json, "record": as_records}


@pytest.mark.parametrize("way", ENCODINGS)
@pytest.mark.parametrize("name", PLAIN)
def test_every_format_as_a_body(name: str, way: str) -> None:
    """A line of each format is found in the bodies of each encoding, and its format recognised."""
    line = PLAIN[name]
    message = ENCODINGS[way](otlp.bodies(line.decode(), line.decode() + "\n"))
    assert records(BODY, [message, message]) == [[line, line]] * 2
    envelope, detection = detect_envelope([message] * 5)
    assert (envelope, detection.format) == (BODY, load(name))


def test_each_message_is_told_by_itself() -> None:
    """Both encodings and plain lines in one topic: the records of each message, in the order they came."""
    request = otlp.bodies(LINE, "x")
    messages = [ENCODINGS["json"](request), b"plain", ENCODINGS["protobuf"](request), b"", ENCODINGS["json"](request)]
    opened = [[LINE.encode(), b"x"], [b"plain"], [LINE.encode(), b"x"], [b""], [LINE.encode(), b"x"]]
    assert records(BODY, messages) == opened
    assert [records(BODY, [message])[0] for message in messages] == opened


def reasons(messages: list[bytes]) -> list[str]:
    """Why lines of ``combined`` are rejected, ``ok`` where they are not."""
    return [REASONS[code] for code in load("combined").scan(BODY.open(chunk_of(messages))).reason]


@pytest.mark.parametrize("way", ["protobuf", "json"])
def test_bodies_that_hold_no_line(way: str) -> None:
    """No body, an empty one, a number, a list and one longer than any line are rejected alone, each under a reason."""
    request = otlp.bodies(LINE, None, "", 7, ["a"], "x" * (MAX_LINE_BYTES + 1), "nonsense", LINE)
    told = ["?" if one in ("layout", "torn") else one for one in reasons([ENCODINGS[way](request)])]
    assert told == ["ok", "?", "empty", "?", "?", "too_long", "?", "ok"]


@pytest.mark.parametrize("way", ["protobuf", "json"])
def test_damage_stays_in_its_message(way: str) -> None:
    """A request that is cut off is rejected, its neighbours are read."""
    good = ENCODINGS[way](otlp.bodies(LINE, LINE))
    told = reasons([good, good[:-1], good[:40], good])
    assert told[:2] == told[-2:] == ["ok", "ok"]
    assert set(told[2:-2]).isdisjoint({"ok"})


def test_attributes_come_first() -> None:
    """Records whose attributes say the request are read by these, whatever their bodies say, in files too."""
    attributes = {"client.address": "9.9.9.9", "http.request.method": "GET", "url.path": "/a"}
    request = otlp.bodies(LINE, LINE, attributes=attributes).SerializeToString()
    assert detect_envelope([request] * 3)[0].name == "otlp_proto"


def rows(path: Path, **settings: str) -> tuple[int, Reader]:
    """How many requests a file gives, and who read it."""
    reader = Reader([path], ReadSettings(**settings), Resolver())  # type: ignore[arg-type]
    return sum(len(released.batch) for released in reader), reader


FILES = {
    "protobuf": lambda requests: otlp.framed(*(ENCODINGS["protobuf"](one) for one in requests)),
    "json": lambda requests: b"\n".join(ENCODINGS["json"](one) for one in requests) + b"\n",
    "record": lambda requests: b"\n".join(ENCODINGS["record"](one)[1:-1] for one in requests) + b"\n",
}


@pytest.mark.parametrize("way", FILES)
def test_files_of_bodies(way: str, tmp_path: Path) -> None:
    """A file of each encoding is replayed; the run and `inspect` say what wraps its lines."""
    path = tmp_path / "logs.otlp"
    path.write_bytes(FILES[way]([otlp.bodies(LINE)] * 40 + [otlp.bodies('forged\n1.2.3.4 - - "')]))
    found, reader = rows(path)
    assert reader.coverage.rejected.pop("empty", 0) == (way == "json")  # what stands behind the last record
    assert (found, sum(reader.coverage.rejected.values()), reader.lost) == (40, 1, [])
    assert reader.formats == {str(path): "combined"}
    assert "bodies of OpenTelemetry's log records" in reader.wrapped[str(path)]
    assert rows(path, log_format="combined")[0] == rows(path, envelope="otlp_body")[0] == 40
    seen = inspect(str(path), sample_file(str(path)), Config())
    assert (seen.envelope, seen.format, seen.example["address"]) == ("otlp_body", "combined", "127.0.0.1")
    assert parse_config(configuration(seen, None).encode(), "x.yaml").source.envelope == "otlp_body"


def test_a_body_beside_attributes_takes_none_of_their_room(tmp_path: Path) -> None:
    """In a file of requests, a body too long for a line is left out of a record that its attributes tell."""
    attributes = {"client.address": "9.9.9.9", "http.request.method": "GET", "url.path": "/a"}
    path = tmp_path / "logs.otlp"
    path.write_bytes(otlp.framed(otlp.bodies("x" * MAX_LINE_BYTES, "x", attributes=attributes).SerializeToString()))
    found, reader = rows(path)
    assert (found, reader.formats, reader.wrapped) == (2, {str(path): "otel"}, {})


@pytest.mark.parametrize("key", KEYS)
def test_files_of_shippers(key: str, tmp_path: Path) -> None:
    """What other shippers write into files is opened in a replay as in a stream; a named format changes nothing."""
    path = tmp_path / "shipped.log"
    outer, _, inner = key.partition(".")
    held = {outer: {inner: LINE}} if inner else {key: LINE}
    path.write_bytes((json.dumps({"stream": "stdout", **held}) + "\n").encode() * 30 + b'{"x":1}\n')
    found, reader = rows(path)
    assert (found, sum(reader.coverage.rejected.values())) == (30, 1)
    assert f"`{key}`" in reader.wrapped[str(path)]
    assert rows(path, log_format="combined")[0] == rows(path, envelope=key)[0] == 30


def followed(path: Path, polls: int = 30) -> tuple[Intake, list[Batch]]:
    """What the reading side of a stream makes of a file that is followed."""
    follower = Follower([str(path)], quiet_s=0.0, look_s=0.0)
    intake = Intake(follower, Resolver(), 0, None, "auto")
    try:
        batches = [one.batch for _ in range(polls) for one in intake.take(follower.poll(0))]
        batches += [one.batch for one in intake.finish()]
    finally:
        follower.close()
    return intake, batches


@pytest.mark.parametrize("way", ["protobuf", "json"])
@pytest.mark.parametrize("count", [3, 3_000])
def test_a_followed_file_of_requests(count: int, way: str, tmp_path: Path) -> None:
    """Requests as the collector writes them, of few or thousands of records each, are read as they come."""
    path = tmp_path / "logs.otlp"
    path.write_bytes(FILES[way]([otlp.bodies(*[LINE] * count)] * 3))
    intake, batches = followed(path)
    assert (intake.envelope, intake.format) == ("otlp_body", "combined")
    assert sum(map(len, batches)) == 3 * count
