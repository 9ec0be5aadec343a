"""The scanners in machine code say of every line what the slow reference parser says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import PRESETS, load
from detector.formats.presets import Format
from detector.formats.reference_json import parse
from detector.formats.text import TextFormat
from tests.format_lines import PLAIN, parsed, scan

# pieces that mean something to one format or another
SHARDS = [
    *(
        b" ",
        b'"',
        b"\\",
        b"-",
        b" - ",
        b" [",
        b'] "',
        b'" ',
        b'" "',
        b":",
        b",",
        b"{",
        b"}",
        b"[",
        b"]",
        b"0",
        b"9" * 19,
    ),
    *(
        b"\0",
        b"\r",
        b"\t",
        b"\xff",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xc2\xb2",
        b"\\u0000",
        b"\\ud83d\\ude00",
        b"\\ud800",
    ),
    *(b"null", b"-1.5e3", b"1e999", b"1693840791.5", b"1693840791123", b"4102444800", b'"client_ip":"6.6.6.6",'),
    *(b" [14/Oct/2022:09:55:53 +0200] ", b"31/Feb/2022:09:55:53 +0200", b"14/Oct/2022:23:59:60 -0930"),
    *(b"2022-10-14T09:55:53.5Z", b"2022-10-14 09:55:53,123456789+02:00", b"GET / HTTP/1.1", b" HTTP/2"),
    b'6.6.6.6 - - [14/Oct/2022:09:55:53 +0200] "GET /forged HTTP/1.1" 200 1 "-" "-"',
]


PIECE = st.one_of(st.sampled_from(SHARDS), st.binary(max_size=6))


def check(format: Format, lines: list[bytes]) -> None:
    """Every line: kernel equals reference."""
    fields, buffer = scan(format, lines)
    for i, line in enumerate(lines):
        assert parsed(fields, buffer, i) == parse(format, line), line


def mutate(rng: np.random.Generator, line: bytes) -> bytes:
    """A line with a few pieces cut, doubled, replaced or put in."""
    for _ in range(rng.integers(1, 5)):
        a = int(rng.integers(len(line) + 1))
        b = min(len(line), a + (0, 0, 1, 2, 7, 30)[rng.integers(6)])
        shard = (SHARDS[rng.integers(len(SHARDS))], rng.bytes(1), line[b : b + 20], b"")[rng.integers(4)]
        line = line[:a] + shard + line[b:]
    return line.replace(b"\n", b"")


def test_every_preset_has_an_example() -> None:
    """A new preset cannot be added without a line that the properties run on, and that it takes."""
    assert sorted(PLAIN) == sorted(PRESETS)
    for name, line in PLAIN.items():
        assert parse(load(name), line).reason == "ok"


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutated_lines(name: str, seed: int) -> None:
    """On lines bent at random the kernel and the reference agree, in what they take and in why not."""
    rng = np.random.default_rng(seed)
    check(load(name), [mutate(rng, PLAIN[name]) for _ in range(100)])


@pytest.mark.parametrize("name", PRESETS)
@settings(max_examples=15, deadline=None)
@given(lines=st.lists(st.lists(PIECE, max_size=12), min_size=1, max_size=20))
def test_random_lines(name: str, lines: list[list[bytes]]) -> None:
    """On lines put together from shards the kernel and the reference agree."""
    check(load(name), [b"".join(parts).replace(b"\n", b"") for parts in lines])


@pytest.mark.parametrize("name", PRESETS)
def test_every_torn_line(name: str) -> None:
    """Cut anywhere, a line is taken or rejected as the reference does it."""
    check(load(name), [PLAIN[name][:n] for n in range(len(PLAIN[name]) + 1)])


LAYOUTS = [
    "$host$request_uri $remote_addr [$time_local] $status",
    "$http_x_forwarded_for|$remote_addr|$time_iso8601|$uri$is_args$args|$status|$http_user_agent",
    '$msec $remote_addr "$request" $upstream_addr "$http_x_api_key" $cookie_sessionid $body_bytes_sent',
    "$remote_addr $http_user_agent $http_referer [$time_local] $request_method $request_uri",
    "%h %l %u %t %r %>s %b",
    "%{usec}t %a %{X-Forwarded-For}i %m %U%q %s %{X-Record-Count}o %D",
    '{"t":"$time_iso8601","a":"$remote_addr","r":"$request","s":$status,"u":"$http_user_agent"}',
    "$http_a|$request_id,[$time_local]$request_uri",
]
WORDS = [
    *(
        b"1.2.3.4",
        b"/a?b",
        b"200",
        b"x y",
        b"GET",
        b"14/Oct/2022:09:55:53 +0200",
        b"2022-10-14T09:55:53Z",
        b"1693840791.5",
    ),
    *(b"", *SHARDS),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_strings_of_the_user(layout: str, seed: int) -> None:
    """Formats compiled from a log_format string agree with the reference too, free fields and retries included."""
    rng = np.random.default_rng(seed)
    format = load(layout)
    assert isinstance(format, TextFormat)
    first = format.layouts[0]
    lines = []
    for _ in range(60):
        words = [WORDS[i] for i in rng.integers(len(WORDS), size=len(first.pieces))]
        line = first.prefix + b"".join(word + piece.follow for word, piece in zip(words, first.pieces, strict=True))
        lines.append(line.replace(b"\n", b""))
    check(format, lines + [mutate(rng, line) for line in lines])
