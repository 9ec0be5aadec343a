"""The one scanner of text layouts: runs the table that layout.py compiles over whole columns of lines.

Each line is tried against the layouts in order; the first that takes the whole line wins. A free field ends at the
first place where everything up to the next free field fits; once that next one begins, the earlier is settled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.moment_kernel import epoch
from detector.formats.stamp_kernel import (
    BYTES_CELL,
    CLOCK_CELL,
    DAY_CELL,
    MOMENT_CELL,
    MOMENT_ZONE_CELL,
    ROWS_CELL,
    STATUS_CELL,
    TIME_CELL,
    TIME_CLF,
    TIME_EPOCH,
    TORN_CELL,
    ZONE_CELL,
    is_moment,
    moment,
    store_time,
)
from detector.formats.value_kernel import (
    ADDRESS,
    BYTES,
    LAYOUT,
    MAX_LINE_BYTES,
    METHOD,
    OK,
    STATUS,
    TIME,
    TOO_LONG,
    TORN,
    ZONELESS,
    Spans,
    addresses,
    blanks,
    number,
    put,
    request_line,
    unescape_span,
    url,
    whole_line_reason,
)
from detector.formats.word_kernel import I8, U1, called, inner, load8, lowest_bit, until

QUOTES = np.uint64(0x2222222222222222)
# operations and modes, as in variables.py (a test holds them equal)
HEAD, SPAN = 0, 1
STATUS_OP, BYTES_OP, ROWS_OP, REQUEST, ADDRESS_OP, ADDRESSES, END = range(5, 12)
REQUEST_URL = 17
WORD, QUOTED, FREE, REST, CELL = range(5)
RETRY_BYTES = 4  # a free field retries until the retries have read so many times the line: keeps the scan linear

# columns of the table
KIND, MODE, CODE, OFFSET, LENGTH, KEEP, STOP, OTHER, WORD8, MASK8 = range(10)
MARKS = KEEP  # of a HEAD: what is encoded, as in layout.py


@inner
def literal_at(buffer: U1, p: int, end: int, table: I8, pc: int, literals: U1) -> int:
    """How many bytes of an operation's literal stand at ``p``; all of them = its length."""
    length = table[pc, LENGTH]
    if p + length <= end and p + 8 <= len(buffer):
        if ((load8(buffer, p) ^ np.uint64(table[pc, WORD8])) & np.uint64(table[pc, MASK8])) == 0 and length <= 8:
            return length
    room = min(end - p, length)
    offset = table[pc, OFFSET]
    for i in range(room):
        if buffer[p + i] != literals[offset + i]:
            return i
    return room


@called
def cell_end(buffer: U1, p: int, end: int) -> int:
    """Where a cell in double quotes ends, behind the closing one; a doubled quote is one of its own. As `field_end`."""
    p += 1
    while True:
        p = until(buffer, p, end, QUOTES, QUOTES)
        if p >= end:
            return end + 1
        if buffer[p] == 0:
            return -1 - p
        if p + 1 >= end or buffer[p + 1] != 34:
            return p + 1
        p += 2


@inner
def field_end(buffer: U1, p: int, end: int, table: I8, pc: int) -> int:
    """Where a field that starts at ``p`` ends, ``end`` where nothing ends it, -1 - place of a byte it may not hold."""
    a = np.uint64(table[pc, STOP])
    b = np.uint64(table[pc, OTHER])
    if table[pc, MODE] == CELL and p < end and buffer[p] == 34:
        return cell_end(buffer, p, end)
    p = until(buffer, p, end, a, b)
    if table[pc, MODE] == QUOTED:
        while p < end and buffer[p] == 92:
            if p + 1 < end and buffer[p + 1] == 0:
                return -2 - p
            p = until(buffer, p + 2, end, a, b)
    if p >= end:
        return end
    return -1 - p if buffer[p] == 0 or np.uint64(buffer[p]) != a & np.uint64(255) else p


@inner
def store_text(buffer: U1, start: int, end: int, kind: int, code: int, row: int, span: Spans) -> int:
    """Stores a span, an address, a list of them or a request line; ADDRESS where there is none."""
    if kind == SPAN:
        if code >= 0:
            put(buffer, span, row, code, start, end)
    elif kind == REQUEST or kind == REQUEST_URL:
        method, size = span[row, METHOD, 0], span[row, METHOD, 1]
        request_line(buffer, start, end, span, row, code)
        if kind == REQUEST_URL:
            if span[row, METHOD, 1] < 0:
                span[row, METHOD, 0], span[row, METHOD, 1] = method, size  # of a column of its own
            url(buffer, span, row, code)
    elif end == start:
        return ADDRESS
    elif kind == ADDRESS_OP:
        put(buffer, span, row, code, start, end)
    else:
        addresses(buffer, start, end, span, row, code)
    return OK


@inner
def store_number(buffer: U1, start: int, end: int, kind: int, code: int, numbers: I8) -> int:
    """Reads a status, a size, a part of the time or a count of rows; a reason where it is not what it says."""
    if kind == STATUS_OP:
        numbers[STATUS_CELL] = number(buffer, start, end, np.int64(3))
        return OK if numbers[STATUS_CELL] >= 0 else STATUS
    if kind == BYTES_OP:
        numbers[BYTES_CELL] = number(buffer, start, end, np.int64(18))
        return OK if numbers[BYTES_CELL] >= 0 else BYTES
    if kind == TIME_EPOCH:
        numbers[TIME_CELL] = epoch(buffer, start, end, code)
        return OK if numbers[TIME_CELL] >= 0 else TIME
    if kind == ROWS_OP:
        rows = number(buffer, start, end, np.int64(9))
        numbers[ROWS_CELL] = 1 if end - start == 1 and buffer[start] == 45 else rows
        return OK if rows >= 0 else LAYOUT
    return store_time(buffer, start, end, kind, numbers)


@inner
def fixed(
    buffer: U1, p: int, end: int, table: I8, pc: int, literals: U1, row: int, numbers: I8, span: Spans
) -> tuple[int, int]:
    """Reads one field that is not free, and the text after it.

    Returns:
        Where the next field begins and OK; or how far it was read and a reason. TORN with the line's end as the place
        and the cell TORN = 1 says: accepted, the last quoted field is not closed.
    """
    kind = table[pc, KIND]
    length = table[pc, LENGTH]
    if is_moment(kind):
        e = moment(buffer, p, end, kind, numbers)
        if e < 0:
            return p, TIME
        if table[pc, CODE] >= 0:
            numbers[TIME_CELL] = numbers[MOMENT_CELL]
            if kind != TIME_CLF:
                numbers[ZONE_CELL] = numbers[MOMENT_ZONE_CELL]
    else:
        mode = table[pc, MODE]
        e = field_end(buffer, p, end, table, pc)
        if e < 0:
            return -1 - e, LAYOUT
        if e > end or (e == end and length > 0):
            if mode != QUOTED or length != 1 or table[pc + 1, KIND] != END:
                return end, TORN
            length = 0
        quote = 1 if mode == CELL and p < end and buffer[p] == 34 else 0
        if kind == SPAN or kind == REQUEST or kind == REQUEST_URL or kind == ADDRESS_OP or kind == ADDRESSES:
            failure = store_text(buffer, p + quote, e - quote, kind, table[pc, CODE], row, span)
        else:
            failure = store_number(buffer, p + quote, e - quote, kind, table[pc, CODE], numbers)
        if failure != OK:
            return p, failure
        if length == 0 and mode == QUOTED:
            numbers[TORN_CELL] = 1
    if length > 1 or (
        length == 1 and (e >= end or np.uint64(buffer[e]) != np.uint64(table[pc, STOP]) & np.uint64(255))
    ):
        matched = literal_at(buffer, e, end, table, pc, literals)
        if matched < length:
            return e + matched, (TORN if e + matched == end else LAYOUT)
    return (e if table[pc, KEEP] == 1 else e + length), OK


@inner
def free_end(buffer: U1, p: int, end: int, table: I8, pc: int, literals: U1) -> int:
    """The first place from ``p`` on where the text that ends a free field stands, -1 where there is none."""
    a = np.uint64(table[pc, STOP])
    while True:
        p = until(buffer, p, end, a, a)
        if p >= end or buffer[p] == 0:
            return -1
        if literal_at(buffer, p, end, table, pc, literals) == table[pc, LENGTH]:
            return p
        p += 1


@inner
def match(
    buffer: U1, start: int, end: int, table: I8, pc: int, literals: U1, row: int, numbers: I8, span: Spans
) -> tuple[int, int]:
    """Tries one layout on one line: (how far it was read, OK or the reason of the furthest failure)."""
    length = table[pc, LENGTH]
    matched = literal_at(buffer, start, end, table, pc, literals)
    if matched < length:
        return start + matched, (TORN if start + matched == end else LAYOUT)
    p = start + length
    pc += 1
    free_pc, free_start, free_from, free_at = -1, 0, 0, 0
    furthest, reason = -1, TORN
    budget = RETRY_BYTES * (end - start)
    while True:
        if pc == free_pc or table[pc, MODE] == FREE:
            if pc != free_pc:
                free_pc, free_start, free_from = pc, p, p
                furthest, reason = -1, TORN
            e = free_end(buffer, free_from, end, table, pc, literals)
            if e < 0 or budget < 0:
                return max(furthest, free_start), reason
            failure = store_text(buffer, free_start, e, table[pc, KIND], table[pc, CODE], row, span)
            p = e if table[pc, KEEP] == 1 or failure != OK else e + table[pc, LENGTH]
            free_at, free_from = e, e + 1
        elif table[pc, KIND] == END:
            failure = OK if p == end else LAYOUT
            if failure == OK:
                return p, OK
        else:
            p, failure = fixed(buffer, p, end, table, pc, literals, row, numbers, span)
        if failure == OK:
            pc += 1
            continue
        if p > furthest:
            furthest, reason = p, failure
        if free_pc < 0:
            return furthest, reason
        budget -= p - free_at
        pc = free_pc


@called
def undo(buffer: U1, span: Spans, row: int, marks: int) -> None:
    """Undoes the encodings that a layout says its server writes, field by field."""
    pluses, encoded = np.uint64(marks & 0xFFFF), np.uint64(marks >> 16)
    while pluses != 0:
        code = lowest_bit(pluses)
        pluses &= pluses - np.uint64(1)
        if span[row, code, 1] > 0:
            start = np.int64(span[row, code, 0])
            blanks(buffer, start, start + span[row, code, 1])
    while encoded != 0:
        code = lowest_bit(encoded) >> 1
        rounds = np.int64((encoded >> np.uint64(2 * code)) & np.uint64(3))
        encoded &= ~(np.uint64(3) << np.uint64(2 * code))
        if span[row, code, 1] > 0:
            unescape_span(buffer, span, row, code, rounds)


def scan(
    buffer: U1,
    starts: I8,
    lengths: I8,
    table: I8,
    literals: U1,
    scratch: I8,
    reason: U1,
    torn: U1,
    time_us: I8,
    status: npt.NDArray[np.uint16],
    bytes_out: I8,
    rows: npt.NDArray[np.int32],
    span: Spans,
) -> int:
    """Scans every line of a chunk.

    Args:
        buffer, starts, lengths: the chunk.
        table, literals: the program of ``layout.compile_layouts``.
        scratch: int64 (CELLS,), zeros: time, status, bytes, rows, torn of the line at hand; then the last moment read.
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
        furthest, outcome, pc = -1, LAYOUT, np.int64(0)  # typed: else numba compiles `match` twice
        while pc >= 0:
            scratch[0], scratch[1], scratch[2], scratch[3], scratch[4] = 0, 0, 0, 1, 0
            scratch[ZONE_CELL], scratch[DAY_CELL], scratch[CLOCK_CELL] = 0, 0, 0
            place, failure = match(buffer, start, end, table, pc, literals, i, scratch, span)
            if failure == OK:
                break
            for code in range(span.shape[1]):
                span[i, code, 1] = -1
            if place > furthest:
                furthest, outcome = place, failure
            pc = table[pc, CODE]
        if pc < 0:
            reason[i] = whole_line_reason(buffer, start, end, outcome)
            continue
        taken += 1
        if table[pc, MARKS] != 0:
            undo(buffer, span, i, table[pc, MARKS])
        torn[i] = scratch[4] | scratch[ZONE_CELL] * ZONELESS
        time_us[i], status[i], bytes_out[i], rows[i] = scratch[0], scratch[1], scratch[2], scratch[3]
    return taken
