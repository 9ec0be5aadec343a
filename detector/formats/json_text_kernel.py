"""Strings and plain values of JSON by RFC 8259: where they end, and strings without their escapes."""

from __future__ import annotations

import numpy as np

from detector.formats.word_kernel import U1, byte, inner, load8, lowest_bit, special32


@inner
def plain_end(buffer: U1, p: int, end: int) -> int:
    """The first place in [p, end) of a quote, a backslash or a control character, else ``end``."""
    while p < end and p + 32 <= len(buffer):
        hits = special32(buffer, p)
        if hits != 0:
            return min(p + lowest_bit(hits), end)
        p += 32
    while p < end and buffer[p] != 34 and buffer[p] != 92 and buffer[p] >= 32:
        p += 1
    return min(p, end)


@inner
def hex4(buffer: U1, p: int, end: int) -> int:
    """The number in four hexadecimal digits, or -1."""
    if end - p < 4:
        return -1
    value = 0
    for i in range(p, p + 4):
        c = np.int64(buffer[i])
        if 48 <= c <= 57:
            c -= 48
        elif 97 <= (c | 32) <= 102:
            c = (c | 32) - 87
        else:
            return -1
        value = value * 16 + c
    return value


@inner
def encode(buffer: U1, q: int, point: int) -> int:
    """Writes a code point as UTF-8; where the next byte goes."""
    if point < 0x80:
        buffer[q] = point
        return q + 1
    if point < 0x800:
        buffer[q] = 0xC0 | (point >> 6)
    else:
        if point < 0x10000:
            buffer[q] = 0xE0 | (point >> 12)
        else:
            buffer[q] = 0xF0 | (point >> 18)
            q += 1
            buffer[q] = 0x80 | ((point >> 12) & 63)
        q += 1
        buffer[q] = 0x80 | ((point >> 6) & 63)
    buffer[q + 1] = 0x80 | (point & 63)
    return q + 2


@inner
def unescape(buffer: U1, p: int, end: int, q: int) -> tuple[int, int]:
    """Replaces the escape at ``p`` (a backslash) by its character at ``q`` <= p: (after it, next ``q``).

    -1 where it is no escape, -2 where the line ends in it. Half a surrogate pair becomes U+FFFD.
    """
    if end - p < 2:
        return -2, q
    c = np.int64(buffer[p + 1])
    if c != 117:
        plain = c if c == 34 or c == 92 or c == 47 else -1
        if c == 110:
            plain = 10
        elif c == 116:
            plain = 9
        elif c == 114:
            plain = 13
        elif c == 98:
            plain = 8
        elif c == 102:
            plain = 12
        if plain < 0:
            return -1, q
        buffer[q] = plain
        return p + 2, q + 1
    point = hex4(buffer, p + 2, end)
    if point < 0:
        return (-2 if end - p < 6 else -1), q
    p += 6
    if 0xD800 <= point < 0xDC00 and end - p >= 6 and buffer[p] == 92 and buffer[p + 1] == 117:
        low = hex4(buffer, p + 2, end)
        if 0xDC00 <= low < 0xE000:
            return p + 6, encode(buffer, q, 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00)
    if 0xD800 <= point < 0xE000:
        point = 0xFFFD
    return p, encode(buffer, q, point)


@inner
def string(buffer: U1, p: int, end: int) -> tuple[int, int]:
    """Reads a string from behind its opening quote, unescaping in place: (end of its text, after the closing quote).

    The second is -1 where it is no JSON string, -2 where the line ends in it.
    """
    e = plain_end(buffer, p, end)
    q = e
    while e < end and buffer[e] == 92:
        after, q = unescape(buffer, e, end, q)
        if after < 0:
            return q, after
        e = plain_end(buffer, after, end)
        if q < after:
            for i in range(after, e):
                buffer[q + i - after] = buffer[i]
        q += e - after
    if e >= end:
        return q, -2
    return q, (e + 1 if buffer[e] == 34 else -1)


@inner
def scalar(buffer: U1, p: int, end: int) -> int:
    """Where the number, ``true``, ``false`` or ``null`` at ``p`` ends; -1: it is none, -2: the line ends first."""
    start = p
    while p < end:
        c = byte(buffer, p)
        if not (97 <= c <= 122 or 48 <= c <= 57 or c == 43 or c == 45 or c == 46 or c == 69):  # a-z 0-9 + - . E
            break
        p += 1
    if p == end:
        return -2
    size = p - start
    if size == 0:
        return -1
    c = byte(buffer, start)
    if 97 <= c <= 122:
        word = load8(buffer, start) if start + 8 <= len(buffer) else np.uint64(0)
        for i in range(size if word == 0 else 0):
            word |= np.uint64(buffer[start + i]) << np.uint64(8 * i)
        if size == 4 and (word & np.uint64(0xFFFFFFFF) == 0x65757274 or word & np.uint64(0xFFFFFFFF) == 0x6C6C756E):
            return p
        return p if size == 5 and word & np.uint64(0xFFFFFFFFFF) == 0x65736C6166 else -1
    return p if is_number(buffer, start, p) else -1


@inner
def is_number(buffer: U1, p: int, end: int) -> bool:
    """Whether the bytes are one number by RFC 8259."""
    if buffer[p] == 45:
        p += 1
    start = p
    while p < end and 48 <= buffer[p] <= 57:
        p += 1
    if p == start or (p - start > 1 and buffer[start] == 48):
        return False
    if p < end and buffer[p] == 46:
        start = p + 1
        p = start
        while p < end and 48 <= buffer[p] <= 57:
            p += 1
        if p == start:
            return False
    if p < end and (buffer[p] == 101 or buffer[p] == 69):
        p += 1
        if p < end and (buffer[p] == 43 or buffer[p] == 45):
            p += 1
        start = p
        while p < end and 48 <= buffer[p] <= 57:
            p += 1
        if p == start:
            return False
    return p == end
