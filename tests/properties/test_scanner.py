"""The scanners in machine code say of every line what the slow reference parser says."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import PRESETS, load
from detector.formats.fields import FIELDS, REASONS, Fields
from detector.formats.jsonlines import JsonFormat
from detector.formats.presets import Format
from detector.formats.reference import Parsed, parse_text
from detector.formats.reference_json import parse_json

PLAIN = {
    "apache_ssl_request": b'[10/Aug/2018:09:45:56 +0200] 172.30.0.119 TLSv1.2 ECDHE-RSA-AES128 "GET /a?b=c HTTP/1.1" 1375',
    "bunkerweb": b'www.example.com 172.18.0.1 - 7bde940ef0 - [22/Oct/2025:14:31:07 +0000] "GET / HTTP/1.1" 301 162 "-" "x"',
    "combined": b'127.0.0.1 - frank [14/Oct/2022:09:55:53 +0200] "PUT /api/v2 HTTP/1.1" 404 134 "-" "Report \\"Runner"',
    "common": b'host.example - - [26/Dec/2016:16:16:29 +0200] "GET /favicon.ico HTTP/1.1" 404 -',
    "nginx_addresses": b'2a03::8000, 10.2.2.121 - - [30/Dec/2016:06:47:09 +0000] "GET /t HTTP/1.1" 404 8571 "-" "agent"',
    "nginx_main": b'1.2.3.4 - - [30/Dec/2016:06:47:09 +0000] "GET /t HTTP/1.1" 404 8571 "-" "agent" "6.7.8.9, 1.1.1.1"',
    "nginx_proxy_manager": b'[24/Jan/2022:16:51:02 +0000] - 404 404 - GET http a.local "/sdf" [Client 1.2.3.4] [Length 192] '
    b'[Gzip 3.10] [Sent-to openresty] "Mozilla/5.0" "-"',
    "npmplus": b'[10/Feb/2024:21:23:40 +0100] w.example.com 192.168.1.101 0.002 "GET / HTTP/1.1" 401 77 935 - Uptime (x) 1',
    "traefik_clf": b'172.17.0.1 - - [08/Dec/2021:09:16:05 +0000] "GET /up?t=a HTTP/1.1" 200 405 "-" - 502 "t@d" "http://1:80" 0ms',
    "vhost_combined": b'website.com:443 1.2.3.4 - - [25/Oct/2021:11:05:52 +0200] "GET /web HTTP/1.1" 403 6963 "abc.com" "agent"',
    "vhost_common": b'website.com:443 1.2.3.4 - u [25/Oct/2021:11:05:52 +0200] "GET /web HTTP/1.1" 403 6963',
    "caddy": b'{"level":"info","ts":1693840791.7564995,"request":{"remote_ip":"172.17.0.1","client_ip":"127.0.0.1","method":'
    b'"GET","host":"h:8080","uri":"/\\u00e9","headers":{"User-Agent":["curl/7.74.0","x"]}},"size":0,"status":0}',
    "envoy_json": b'{":authority":"a.example","bytes_sent":12,"downstream_remote_address":"10.0.0.12:5","method":"GET","x":null,'
    b'"response_code":200,"start_time":"2025-12-31T16:37:40.479Z","user_agent":"M","x-envoy-origin-path":"/a.webp"}',
    "fastly_json": b'{"timestamp":"2021-11-12T16:59:45+0000","client_ip":"1.2.3.4","url":"/z","request_method":"GET",'
    b'"request_user_agent":"M","response_status":404,"response_body_size":564,"fastly_is_edge":true}',
    "kong": b'{"started_at":1732204862123,"client_ip":"1.2.3.4","request":{"uri":"/a","method":"GET","headers":{"user-agent":'
    b'"M"}},"response":{"status":200,"size":"12"},"consumer":{"username":"u"}}',
    "nginx_json": b'{"time_iso8601":"2021-11-12T16:59:45+00:00","remote_addr":"1.2.3.4","request":"GET /a HTTP/1.1","status":"200"}',
    "traefik_json": b'{"ClientAddr":"172.17.0.1:39496","ClientHost":"172.17.0.1","ClientUsername":"-","DownstreamStatus":200,'
    b'"DownstreamContentSize":357,"RequestMethod":"GET","RequestPath":"/5","StartUTC":"2026-01-08T14:19:15.980170592Z"}',
}
# pieces that mean something to one format or another
SHARDS = [
    b" ", b'"', b"\\", b"-", b" - ", b" [", b'] "', b'" ', b'" "', b":", b",", b"{", b"}", b"[", b"]", b"0", b"9" * 19, b"\0",
    b"\r", b"\t", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\\u0000", b"\\ud83d\\ude00", b"\\ud800", b"null", b"-1.5e3", b"1e999",
    b" [14/Oct/2022:09:55:53 +0200] ", b"31/Feb/2022:09:55:53 +0200", b"14/Oct/2022:23:59:60 -0930", b"2022-10-14T09:55:53.5Z",
    b"2022-10-14 09:55:53,123456789+02:00", b"1693840791.5", b"1693840791123", b"4102444800", b"GET / HTTP/1.1", b" HTTP/2",
    b'6.6.6.6 - - [14/Oct/2022:09:55:53 +0200] "GET /forged HTTP/1.1" 200 1 "-" "-"', b'"client_ip":"6.6.6.6",', b"\xc2\xb2",
]  # fmt: skip


def scan(format: Format, lines: list[bytes]) -> tuple[Fields, bytes]:
    """The kernel's columns of some lines, and the buffer their spans point into."""
    lengths = np.array([len(line) for line in lines], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])[:-1].astype(np.int64)
    buffer = np.frombuffer(bytearray(b"\n".join(lines) + b"\n"), np.uint8)
    fields = format.columns(buffer, starts, lengths)
    return fields, buffer.tobytes()


def parsed(fields: Fields, buffer: bytes, i: int) -> Parsed:
    """Row ``i`` in the reference's words."""
    if fields.reason[i]:
        assert (fields.span[i, :, 1] == -1).all()
        return Parsed(REASONS[fields.reason[i]])
    spans = {name: fields.span[i, code] for code, name in enumerate(FIELDS)}
    values = {name: buffer[start : start + length] for name, (start, length) in spans.items() if length >= 0}
    return Parsed(
        "ok",
        bool(fields.torn[i]),
        int(fields.time_us[i]),
        int(fields.status[i]),
        int(fields.bytes_out[i]),
        int(fields.rows[i]),
        values,
    )


def reference(format: Format, line: bytes) -> Parsed:
    """What the slow parser says."""
    return parse_json(format, line) if isinstance(format, JsonFormat) else parse_text(format, line)


def check(format: Format, lines: list[bytes]) -> None:
    """Every line: kernel equals reference."""
    fields, buffer = scan(format, lines)
    for i, line in enumerate(lines):
        assert parsed(fields, buffer, i) == reference(format, line), line


def mutate(rng: random.Random, line: bytes) -> bytes:
    """A line with a few pieces cut, doubled, replaced or put in."""
    for _ in range(rng.randint(1, 4)):
        a = rng.randint(0, len(line))
        b = min(len(line), a + rng.choice([0, 0, 1, 2, 7, 30]))
        shard = rng.choice([rng.choice(SHARDS), bytes([rng.randrange(256)]), line[b : b + 20]])
        line = line[:a] + (shard if rng.random() < 0.8 else b"") + line[b:]
    return line.replace(b"\n", b"")


def test_every_preset_has_an_example() -> None:
    """A new preset cannot be added without a line that the properties run on, and that it takes."""
    assert sorted(PLAIN) == sorted(PRESETS)
    for name, line in PLAIN.items():
        assert reference(load(name), line).reason == "ok"


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutated_lines(name: str, seed: int) -> None:
    """On lines bent at random the kernel and the reference agree, in what they take and in why not."""
    rng = random.Random(seed)
    check(load(name), [mutate(rng, PLAIN[name]) for _ in range(100)])


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=20, deadline=None)
@given(lines=st.lists(st.lists(st.one_of(st.sampled_from(SHARDS), st.binary(max_size=6)), max_size=12), min_size=1, max_size=20))
def test_random_lines(name: str, lines: list[list[bytes]]) -> None:
    """On lines put together from shards the kernel and the reference agree."""
    check(load(name), [b"".join(parts).replace(b"\n", b"") for parts in lines])


@pytest.mark.parametrize("name", PRESETS)
def test_every_torn_line(name: str) -> None:
    """Cut anywhere, a line is taken or rejected as the reference does it."""
    check(load(name), [PLAIN[name][:n] for n in range(len(PLAIN[name]) + 1)])


LAYOUTS = [
    '$host$request_uri $remote_addr [$time_local] $status',
    '$http_x_forwarded_for|$remote_addr|$time_iso8601|$uri$is_args$args|$status|$http_user_agent',
    '$msec $remote_addr "$request" $upstream_addr "$http_x_api_key" $cookie_sessionid $body_bytes_sent',
    '$remote_addr $http_user_agent $http_referer [$time_local] $request_method $request_uri',
    "%h %l %u %t %r %>s %b",
    '%{usec}t %a %{X-Forwarded-For}i %m %U%q %s %{X-Record-Count}o %D',
    '{"t":"$time_iso8601","a":"$remote_addr","r":"$request","s":$status,"u":"$http_user_agent"}',
    "$http_a|$request_id,[$time_local]$request_uri",
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_strings_of_the_user(layout: str, seed: int) -> None:
    """Formats compiled from a log_format string agree with the reference too, free fields and retries included."""
    rng = random.Random(seed)
    format = load(layout)
    words = [b"1.2.3.4", b"/a?b", b"200", b"x y", b"GET", b"14/Oct/2022:09:55:53 +0200", b"2022-10-14T09:55:53Z", b"1693840791.5", b""]
    lines = []
    for _ in range(60):
        line = b"".join(rng.choice([*words, *SHARDS]) + p.follow for p in format.layouts[0].pieces)  # type: ignore[union-attr]
        lines.append((format.layouts[0].prefix + line).replace(b"\n", b""))  # type: ignore[union-attr]
    check(format, lines + [mutate(rng, line) for line in lines])
