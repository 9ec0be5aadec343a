"""Machine code: printable names, written into rows of a fixed number of bytes.

Only 0x20-0x7e ever stands in a name: other bytes, and the backslash itself, become ``\\xNN``, so that nothing a
stranger wrote moves a cursor, and no two texts share a name. What is longer than the row is cut and ends in ``~`` and
eight hex digits of its hash.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .address_kernel import INVALID, V4

TAIL = 9  # "~" and eight hex digits

U4 = np.uint64(4)
U8 = np.uint64(8)
U15 = np.uint64(15)
U16 = np.uint64(16)
U24 = np.uint64(24)
U28 = np.uint64(28)
U32 = np.uint64(32)
U48 = np.uint64(48)
U60 = np.uint64(60)
GROUP = np.uint64(0xFFFF)
OCTET = np.uint64(0xFF)


@njit
def put_hex(out, row, at, value, digits):
    """The top ``digits`` hex digits of a word, from ``at`` on; returns the place after them."""
    for _ in range(digits):
        nibble = np.int64(value >> U60)
        out[row, at] = 48 + nibble if nibble < 10 else 87 + nibble
        value = value << U4
        at += 1
    return at


@njit
def put_text(out, row, at, buf, start, end, value, template):
    """Escaped bytes from ``at`` on, cut to the row's width; returns the place after them.

    ``template``: also escapes what means something in a route's name (space, quotes, ``/?&={}``, not ``=`` alone).
    """
    width = out.shape[1]
    mark = at
    for i in range(start, end):
        byte = buf[i]
        plain = 32 <= byte <= 126 and byte != 92
        if template and (byte == 32 or byte == 34 or byte == 47 or byte == 63 or byte == 123 or byte == 125):
            plain = False
        size = 1 if plain else 4
        if at + size > width:
            out[row, mark] = 126
            at = put_hex(out, row, mark + 1, value, 8)
            while mark + TAIL < width:
                out[row, mark + TAIL] = 0
                mark += 1
            return at
        if plain:
            out[row, at] = byte
        else:
            out[row, at] = 92
            out[row, at + 1] = 120
            high = np.int64(byte) >> 4
            low = np.int64(byte) & 15
            out[row, at + 2] = 48 + high if high < 10 else 87 + high
            out[row, at + 3] = 48 + low if low < 10 else 87 + low
        at += size
        if at + TAIL <= width:
            mark = at
    return at


@njit
def put_decimal(out, row, at, value):
    """A number below 1000 in decimal; returns the place after it."""
    if value >= 100:
        out[row, at] = 48 + value // 100
        at += 1
    if value >= 10:
        out[row, at] = 48 + value // 10 % 10
        at += 1
    out[row, at] = 48 + value % 10
    return at + 1


@njit
def put_group(out, row, at, value):
    """A 16-bit group in hex without leading zeros; returns the place after it."""
    started = False
    for shift in (12, 8, 4, 0):
        nibble = (value >> shift) & 15
        if nibble > 0 or started or shift == 0:
            out[row, at] = 48 + nibble if nibble < 10 else 87 + nibble
            at += 1
            started = True
    return at


@njit
def put_v4(out, row, lo, octets):
    """Dotted decimal; of three octets the /24 they stand for."""
    at = 0
    for k in range(4):
        if k > 0:
            out[row, at] = 46
            at += 1
        octet = np.int64((lo >> (U24 - np.uint64(8 * k))) & OCTET) if k < octets else 0
        at = put_decimal(out, row, at, octet)
    if octets == 3:
        out[row, at] = 47
        out[row, at + 1] = 50
        out[row, at + 2] = 52
        at += 3
    return at


@njit
def put_v6(out, row, hi, groups):
    """The prefix of an IPv6 address in RFC 5952's text: of four groups the /64, of three the /48."""
    last = groups
    while last > 0 and (hi >> np.uint64(64 - 16 * last)) & GROUP == 0:
        last -= 1
    at = 0
    for k in range(last):
        if k > 0:
            out[row, at] = 58
            at += 1
        at = put_group(out, row, at, np.int64((hi >> np.uint64(48 - 16 * k)) & GROUP))
    out[row, at] = 58
    out[row, at + 1] = 58
    out[row, at + 2] = 47
    out[row, at + 3] = 54 if groups == 4 else 52
    out[row, at + 4] = 52 if groups == 4 else 56
    return at + 5


@njit
def put_address(out, row, kind, hi, lo):
    """An address, or the word ``invalid``; returns its length."""
    if kind == V4:
        return put_v4(out, row, lo, 4)
    if kind == INVALID:
        out[row, 0] = 105
        out[row, 1] = 110
        out[row, 2] = 118
        out[row, 3] = 97
        out[row, 4] = 108
        out[row, 5] = 105
        out[row, 6] = 100
        return 7
    return put_v6(out, row, hi, 4)
