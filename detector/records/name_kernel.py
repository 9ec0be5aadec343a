"""Machine code: printable names, written into rows of ``WIDTH`` bytes of one long array.

Only 0x20-0x7e ever stands in a name: other bytes, and the backslash itself, become ``\\xNN``, so that nothing a
stranger wrote moves a cursor, and no two texts share a name. What is longer than the row is cut and ends in ``~`` and
eight hex digits of its hash.
"""

from __future__ import annotations

import numpy as np

from .address_kernel import INVALID, V4
from .hash_kernel import inner, load8, plain, store8

WIDTH = 48  # batch.NAME_BYTES
TAIL = 9  # "~" and eight hex digits

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
U3 = np.uint64(3)
U4 = np.uint64(4)
U7 = np.uint64(7)
U8 = np.uint64(8)
U60 = np.uint64(60)
GROUP = np.uint64(0xFFFF)
N3 = np.int64(3)
N4 = np.int64(4)
N7 = np.int64(7)
N8 = np.int64(8)

INVALID_TEXT = np.uint64(int.from_bytes(b"invalid", "little"))
SLASH_24 = np.uint64(int.from_bytes(b"/24", "little"))
SLASH_48 = np.uint64(int.from_bytes(b"::/48", "little"))
SLASH_64 = np.uint64(int.from_bytes(b"::/64", "little"))
ESCAPE = 0x785C  # "\x"


@plain
def put_word(out, at, word, size):
    """The lowest ``size`` bytes of a word, the first one lowest; returns the place after them."""
    for _ in range(size):
        out[at] = np.uint8(word & np.uint64(255))
        word = word >> U8
        at += 1
    return at


@plain
def put_hex(out, at, value, digits):
    """The top ``digits`` hex digits of a word; returns the place after them."""
    for _ in range(digits):
        figure = np.int64(value >> U60)
        out[at] = 48 + figure + 39 * (figure > 9)
        value = value << U4
        at += 1
    return at


@plain
def put_text(out, at, buf, span, value, bits, allowed):
    """Escaped bytes of a span into the row that begins at ``at``; bytes without the bit ``allowed`` are escaped."""
    stop = at + WIDTH
    mark = at
    for i in range(span[0], span[1]):
        byte = np.int64(buf[i])
        size = 1
        word = byte
        if np.int64(bits[byte]) & allowed == 0:
            size = 4
            high = byte >> 4
            low = byte & 15
            word = ESCAPE | (48 + high + 39 * (high > 9)) << 16 | (48 + low + 39 * (low > 9)) << 24
        if at + size > stop:
            for k in range(mark, stop):
                out[k] = 0
            out[mark] = 126
            put_hex(out, mark + 1, value, N8)
            return
        put_word(out, at, np.uint64(word), size)
        at += size
        if at + TAIL <= stop:
            mark = at


@plain
def put_v4(out, at, ip):
    """Dotted decimal; returns the place after it."""
    for k in range(4):
        octet = (ip >> (24 - 8 * k)) & 255
        if k > 0:
            out[at] = 46
            at += 1
        if octet > 99:
            out[at] = 48 + octet // 100
            at += 1
        if octet > 9:
            out[at] = 48 + octet // 10 % 10
            at += 1
        out[at] = 48 + octet % 10
        at += 1
    return at


@inner
def copy_v4(out, at, buf, start, end):
    """An address that stands in the line as it would be printed: 7 to 15 bytes, at one stroke where there is room."""
    if start + 16 <= buf.size:
        size = np.uint64(end - start)
        first = ONES if size > U7 else ONES >> U8
        store8(out, at, load8(buf, start) & first)
        store8(out, at + 8, load8(buf, start + 8) & ~(ONES << ((size - min(size, U8)) << U3)))
        return
    for i in range(start, end):
        out[at + i - start] = buf[i]


@plain
def put_v6(out, at, hi, groups, tail):
    """The first groups of an IPv6 address in RFC 5952's text, and ``::/64`` or ``::/48`` behind them."""
    last = groups
    while last > 0 and (hi >> np.uint64(64 - 16 * last)) & GROUP == 0:
        last -= 1
    for k in range(last):
        if k > 0:
            out[at] = 58
            at += 1
        group = (hi >> np.uint64(48 - 16 * k)) & GROUP
        digits = 1 + (group > 15) + (group > 255) + (group > 4095)
        at = put_hex(out, at, group << np.uint64(64 - 4 * digits), digits)
    put_word(out, at, tail, np.int64(5))


@plain
def put_address(out, at, kind, hi, lo):
    """An address, or the word ``invalid``."""
    if kind == V4:
        put_v4(out, at, np.int64(lo & np.uint64(0xFFFFFFFF)))
    elif kind == INVALID:
        put_word(out, at, INVALID_TEXT, N7)
    else:
        put_v6(out, at, hi, N4, SLASH_64)


@plain
def put_network(out, at, kind, hi, lo):
    """The /24 of an IPv4 address, the /48 of an IPv6 one."""
    if kind == V4:
        at = put_v4(out, at, np.int64(lo & np.uint64(0xFFFFFF00)))
        put_word(out, at, SLASH_24, N3)
    else:
        put_v6(out, at, hi, N3, SLASH_48)
