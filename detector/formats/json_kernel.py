"""The one scanner of JSON lines: a strict tokenizer that knows which keys to keep."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.moment_kernel import CLF_BYTES, clf, epoch, iso
from detector.formats.value_kernel import (
    ADDRESS,
    BYTES,
    JSON,
    LAYOUT,
    MAX_LINE_BYTES,
    OK,
    STATUS,
    TIME,
    TOO_LONG,
    TORN,
    Spans,
    number,
    put,
    request_line,
    whole_line_reason,
)
from detector.formats.word_kernel import HIGHS, I8, ONES, U1, inner, load8, lowest_bit

# what a key's value is, as in jsonlines.py (a test holds them equal)
NONE, TEXT, MOMENT, STATUS_KEY, BYTES_KEY, ROWS_KEY, REQUEST_KEY = range(7)
# columns of a node: children, own key, what its value is, which field, its place among the keys of that field
FIRST, COUNT, OFFSET, LENGTH, KIND, CODE, RANK, BIT = range(8)
DEPTH = 32
ADDRESS_FIELD, TARGET_FIELD = 0, 6  # columns of fields.FIELDS
# cells of scratch: a rank for each field and number, then the numbers, then the node of each depth
RANKS, TIME_CELL, STATUS_CELL, BYTES_CELL, ROWS_CELL, SEEN_CELL, NODES = 0, 20, 21, 22, 23, 24, 25
TIME_RANK, STATUS_RANK, BYTES_RANK, ROWS_RANK = 16, 17, 18, 19
NO_RANK = 1_000
AUTO, CLF_UNIT, ISO_UNIT = -1, -2, -3  # units of a moment; 0, 3, 6, 9 are powers of ten of an epoch

QUOTES = np.uint64(0x2222222222222222)
BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
BLANKS = np.uint64(0x2020202020202020)
KEY, VALUE, AFTER = range(3)


@inner
def plain_end(buffer: U1, p: int, end: int) -> int:
    """The first place in [p, end) of a quote, a backslash or a control character, else ``end``."""
    while p < end and p + 8 <= len(buffer):
        word = load8(buffer, p)
        x = word ^ QUOTES
        y = word ^ BACKSLASHES
        hits = (((x - ONES) & ~x) | ((y - ONES) & ~y) | ((word - BLANKS) & ~word)) & HIGHS
        if hits != 0:
            return min(p + (lowest_bit(hits) >> 3), end)
        p += 8
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
    """Where the number, ``true``, ``false`` or ``null`` at ``p`` ends; -1 where it is none, -2 where the line ends first."""
    start = p
    while p < end:
        c = buffer[p]
        if not (97 <= c <= 122 or 48 <= c <= 57 or c == 43 or c == 45 or c == 46 or c == 69):  # a-z 0-9 + - . E
            break
        p += 1
    if p == end:
        return -2
    size = p - start
    if size == 0:
        return -1
    c = buffer[start]
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


@inner
def child(buffer: U1, start: int, end: int, nodes: I8, keys: U1, node: int) -> int:
    """The child of a node with that key, -1 where the map has none."""
    if node < 0:
        return -1
    size = end - start
    for i in range(nodes[node, FIRST], nodes[node, FIRST] + nodes[node, COUNT]):
        if nodes[i, LENGTH] == size:
            offset = nodes[i, OFFSET]
            k = 0
            while k < size and buffer[start + k] == keys[offset + k]:
                k += 1
            if k == size:
                return i
    return -1


@inner
def any_moment(buffer: U1, start: int, end: int, unit: int) -> int:
    """Microseconds since 1970 of a value, -1 where it is no moment. AUTO tells by the look, an epoch by its size.

    Between 1970 and 2100 an epoch has at most 10 digits in seconds, 13 in ms, 16 in us, 19 in ns.
    """
    if unit == AUTO:
        p = start
        while p < end and 48 <= buffer[p] <= 57:
            p += 1
        if p < end and buffer[p] == 45:
            unit = ISO_UNIT
        elif p < end and buffer[p] == 47:
            unit = CLF_UNIT
        else:
            unit = 0 if p - start <= 10 else (3 if p - start <= 13 else (6 if p - start <= 16 else 9))
    if unit == ISO_UNIT:
        e, value = iso(buffer, start, end)
        return value if e == end else -1
    if unit == CLF_UNIT:
        if end - start == CLF_BYTES + 2 and buffer[start] == 91:
            start, end = start + 1, end - 1
        e, value = clf(buffer, start, end)
        return value if e == end else -1
    return epoch(buffer, start, end, unit)


@inner
def keep(buffer: U1, start: int, end: int, nodes: I8, node: int, row: int, cells: I8, span: Spans) -> int:
    """Stores one value under its node; a reason where the key comes twice or the value is not what it must be.

    Of several keys that fill one field the first in the map that has a value counts.
    """
    if cells[SEEN_CELL] >> nodes[node, BIT] & 1:
        return JSON
    cells[SEEN_CELL] |= np.int64(1) << nodes[node, BIT]
    kind = nodes[node, KIND]
    cell = nodes[node, CODE] if kind == TEXT or kind == REQUEST_KEY else np.int64(TIME_RANK - MOMENT) + kind
    if end <= start or cells[cell] < nodes[node, RANK]:
        return OK
    if end - start == 1 and buffer[start] == 45:
        cells[cell] = min(cells[cell], np.int64(NO_RANK - 1))  # the key is there, the value is not
        return OK
    cells[cell] = nodes[node, RANK]
    if kind == TEXT:
        put(buffer, span, row, nodes[node, CODE], start, end)
    elif kind == REQUEST_KEY:
        request_line(buffer, start, end, span, row, nodes[node, CODE])
    elif kind == MOMENT:
        cells[TIME_CELL] = any_moment(buffer, start, end, nodes[node, CODE])
        return OK if cells[TIME_CELL] >= 0 else TIME
    elif kind == STATUS_KEY:
        cells[STATUS_CELL] = number(buffer, start, end, np.int64(3))
        return OK if cells[STATUS_CELL] >= 0 else STATUS
    else:
        value = number(buffer, start, end, np.int64(18))
        if value < 0:
            return BYTES
        if kind == BYTES_KEY:
            cells[BYTES_CELL] = value
        else:
            cells[ROWS_CELL] = min(value, np.int64(999_999_999))
    return OK


@inner
def skip_blanks(buffer: U1, p: int, end: int) -> int:
    while p < end and (buffer[p] == 32 or buffer[p] == 9 or buffer[p] == 13 or buffer[p] == 10):
        p += 1
    return p


@inner
def value_at(buffer: U1, p: int, end: int, nodes: I8, node: int, row: int, cells: I8, span: Spans) -> tuple[int, int]:
    """Reads the string, number, ``true``, ``false`` or ``null`` at ``p`` into its node: (after it, OK or a reason)."""
    if buffer[p] == 34:
        start = p + 1
        e, after = string(buffer, start, end)
    else:
        start = p
        after = scalar(buffer, p, end)
        e = start if 97 <= buffer[p] <= 122 else after
    if after < 0:
        return p, (TORN if after == -2 else JSON)
    if node < 0 or nodes[node, KIND] == NONE:
        return after, OK
    return after, keep(buffer, start, e, nodes, node, row, cells, span)


@inner
def tokens(buffer: U1, p: int, end: int, nodes: I8, keys: U1, row: int, cells: I8, span: Spans) -> int:
    """Reads one line: OK or a reason. ``cells[NODES + depth]`` is the node an open object or array belongs to."""
    arrays = np.int64(0)  # bit d: what is open at depth d is an array
    depth = 0
    node = np.int64(0)
    state, fresh = VALUE, False
    while True:
        p = skip_blanks(buffer, p, end)
        if p >= end:
            return OK if depth == 0 and state == AFTER else TORN
        c = buffer[p]
        in_array = (arrays >> depth) & 1
        if (c == 125 or c == 93) and (state == AFTER or fresh) and depth > 0:  # } ]
            if (c == 93) != (in_array == 1):
                return JSON
            depth -= 1
            p, state, fresh = p + 1, AFTER, False
        elif state == AFTER:
            if c != 44 or depth == 0:
                return JSON
            node = -1  # of an array the first element counts
            p, state = p + 1, (VALUE if in_array == 1 else KEY)
        elif state == KEY:
            if c != 34:
                return JSON
            e, after = string(buffer, p + 1, end)
            if after < 0:
                return TORN if after == -2 else JSON
            node = child(buffer, p + 1, e, nodes, keys, cells[NODES + depth])
            p = skip_blanks(buffer, after, end)
            if p >= end:
                return TORN
            if buffer[p] != 58:
                return JSON
            p, state, fresh = p + 1, VALUE, False
        elif c == 123 or c == 91:  # { [
            depth += 1
            if depth > DEPTH or (depth == 1 and c == 91):
                return JSON
            bit = np.int64(1) << depth
            arrays = arrays | bit if c == 91 else arrays & ~bit
            cells[NODES + depth] = node
            p, state, fresh = p + 1, (VALUE if c == 91 else KEY), True
        else:
            if depth == 0:
                return JSON
            p, failure = value_at(buffer, p, end, nodes, node, row, cells, span)
            if failure != OK:
                return failure
            state, fresh = AFTER, False


def scan(
    buffer: U1,
    starts: I8,
    lengths: I8,
    nodes: I8,
    keys: U1,
    cells: I8,
    reason: U1,
    torn: U1,
    time_us: I8,
    status: npt.NDArray[np.uint16],
    bytes_out: I8,
    rows: npt.NDArray[np.int32],
    span: Spans,
) -> int:
    """Scans every line of a chunk, unescaping its strings in place.

    Args:
        buffer, starts, lengths: the chunk.
        nodes, keys: the map of ``jsonlines.compile_map``; node 0 is the line's object.
        cells: int64 (64,), scratch.
        reason, torn, time_us, status, bytes_out, rows, span: out, the columns of ``Fields.empty``.

    Returns:
        How many lines were taken.
    """
    taken = 0
    for i in range(len(starts)):
        start = starts[i]
        end = start + lengths[i]
        while end > start and (buffer[end - 1] == 13 or buffer[end - 1] == 10):
            end -= 1
        if end - start > MAX_LINE_BYTES:
            reason[i] = TOO_LONG
            continue
        outcome = whole_line_reason(buffer, start, end, OK)
        if outcome == OK:
            for k in range(TIME_CELL):
                cells[k] = NO_RANK
            cells[TIME_CELL], cells[STATUS_CELL], cells[BYTES_CELL], cells[ROWS_CELL], cells[SEEN_CELL] = -1, 0, 0, 1, 0
            outcome = tokens(buffer, start, end, nodes, keys, i, cells, span)
            if outcome == OK and (cells[TIME_RANK] >= NO_RANK - 1 or cells[TARGET_FIELD] == NO_RANK):
                outcome = LAYOUT
            if outcome == OK and cells[ADDRESS_FIELD] == NO_RANK and nodes[0, CODE] == 1:
                outcome = ADDRESS
        reason[i] = outcome
        if outcome == OK:
            taken += 1
            time_us[i], status[i] = cells[TIME_CELL], cells[STATUS_CELL]
            bytes_out[i], rows[i] = cells[BYTES_CELL], cells[ROWS_CELL]
        else:
            for code in range(span.shape[1]):
                span[i, code, 1] = -1
    return taken
