"""Who asks: names, the ladder, proxies, the smell of a proxy."""

from __future__ import annotations

import ipaddress

import pytest

from detector.errors import UsageError
from detector.formats.fields import FIELD
from detector.records import who_kernel
from detector.records.batch import KINDS
from detector.records.identity import Identity, IdentityCounts, identity_report
from detector.records.resolve import Resolver
from tests.record_lines import names, resolved

PROXIES = Identity(trusted_proxies=("10.0.0.0/8", "2001:db8:ffff::/48"))


def client_of(peer: str, chain: str = "", identity: Identity = PROXIES) -> str:
    """The printable name of the client of one line with this peer and forwarding header."""
    (name,) = names(resolved([{"address": peer.encode(), "forwarded": chain.encode()}], Resolver(identity)))
    return name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("255.255.255.255", "255.255.255.255"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:0002::9", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("[2001:db8::9]", "2001:db8::/64"),
        ("2001:db8::", "2001:db8::/64"),
        ("2001:0:0:5::1", "2001:0:0:5::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("64:ff9b::192.0.2.1", "64:ff9b::/64"),
        ("1:2:3:4:5:6:192.0.2.1", "1:2:3:4::/64"),
        ("Host.Example.COM", "host.example.com"),
        ("host.example.com:8080", "host.example.com"),
    ],
)
def test_addresses_are_named_in_one_way(text: str, name: str) -> None:
    """Ports, zones, brackets, mapped forms and capitals are no other client."""
    assert client_of(text, identity=Identity()) == name


@pytest.mark.parametrize(
    "text",
    [
        *(
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.04",
            "1..2.3",
            "1.2.3.4:",
            "1.2.3.4:123456",
            "0x1.2.3.4",
        ),
        *(
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            ":1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:",
            "12345::",
            ":::",
            "g::1",
        ),
        *("1:2:3:4:5:6:7:192.0.2.1", "::192.0.2", "[::1", "::1]", "[::1]x", "[]", ":"),
    ],
)
def test_what_is_no_address_is_a_name(text: str) -> None:
    """Nearly an address is none: it is hashed as the text it is, and python's own parser agrees."""
    with pytest.raises(ValueError, match=r".+"):
        ipaddress.ip_address(text)
    assert client_of(text, identity=Identity()).startswith(text[:4])
    assert "/" not in client_of(text, identity=Identity())


@pytest.mark.parametrize(
    ("peer", "chain", "name"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # the peer is no proxy of ours
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "-", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6,198.51.100.7 , 10.2.3.4", "198.51.100.7"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "6.6.6.6, unknown", "invalid"),
        ("10.0.0.1", "6.6.6.6, ", "invalid"),
        ("10.0.0.1", "evil, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "evil, 10.1.1.1", "invalid"),
        ("10.0.0.1", "2001:db8:7:7::1", "2001:db8:7:7::/64"),
        ("10.0.0.1", "[2001:db8:7:7::1]:99", "2001:db8:7:7::/64"),
        ("2001:db8:ffff::1", "198.51.100.7:1234", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", 'for=6.6.6.6, for="198.51.100.7:80";proto=https', "198.51.100.7"),
        ("10.0.0.1", 'by=10.0.0.1; For="[2001:db8:7:7::1]"', "2001:db8:7:7::/64"),
        ("10.0.0.1", "for=_hidden", "invalid"),
    ],
)
def test_forwarding_headers_are_walked_from_the_right(peer: str, chain: str, name: str) -> None:
    """Only what a declared proxy wrote is read; a hop that is no address makes the client invalid, never chosen."""
    assert client_of(peer, chain) == name


def test_the_first_rung_a_line_has_names_its_client() -> None:
    """Account before key before session before address; a dash and nothing are absent."""
    address: dict[str, bytes | int] = {"address": b"192.0.2.1"}
    batch = resolved(
        [
            address | {"account": b"ann", "key": b"k", "session": b"s"},
            address | {"account": b"-", "key": b"k", "session": b"s"},
            address | {"account": b"", "session": b"s"},
            address,
            {},
        ]
    )
    assert [KINDS[kind] for kind in batch.kind] == ["account", "key", "session", "address", "none"]
    assert names(batch)[0] == "ann"
    assert names(batch)[3:] == ["192.0.2.1", "-"]
    assert len(set(batch.client.tolist())) == 5
    assert len(set(batch.source.tolist())) == 2
    assert 0 not in batch.client.tolist()


def test_keys_and_sessions_never_show() -> None:
    """A key is a secret: its name is made of its keyed hash."""
    batch = resolved([{"key": b"sk_live_123456"}, {"session": b"8c5dcafe"}, {"key": b"sk_live_123457"}])
    assert [name[:4] for name in names(batch)] == ["key~", "sid~", "key~"]
    assert not any("live" in name or "8c5d" in name for name in names(batch))
    assert names(batch)[0] != names(batch)[2]


def test_networks_can_be_clients() -> None:
    """The rung network groups IPv4 by /24 and IPv6 by /48."""
    resolver = Resolver(Identity(ladder=("network",)))
    batch = resolved([{"address": a} for a in (b"192.0.2.1", b"192.0.2.200", b"2001:db8:1:2::3", b"host")], resolver)
    assert names(batch) == ["192.0.2.0/24", "192.0.2.0/24", "2001:db8:1::/48", "-"]
    assert batch.client[0] == batch.client[1] != batch.client[2]


def test_long_and_hostile_names_are_cut_and_escaped() -> None:
    """Terminal sequences, backslashes and lengths: printable ASCII of at most 48 bytes, and distinct ones distinct."""
    accounts = [b"\x1b[31m", b"a\\b", "é".encode(), b"x" * 48, b"x" * 49, b"x" * 50, b"\xff" * 30]
    found = names(resolved([{"account": account} for account in accounts]))
    assert found[:4] == ["\\x1b[31m", "a\\x5cb", "\\xc3\\xa9", "x" * 48]
    assert all(name[-9] == "~" for name in found[4:])
    assert len(set(found)) == len(found)
    assert max(map(len, found)) == 48


def test_the_kernel_reads_the_fields_by_their_place() -> None:
    """Its constants are the places in formats.fields.FIELDS and in KINDS."""
    assert [FIELD[name] for name in ("address", "forwarded", "agent")] == [
        who_kernel.ADDRESS,
        who_kernel.FORWARDED,
        who_kernel.AGENT,
    ]
    assert [FIELD[name] for name in ("account", "key", "session")] == [
        KINDS.index(name) for name in ("account", "key", "session")
    ]


def test_a_wrong_identity_says_every_problem() -> None:
    """All at once, each with what is allowed."""
    with pytest.raises(UsageError) as fault:
        Identity(ladder=("acount", "key", "key"), trusted_proxies=("10.0.0.0/33", "0.0.0.0/0"))
    lines = str(fault.value).split("\n")
    assert [line.split(":")[0] for line in lines] == ["identity.ladder"] * 2 + ["identity.trusted_proxies"] * 2
    with pytest.raises(UsageError, match="empty"):
        Identity(ladder=())


def test_a_proxy_is_smelt_and_the_remedy_named() -> None:
    """Two private addresses with most requests are a proxy; with accounts, or as one of many, they are not."""
    behind: list[dict[str, bytes | int]] = [{"address": b"10.0.0.%d" % (i % 2 + 1)} for i in range(60)]
    others: list[dict[str, bytes | int]] = [{"address": b"192.0.2.%d" % i} for i in range(40)]
    resolver = Resolver()
    resolved(behind + others, resolver)
    report = identity_report(resolver.counts())
    assert "60%" in report[0]
    assert "10.0.0.1, 10.0.0.2" in report[0]
    assert "$http_x_forwarded_for" in report[1]

    resolver = Resolver()
    resolved([line | {"forwarded": b"198.51.100.1"} for line in behind], resolver)
    assert "identity.trusted_proxies (10.0.0.1, 10.0.0.2)" in identity_report(resolver.counts())[1]

    resolver = Resolver()
    resolved([line | {"account": b"ann"} for line in behind], resolver)
    assert identity_report(resolver.counts()) == []

    resolver = Resolver()
    resolved([{"address": b"10.0.0.%d" % i} for i in range(100)], resolver)
    assert identity_report(resolver.counts()) == []


def test_nobody_named_is_said() -> None:
    """A log without any identity says which field to add."""
    assert "$remote_user" in identity_report(IdentityCounts([9, 1, 0, 0, 0, 0]))[0]
    assert identity_report(IdentityCounts([0] * 6)) == []
