"""The one scanner of text layouts: runs the table that layout.py compiles over whole columns of lines.

Each line is tried against the layouts in order; the first that takes the whole line wins. A free field ends at the
first place where everything up to the next free field fits; once that next one begins, the earlier is settled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.moment_kernel import CLF_BYTES, clf, epoch, iso
from detector.formats.value_kernel import (
    ADDRESS,
    BYTES,
    LAYOUT,
    MAX_LINE_BYTES,
    OK,
    STATUS,
    TIME,
    TOO_LONG,
    TORN,
    Spans,
    addresses,
    number,
    put,
    request_line,
    whole_line_reason,
)
from detector.formats.word_kernel import I8, U1, inner, load8, until

# operations and modes, as in variables.py (a test holds them equal)
HEAD, SPAN, TIME_CLF, TIME_ISO, TIME_EPOCH, STATUS_OP, BYTES_OP, ROWS_OP = range(8)
REQUEST, ADDRESS_OP, ADDRESSES, END = range(8, 12)
WORD, QUOTED, FREE, REST = range(4)
RETRY_BYTES = 4  # a free field retries until the retries have read so many times the line: keeps the scan linear

# columns of the table
KIND, MODE, CODE, OFFSET, LENGTH, KEEP, STOP, OTHER, WORD8, MASK8 = range(10)


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


@inner
def field_end(buffer: U1, p: int, end: int, table: I8, pc: int) -> int:
    """Where a field that starts at ``p`` ends, ``end`` where nothing ends it, -1 - place of a byte it may not hold."""
    a = np.uint64(table[pc, STOP])
    b = np.uint64(table[pc, OTHER])
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
    elif kind == REQUEST:
        request_line(buffer, start, end, span, row, code)
    elif end == start:
        return ADDRESS
    elif kind == ADDRESS_OP:
        put(buffer, span, row, code, start, end)
    else:
        addresses(buffer, start, end, span, row, code)
    return OK


@inner
def store_number(buffer: U1, start: int, end: int, kind: int, code: int, numbers: I8) -> int:
    """Reads a status, a size, an epoch or a count of rows into its cell; a reason where it is not what it says."""
    if kind == STATUS_OP:
        numbers[1] = number(buffer, start, end, np.int64(3))
        return OK if numbers[1] >= 0 else STATUS
    if kind == BYTES_OP:
        numbers[2] = number(buffer, start, end, np.int64(18))
        return OK if numbers[2] >= 0 else BYTES
    if kind == TIME_EPOCH:
        numbers[0] = epoch(buffer, start, end, code)
        return OK if numbers[0] >= 0 else TIME
    rows = number(buffer, start, end, np.int64(9))
    numbers[3] = 1 if end - start == 1 and buffer[start] == 45 else rows
    return OK if rows >= 0 else LAYOUT


@inner
def moment(buffer: U1, p: int, end: int, kind: int, numbers: I8) -> int:
    """Reads a moment into ``numbers[5]``; where it ends, or -1. Equal stamps in a row are read once.

    ``numbers[6:10]`` are the bytes of the last common log format's stamp.
    """
    if kind == TIME_ISO:
        e, numbers[5] = iso(buffer, p, end)
        return e
    if end - p < CLF_BYTES:
        return -1
    a, b = np.int64(load8(buffer, p)), np.int64(load8(buffer, p + 8))
    c, d = np.int64(load8(buffer, p + 16)), np.int64(load8(buffer, p + CLF_BYTES - 8))
    if a != numbers[6] or b != numbers[7] or c != numbers[8] or d != numbers[9]:
        e, value = clf(buffer, p, end)
        if e < 0:
            return -1
        numbers[6], numbers[7], numbers[8], numbers[9], numbers[10] = a, b, c, d, value
    numbers[5] = numbers[10]
    return p + CLF_BYTES


@inner
def fixed(
    buffer: U1, p: int, end: int, table: I8, pc: int, literals: U1, row: int, numbers: I8, span: Spans
) -> tuple[int, int]:
    """Reads one field that is not free, and the text after it.

    Returns:
        Where the next field begins and OK; or how far it was read and a reason. TORN with the line's end as the place
        and numbers[4] = 1 says: accepted, the last quoted field is not closed.
    """
    kind = table[pc, KIND]
    length = table[pc, LENGTH]
    if kind == TIME_CLF or kind == TIME_ISO:
        e = moment(buffer, p, end, kind, numbers)
        if e < 0:
            return p, TIME
        if table[pc, CODE] >= 0:
            numbers[0] = numbers[5]
    else:
        mode = table[pc, MODE]
        e = field_end(buffer, p, end, table, pc)
        if e < 0:
            return -1 - e, LAYOUT
        if e == end and length > 0:
            if mode != QUOTED or length != 1 or table[pc + 1, KIND] != END:
                return end, TORN
            length = 0
        if kind == SPAN or kind >= REQUEST:
            failure = store_text(buffer, p, e, kind, table[pc, CODE], row, span)
        else:
            failure = store_number(buffer, p, e, kind, table[pc, CODE], numbers)
        if failure != OK:
            return p, failure
        if length == 0 and mode == QUOTED:
            numbers[4] = 1
    if length > 0:
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
        scratch: int64 (11,), zeros: time, status, bytes, rows, torn of the line at hand; then the last moment read.
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
        torn[i] = scratch[4]
        time_us[i], status[i], bytes_out[i], rows[i] = scratch[0], scratch[1], scratch[2], scratch[3]
    return taken
