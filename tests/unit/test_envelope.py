"""Envelopes: what shippers send, what cannot be opened, and how long hostile messages take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detector.clock import monotonic
from detector.errors import UsageError
from detector.formats import load
from detector.formats.envelope import AUTO, KEYS, Envelope, detect_envelope, foreign
from detector.formats.fields import MAX_LINE_BYTES, REASONS
from tests.envelopes import chunk_of, records
from tests.format_lines import PLAIN

LINE = PLAIN["combined"]
TEXT = LINE.decode()


def reasons(name: str, inner: str, messages: list[bytes]) -> list[str]:
    """Why the scanner rejects what comes out of the messages, ``ok`` where it takes it."""
    fields = load(inner).scan(Envelope.named(name).open(chunk_of(messages)))
    return [REASONS[code] for code in fields.reason]


SHIPPED = {
    "message": [
        {"file": "/var/log/nginx/access.log", "host": "web-1", "message": TEXT, "source_type": "file"},
        {
            "@timestamp": "2026-11-22T10:00:00.000Z",
            "@metadata": {"beat": "filebeat"},
            "message": TEXT,
            "log": {"offset": 7},
        },
    ],
    "log": [
        {"@timestamp": 1732204862.123456, "log": TEXT, "stream": "stdout", "kubernetes": {"labels": {"log": "no"}}},
        {"log": TEXT + "\n", "stream": "stdout", "time": "2026-11-22T10:00:00.000000000Z"},
    ],
    "event.original": [
        {"event": {"kind": "event", "original": TEXT}, "message": "GET /api/v2"},
        {"event.original": TEXT, "event": {"kind": "event"}},
    ],
    "MESSAGE": [{"__REALTIME_TIMESTAMP": "1732204862123456", "MESSAGE": TEXT, "_SYSTEMD_UNIT": "nginx.service"}],
    "msg": [{"level": "info", "ts": 1732204862.1, "msg": TEXT}],
    "line": [{"labels": {"job": "nginx"}, "ts": "2026-11-22T10:00:00Z", "line": TEXT}],
    "body": [{"timeUnixNano": "1732204862123456000", "body": TEXT, "attributes": []}],
}


@pytest.mark.parametrize("key", KEYS)
def test_shippers_are_recognised(key: str) -> None:
    """The messages of each shipper, alone, in arrays and several a message, give the line; and are found out."""
    messages = [json.dumps(value).encode() for value in SHIPPED[key]]
    array = b"[" + b", ".join(messages) + b"]"
    several = b"\n".join(messages) + b"\n"
    assert records(Envelope.named(key), [*messages, array, several]) == [
        *([LINE] for _ in messages),
        [LINE] * len(messages),
        [LINE] * len(messages),
    ]
    for samples in (messages, [array], [several], [*messages, array, b"something else"]):
        envelope, detection = detect_envelope(samples)
        assert envelope == Envelope.named(key)
        assert envelope.about == f"wrapped by {KEYS[key]} (`{key}`)"
        assert detection.format == load("combined")


@pytest.mark.parametrize("name", [name for name in PLAIN if PLAIN[name][:1] == b"{"])
def test_json_inside_json(name: str) -> None:
    """A gateway's JSON as a string, and parsed by the shipper as an object, is read as that gateway's."""
    text = json.dumps({"stream": "stdout", "log": PLAIN[name].decode()}).encode()
    parsed = b'{"stream":"stdout","log":' + PLAIN[name] + b"}"
    assert reasons("log", name, [text, parsed, PLAIN[name]]) == ["ok"] * 3
    envelope, detection = detect_envelope([text, parsed] * 10)
    assert (envelope.name, detection.format) == ("log", load(name))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_records_come_first(name: str) -> None:
    """Records as the gateway writes them, one or several a message, need no key, even where they have one."""
    line, is_json = PLAIN[name], PLAIN[name][:1] == b"{"
    batches = [[line], [line + b"\n"], [line + b"\n" + line + b"\r\n"]]
    if is_json:
        batches += [[b"[" + line + b"," + line + b"]"], [line[:-1] + b',"body":' + json.dumps(TEXT).encode() + b"}"]]
    for samples in batches:
        envelope, detection = detect_envelope(samples)
        assert (envelope.name, detection.format) == ("array" if is_json else "lines", load(name))


def test_a_format_that_is_known() -> None:
    """With the format given, the envelope is the one that fits it, in whatever other format the wrapper could be."""
    given = load("$remote_addr $status $time_iso8601 $uri")
    line = "1.2.3.4 200 2026-11-22T10:00:00Z /a"
    for samples, name, rates in (
        ([json.dumps({"log": "x", "line": line}).encode()], "line", {"custom": 1.0}),
        ([line.encode()], "lines", {"custom": 1.0}),
        ([b"nothing"], "array", {"custom": 0.0}),
    ):
        envelope, detection = detect_envelope(samples, given)
        assert (envelope.name, detection.rates) == (name, rates)
    assert detect_envelope([PLAIN["kong"]], load("kong"))[0].name == "array"


def test_none_opens_nothing() -> None:
    """Without an envelope the very chunk comes back."""
    chunk = chunk_of([b"a\nb", b'[{"message":"x"}]'])
    assert Envelope.named("none").open(chunk) is chunk


UNOPENED = [
    *(b'{"message":1}', b'{"message":null}', b'{"message":["a"]}', b'{"Message":"a"}', b'{"a":{"message":"x"}}', b"{}"),
    *(b'{"message":"a","message":"b"}', b'{"message":{"a":1},"message":"b"}', b'{"message":"a"', b'{"message":"a"}}'),
    *(
        b'{"message":"a\\x"}',
        b'{"message":"a\x01"}',
        b'{"message":"a"} x',
        b'{"message":"a",}',
        b'{"mess\\u0061ge":"a"}',
    ),
    *(b"[1,2]", b'[{"message":"a"},3]', b'[{"message":"a"},]', b'[{"message":"a"}', b"[[]]", b"[null]", b"[", b"{"),
    *(
        b'{"message":"a',
        b'{"message":',
        b'{"message"',
        b'["a',
        b'{"m":"\\ud8',
        b"nonsense",
        b"\xff\xfe",
        b'"text"',
        b"0",
    ),
]


@pytest.mark.parametrize("message", UNOPENED)
def test_what_cannot_be_opened_stays(message: bytes) -> None:
    """Such a message passes unchanged, in one piece, and no scanner takes it."""
    assert records(Envelope.named("message"), [message, b"x"]) == [[message], [b"x"]]
    for inner in ("combined", "nginx_json"):
        assert reasons("message", inner, [message]) != ["ok"]


def test_nothing_is_dropped() -> None:
    """Empty messages and empty arrays are one empty record each; empty lines count but those at the end."""
    empty = [b"", b"[]", b" [ ] ", b"\n\n", b"\r\n"]
    assert records(Envelope.named("message"), empty) == [[b""]] * 5
    assert reasons("message", "combined", empty) == ["empty"] * 5
    assert records(Envelope.named("lines"), [b"a\r\n\n b\n\n\n"]) == [[b"a", b"", b" b"]]
    assert reasons("message", "combined", [b'{"message":""}', b'{"message":"\\n"}']) == ["empty"] * 2


def test_surrogates_and_foreign_bytes() -> None:
    """Halves of pairs become U+FFFD, pairs their character; bytes that are no UTF-8 and NULs stay what they are."""
    text = b'{"log":"\\ud83d\\ude00 \\ud800 \\udc00x \xff\xfe \\u0000"}'
    assert records(Envelope.named("log"), [text]) == [["\U0001f600 \ufffd \ufffdx ".encode() + b"\xff\xfe \0"]]
    assert reasons("log", "combined", [text]) == ["binary"]


def test_depth() -> None:
    """A wrapper may be 62 deep, records inside as deep as the scanner goes; what is deeper stays closed."""

    def nested(depth: int) -> bytes:
        return b'{"log":"x","a":' + b"[" * depth + b"]" * depth + b"}"

    assert records(Envelope.named("log"), [nested(61), nested(62)]) == [[b"x"], [nested(62)]]
    deep = b'{"log":' + b'{"a":' * 100_000
    assert records(Envelope.named("log"), [deep, b'["' + deep, b"[" * 100_000]) == [
        [deep],
        [b'["' + deep],
        [b"[" * 100_000],
    ]


def test_long_lines() -> None:
    """Lines up to the longest one allowed are opened; longer ones too, for the scanner to reject."""
    agent = "x" * (MAX_LINE_BYTES - len(LINE) + len('Report \\"Runner'))
    line = TEXT.replace('Report \\"Runner', agent)
    assert len(line) == MAX_LINE_BYTES
    messages = [json.dumps({"log": line}).encode(), json.dumps({"log": line + "x"}).encode()]
    assert reasons("log", "combined", messages) == ["ok", "too_long"]


def test_room_for_many_records() -> None:
    """Arrays and lines of any number of records, more than was reckoned with, all with their message's position."""
    array = b"[" + b",".join(b'{"log":"%d\\n"}' % i for i in range(5_000)) + b"]"
    several = b"\n".join(b'{"log":"%d\\n"}' % i for i in range(3_000))
    got = records(Envelope.named("log"), [array, b"x", several, array])
    numbers = [b"%d" % i for i in range(5_000)]
    assert got == [numbers, [b"x"], numbers[:3_000], numbers]


@pytest.mark.parametrize(
    ("sample", "named"),
    [
        (b"\x82\xaa@timestamp\xcbA\xd9\xcf\xa3\xbe\x1f\x9b\xe7\xa3log\xa3abc", "MessagePack"),
        (b"\x92\xd7\x00gA\x12\x34\x00\x00\x00\x00\x81\xa3log\xa3abc", "MessagePack"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip"),
        (b"\x00\x00\x00\x00\x07\x02\x06abc", "schema registry"),
    ],
)
def test_foreign_forms_are_named(sample: bytes, named: str) -> None:
    """What is no text is named, with what to do; its messages still pass and are rejected one by one."""
    samples = [sample] * 3 + [LINE]
    assert named in foreign(samples)
    envelope, detection = detect_envelope([sample] * 3)
    assert detection.format is None
    assert reasons(envelope.name, "combined", [sample]) != ["ok"]
    assert foreign([LINE, sample, LINE]) == foreign([b"", LINE]) == foreign([]) == ""


def test_nothing_recognised() -> None:
    """Samples of nothing known, or no samples, give no format."""
    for samples in ([], [b""], [b"hello"], [b'{"message":"hello"}'], [b"{"], [b"["]):
        envelope, detection = detect_envelope(samples)
        assert detection.format is None
        assert envelope.name in ("array", "lines")


def test_torn_lines_still_say_their_envelope() -> None:
    """Where most wrapped lines are cut off, the envelope is the one with the closest format."""
    messages = [json.dumps({"log": TEXT[: 20 + i]}).encode() for i in range(40)] + [json.dumps({"log": TEXT}).encode()]
    envelope, detection = detect_envelope(messages)
    assert (envelope.name, detection.closest) == ("log", "combined")


@pytest.mark.parametrize("name", ["", "a\nb", 'a"b', AUTO, "x" * 300, "a\\b"])
def test_names_that_cannot_be(name: str) -> None:
    """A key that could not be found as written is refused, with the names there are."""
    with pytest.raises(UsageError, match=r"event\.original"):
        Envelope.named(name)


def test_every_name_says_what_it_is() -> None:
    """The words for the log of the run."""
    names = ["none", "lines", "array", "message", "payload"]
    assert [Envelope.named(name).about for name in names] == [
        "not wrapped",
        "lines",
        "JSON objects or arrays of them",
        "wrapped by Vector, Filebeat or Logstash (`message`)",
        "wrapped under `payload`",
    ]


GRAMMARS = [
    *(b"{", b"[", b'{"a":', b'{"log":', b"[[", b'"', b"\\", b'\\"', b"\n", b"\n{", b'{"log":"x"}\n', b'{"log":"a"},'),
    *(b'"log":"x",', b"\\u0041", b"\0", b"\r", b" ", b"[]", b"{},", b'"\n', b"1,", b"x", b"\xff", b'{"log":{', b"}\n"),
]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        *(("log", head) for head in (b"", b"[", b'{"log":"', b"[{", b'["', b'{"a":"x",')),
        *(
            ("otlp_body", head)
            for head in (b'{"logRecords":[', b'{"logRecords":[{"body":{"stringValue":"', b"{", b"[{")
        ),
    ],
)
def test_time_grows_with_length(name: str, head: bytes) -> None:
    """Each doubling of a message takes at most 2.5 times as long, whatever it repeats; 64 kB take under 5 ms."""
    wrapped = Envelope.named(name)

    def seconds(grammar: bytes, size: int) -> float:
        chunk = chunk_of([(head + grammar * (size // len(grammar)))[:size]])
        begin = monotonic()
        wrapped.open(chunk)
        return monotonic() - begin

    for grammar in GRAMMARS:
        quarter = whole = 1.0
        for _ in range(100):  # the best of several: other programs share the machine
            quarter, whole = min(quarter, seconds(grammar, 16_000)), min(whole, seconds(grammar, 64_000))
            if whole < 0.005 and whole <= 2.5**2 * quarter:
                break
        assert whole < 0.005, (head, grammar)
        assert whole <= 2.5**2 * quarter, (head, grammar)


def test_positions_and_buffer() -> None:
    """The records lie in the chunk's own buffer; a record a message leaves the positions as they were."""
    chunk = chunk_of([b'{"log":"a"}', b'{"log":"b"}'])
    opened = Envelope.named("log").open(chunk)
    assert opened.buffer is chunk.buffer
    assert opened.positions is chunk.positions
    assert np.array_equal(opened.lengths, [1, 1])
