"""The wire reader says of every request what OpenTelemetry's own classes say, and of any bytes at least one record."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import load
from detector.formats.envelope import Envelope
from tests import otlp_requests as otlp
from tests.envelopes import chunk_of, records

OTLP, BODY = Envelope.named("otlp_proto"), Envelope.named("otlp_body")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUE = st.one_of(TEXT, st.integers(-(2**63), 2**63 - 1), st.lists(TEXT.filter(bool), min_size=1, max_size=3))
ATTRIBUTES = st.dictionaries(TEXT.filter(bool), VALUE, max_size=6)
WORDS = st.sampled_from(
    ["\n", "a\r\n", '"}},{"body":{"stringValue":"x', '"', "\\", "\x00", '{"a":"b"}', '[{"body":1}]']
)
RECORDS = st.lists(st.tuples(st.integers(1, 2**63 - 1), ATTRIBUTES), min_size=1, max_size=4)


def read(line: bytes) -> tuple[int, str, str, dict[str, Any]]:
    """Moment, ids and attributes of a line."""
    told = json.loads(line)
    moment = told.get("startTimeUnixNano") or told["timeUnixNano"]
    values = {pair["key"]: pair["value"] for pair in told["attributes"]}
    assert len(values) == len(told["attributes"])
    return int(moment), told["traceId"], told["spanId"], values


def expected(value: Any) -> dict[str, str]:
    """A value in OTLP JSON; a list of texts as one."""
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": ", ".join(value) if isinstance(value, list) else value}


@given(RECORDS, st.sampled_from(["spans", "logs"]), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_round_trip(made: list[tuple[int, dict[str, Any]]], kind: str, copies: int) -> None:
    """Whatever the classes serialise comes out as it went in, in its order, message by message."""
    message = getattr(otlp, kind)(*made).SerializeToString()
    want = [
        (moment, otlp.TRACE.hex(), otlp.SPAN.hex(), {key: expected(value) for key, value in attributes.items()})
        for moment, attributes in made
    ]
    for lines in records(OTLP, [message] * copies):
        assert [read(line) for line in lines] == want


@given(st.lists(TEXT | WORDS, min_size=1, max_size=5), ATTRIBUTES, st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_bodies(lines: list[str], attributes: dict[str, Any], copies: int) -> None:
    """Whatever a collector has read comes out of the bodies, a record each, without its line end, in both encodings."""
    request = otlp.bodies(*lines, attributes=attributes)
    want = [line.encode().rstrip(b"\r\n") for line in lines]
    for message in (request.SerializeToString(), otlp.in_json(request)):
        assert records(BODY, [message] * copies) == [want] * copies


@given(st.lists(TEXT, min_size=1, max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bodies(lines: list[str], data: st.DataObject) -> None:
    """Bytes changed, lost or put in anywhere: records come out, and neighbours are whole."""
    good = otlp.bodies(*lines).SerializeToString()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bad)))
        bad[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    whole, middle, last = records(BODY, [good, bytes(bad), good])
    assert len(middle) >= 1
    assert whole == last == records(BODY, [good])[0]


@given(RECORDS, st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes(made: list[tuple[int, dict[str, Any]]], data: st.DataObject) -> None:
    """Bytes changed, lost or put in anywhere: records come out, the scanner takes them, neighbours are whole."""
    good = otlp.spans(*made).SerializeToString()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bad)))
        bad[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    chunk = OTLP.open(chunk_of([good, bytes(bad), good]))
    fields = load("otel").scan(chunk)
    assert len(fields.reason) == len(chunk.starts)
    whole, middle, last = records(OTLP, [good, bytes(bad), good])
    assert len(middle) >= 1
    assert whole == last == records(OTLP, [good])[0]


@given(st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_bytes(messages: list[bytes]) -> None:
    """Each message gives a record at least, and line feeds part lines alone."""
    opened = records(OTLP, messages)
    assert all(len(lines) >= 1 for lines in opened)
    assert not any(b"\n" in line for lines in opened for line in lines)
