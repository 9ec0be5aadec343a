"""Whose record, for what, from where: columns of the log, a map of persons, databases, published ranges."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.errors import UsageError
from detector.formats.fields import FIELD
from detector.records import resolve, who_kernel
from detector.records.batch import DECLARED, KINDS
from detector.records.declared import Declared, Partner
from detector.records.identity import Identity
from detector.records.keys import REPLAY_KEY
from detector.records.persons import Persons, hash_id
from detector.records.places import MaxMind, Places, place_name
from detector.records.published import read_names, read_networks
from detector.records.resolve import Resolver
from tests.record_lines import get, names, resolved

CARD = "4111111111111111"


def test_subject_purpose_and_consent_are_hashed() -> None:
    """A person is the same one in a field and in a path; nothing is zero."""
    batch = resolved(
        [{"target": b"/a", "subject": b"4711", "purpose": b"billing", "consent": b"c-1"}, *get("/users/4711")]
    )
    assert batch.subject.tolist() == [REPLAY_KEY.of_number(4711), 0] == [batch.object[1], 0]
    assert batch.purpose.tolist() == [REPLAY_KEY.of_text(b"billing"), 0]
    assert batch.consent.tolist() == [REPLAY_KEY.of_text(b"c-1"), 0]


def test_a_map_tells_whose_record_it_is(tmp_path: Path) -> None:
    """By number or text; what the log says itself counts first."""
    file = tmp_path / "persons.csv"
    file.write_text(f"person,record\nann,1\nann,2\nbob,ann@example.com\nbob,{CARD}\nx,1\n")
    persons = Persons.read(file)
    assert len(persons) == 4
    lines = get("/u/1", "/u/2", "/u/ann@example.com", f"/u/{CARD}", "/u/9", "/u?ids=1,2", "/")
    lines[1]["subject"] = b"eve"
    batch = resolved(lines, Resolver(persons=persons))
    ann, bob, eve = (REPLAY_KEY.of_text(name) for name in (b"ann", b"bob", b"eve"))
    assert batch.subject.tolist() == [ann, eve, bob, bob, 0, ann, ann, 0]


@pytest.mark.parametrize(
    ("text", "wrong"), [("a,b\n1,2\n", "header must name record and person"), ("record,person\n1,\n", ":2: a record")]
)
def test_a_map_that_cannot_be_read_says_where(tmp_path: Path, text: str, wrong: str) -> None:
    """With its line."""
    file = tmp_path / "persons.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=wrong):
        Persons.read(file)
    with pytest.raises(UsageError, match="cannot be read"):
        Persons.read(tmp_path / "none.csv")


def test_ids_of_a_map_are_hashed_as_the_resolver_does() -> None:
    """Zeros in front, too many digits, cards."""
    texts = ["7", "007", "1234567890123456789", CARD, "5500000000000004", "6011000990139424", "5011111111111110", "x-9"]
    batch = resolved(get(*(f"/u?kid={text}" for text in texts)))
    assert [hash_id(text, REPLAY_KEY) for text in texts] == batch.object.tolist()


def test_certificates_fingerprints_and_bots_are_rungs() -> None:
    """mTLS subject, JA4 and the edge's verdict on a bot; a token where an account should stand is hashed."""
    jwt = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln"
    assert [FIELD[n] for n in ("certificate", "ja4", "verified")] == [
        int(who_kernel.CERTIFICATE) + KINDS.index(n) - KINDS.index("certificate")
        for n in ("certificate", "fingerprint", "bot")
    ]
    assert FIELD["subject"] == resolve.SUBJECT
    lines: list[dict[str, bytes | int]] = [
        {"address": b"192.0.2.1", "certificate": b"CN=acme", "verified": b"bot.example"},
        {"address": b"192.0.2.1", "verified": b"bot.example"},
        {"address": b"192.0.2.1", "ja4": b"t13d1516h2_8daaf6152771_02713d6af862"},
        {"address": b"192.0.2.1", "account": b"Bearer abc"},
        {"account": jwt},
        {"account": b"Basic abc"},
    ]
    batch = resolved(lines, Resolver(Identity(ladder=("account", "certificate", "bot", "fingerprint", "address"))))
    assert [KINDS[k] for k in batch.kind] == ["certificate", "bot", "fingerprint", "account", "account", "account"]
    assert names(batch)[:3] == ["CN=acme", "bot.example", "t13d1516h2_8daaf6152771_02713d6af862"]
    assert all(name.startswith("acc~") for name in names(batch)[3:])


def test_a_bot_is_declared_by_the_edges_verdict_not_by_its_agent() -> None:
    """The same agent without the verdict is nobody's."""
    lines: list[dict[str, bytes | int]] = [
        {"address": b"192.0.2.1", "verified": b"bot.example", "agent": b"bot"},
        {"address": b"192.0.2.1", "agent": b"bot"},
        {"address": b"192.0.2.1", "account": b"bot.example"},
    ]
    batch = resolved(lines, Resolver(declared=Declared([Partner("bots", bots=("bot.example",))])))
    assert (batch.flags & DECLARED > 0).tolist() == [True, False, False]


def test_published_ranges_and_dns_names_are_networks(tmp_path: Path) -> None:
    """The JSON crawlers publish, lists with remarks, and names that end as they should."""
    file = tmp_path / "bots.json"
    file.write_text(
        '{"creationTime": "x", "prefixes": [{"ipv4Prefix": "192.0.2.0/27"}, {"ipv6Prefix": "2001:db8::/64"}]}'
    )
    assert read_networks(file) == ["192.0.2.0/27", "2001:db8::/64"]
    file.write_text("# ours\n192.0.2.7 # one\n\n2001:db8::/32\n")
    assert read_networks(file) == ["192.0.2.7", "2001:db8::/32"]
    file.write_text(
        "address,name\n192.0.2.1,crawl-1.googlebot.com\n192.0.2.2,evilgooglebot.com\n192.0.2.3,x.GOOGLEBOT.com.\n"
    )
    assert read_names(file, [".googlebot.com"]) == ["192.0.2.1", "192.0.2.3"]
    for text, wrong in (("192.0.2.0/33", ":1: not a network"), ("0.0.0.0/0", "everybody"), ("{", "no JSON")):
        file.write_text(text)
        with pytest.raises(UsageError, match=wrong):
            read_networks(file)


def encoded(value: Any) -> bytes:
    """A value in MaxMind DB's data format; short ones only."""
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(encoded(k) + encoded(v) for k, v in value.items())
    if isinstance(value, str):
        raw, kind = value.encode(), 2
    else:
        raw, kind = value.to_bytes((value.bit_length() + 7) // 8, "big"), 6
    return bytes([kind << 5 | len(raw)]) + raw


def database(path: Path, networks: dict[str, Any], bits: int) -> Path:
    """A MaxMind DB of these networks, IPv4 below ::/96."""
    nodes: list[list[int]] = [[-1, -1]]
    data, leaves = b"", {}
    for place, (text, record) in enumerate(networks.items()):
        leaves[place] = len(data)
        data += encoded(record)
        network = ipaddress.ip_network(text)
        length = network.prefixlen + (96 if network.version == 4 else 0)
        number, at = int(network.network_address), 0
        for bit in range(length):
            turn = number >> (127 - bit) & 1
            if bit == length - 1:
                nodes[at][turn] = -2 - place
            else:
                if nodes[at][turn] < 0:
                    nodes.append([-1, -1])
                    nodes[at][turn] = len(nodes) - 1
                at = nodes[at][turn]
    count = len(nodes)
    tree = b""
    for pair in nodes:
        left, right = (count if v == -1 else v if v >= 0 else count + 16 + leaves[-2 - v] for v in pair)
        if bits == 28:
            tree += (
                left.to_bytes(4, "big")[1:] + bytes([(left >> 24) << 4 | right >> 24]) + right.to_bytes(4, "big")[1:]
            )
        else:
            tree += left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")
    meta = encoded({"node_count": count, "record_size": bits, "ip_version": 6})
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + meta)
    return path


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_networks_are_told_by_a_database(tmp_path: Path, bits: int) -> None:
    """Autonomous systems first, then countries, then the /24 as ever; IPv4 and IPv6."""
    systems = database(
        tmp_path / "asn.mmdb",
        {"192.0.2.0/25": {"autonomous_system_number": 64500}, "2001:db8::/32": {"autonomous_system_number": 64501}},
        bits,
    )
    lands = database(tmp_path / "land.mmdb", {"192.0.0.0/8": {"country": {"iso_code": "NL"}}}, bits)
    places = Places([MaxMind(systems), MaxMind(lands)])
    addresses = [
        b"192.0.2.1",
        b"192.0.2.127",
        b"192.0.2.128",
        b"2001:db8:1::1",
        b"2001:db9::1",
        b"198.51.100.1",
        b"host",
    ]
    batch = resolved([{"address": address} for address in addresses] + [{}], Resolver(places=places))
    plain = resolved([{"address": address} for address in addresses] + [{}])
    assert [places.names.get(int(n), "") for n in batch.network] == [
        "AS64500",
        "AS64500",
        "NL",
        "AS64501",
        "",
        "",
        "",
        "",
    ]
    assert batch.network[4:].tolist() == plain.network[4:].tolist()
    assert np.array_equal(batch.client, plain.client)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """Not there, not one, torn."""
    with pytest.raises(UsageError, match="cannot be read"):
        MaxMind(tmp_path / "none.mmdb")
    file = tmp_path / "x.mmdb"
    for data, wrong in ((b"text", "no MaxMind database"), (b"\xab\xcd\xefMaxMind.com\xe1", "damaged")):
        file.write_bytes(data)
        with pytest.raises(UsageError, match=wrong):
            MaxMind(file)
    assert place_name({"asn": "AS64500"}) == "AS64500"
    assert place_name([1]) == place_name({}) == ""
