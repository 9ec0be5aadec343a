"""The opener in machine code says of every message what the slow reader says, and nobody inside a string is obeyed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import load
from detector.formats.envelope import KEYS, Envelope
from detector.formats.fields import FIELD
from tests import otlp_requests as otlp
from tests.envelopes import chunk_of, records, slow
from tests.format_lines import PLAIN

ENVELOPES = [Envelope.named(name) for name in ("lines", "array", *KEYS, "body.stringValue")]

WORDS = [
    *KEYS,
    "event",
    "original",
    "stringValue",
    "x",
    "message\\",
    'message":"x',
    "{",
    "[",
    "\n",
    "\x00",
    "é",
    "\ud800",
    "\U0001f600",
]
TEXT = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
VALUE = st.recursive(
    st.one_of(TEXT, st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=12,
)
WRAPPER = st.dictionaries(TEXT, VALUE, max_size=4)
SHARDS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b" ", b"\t", b"\0", b"\xff", b"0", b"-", b"1e5"),
    *(b'"message"', b'"message":', b'"log":"a",', b'"event":{"original":"x"}', b'"event.original":1', b"null", b"tru"),
    *(b"\\u12", b"\\ud800", b'\\"', b"\\n", b'{"message":"a"}', b'[{"log":"x"},"y"]', b"01", b"\xe2\x80\xa8", b"x"),
]


def check(messages: list[bytes], between: bytes = b"") -> None:
    """Every envelope opens these messages as the slow reader does."""
    for each in ENVELOPES:
        got = records(each, messages, between)
        for message, found in zip(messages, got, strict=True):
            assert found == slow(each, message), (each.name, message)
            assert found


def encoded(value: Any, plain: bool, indent: int | None) -> bytes:
    """A value as JSON; not plain writes other than ASCII as it is."""
    return json.dumps(value, ensure_ascii=plain, indent=indent).encode("utf-8", "surrogatepass")


@settings(max_examples=150, deadline=None)
@given(st.lists(WRAPPER | st.lists(WRAPPER | TEXT, max_size=4), min_size=1, max_size=6), st.booleans(), st.data())
def test_messages_of_shippers(values: list[Any], plain: bool, data: st.DataObject) -> None:
    """Objects and arrays of them, pretty-printed or not, several in a message, are opened as by the slow reader."""
    indent = data.draw(st.sampled_from([None, 2]))
    texts = [encoded(value, plain, indent) for value in values]
    check([*texts, b"\n".join(texts), b"\n".join(texts) + b"\r\n\n"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(SHARDS), max_size=14).map(b"".join), min_size=1, max_size=8), st.data())
def test_shards(messages: list[bytes], data: st.DataObject) -> None:
    """Shards of JSON in any order, also with other bytes between the messages."""
    check(messages, data.draw(st.sampled_from([b"", b'"', b"}]", b"\n"])))


@settings(max_examples=150, deadline=None)
@given(WRAPPER, st.integers(0, 400), st.integers(0, 400), st.sampled_from(SHARDS))
def test_bent_messages(value: Any, at: int, size: int, shard: bytes) -> None:
    """A message with a piece replaced is opened, or not, as the slow reader does it."""
    text = encoded(value, False, None)
    check([text[:at] + shard + text[at + size :], text[:at]])


@settings(max_examples=60, deadline=None)
@given(st.lists(WRAPPER, min_size=1, max_size=8), st.sampled_from([*ENVELOPES, Envelope.named("otlp_body")]))
def test_a_message_is_opened_for_itself(values: list[Any], each: Envelope) -> None:
    """The records of a message do not depend on the messages beside it."""
    messages = [encoded(value, True, None) for value in values] + [b'[{"a":1},{"b":2}]', b"a\nb"]
    messages += [otlp.bodies("a\n", "b").SerializeToString(), encoded({"logRecords": values}, True, None)]
    assert records(each, messages) == [records(each, [message])[0] for message in messages]


FORGERIES = [
    *('"', "\\", '\\"', "\n", "\r\n", "\x00", "{", "}", "[", "]", ",", ":", '"}', '"},{"message":"', '","message":"'),
    *('"]', '\\u0022,"message":"6.6.6.6', '{"message":"6.6.6.6"}', '[{"log":"x"}]', '"event":{"original":"', "\u2028"),
    *("\x85", "\x0b", "\x1c", "é", "\U0001f600", " ", "log", "message", "event.original", "MESSAGE", "\\n", "\\\\"),
    '6.6.6.6 - - [01/Jan/2001:00:00:00 +0000] "GET /forged HTTP/1.1" 200 1 "-" "-"',
]


def forgery(rng: np.random.Generator) -> str:
    """A few pieces that mean something to somebody."""
    return "".join(FORGERIES[i] for i in rng.integers(len(FORGERIES), size=rng.integers(1, 6)))


def in_text(value: str) -> str:
    """A client's bytes as nginx writes them into a line."""
    return "".join(f"\\x{b:02X}" if b < 32 or b > 126 or b in b'"\\' else chr(b) for b in value.encode())


@pytest.mark.parametrize("key", [*KEYS, "body.stringValue"])
@pytest.mark.parametrize("inner", ["combined", "nginx_json"])
def test_no_field_of_a_record_opens_anything(key: str, inner: str) -> None:
    """10,000 forgeries in the fields of a record and in the wrapper's own: one record each, the one wrapped."""
    rng = np.random.default_rng(len(key))
    wrapped = Envelope.named(key)
    messages, lines = [], []
    for i in range(10_000 // len(KEYS) + 1):
        agent, path, host = forgery(rng), forgery(rng), forgery(rng)
        if inner == "combined":
            line = PLAIN[inner].replace(b'Report \\"Runner', in_text(agent).encode())
            line = line.replace(b"/api/v2", in_text("/" + path).encode())
        else:
            fields = {**json.loads(PLAIN[inner]), "request": f"GET /{path} HTTP/1.1", "http_user_agent": agent}
            line = json.dumps(fields, ensure_ascii=bool(i % 2)).encode()
        outer, _, rest = key.partition(".")
        held = {outer: {rest: line.decode()}} if rest and i % 2 else {key: line.decode()}
        wrapper = {
            "host": host,
            "labels": {agent: path, outer + "x": [host]},
            **held,
            "tags": [agent, {"message": path}],
        }
        messages.append(json.dumps(wrapper, ensure_ascii=bool(i % 3)).encode())
        lines.append(line)
    assert records(wrapped, messages) == [[line] for line in lines]
    batches = [b"[" + b",".join(messages[i : i + 7]) + b"]" for i in range(0, len(messages), 7)]
    assert records(wrapped, batches) == [lines[i : i + 7] for i in range(0, len(lines), 7)]
    joined = [b"\n".join(messages[i : i + 7]) + b"\n" for i in range(0, len(messages), 7)]
    assert records(wrapped, joined) == [lines[i : i + 7] for i in range(0, len(lines), 7)]
    chunk = wrapped.open(chunk_of(messages))
    assert not load(inner).scan(chunk).reason.any()


@pytest.mark.parametrize("inner", ["combined", "nginx_json"])
def test_no_body_opens_anything(inner: str) -> None:
    """10,000 forgeries in bodies and attributes, line feeds as they came: one record a body, and the same client, in
    both encodings."""
    rng = np.random.default_rng(9)
    wrapped = Envelope.named("otlp_body")
    messages, lines = [], []
    for _ in range(0, 10_000, 20):
        if inner == "combined":
            made = [
                f'1.2.3.4 - - [14/Oct/2022:09:55:53 +0200] "GET /{in_text(forgery(rng))} HTTP/1.1" 200 1 "-" '
                f'"{forgery(rng)}"'
                for _ in range(10)
            ]
        else:
            fields = json.loads(PLAIN[inner])
            made = [json.dumps({**fields, "http_user_agent": forgery(rng)}, ensure_ascii=k % 2 == 0) for k in range(10)]
        request = otlp.bodies(*made, attributes={"agent": forgery(rng), 'x"}],"body': forgery(rng)})
        messages += [request.SerializeToString(), otlp.in_json(request)]
        lines += [[line.encode().rstrip(b"\r\n") for line in made]] * 2
    assert records(wrapped, messages) == lines
    chunk = wrapped.open(chunk_of(messages))
    fields = load(inner).scan(chunk)
    text = chunk.buffer.tobytes()
    places = fields.span[fields.reason == 0, FIELD["address"]].tolist()
    assert {text[start : start + size] for start, size in places} == {b"1.2.3.4"}
    if inner == "nginx_json":
        assert not fields.reason.any()


def test_no_client_has_a_record_of_his_own() -> None:
    """An agent written raw, line feeds and quotes as they came, into a wrapped line: still one record a message."""
    rng = np.random.default_rng(2)
    lines = [
        f'1.2.3.4 - - [14/Oct/2022:09:55:53 +0200] "GET / HTTP/1.1" 200 1 "-" "{forgery(rng)}"' for _ in range(10_000)
    ]
    messages = [json.dumps({"log": line + "\n", "stream": "stdout"}).encode() for line in lines]
    assert records(Envelope.named("log"), messages) == [[line.encode()] for line in lines]
