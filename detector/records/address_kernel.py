"""Machine code: addresses out of text, and the walk through declared proxies.

An address is (kind, hi, lo): HOST = a name, V4 and V6 = 128 bits in two words, IPv4 as ``::ffff:a.b.c.d``; INVALID = a
hop that is no address.
"""

from __future__ import annotations

import numpy as np

from .hash_kernel import inner, plain

HOST = 1
V4 = 4
V6 = 6
INVALID = 9

U0 = np.uint64(0)
U16 = np.uint64(16)
U32 = np.uint64(32)
U48 = np.uint64(48)
MAPPED = np.uint64(0xFFFF00000000)  # ::ffff:0:0/96 (RFC 4291, 2.5.5.2)


@inner
def dotted(buf, start, end):
    """Four decimal octets without leading zeros as a number, -1 for any other text."""
    value = 0
    octet = 0
    digits = 0
    dots = 0
    for i in range(start, end):
        figure = np.int64(buf[i]) - 48
        if figure == -2:
            if digits == 0 or octet > 255:
                return -1
            value = (value << 8) | octet
            dots += 1
            octet = 0
            digits = 0
        else:
            if figure < 0 or figure > 9 or (digits > 0 and octet == 0) or digits > 2:
                return -1
            octet = octet * 10 + figure
            digits += 1
    if dots != 3 or digits == 0 or octet > 255:
        return -1
    return (value << 8) | octet


@plain
def colons(buf, start, end, hexes):
    """IPv6 text without brackets, zone or port: (whether it is that, hi, lo)."""
    hi = lo = head_hi = head_lo = U0
    groups = head = 0
    gap = False
    fresh = True  # a group may begin here
    at = start
    while at < end:
        if buf[at] == 58 and at + 1 < end and buf[at + 1] == 58:
            if gap:
                return False, U0, U0
            gap, head, head_hi, head_lo = True, groups, hi, lo
            hi = lo = U0
            fresh = True
            at += 2
            continue
        if buf[at] == 58:
            at += 1
            if fresh or at == end:
                return False, U0, U0
        first = at
        group = 0
        while at < end and hexes[buf[at]] < 16 and at - first < 5:
            group = (group << 4) | np.int64(hexes[buf[at]])
            at += 1
        shift = U16
        if at < end and buf[at] == 46:
            group = dotted(buf, first, end)  # the last 32 bits in decimal
            shift = U32
            groups += 1
            at = end
        elif at == first or at - first > 4 or (at < end and buf[at] != 58):
            return False, U0, U0
        groups += 1
        if group < 0 or groups > 8:
            return False, U0, U0
        hi = (hi << shift) | (lo >> (np.uint64(64) - shift))
        lo = (lo << shift) | np.uint64(group)
        fresh = False
    if not gap:
        return groups == 8, hi, lo
    for _ in range(8 - head):
        head_hi = (head_hi << U16) | (head_lo >> U48)
        head_lo = head_lo << U16
    return groups < 8, hi | head_hi, lo | head_lo


@plain
def parse_slow(buf, start, end, hexes, bits):
    """Any address but plain IPv4: with a port, IPv6, ``[IPv6]:port``, zone ids; else a HOST."""
    stop = end
    while stop > start and bits[buf[stop - 1]] & 1 and end - stop < 5:
        stop -= 1
    port = start < stop < end and buf[stop - 1] == 58
    if port:
        value = dotted(buf, start, stop - 1)
        if value >= 0:
            return V4, U0, MAPPED | np.uint64(value)
    if start < end and buf[start] == 91:
        last = stop - 1 if port else end
        if last <= start or buf[last - 1] != 93:
            return HOST, U0, U0
        start += 1
        end = last - 1
    zone = start
    while zone < end and buf[zone] != 37:
        zone += 1
    good, hi, lo = colons(buf, start, zone, hexes)
    if not good:
        return HOST, U0, U0
    if hi == U0 and (lo >> U32) == (MAPPED >> U32):
        return V4, hi, lo
    return V6, hi, lo


@inner
def parse(buf, start, end, hexes, bits):
    """Text as an address."""
    value = dotted(buf, start, end)
    if value >= 0:
        return V4, U0, MAPPED | np.uint64(value)
    return parse_slow(buf, start, end, hexes, bits)


@plain
def is_trusted(kind, hi, lo, trusted):
    """Whether an address lies in one of the networks (rows: network hi, lo, mask hi, lo)."""
    if kind == V4 or kind == V6:
        for i in range(trusted.shape[0]):
            if hi & trusted[i, 2] == trusted[i, 0] and lo & trusted[i, 3] == trusted[i, 1]:
                return True
    return False


@plain
def which_network(kind, hi, lo, networks):
    """1 + the first of the networks an address lies in (rows as above); 0 = in none."""
    if kind == V4 or kind == V6:
        for i in range(networks.shape[0]):
            if hi & networks[i, 2] == networks[i, 0] and lo & networks[i, 3] == networks[i, 1]:
                return i + 1
    return 0


@plain
def strip(buf, start, end):
    """The span without blanks and double quotes at its ends."""
    while start < end and (buf[start] == 32 or buf[start] == 34):
        start += 1
    while end > start and (buf[end - 1] == 32 or buf[end - 1] == 34):
        end -= 1
    return start, end


@plain
def forwarded_for(buf, start, end, small):
    """The span of the address in one hop: RFC 7239's ``for=`` where it has one, else all of it."""
    at = start
    while at + 4 <= end:
        word = 0
        for k in range(4):
            word = (word << 8) | np.int64(small[buf[at + k]])
        stop = at
        while stop < end and buf[stop] != 59:
            stop += 1
        if word == 0x666F723D:  # "for="
            return strip(buf, at + 4, stop)
        at = stop + 1
        while at < end and buf[at] == 32:
            at += 1
    return start, end


@plain
def effective(buf, peer, chain, trusted, glyphs):
    """Who really asked: the peer, or, while hops are declared proxies, the next hop to the left.

    Args:
        buf: the bytes.
        peer: (start, end) of the peer's address.
        chain: (start, end) of the forwarding header, empty where it has none.
        trusted: uint64 (n, 4), the declared proxies.
        glyphs: tables of `shape`: byte classes, small letters, hex digits.

    Returns:
        (kind, hi, lo). A hop that is no address makes the answer INVALID: what stands left of it was written by
        whoever sent it.
    """
    bits, small, hexes = glyphs
    kind, hi, lo = parse(buf, peer[0], peer[1], hexes, bits)
    end = chain[1]
    while end > chain[0] and is_trusted(kind, hi, lo, trusted):
        comma = end - 1
        while comma >= chain[0] and buf[comma] != 44:
            comma -= 1
        first, last = strip(buf, comma + 1, end)
        first, last = forwarded_for(buf, first, last, small)
        kind, hi, lo = parse(buf, first, last, hexes, bits)
        if kind == HOST:
            return INVALID, U0, U0
        end = comma
    return kind, hi, lo
