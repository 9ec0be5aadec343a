"""What the two scanners make of a value: numbers, spans, request lines, lists of addresses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.word_kernel import U1, called, inner, load8, until

Spans = npt.NDArray[np.int32]

# reasons, as in fields.py (a test holds them equal)
OK, EMPTY, TOO_LONG, TORN, LAYOUT, TIME, STATUS, BYTES, ADDRESS, BINARY, JSON = range(11)
MAX_LINE_BYTES = 65_536
FORWARDED, METHOD = 1, 5  # columns of fields.FIELDS
METHOD_BYTES = 20  # the longest registered method, UPDATEREDIRECTREF, has 17 (IANA HTTP Method Registry)
HTTP = np.uint64(int.from_bytes(b" HTTP/", "little"))
SIX_BYTES = np.uint64((1 << 48) - 1)


@inner
def number(buffer: U1, start: int, end: int, most: int) -> int:
    """The number in ``most`` ASCII digits or fewer, 0 for ``-``, -1 where it is none."""
    if end - start == 1 and buffer[start] == 45:
        return 0
    if end <= start or end - start > most:
        return -1
    value = 0
    for i in range(start, end):
        digit = np.int64(buffer[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


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
    """EMPTY or BINARY where the line as a whole is that, else the reason given."""
    if until(buffer, start, end, np.uint64(0), np.uint64(0)) < end:
        return BINARY
    while start < end and (buffer[start] == 32 or 9 <= buffer[start] <= 13):
        start += 1
    return EMPTY if start == end else reason
