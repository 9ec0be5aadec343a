"""Machine code: addresses out of text, and the walk through declared proxies.

An address is (kind, hi, lo): HOST = a name, V4 and V6 = 128 bits in two words, IPv4 as ``::ffff:a.b.c.d``; INVALID = a
hop that is no address.
"""

from __future__ import annotations

import numpy as np
from numba import njit

HOST = 1
V4 = 4
V6 = 6
INVALID = 9

U0 = np.uint64(0)
U16 = np.uint64(16)
U32 = np.uint64(32)
U48 = np.uint64(48)
MAPPED = np.uint64(0xFFFF00000000)  # ::ffff:0:0/96 (RFC 4291, 2.5.5.2)
LOW32 = np.uint64(0xFFFFFFFF)


@njit
def dotted(buf, start, end):
    """Four decimal octets without leading zeros: the place after them, or -1, and the value."""
    value = 0
    at = start
    for k in range(4):
        if k > 0:
            if at >= end or buf[at] != 46:
                return -1, 0
            at += 1
        octet = 0
        first = at
        while at < end and at - first < 4 and 48 <= buf[at] <= 57:
            octet = octet * 10 + (np.int64(buf[at]) - 48)
            at += 1
        if at == first or octet > 255 or at - first > 3 or (at - first > 1 and buf[first] == 48):
            return -1, 0
        value = value * 256 + octet
    return at, value


@njit
def is_port(buf, start, end):
    """Whether ``:1`` to ``:99999`` stands there and nothing else."""
    if end - start < 2 or end - start > 6 or buf[start] != 58:
        return False
    for i in range(start + 1, end):
        if buf[i] < 48 or buf[i] > 57:
            return False
    return True


@njit
def hex_digit(byte):
    """The value of a hex digit, or -1."""
    if 48 <= byte <= 57:
        return np.int64(byte) - 48
    letter = np.int64(byte) | 32
    if 97 <= letter <= 102:
        return letter - 87
    return -1


@njit
def colons(buf, start, end):
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
        after, value = dotted(buf, at, end)
        if after == end:
            hi = (hi << U32) | (lo >> U32)
            lo = (lo << U32) | np.uint64(value)
            groups += 2
            break
        first = at
        group = 0
        while at < end and at - first < 5 and hex_digit(buf[at]) >= 0:
            group = group * 16 + hex_digit(buf[at])
            at += 1
        if at == first or at - first > 4 or (at < end and buf[at] != 58) or groups == 8:
            return False, U0, U0
        hi = (hi << U16) | (lo >> U48)
        lo = (lo << U16) | np.uint64(group)
        groups += 1
        fresh = False
    if not gap:
        return groups == 8, hi, lo
    if groups > 7:
        return False, U0, U0
    for _ in range(8 - head):
        head_hi = (head_hi << U16) | (head_lo >> U48)
        head_lo = head_lo << U16
    return True, hi | head_hi, lo | head_lo


@njit
def parse_v6(buf, start, end):
    """IPv6 text with a zone perhaps: (kind, hi, lo), kind INVALID where it is none; IPv4-mapped ones come as V4."""
    stop = start
    while stop < end and buf[stop] != 37:
        stop += 1
    good, hi, lo = colons(buf, start, stop)
    if not good or stop == start:
        return INVALID, U0, U0
    if hi == U0 and (lo >> U32) == (MAPPED >> U32):
        return V4, hi, lo
    return V6, hi, lo


@njit
def parse(buf, start, end):
    """Text as an address: IPv4, ``IPv4:port``, IPv6, ``[IPv6]``, ``[IPv6]:port``, zone ids; else a HOST."""
    at, value = dotted(buf, start, end)
    if at >= 0 and (at == end or is_port(buf, at, end)):
        return V4, U0, MAPPED | np.uint64(value)
    if start < end and buf[start] == 91:
        close = start + 1
        while close < end and buf[close] != 93:
            close += 1
        if close < end and (close + 1 == end or is_port(buf, close + 1, end)):
            kind, hi, lo = parse_v6(buf, start + 1, close)
            if kind != INVALID:
                return kind, hi, lo
        return HOST, U0, U0
    for i in range(start, min(end, start + 5)):
        if buf[i] == 58:  # a first group has at most four digits
            kind, hi, lo = parse_v6(buf, start, end)
            if kind != INVALID:
                return kind, hi, lo
            break
    return HOST, U0, U0


@njit
def is_trusted(kind, hi, lo, trusted):
    """Whether an address lies in one of the networks (rows: network hi, lo, mask hi, lo)."""
    if kind != V4 and kind != V6:
        return False
    for i in range(trusted.shape[0]):
        if hi & trusted[i, 2] == trusted[i, 0] and lo & trusted[i, 3] == trusted[i, 1]:
            return True
    return False


@njit
def strip(buf, start, end):
    """The span without blanks and double quotes at its ends."""
    while start < end and (buf[start] == 32 or buf[start] == 9 or buf[start] == 34):
        start += 1
    while end > start and (buf[end - 1] == 32 or buf[end - 1] == 9 or buf[end - 1] == 34):
        end -= 1
    return start, end


@njit
def forwarded_for(buf, start, end):
    """The span of the address in one hop: RFC 7239's ``for=`` where it has one, else all of it."""
    at = start
    while at + 4 <= end:
        if (buf[at] | 32) == 102 and (buf[at + 1] | 32) == 111 and (buf[at + 2] | 32) == 114 and buf[at + 3] == 61:
            stop = at + 4
            while stop < end and buf[stop] != 59:
                stop += 1
            return strip(buf, at + 4, stop)
        while at < end and buf[at] != 59:
            at += 1
        at += 1
        while at < end and buf[at] == 32:
            at += 1
    return start, end


@njit
def effective(buf, peer, chain, trusted):
    """Who really asked: the peer, or, while hops are declared proxies, the next hop to the left.

    Args:
        buf: the bytes.
        peer: (start, end) of the peer's address.
        chain: (start, end) of the forwarding header, empty where it has none.
        trusted: uint64 (n, 4), the declared proxies.

    Returns:
        (kind, hi, lo). A hop that is no address makes the answer INVALID: what stands left of it was written by
        whoever sent it.
    """
    kind, hi, lo = parse(buf, peer[0], peer[1])
    end = chain[1]
    while end > chain[0] and is_trusted(kind, hi, lo, trusted):
        comma = end - 1
        while comma >= chain[0] and buf[comma] != 44:
            comma -= 1
        first, last = strip(buf, comma + 1, end)
        first, last = forwarded_for(buf, first, last)
        kind, hi, lo = parse(buf, first, last)
        if kind == HOST:
            return INVALID, U0, U0
        end = comma
    return kind, hi, lo
