"""Who asks: the ladder of fields a client is named by, the proxies that may speak for others, and the smell of one.

The first rung a line has names its client. An address is the peer's own unless the peer is a declared proxy: then the
forwarding header is read from its right end, hop by hop, for as long as the hops are declared proxies too. Whatever
stands left of the first stranger was written by that stranger and is never read (adam-p, "The perils of the 'real'
client IP", 2022).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.records.batch import KINDS

DEFAULT_LADDER = ("account", "key", "certificate", "bot", "session", "address")

PROXY_SHARE = 0.5  # most requests: more than one half
PROXY_ADDRESSES = 3  # a pair of load balancers and their stand-in; more private addresses look like an office

_NONE, _ADDRESS = KINDS.index("none"), KINDS.index("address")


@dataclass(frozen=True)
class Identity:
    """How clients are told apart.

    Attributes:
        ladder: rungs of `KINDS` but "none", best first; the first that a line has names its client.
        trusted_proxies: networks (CIDR or single addresses) whose forwarding header is believed; none by default.

    Raises ``UsageError`` with every problem, a line each.
    """

    ladder: tuple[str, ...] = DEFAULT_LADDER
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = ladder_problems(self.ladder) + proxy_problems(self.trusted_proxies)
        if problems:
            raise UsageError("\n".join(problems))

    def rungs(self) -> npt.NDArray[np.uint8]:
        """uint8 (n,): the ladder as indices into `KINDS`."""
        return np.array([KINDS.index(rung) for rung in self.ladder], np.uint8)

    def networks(self) -> npt.NDArray[np.uint64]:
        """uint64 (n, 4): network and mask of each proxy, two words each, IPv4 inside ``::ffff:0:0/96``."""
        rows = [network_words(ipaddress.ip_network(text, strict=False)) for text in self.trusted_proxies]
        return np.array(rows, np.uint64).reshape(len(rows), 4)


def ladder_problems(ladder: Sequence[str]) -> list[str]:
    """What is wrong with a ladder, a line each: nothing in it, unknown rungs, rungs named twice."""
    allowed = ", ".join(KINDS[1:])
    if not ladder:
        return [f"identity.ladder: empty; name at least one of {allowed}"]
    problems = [
        f"identity.ladder: {rung!a} is no rung; allowed are {allowed}" for rung in ladder if rung not in KINDS[1:]
    ]
    twice = sorted({rung for rung in ladder if ladder.count(rung) > 1})
    return problems + [f"identity.ladder: {rung!a} stands there more than once" for rung in twice]


def proxy_problems(networks: Sequence[str]) -> list[str]:
    """What is wrong with a list of proxies, a line each."""
    problems = []
    for text in networks:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            problems.append(f"identity.trusted_proxies: {text!a} is no network; write 10.0.0.0/8 or 2001:db8::/32")
            continue
        if network.prefixlen == 0:
            problems.append(f"identity.trusted_proxies: {text!a} trusts everybody, so any client could name another")
    return problems


def network_words(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[int, int, int, int]:
    """Network and mask in two words each, IPv4 inside ``::ffff:0:0/96``."""
    start, length = int(network.network_address), network.prefixlen
    if network.version == 4:
        start, length = start | 0xFFFF << 32, length + 96
    mask = ((1 << length) - 1) << (128 - length)
    low = (1 << 64) - 1
    return start >> 64, start & low, mask >> 64, mask & low


@dataclass
class IdentityCounts:
    """What a resolver saw of identities; sums of several are the counts of all.

    Attributes:
        kinds: rows by index into `KINDS`.
        private_rows: rows named by a private address: RFC 1918, loopback, link-local, IPv6 unique local.
        private_forwarded: of those, rows with a forwarding header that was not read.
        invalid_hops: rows whose proxy handed on something that is no address.
        private: rows of each private address, at most 64 of them.
    """

    kinds: list[int]
    private_rows: int = 0
    private_forwarded: int = 0
    invalid_hops: int = 0
    private: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.kinds)


def identity_report(counts: IdentityCounts) -> list[str]:
    """What a person must know about the identities before reading any finding; empty where nothing is wrong.

    Says that a proxy hides the clients when at most `PROXY_ADDRESSES` private addresses carry more than `PROXY_SHARE`
    of all requests and no better identity names those.
    """
    rows = counts.rows
    if rows == 0:
        return []
    lines = []
    top = sorted(counts.private.items(), key=lambda item: (-item[1], item[0]))[:PROXY_ADDRESSES]
    while len(top) > 1 and sum(n for _, n in top[:-1]) > PROXY_SHARE * rows:
        top.pop()
    carried = sum(n for _, n in top)
    if carried > PROXY_SHARE * rows:
        names = ", ".join(name for name, _ in top)
        lines.append(f"This log sees a proxy, not clients: {carried / rows:.0%} of the requests come from {names}.")
        lines.append(_remedy(counts, names))
        lines.append(
            "Until then a finding that names one of these addresses means everybody behind it; what holds without "
            "identity: blocks of ids read by many, misses, volume."
        )
    if counts.kinds[_NONE] > PROXY_SHARE * rows:
        lines.append(
            f"{counts.kinds[_NONE] / rows:.0%} of the requests name nobody: neither account, key, session nor address. "
            "Add $remote_user or $remote_addr (Apache: %u, %h) to the log format."
        )
    if counts.invalid_hops:
        lines.append(
            f"{counts.invalid_hops:,} requests came through a declared proxy that handed on no address; "
            "they count as one client, 'invalid'."
        )
    return lines


def _remedy(counts: IdentityCounts, names: str) -> str:
    if counts.private_forwarded > PROXY_SHARE * counts.private_rows:
        return (
            f"The log has the forwarding header: declare the proxy as identity.trusted_proxies ({names}) "
            "and the addresses behind it are read from there."
        )
    return (
        "Add the forwarding header to the log format, $http_x_forwarded_for (Apache: %{X-Forwarded-For}i), and declare "
        "the proxy as identity.trusted_proxies; better still, log who asked: $remote_user, or the id of the API key."
    )
