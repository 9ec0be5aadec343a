"""What the two scanners make of a value: numbers, spans, request lines, lists of addresses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.word_kernel import U1, called, inner, load8, store8, until

Spans = npt.NDArray[np.int32]

# reasons, as in fields.py (a test holds them equal)
OK, EMPTY, TOO_LONG, TORN, LAYOUT, TIME, STATUS, BYTES, ADDRESS, BINARY, JSON, COMMENT = range(12)
ZONELESS = 2  # bit of Fields.torn
MAX_LINE_BYTES = 65_536
FORWARDED, METHOD, HOST = 1, 5, 10  # columns of fields.FIELDS
METHOD_BYTES = 20  # the longest registered method, UPDATEREDIRECTREF, has 17 (IANA HTTP Method Registry)
PLUSES = np.uint64(0x2B2B2B2B2B2B2B2B)
LOWS = np.uint64(0x7F7F7F7F7F7F7F7F)
PLUS_TO_BLANK = np.uint64(0x2B ^ 0x20)
PERCENTS = np.uint64(0x2525252525252525)
HTTP = np.uint64(int.from_bytes(b" HTTP/", "little"))
ZEROS, SIXES = np.uint64(0x3030303030303030), np.uint64(0x0606060606060606)
HIGHS, FIFTEENS = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0F0F0F0F0F0F0F0F)
SIX_BYTES = np.uint64((1 << 48) - 1)


@inner
def eight_digits(buffer: U1, end: int, other: int) -> int:
    """The number in the ASCII digits before ``end``, of eight bytes but for the first ``other`` bits; -1 where one is
    none.

    Neighbours are put together in pairs, then fours, then all eight (D. Lemire, "Quickly parsing eight digits", 2018).
    """
    low = (np.uint64(1) << other) - np.uint64(1)
    word = (load8(buffer, end - 8) & ~low) | (ZEROS & low)
    if word & HIGHS != ZEROS or (word + SIXES) & HIGHS != ZEROS:
        return np.int64(-1)
    word = ((word & FIFTEENS) * np.uint64(10 * 256 + 1)) >> np.uint64(8)
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100 * 65536 + 1)) >> np.uint64(16)
    word = ((word & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10_000 * (1 << 32) + 1)) >> np.uint64(32)
    return np.int64(word)


@inner
def number(buffer: U1, start: int, end: int, most: int) -> int:
    """The number in ``most`` ASCII digits or fewer, 0 for ``-``, -1 where it is none; what follows a point is cut."""
    if end - start == 1 and buffer[start] == 45:
        return 0
    if 0 < end - start <= min(most, np.int64(8)) and end >= 8:
        short = eight_digits(buffer, end, np.uint64(64 - 8 * (end - start)))
        if short >= 0:
            return short
    value = 0
    for i in range(start, end):
        digit = np.int64(buffer[i]) - 48
        if digit < 0 or digit > 9:
            return value if i > start and is_fraction(buffer, i, end) else -1
        if i - start >= most:
            return -1
        value = value * 10 + digit
    return value if end > start else -1


@called
def is_fraction(buffer: U1, p: int, end: int) -> bool:
    """Whether all that is left of a number is ``.`` and digits."""
    if buffer[p] != 46 or end - p < 2:
        return False
    for i in range(p + 1, end):
        if buffer[i] < 48 or buffer[i] > 57:
            return False
    return True


@inner
def put(buffer: U1, span: Spans, row: int, code: int, start: int, end: int) -> None:
    """Stores a span; nothing and ``-`` are absent."""
    if end <= start or (end - start == 1 and buffer[start] == 45):
        span[row, code, 1] = -1
    else:
        span[row, code, 0] = start
        span[row, code, 1] = end - start


@inner
def protocol_at(buffer: U1, start: int, end: int) -> int:
    """Where `` HTTP/1.1`` or `` HTTP/2`` at the end of a request line begins, ``end`` where there is none."""
    if end - start < 7 or buffer[end - 1] < 48 or buffer[end - 1] > 57:
        return end
    p = end - 7
    if buffer[end - 2] == 46 and 48 <= buffer[end - 3] <= 57:
        p = end - 9
    if p < start or p == 0:
        return end
    word = load8(buffer, p) if p + 8 <= len(buffer) else load8(buffer, p - 1) >> np.uint64(8)
    return p if word & SIX_BYTES == HTTP else end


@inner
def request_line(buffer: U1, start: int, end: int, span: Spans, row: int, code: int) -> None:
    """Splits ``METHOD target HTTP/x``; what is no such line is all target, without a method.

    A method is of the bytes nginx takes for one: A-Z, ``-``, ``_``. Without a protocol the target begins with ``/``.
    """
    p = start
    while p < end and (65 <= buffer[p] <= 90 or buffer[p] == 45 or buffer[p] == 95):
        p += 1
    tail = protocol_at(buffer, start, end)
    regular = start < p <= start + METHOD_BYTES and p + 1 < end and buffer[p] == 32
    if regular and (p < tail < end or (tail == end and buffer[p + 1] == 47)):
        put(buffer, span, row, np.int64(METHOD), start, p)
        put(buffer, span, row, code, p + 1, tail)
    else:
        span[row, METHOD, 1] = -1
        put(buffer, span, row, code, start, end)


@called
def url(buffer: U1, span: Spans, row: int, code: int) -> None:
    """Splits a target that is a whole URL, ``https://host:443/path?query``, into host and target."""
    start = np.int64(span[row, code, 0])
    end = start + span[row, code, 1]
    p = start
    while p < end and p < start + 8 and 97 <= (buffer[p] | 32) <= 122:
        p += 1
    if p == start or end - p < 4 or buffer[p] != 58 or buffer[p + 1] != 47 or buffer[p + 2] != 47:
        return
    host = p + 3
    p = host
    while p < end and buffer[p] != 47 and buffer[p] != 63 and buffer[p] != 35:
        p += 1
    if host < p < end:
        put(buffer, span, row, np.int64(HOST), host, p)
        put(buffer, span, row, code, p, end)


@inner
def hex_digit(c: int) -> int:
    """The value of a hexadecimal digit, -1 where it is none."""
    if 48 <= c <= 57:
        return c - 48
    c |= 32
    return c - 87 if 97 <= c <= 102 else -1


@inner
def blanks(buffer: U1, p: int, end: int) -> None:
    """Puts a blank for each ``+`` in [p, end), eight bytes at a time.

    A byte of ``y`` is 0 where neither adding 0x7f to its lower bits nor the byte itself has the high bit; no carry
    leaves a byte, so all of a word's zeros are found at once (H. S. Warren, "Hacker's Delight", 6-1).
    """
    while p + 8 <= end:
        word = load8(buffer, p)
        y = word ^ PLUSES
        found = ~(((y & LOWS) + LOWS) | y | LOWS)
        if found != 0:
            store8(buffer, p, word ^ ((found >> np.uint64(7)) * PLUS_TO_BLANK))
        p += 8
    while p < end:
        if buffer[p] == 43:
            buffer[p] = 32
        p += 1


@called
def unescape_span(buffer: U1, span: Spans, row: int, code: int, rounds: int) -> None:
    """Undoes in place what a log did to a text: ``%20``, as many times as it was encoded."""
    start = np.int64(span[row, code, 0])
    end = start + span[row, code, 1]
    for _ in range(rounds):
        p = until(buffer, start, end, PERCENTS, PERCENTS)
        if p >= end:
            break
        q = p
        while p < end:
            c = np.int64(buffer[p])
            if c == 37 and end - p >= 3:
                high, low = hex_digit(np.int64(buffer[p + 1])), hex_digit(np.int64(buffer[p + 2]))
                if high >= 0 and low >= 0:
                    c = high * 16 + low
                    p += 2
            buffer[q] = c
            q += 1
            p += 1
        end = q
    span[row, code, 1] = end - start


@called
def addresses(buffer: U1, start: int, end: int, span: Spans, row: int, code: int) -> None:
    """A list of addresses: the last is who spoke to the server, what stands before it is hearsay."""
    p = end
    while p > start and buffer[p - 1] != 32 and buffer[p - 1] != 44:
        p -= 1
    put(buffer, span, row, code, p, end)
    while p > start and (buffer[p - 1] == 32 or buffer[p - 1] == 44):
        p -= 1
    put(buffer, span, row, np.int64(FORWARDED), start, p)


@called
def whole_line_reason(buffer: U1, start: int, end: int, reason: int) -> int:
    """EMPTY, BINARY or COMMENT where the line as a whole is that, else the reason given."""
    if until(buffer, start, end, np.uint64(0), np.uint64(0)) < end:
        return BINARY
    while start < end and (buffer[start] == 32 or 9 <= buffer[start] <= 13):
        start += 1
    if start == end:
        return EMPTY
    return COMMENT if buffer[start] == 35 else reason
