"""What agents and networks are called: kept at first sight, bounded, and the same after a snapshot."""

from __future__ import annotations

import numpy as np
import pytest

from detector.formats.fields import FIELD, Fields
from detector.records.batch import Batch
from detector.records.looks import AGENT, AGENT_BYTES, AGENT_SLOTS
from detector.records.resolve import Resolver
from detector.records.texts import Texts


class Lines:
    """Requests as the scanner hands them on: an address and an agent each."""

    def __init__(self, requests: list[tuple[bytes, bytes]]) -> None:
        self.fields = Fields.empty(len(requests))
        text = b""
        for row, (address, agent) in enumerate(requests):
            for name, value in (("address", address), ("agent", agent), ("target", b"/a")):
                self.fields.span[row, FIELD[name]] = len(text), len(value)
                text += value
        self.fields.status[:] = 200
        self.buffer = np.frombuffer(text.ljust(len(text) + 32, b"\0"), np.uint8).copy()
        self.positions = np.arange(len(requests))
        self.origin = 0


def resolved(resolver: Resolver, requests: list[tuple[bytes, bytes]]) -> Batch:
    """The requests as a batch."""
    lines = Lines(requests)
    return resolver.resolve(lines, lines.fields)


def test_agents_and_networks_are_called_by_their_texts() -> None:
    """The text of a hash is what the log said, printable and cut; the network is the address's."""
    resolver = Resolver()
    long = b"x" * 500
    asked = [(b"203.0.113.9", b"Mozilla/5.0 (X11)"), (b"2001:db8:1:2::3", b"a\x1b[31m\xff"), (b"10.1.2.3", long)]
    batch = resolved(resolver, [*asked, *asked])
    looks = resolver.texts.looks
    assert [looks.network(n) for n in batch.network[:3].tolist()] == [
        "203.0.113.0/24",
        "2001:db8:1::/48",
        "10.1.2.0/24",
    ]
    assert looks.agent(int(batch.agent[0])) == "Mozilla/5.0 (X11)"
    assert looks.agent(int(batch.agent[1])) == "a?[31m?"
    assert looks.agent(int(batch.agent[2])) == "x" * AGENT_BYTES
    assert looks.agent(12345) == "~0000000000003039"
    assert looks.network(7) == "~00000007"


@pytest.mark.parametrize("again", [False, True])
def test_a_flood_of_agents_forgets_nobody(again: bool) -> None:
    """Whoever invents agents fills the table; those seen before keep their texts, also through a snapshot."""
    resolver = Resolver()
    first = resolved(resolver, [(b"203.0.113.9", b"honest")])
    resolved(resolver, [(b"203.0.113.9", b"invented %d" % n) for n in range(AGENT_SLOTS)])
    texts = resolver.texts
    if again:
        texts = Texts(128)
        texts.load(*resolver.texts.save().values())
    kept = texts.save()["agents"]
    assert len(kept) == AGENT_SLOTS // 2
    assert kept.dtype == AGENT
    assert texts.looks.agent(int(first.agent[0])) == "honest"
    late = resolved(resolver, [(b"203.0.113.9", b"late")])
    assert texts.looks.agent(int(late.agent[0])).startswith("~")
