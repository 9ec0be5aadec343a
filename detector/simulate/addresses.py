"""Addresses drawn at random: public-looking ones for people, and the ranges set aside for everything else."""

from __future__ import annotations

import numpy as np

# First octets that hold no private, shared, loopback, link-local, benchmark, documentation or multicast range
# (IANA IPv4 special-purpose registry), so that a drawn address always looks like an ordinary public one.
OCTETS = np.array(
    [a for a in range(1, 224) if a not in (10, 100, 127, 169, 172, 192, 198, 203)],
    dtype=np.int64,
)

LOAD_NETWORK = "198.19.0.0/16"  # RFC 2544
CGNAT = "100.64.{}.{}"  # RFC 6598
MONITOR = "198.18.0.7"  # RFC 2544
PARTNER_NETWORK = "198.51.100.0/24"  # RFC 5737
CRAWLER_NETWORK = "203.0.113.0/24"  # RFC 5737


def ipv4(rng: np.random.Generator, n: int) -> list[str]:
    """``n`` public-looking IPv4 addresses, rarely one twice."""
    first = OCTETS[rng.integers(0, len(OCTETS), n)].tolist()
    rest = rng.integers(0, 256, (n, 3)).tolist()
    return [f"{a}.{b}.{c}.{d}" for a, (b, c, d) in zip(first, rest, strict=True)]


def distinct_ipv4(rng: np.random.Generator, n: int) -> list[str]:
    """``n`` public-looking IPv4 addresses, each once, in the order drawn."""
    seen = dict.fromkeys(ipv4(rng, n))
    while len(seen) < n:
        seen.update(dict.fromkeys(ipv4(rng, n - len(seen))))
    return list(seen)


def ipv6(rng: np.random.Generator, n: int) -> list[str]:
    """``n`` IPv6 addresses of the documentation range (RFC 3849), a /64 each, in canonical text."""
    groups = rng.integers(0x1000, 0x10000, (n, 6)).tolist()  # four digits each: nothing for canonical text to shorten
    return ["2001:db8:" + ":".join(f"{g:x}" for g in row) for row in groups]
