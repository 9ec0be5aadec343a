"""Resolving is a pure function of each line, whatever a stranger wrote into it."""

from __future__ import annotations

import ipaddress
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats.fields import Fields
from detector.records.batch import Batch
from detector.records.identity import Identity
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from detector.sources.chunk import Chunk
from tests.record_lines import Request, lay_out, names, resolved

QUIET = settings(max_examples=100, deadline=None)
PRINTABLE = re.compile(r"[\x20-\x7e]*")
NAMES = ("address", "forwarded", "account", "key", "session", "method", "target", "query", "agent")

pieces = st.sampled_from(
    [
        *(b"/", b"/api", b"/users/", b"7", b"12345678901234567890", b".json", b".css", b"?", b"id=", b"&", b"page=3"),
        *(b"%2f", b"%41", b"%", b"%zz", b"%00", b";", b"#", b"\x00", b"\xff\xfe", b"\x1b[2J", b"\\", b"@", b"a@b.de"),
        *(b"+4915112345678", b"0f8fad5b-d9cb-469f-a165-70867728950e", b"deadbeef00112233", b"..", b"http://h/"),
        *(b"10.0.0.1", b", ", b"::1", b"[2001:db8::1]:80", b"for=", b'"', b"x" * 70, b"GET", b"-", b" "),
    ]
)
texts = st.one_of(st.lists(pieces, max_size=9).map(b"".join), st.binary(max_size=40))
requests = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(NAMES, texts) | {"status": st.sampled_from([200, 404, 500])}
)
logs = st.lists(requests, min_size=1, max_size=30)
PROXIES = Identity(trusted_proxies=("10.0.0.0/8", "::1"))


def same(one: Batch, other: Batch) -> None:
    """Asserts that two batches are equal, column by column."""
    for left, right in zip(one.columns(), other.columns(), strict=True):
        assert np.array_equal(left, right)


@QUIET
@given(logs, st.integers(0, 30))
def test_a_chunk_may_be_cut_anywhere(log: list[Request], cut: int) -> None:
    """Two chunks with the halves of the lines give the rows of one with all."""
    chunk, fields = lay_out(log)
    resolver = Resolver(PROXIES)
    whole = resolver.resolve(chunk, fields)
    halves = []
    for half in (slice(0, cut), slice(cut, None)):
        part = Fields(*(getattr(fields, name)[half] for name in Fields.__dataclass_fields__))
        part.span = np.ascontiguousarray(part.span)
        lines = Chunk(chunk.buffer, chunk.starts[half], chunk.lengths[half], chunk.positions[half], 0)
        halves.append(Resolver(PROXIES).resolve(lines, part))
    same(whole, Batch.concatenate(halves))


@QUIET
@given(logs, st.integers(1, 40))
def test_a_row_depends_on_its_own_line_alone(log: list[Request], padding: int) -> None:
    """Neither the neighbours, nor the place in the buffer, nor what was resolved before changes a row."""
    resolver = Resolver(PROXIES)
    forward = resolver.resolve(*lay_out(log))
    backward = resolver.resolve(*lay_out(log[::-1], padding)).take(np.arange(len(log))[::-1])
    for name in ("client", "source", "network", "agent", "kind", "name", "tokens", "slug", "object", "number", "flags"):
        assert np.array_equal(getattr(forward, name), getattr(backward, name)), name


@QUIET
@given(logs)
def test_hostile_bytes_leave_printable_names(log: list[Request]) -> None:
    """Clients and routes are named in printable ASCII, every row has a client and a route, ids their flags."""
    resolver = Resolver(PROXIES, slug_after=2)
    routes = Routes(resolver.texts, slug_after=2)
    batch = resolver.resolve(*lay_out(log))
    routes.assign(batch)
    assert all(PRINTABLE.fullmatch(name) for name in names(batch))
    assert all(PRINTABLE.fullmatch(routes.name(int(route))) for route in batch.route)
    assert batch.client.all()
    assert batch.route.all()
    assert np.all(batch.number >= -1)
    assert np.all((batch.object != 0) | (batch.number == -1))


@QUIET
@given(st.lists(texts, max_size=5), st.sampled_from(["198.51.100.7", "2001:db8::7", "198.51.100.7:80"]))
def test_forged_hops_never_change_the_client(forged: list[bytes], hop: str) -> None:
    """Whatever a client writes into the header before the first declared proxy adds its address."""
    chain = b", ".join([*forged, hop.encode()])
    (name,) = names(resolved([{"address": b"10.0.0.1", "forwarded": chain}], Resolver(PROXIES)))
    (plain,) = names(resolved([{"address": hop.encode()}]))
    assert name == plain
    (direct,) = names(resolved([{"address": b"192.0.2.1", "forwarded": chain}], Resolver(PROXIES)))
    assert direct == "192.0.2.1"


@QUIET
@given(st.lists(texts, max_size=4), st.sampled_from(["unknown", "", "1.2.3", "x.example"]))
def test_forged_hops_choose_nobody_behind_a_broken_one(forged: list[bytes], hop: str) -> None:
    """A hop that is no address makes the client invalid; what stands left of it is never read."""
    chain = b", ".join([b"6.6.6.6", *forged, hop.encode(), b"10.3.3.3"])
    (name,) = names(resolved([{"address": b"10.0.0.1", "forwarded": chain}], Resolver(PROXIES)))
    assert name == "invalid"


@QUIET
@given(st.one_of(st.ip_addresses(), st.from_regex(r"[0-9a-f:.\[\]%]{1,30}", fullmatch=True)))
def test_addresses_are_read_as_python_reads_them(value: object) -> None:
    """The kernel's parser against the standard library's, on addresses and on what looks like some."""
    text = str(value)
    (name,) = names(resolved([{"address": text.encode()}]))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv6Address):
        prefix = ipaddress.IPv6Network((int(address) >> 64 << 64, 64))
        assert name == str(prefix)
    else:
        assert name == str(address)


@QUIET
@given(logs, st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_routes_do_not_depend_on_batches(log: list[Request], sizes: list[int]) -> None:
    """Rows cut into batches anyhow get the same routes, objects and names."""
    resolver = Resolver(slug_after=2)
    whole = resolver.resolve(*lay_out(log * 3))
    batch = whole.take(np.arange(len(whole)))
    routes = Routes(resolver.texts, slug_after=2)
    routes.assign(whole)
    other = Routes(resolver.texts, slug_after=2)
    parts = []
    start = 0
    for size in [*sizes, len(batch)]:
        part = batch.take(np.arange(start, min(start + size, len(batch))))
        other.assign(part)
        parts.append(part)
        start = min(start + size, len(batch))
    same(whole, Batch.concatenate(parts))
    assert [routes.name(int(r)) for r in whole.route] == [other.name(int(r)) for r in whole.route]
