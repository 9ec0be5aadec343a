"""Machine code: the path of one request as tokens, and the ids in it. The codes are those of `shape`.

Work rows (int64, (2 * 8, 4)): 0-7 the path's segments, 8-10 the query's ids; columns start, end, class, number.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .hash_kernel import mix2, sip, word

NUMBER, UUID, HEX, EMAIL, PHONE, TOKEN, DATE, SLUG, PAGE, STATIC = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
DIGIT, HEX_LETTER, LETTER, SEPARATOR, DOT, PERCENT, OTHER_BYTE, STOP = 1, 2, 4, 8, 16, 64, 32, 128

MAX_NUMBER_DIGITS = 18  # the most that fit into int64
MAX_SUFFIX = 16
MIN_HEX = 16
MIN_TOKEN = 20
MIN_TOKEN_RUN = 16
ODD_LENGTH = 24
ODD_SEPARATORS = 2

U0 = np.uint64(0)
U6 = np.uint64(6)
U32 = np.uint64(32)
U16 = np.uint64(16)
U28 = np.uint64(28)
SUFFIX_BITS = np.uint64((1 << 22) - 1)
TOP36 = np.uint64(((1 << 36) - 1) << 28)
NUMBER_TAG = np.uint64(0x6E756D626572)


@njit
def to_number(buf, start, end):
    """The decimal digits of a span as an integer, other bytes passed over; -1 above 18 digits or without one."""
    value = 0
    digits = 0
    for i in range(start, end):
        byte = np.int64(buf[i])
        if 48 <= byte <= 57:
            value = value * 10 + byte - 48
            digits += 1
            if digits > MAX_NUMBER_DIGITS:
                return -1
    return value if digits > 0 else -1


@njit
def is_uuid(buf, start):
    """Whether 36 bytes of hex digits and dashes have their dashes where RFC 9562 puts them."""
    for k in range(36):
        dash = k == 8 or k == 13 or k == 18 or k == 23
        if (buf[start + k] == 45) != dash:
            return False
    return True


@njit
def is_date(buf, start, end):
    """Whether figures and separators read as YYYY-MM or YYYY-MM-DD."""
    for k in range(end - start):
        if (buf[start + k] == 45) != (k == 4 or k == 7):
            return False
    return buf[start] == 49 or buf[start] == 50


@njit
def is_email(buf, start, end):
    """Whether something stands before one @ and something with an inner dot after it."""
    at = -1
    dot = -1
    for i in range(start, end):
        if buf[i] == 64:
            if at >= 0:
                return False
            at = i
        elif buf[i] == 46:
            dot = i
    return at > start and dot > at + 1 and dot < end - 1


@njit
def is_phone(buf, start, end):
    """Whether a plus (or the space a form makes of it) leads 7 to 15 digits with blanks, dashes, dots, brackets."""
    if buf[start] != 43 and buf[start] != 32:
        return False
    digits = 0
    for i in range(start + 1, end):
        byte = buf[i]
        if 48 <= byte <= 57:
            digits += 1
        elif byte != 32 and byte != 45 and byte != 46 and byte != 40 and byte != 41:
            return False
    return 7 <= digits <= 15


@njit
def is_token(buf, start, end, bits):
    """Whether a run of at least 16 letters and figures holds both."""
    run = 0
    seen = 0
    for i in range(start, end):
        kind = bits[buf[i]]
        if kind & (DIGIT | HEX_LETTER | LETTER):
            run += 1
            seen |= DIGIT if kind == DIGIT else LETTER
            if run >= MIN_TOKEN_RUN and seen == DIGIT | LETTER:
                return True
        else:
            run = 0
            seen = 0
    return False


@njit
def classify(buf, start, end, flags, bits):
    """The class of a segment or value by its look, 0 = a literal. ``flags``: its byte classes, or-ed."""
    size = end - start
    if flags == DIGIT:
        return NUMBER
    if flags & OTHER_BYTE:
        if is_email(buf, start, end):
            return EMAIL
        if is_phone(buf, start, end):
            return PHONE
    if size < 7 or flags & DIGIT == 0:
        return 0
    if flags == DIGIT | SEPARATOR and (size == 10 or size == 7) and is_date(buf, start, end):
        return DATE
    if size == 36 and flags & (DIGIT | HEX_LETTER | SEPARATOR) == flags and is_uuid(buf, start):
        return UUID
    if size >= MIN_HEX and flags == DIGIT | HEX_LETTER:
        return HEX
    if size >= MIN_TOKEN and is_token(buf, start, end, bits):
        return TOKEN
    return 0


@njit
def look(buf, start, end, bits):
    """The or of a span's byte classes, and how many separators it has."""
    flags = 0
    separators = 0
    for i in range(start, end):
        kind = np.int64(bits[buf[i]])
        flags |= kind
        separators += (kind >> 3) & 1
    return flags, separators


@njit
def value_hash(buf, start, end, number, k0, k1):
    """The object an id names: of its number where it has one, else of its text."""
    if number >= 0:
        return mix2(NUMBER_TAG, np.uint64(number), k0, k1)
    return sip(buf, start, end - start, k0, k1)


@njit
def suffix_start(buf, start, dot, end, bits):
    """The first byte of a suffix behind ``dot``, or ``end`` where what stands there is none."""
    size = end - dot - 1
    if dot <= start or size < 1 or size > MAX_SUFFIX:
        return end
    if bits[buf[dot + 1]] & (HEX_LETTER | LETTER) == 0:
        return end
    for i in range(dot + 1, end):
        if bits[buf[i]] & (DIGIT | HEX_LETTER | LETTER) == 0:
            return end
    return dot + 1


@njit
def is_static(buf, start, end, suffixes):
    """Whether a suffix, letters in either case, is that of an asset (`shape.static_table`)."""
    if end - start > 8:
        return False
    text = U0
    for i in range(start, end):
        text |= np.uint64(np.int64(buf[i]) | 32) << np.uint64(8 * (i - start))
    slot = np.int64((text * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56))
    while suffixes[slot] != U0:
        if suffixes[slot] == text:
            return True
        slot = (slot + 1) & 255
    return False


@njit
def is_version(buf, start, end):
    """Whether a segment is v1 to v99."""
    size = end - start
    return (buf[start] | 32) == 118 and 2 <= size <= 3 and 48 <= buf[start + 1] <= 57 and 48 <= buf[end - 1] <= 57


@njit
def segment(buf, start, end, flags, separators, dot, bits, k0, k1):
    """One segment as (token, value, class, number, first byte of the suffix)."""
    kind = classify(buf, start, end, flags, bits)
    tail = end
    stem = end
    if dot > start and kind != EMAIL and kind != PHONE:
        tail = suffix_start(buf, start, dot, end, bits)
        if tail < end:
            stem = tail - 1
            flags, separators = look(buf, start, stem, bits)
            kind = classify(buf, start, stem, flags, bits)
    suffix = U0
    if tail < end:
        suffix = sip(buf, tail, end - tail, k0, k1) & SUFFIX_BITS
        if suffix == U0:
            suffix = np.uint64(1)
    if kind > 0:
        number = to_number(buf, start, stem) if kind == NUMBER or kind == PHONE else -1
        value = value_hash(buf, start, stem, number, k0, k1)
        token = np.uint64(kind)
        if suffix != U0:
            token |= U32 | (suffix << U6)
        return token, value, kind, number, tail
    value = sip(buf, start, stem - start, k0, k1)
    token = (value & TOP36) | U32 | (suffix << U6)
    odd = flags & (DIGIT | PERCENT | OTHER_BYTE) != 0 or separators > ODD_SEPARATORS or stem - start > ODD_LENGTH
    if odd and not is_version(buf, start, stem):
        token |= U16
    return token, value, 0, -1, tail


@njit
def split(buf, start, end, slots, bits, tokens, slug, row, work, k0, k1):
    """The path's segments into a row of tokens and values and into ``work``; returns (segments, suffix of the last)."""
    depth = 0
    at = start
    tail = end
    after_page = False
    while at < end and depth < slots:
        first = at
        flags = 0
        separators = 0
        dot = -1
        while at < end:
            kind = np.int64(bits[buf[at]])
            if kind == STOP and (depth < slots - 1 or buf[at] == 59):
                break
            flags |= kind & ~STOP
            separators += (kind >> 3) & 1
            if kind == DOT:
                dot = at
            elif kind == STOP:
                flags |= OTHER_BYTE
                dot = -1
            at += 1
        last = at
        while at < end and buf[at] != 47:
            at += 1
        at += 1
        if depth == slots - 1:
            while last > first and buf[last - 1] == 47:
                last -= 1
        if last == first or (last == first + 1 and buf[first] == 46):
            continue
        token, value, kind, number, tail = segment(buf, first, last, flags, separators, dot, bits, k0, k1)
        if after_page and kind == NUMBER:
            kind = PAGE
            token = (token & ~np.uint64(15)) | np.uint64(PAGE)
        after_page = kind == 0 and last - first == 4 and buf[first] == 112 and word_is_page(buf, first)
        tokens[row, depth] = token
        slug[row, depth] = value
        work[depth, 0] = first
        work[depth, 1] = last
        work[depth, 2] = kind
        work[depth, 3] = number
        depth += 1
    return depth, tail


@njit
def word_is_page(buf, at):
    """Whether ``page`` stands there."""
    return buf[at + 1] == 97 and buf[at + 2] == 103 and buf[at + 3] == 101


@njit
def decode(buf, start, end, out, at, path):
    """Percent-decodes a span to ``out`` from ``at`` on; returns the end there.

    Delimiters stay encoded, so that an encoded one never splits: ``/ ; ? # %`` in a path, ``& = %`` in a query.
    """
    i = start
    while i < end:
        byte = buf[i]
        if byte == 37 and i + 2 < end:
            high = nibble(buf[i + 1])
            low = nibble(buf[i + 2])
            if high >= 0 and low >= 0:
                plain = high * 16 + low
                kept = plain == 37
                if path:
                    kept = kept or plain == 47 or plain == 59 or plain == 63 or plain == 35
                else:
                    kept = kept or plain == 38 or plain == 61
                if not kept:
                    out[at] = plain
                    at += 1
                    i += 3
                    continue
        out[at] = byte
        at += 1
        i += 1
    return at


@njit
def nibble(byte):
    """The value of a hex digit, or -1."""
    if 48 <= byte <= 57:
        return np.int64(byte) - 48
    letter = np.int64(byte) | 32
    return letter - 87 if 97 <= letter <= 102 else -1
