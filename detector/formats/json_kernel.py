"""The one scanner of JSON lines: a strict tokenizer that knows which keys to keep."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.formats.json_text_kernel import plain_end, scalar, string
from detector.formats.moment_kernel import moment_again
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
    ZONELESS,
    Spans,
    number,
    put,
    request_line,
    url,
    whole_line_reason,
)
from detector.formats.word_kernel import I8, U1, byte, called, has_nul, inner, load8

# what a key's value is, as in jsonlines.py (a test holds them equal)
NONE, TEXT, MOMENT, STATUS_KEY, BYTES_KEY, ROWS_KEY, REQUEST_KEY, URL_KEY, PAIRS = range(9)
# columns of a node: children, own key, what its value is, which field, its place among the keys of that field
FIRST, COUNT, OFFSET, LENGTH, KIND, CODE, RANK, BIT = range(8)
# in the row of an object: how many of its children have keys shorter than so many bytes, from here on
JUMP, JUMPS = 8, 40
NEXT = JUMP + JUMPS  # the key that came behind this one in an earlier line: looked at first, never believed
DEPTH = 32
ADDRESS_FIELD, TARGET_FIELD, HOST_FIELD = 0, 6, 10  # columns of fields.FIELDS
# cells of scratch: a rank for each field and number, then the numbers, then the node of each depth
RANKS, TIME_CELL, STATUS_CELL, BYTES_CELL, ROWS_CELL, SEEN_CELL, NODES = 0, 28, 29, 30, 31, 32, 33
ZONE_CELL = NODES + DEPTH + 1
LAST_ISO = ZONE_CELL + 1  # four cells that are kept from line to line
TIME_RANK, STATUS_RANK, BYTES_RANK, ROWS_RANK = 24, 25, 26, 27
NO_RANK = 1_000

KEY, VALUE, AFTER = range(3)
KEY_WORD, NAME_WORD, VALUE_WORD = (int.from_bytes(word, "little") for word in (b"key", b"name", b"value"))


@inner
def same(buffer: U1, start: int, keys: U1, offset: int, size: int) -> bool:
    """Whether the text at ``start`` is the key at ``offset``, a word at a time; a word more stands behind the keys."""
    k = 0
    while k + 8 <= size and start + k + 8 <= len(buffer):
        if load8(buffer, start + k) != load8(keys, offset + k):
            return False
        k += 8
    if k < size and start + k + 8 <= len(buffer):
        differ = load8(buffer, start + k) ^ load8(keys, offset + k)
        return differ << np.uint64(64 - 8 * (size - k)) == 0
    while k < size and buffer[start + k] == keys[offset + k]:
        k += 1
    return k >= size


@inner
def as_before(buffer: U1, p: int, end: int, nodes: I8, keys: U1, last: int) -> int:
    """The key that followed the ``last`` one before, where it stands at ``p`` again with quotes and colon, else -1.

    Only keys that came without escapes are remembered, so bytes alone decide.
    """
    node = nodes[last, NEXT]
    if node < 0:
        return -1
    q = p + 1 + nodes[node, LENGTH]
    if q + 1 >= end or byte(buffer, q) != 34 or byte(buffer, q + 1) != 58:
        return -1
    return node if same(buffer, p + 1, keys, nodes[node, OFFSET], nodes[node, LENGTH]) else np.int64(-1)


@inner
def child(buffer: U1, start: int, end: int, nodes: I8, keys: U1, node: int) -> int:
    """The child of a node with that key, -1 where the map has none."""
    if node < 0:
        return -1
    size = end - start
    i = nodes[node, FIRST] + nodes[node, JUMP + min(size, np.int64(JUMPS - 1))]
    last = nodes[node, FIRST] + nodes[node, COUNT]
    while i < last and nodes[i, LENGTH] <= size:
        if nodes[i, LENGTH] == size:
            if same(buffer, start, keys, nodes[i, OFFSET], size):
                return i
        i += 1
    return -1


@called
def keep_url(buffer: U1, start: int, end: int, code: int, row: int, cells: I8, span: Spans) -> None:
    """Stores a target that may be a whole URL; its host counts where no key names one."""
    host, size = span[row, HOST_FIELD, 0], span[row, HOST_FIELD, 1]
    put(buffer, span, row, code, start, end)
    url(buffer, span, row, code)
    if cells[HOST_FIELD] < NO_RANK:
        span[row, HOST_FIELD, 0], span[row, HOST_FIELD, 1] = host, size


def _keep(buffer: U1, start: int, end: int, nodes: I8, node: int, row: int, cells: I8, span: Spans) -> int:
    """Stores one value under its node; a reason where the key comes twice or the value is not what it must be.

    Of several keys that fill one field the first in the map that has a value counts.
    """
    if cells[SEEN_CELL] >> nodes[node, BIT] & 1:
        return JSON
    cells[SEEN_CELL] |= np.int64(1) << nodes[node, BIT]
    kind = nodes[node, KIND]
    cell = nodes[node, CODE] if kind == TEXT or kind >= REQUEST_KEY else np.int64(TIME_RANK - MOMENT) + kind
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
    elif kind == URL_KEY:
        keep_url(buffer, start, end, nodes[node, CODE], row, cells, span)
    elif kind == MOMENT:
        cells[TIME_CELL], cells[ZONE_CELL] = moment_again(
            buffer, start, end, nodes[node, CODE], cells, np.int64(LAST_ISO)
        )
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


keep, keep_seldom = inner(_keep), called(_keep)


@inner
def usual(
    buffer: U1, p: int, end: int, nodes: I8, keys: U1, last: int, row: int, cells: I8, span: Spans
) -> tuple[int, int, int, int, int]:
    """Reads members that come as in an earlier line, without escapes, objects or more white space than a blank, from
    the quote of a key at ``p`` on: most lines to their end.

    Returns:
        Where it stopped, the state there, the node of the value that stands there, the key that came last, and OK or a
        reason.
    """
    while True:
        node = as_before(buffer, p, end, nodes, keys, last)
        if node < 0:
            return p, KEY, node, last, OK
        last = node
        p += nodes[node, LENGTH] + 3
        if p < end and byte(buffer, p) == 32:
            p += 1
        if p >= end:
            return p, VALUE, node, last, OK
        start = p
        if byte(buffer, p) == 34:
            start += 1
            stop = plain_end(buffer, start, end)
            if stop >= end or byte(buffer, stop) != 34:
                return p, VALUE, node, last, OK
            after = stop + 1
        else:
            after = scalar(buffer, p, end)
            if after < 0:
                return p, VALUE, node, last, OK
            stop = start if 97 <= byte(buffer, p) <= 122 else after
        p = after
        if nodes[node, KIND] != NONE and nodes[node, KIND] != PAIRS:
            failure = keep(buffer, start, stop, nodes, node, row, cells, span)
            if failure != OK:
                return p, AFTER, node, last, failure
        if p + 2 >= end or byte(buffer, p) != 44:
            return p, AFTER, node, last, OK
        blank = np.int64(byte(buffer, p + 1) == 32)
        if byte(buffer, p + 1 + blank) != 34:
            return p, AFTER, node, last, OK
        p += 1 + blank


@inner
def skip_blanks(buffer: U1, p: int, end: int) -> int:
    """The first place in [p, end) that is no JSON white space, else ``end``."""
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
    if node < 0 or nodes[node, KIND] == NONE or nodes[node, KIND] == PAIRS:
        return after, OK
    return after, keep_seldom(buffer, start, e, nodes, node, row, cells, span)


@inner
def equals(buffer: U1, start: int, end: int, word: int, size: int) -> bool:
    """Whether a text of at most five bytes is the word, its bytes in little-endian order."""
    if end - start != size:
        return False
    for i in range(size):
        if np.int64(buffer[start + i]) != (word >> (8 * i)) & 255:
            return False
    return True


@inner
def tokens(buffer: U1, p: int, end: int, nodes: I8, keys: U1, row: int, cells: I8, span: Spans) -> int:
    """Reads one line: OK or a reason. ``cells[NODES + depth]`` is the node an open object or array belongs to.

    Inside an array of pairs (``[{"key": "a", "value": {"stringValue": "b"}}, …]``) the text under ``key`` or ``name``
    says which child of the array's node the value of its object belongs to, at whatever depth it lies.
    """
    arrays = np.int64(0)  # bit d: what is open at depth d is an array
    depth = 0
    node = np.int64(0)
    pairs = 0  # depth of the array of pairs that is open, 0 = none
    named = np.int64(-1)  # the node of the pair at hand
    naming = False
    last = np.int64(0)  # the line's own key that came last
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
            if depth == pairs:
                pairs = 0
            depth -= 1
            p, state, fresh = p + 1, AFTER, False
        elif state == AFTER:
            if c != 44 or depth == 0:
                return JSON
            node = cells[NODES + depth] if depth == pairs else np.int64(-1)  # of an array the first element counts
            p, state = p + 1, (VALUE if in_array == 1 else KEY)
        elif state == KEY:
            if c != 34:
                return JSON
            if depth == 1 and pairs == 0:
                p, state, node, last, failure = usual(buffer, p, end, nodes, keys, last, row, cells, span)
                if failure != OK:
                    return failure
                if state != KEY:
                    fresh = False
                    continue
            e, after = string(buffer, p + 1, end)
            if after < 0:
                return TORN if after == -2 else JSON
            if pairs == 0:
                node = child(buffer, p + 1, e, nodes, keys, cells[NODES + depth])
                if depth == 1 and node >= 0 and e == after - 1:
                    nodes[last, NEXT] = node
                    last = node
            elif depth > pairs + 1:
                node = cells[NODES + depth]
            else:
                naming = equals(buffer, p + 1, e, KEY_WORD, np.int64(3)) or equals(
                    buffer, p + 1, e, NAME_WORD, np.int64(4)
                )
                node = named if equals(buffer, p + 1, e, VALUE_WORD, np.int64(5)) else np.int64(-1)
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
            if pairs == 0 and c == 91 and node >= 0 and nodes[node, KIND] == PAIRS:
                pairs = depth
            if depth == pairs + 1:
                named, naming = np.int64(-1), False
            cells[NODES + depth] = node
            p, state, fresh = p + 1, (VALUE if c == 91 else KEY), True
        else:
            if depth == 0:
                return JSON
            start = p + 1
            p, failure = value_at(buffer, p, end, nodes, node, row, cells, span)
            if failure != OK:
                return failure
            if naming and depth == pairs + 1:
                # unescaped in place, the text ends at or before its quote; a name with escapes in it names nothing
                named = child(buffer, start, p - 1, nodes, keys, cells[NODES + pairs]) if c == 34 else np.int64(-1)
            naming = False
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
        cells: int64 (jsonlines.CELLS,), scratch.
        reason, torn, time_us, status, bytes_out, rows, span: out, the columns of ``Fields.empty``.

    Returns:
        How many lines were taken.
    """
    taken = 0
    first, behind = np.int64(len(buffer)), np.int64(0)
    for i in range(len(starts)):
        first, behind = min(first, starts[i]), max(behind, starts[i] + lengths[i])
    binary = has_nul(buffer, first, behind)  # asked of all lines at once: hardly any log has one
    for i in range(len(starts)):
        start = starts[i]
        end = start + lengths[i]
        while end > start and (buffer[end - 1] == 13 or buffer[end - 1] == 10):
            end -= 1
        if end - start > MAX_LINE_BYTES:
            reason[i] = TOO_LONG
            continue
        outcome = OK
        if binary or start == end or buffer[start] != 123:
            outcome = whole_line_reason(buffer, start, end, OK)
        if outcome == OK:
            for k in range(TIME_CELL):
                cells[k] = NO_RANK
            cells[TIME_CELL], cells[STATUS_CELL], cells[BYTES_CELL], cells[ROWS_CELL], cells[SEEN_CELL] = -1, 0, 0, 1, 0
            cells[ZONE_CELL] = 0
            outcome = tokens(buffer, start, end, nodes, keys, i, cells, span)
            if outcome == OK and (cells[TIME_RANK] >= NO_RANK - 1 or cells[TARGET_FIELD] == NO_RANK):
                outcome = LAYOUT
            if outcome == OK and cells[ADDRESS_FIELD] == NO_RANK and nodes[0, CODE] == 1:
                outcome = ADDRESS
        reason[i] = outcome
        if outcome == OK:
            taken += 1
            torn[i] = cells[ZONE_CELL] * ZONELESS
            time_us[i], status[i] = cells[TIME_CELL], cells[STATUS_CELL]
            bytes_out[i], rows[i] = cells[BYTES_CELL], cells[ROWS_CELL]
        else:
            for code in range(span.shape[1]):
                span[i, code, 1] = -1
    return taken
