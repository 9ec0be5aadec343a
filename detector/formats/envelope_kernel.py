"""The one opener of messages: which bytes of each are log records, found without a Python object a message."""

from __future__ import annotations

import numpy as np

from detector.formats.json_kernel import AFTER, KEY, VALUE, skip_blanks
from detector.formats.json_text_kernel import hex4, plain_end, scalar, string
from detector.formats.word_kernel import I8, U1, called, inner, until

DEPTH = 62  # one bit each of an int64; the record inside may take the JSON scanner's 32
LINE_FEEDS = np.uint64(0x0A0A0A0A0A0A0A0A)

# what the wanted key holds
NOTHING, TEXT, OBJECT, OTHER = range(4)
# what the next value is: none of our business, the record, the object around the record's key
FOREIGN, RECORD, AROUND = range(3)
# cells of the result
NEXT_MESSAGE, OPENED = range(2)

NO_ROOM, NO_ARRAY = -2, -1
NESTED = 2


@inner
def text_end(buffer: U1, p: int, end: int) -> int:
    """Where the string ends whose opening quote stands before ``p``: behind its closing quote, -1 if it is no string.

    Nothing is written; a string that passes here is one that ``json_text_kernel.string`` can unescape.
    """
    while True:
        p = plain_end(buffer, p, end)
        if p >= end or buffer[p] < 32:
            return -1
        if buffer[p] == 34:
            return p + 1
        if end - p < 2:
            return -1
        c = buffer[p + 1]
        if c == 117:
            if hex4(buffer, p + 2, end) < 0:
                return -1
            p += 6
        elif c == 34 or c == 92 or c == 47 or c == 110 or c == 116 or c == 114 or c == 98 or c == 102:
            p += 2
        else:
            return -1


@inner
def same(buffer: U1, start: int, size: int, keys: U1, first: int, last: int) -> bool:
    """Whether ``size`` bytes from ``start`` are the key ``keys[first:last]``, as it is written."""
    if size != last - first:
        return False
    k = 0
    while k < size and buffer[start + k] == keys[first + k]:
        k += 1
    return k == size


@called
def walk(buffer: U1, p: int, end: int, keys: U1, dot: int) -> tuple[int, int, int, int]:
    """Reads the object at ``p``: (behind it, start and end of what the wanted key holds, what that is).

    ``keys`` is the wanted key, empty for none. It counts at the top level only; with a dot in it, at ``dot``, also as a
    key inside the object of that name. A key that comes twice holds OTHER. The first is -1 where it is no whole object.
    """
    arrays = np.int64(0)  # bit d: what is open at depth d is an array
    depth = np.int64(0)
    state, fresh = VALUE, False
    coming = FOREIGN
    kind, found_start, found_end = NOTHING, np.int64(0), np.int64(0)
    record_depth, around_depth = np.int64(-1), np.int64(-1)  # depth of the members of those objects while open
    while True:
        p = skip_blanks(buffer, p, end)
        if p >= end:
            break
        c = buffer[p]
        in_array = (arrays >> depth) & 1
        if (c == 125 or c == 93) and (state == AFTER or fresh) and depth > 0:  # } ]
            if (c == 93) != (in_array == 1):
                break
            p, state, fresh = p + 1, AFTER, False
            if depth == record_depth:
                found_end, record_depth = p, np.int64(-1)
            if depth == around_depth:
                around_depth = np.int64(-1)
            depth -= 1
            if depth == 0:
                return p, found_start, found_end, kind
            continue
        if state == AFTER:
            if c != 44:
                break
            p, state = p + 1, (VALUE if in_array == 1 else KEY)
            continue
        if state == KEY:
            after = text_end(buffer, p + 1, end) if c == 34 else np.int64(-1)
            if after < 0:
                break
            size = after - p - 2
            coming = FOREIGN
            if depth == 1:
                if same(buffer, p + 1, size, keys, 0, len(keys)) and size > 0:
                    coming = RECORD
                elif dot > 0 and same(buffer, p + 1, size, keys, 0, dot):
                    coming = AROUND
            elif depth == around_depth and same(buffer, p + 1, size, keys, dot + 1, len(keys)):
                coming = RECORD
            p = skip_blanks(buffer, after, end)
            if p >= end or buffer[p] != 58:
                break
            p, state, fresh = p + 1, VALUE, False
            continue
        is_record = coming == RECORD
        twice = is_record and kind != NOTHING
        if c == 123 or c == 91:  # { [
            depth += 1
            if depth > DEPTH or (depth == 1 and c == 91):
                break
            bit = np.int64(1) << depth
            arrays = arrays | bit if c == 91 else arrays & ~bit
            if is_record:
                kind = OBJECT if c == 123 and not twice else OTHER
                found_start, record_depth = p, depth
            elif coming == AROUND and c == 123:
                around_depth = depth
            p, state, fresh = p + 1, (VALUE if c == 91 else KEY), True
        else:
            after = text_end(buffer, p + 1, end) if c == 34 else scalar(buffer, p, end)
            if after < 0 or depth == 0:
                break
            if is_record:
                kind = TEXT if c == 34 and not twice else OTHER
                found_start, found_end = p + 1, after - 1
            p, state, fresh = after, AFTER, False
        coming = FOREIGN
    return -1, 0, 0, NOTHING


@inner
def held(start: int, end: int, found: tuple[int, int, int, int]) -> tuple[int, int, int]:
    """What :func:`walk` has found of [start, end): (start, length, opened); a length below 0 is -1 less the length of a
    string still to be unescaped."""
    if found[3] == TEXT:
        return found[1], found[1] - found[2] - 1, 1
    if found[3] == OBJECT:
        return found[1], found[2] - found[1], 1
    return start, end - start, 0


@called
def single(buffer: U1, start: int, end: int, keys: U1, dot: int) -> tuple[int, int, int]:
    """The record that a text without line feeds is, or holds under the wanted key: as :func:`held`, opened -1 where it
    begins like an object and is not one whole object."""
    p = skip_blanks(buffer, start, end)
    if p >= end or buffer[p] != 123:
        return start, end - start, 0
    found = walk(buffer, p, end, keys, dot)
    if found[0] < 0 or skip_blanks(buffer, found[0], end) < end:
        return start, end - start, -1
    return held(start, end, found)


@called
def elements(buffer: U1, p: int, end: int, keys: U1, dot: int, row: int, starts: I8, lengths: I8, result: I8) -> int:
    """Puts the elements of the array at ``p`` into the rows from ``row`` on; how many, or NO_ARRAY, NO_ROOM.

    An array of anything but objects and strings is none of records. An empty one is one empty record.
    """
    begin, row_before, opened = p, row, 0
    p = skip_blanks(buffer, p + 1, end)
    if p < end and buffer[p] == 93:
        if skip_blanks(buffer, p + 1, end) < end:
            return NO_ARRAY
        starts[row], lengths[row] = begin, 0
        return 1
    while p < end:
        if row >= len(starts):
            return NO_ROOM
        if buffer[p] == 123:
            found = walk(buffer, p, end, keys, dot)
            after = found[0]
            starts[row], lengths[row], one = held(p, after, found)
            opened += one
        elif buffer[p] == 34:
            after = text_end(buffer, p + 1, end)
            starts[row], lengths[row] = p + 1, p + 1 - after
        else:
            return NO_ARRAY
        if after < 0:
            return NO_ARRAY
        row += 1
        p = skip_blanks(buffer, after, end)
        if p >= end:
            return NO_ARRAY
        if buffer[p] == 93:
            if skip_blanks(buffer, p + 1, end) < end:
                return NO_ARRAY
            result[OPENED] += opened
            return row - row_before
        if buffer[p] != 44:
            return NO_ARRAY
        p = skip_blanks(buffer, p + 1, end)
    return NO_ARRAY


@called
def is_record_array(buffer: U1, start: int, size: int, names: U1) -> bool:
    """Whether a key is one of the names, which come one after another, each with its length in front."""
    p = 0
    while p < len(names):
        length = np.int64(names[p])
        if same(buffer, start, size, names, p + 1, p + 1 + length):
            return True
        p += 1 + length
    return False


@called
def nested(buffer: U1, p: int, end: int, names: U1, row: int, starts: I8, lengths: I8) -> int:
    """Puts the objects of the arrays under one of the names, at whatever depth, into the rows from ``row`` on.

    How many, or NO_ARRAY, NO_ROOM. Only brackets and strings are looked at: what a record is the scanner sees. An
    object without a record in its arrays is one empty record.
    """
    begin, row_before = p, row
    depth, inside = 0, -1  # inside: depth of the array whose objects are records
    key_start, key_size, record = np.int64(0), np.int64(-1), np.int64(-1)
    seen = False
    while p < end:
        c = buffer[p]
        named = key_size
        if c == 34:
            after = text_end(buffer, p + 1, end)
            if after < 0:
                return NO_ARRAY
            key_start, key_size, p = p + 1, after - p - 2, after
            continue
        if c == 123 or c == 91:
            depth += 1
            key_size = -1
            if c == 123 and record < 0 and depth == inside + 1:
                record = p
            if c == 91 and inside < 0 and named > 0 and is_record_array(buffer, key_start, named, names):
                inside, seen = depth, True
        elif c == 125 or c == 93:
            if c == 125 and record >= 0 and depth == inside + 1:
                if row >= len(starts):
                    return NO_ROOM
                starts[row], lengths[row], record = record, p + 1 - record, np.int64(-1)
                row += 1
            if c == 93 and depth == inside:
                inside = -1
            depth -= 1
            if depth <= 0:
                break
        elif c != 58 and c > 32:
            key_size = -1
        p += 1
    if depth != 0 or not seen or skip_blanks(buffer, p + 1, end) < end:
        return NO_ARRAY
    if row == row_before:
        starts[row], lengths[row] = begin, 0
        return 1
    return row - row_before


@inner
def line_feed(buffer: U1, p: int, end: int) -> int:
    """The first line feed in [p, end), else ``end``."""
    p = until(buffer, p, end, LINE_FEEDS, LINE_FEEDS)
    while p < end and buffer[p] == 0:
        p = until(buffer, p + 1, end, LINE_FEEDS, LINE_FEEDS)
    return p


@inner
def trimmed(buffer: U1, start: int, end: int) -> int:
    """The end without line feeds and carriage returns before it."""
    while end > start and (buffer[end - 1] == 10 or buffer[end - 1] == 13):
        end -= 1
    return end


@called
def lines(buffer: U1, start: int, end: int, keys: U1, dot: int, row: int, starts: I8, lengths: I8, result: I8) -> int:
    """Puts the records of a text that is no array into the rows from ``row`` on; how many, or NO_ROOM.

    Each line is one, but a text that is one JSON object as a whole is one record, whatever its line feeds.
    """
    feed = line_feed(buffer, start, end)
    if len(keys) > 0 or feed < end:
        starts[row], lengths[row], opened = single(buffer, start, end, keys, dot)
        p = skip_blanks(buffer, start, end)
        if feed == end or (opened >= 0 and p < end and buffer[p] == 123):
            result[OPENED] += max(opened, 0)
            return 1
    else:
        starts[row], lengths[row] = start, end - start
        return 1
    first, count = row, 0
    while True:
        if row >= len(starts):
            return NO_ROOM
        if len(keys) > 0:
            starts[row], lengths[row], opened = single(buffer, start, trimmed(buffer, start, feed), keys, dot)
            count += max(opened, 0)
        else:
            starts[row], lengths[row] = start, trimmed(buffer, start, feed) - start
        row += 1
        if feed >= end:
            result[OPENED] += count
            return row - first
        start = feed + 1
        feed = line_feed(buffer, start, end)


def open_messages(
    buffer: U1,
    starts: I8,
    lengths: I8,
    keys: U1,
    dot: int,
    arrays: int,
    first: int,
    record_starts: I8,
    record_lengths: I8,
    message: I8,
    result: I8,
) -> int:
    """Finds the records of the messages from ``first`` on; strings that hold one are unescaped in place.

    Args:
        buffer, starts, lengths: the chunk.
        keys: the key that holds the record, empty for none.
        dot: place of its first dot, 0 for none.
        arrays: 1 where an array is several records; NESTED where those are that `keys` names, each with its length.
        record_starts, record_lengths: out, where each record lies.
        message: out, int64 (rows,), index of the message it comes from.
        result: out, int64 (2,): the message to go on with, len(starts) where all are done; messages or elements of
            them that the key was found in, added up.

    Returns:
        How many records were written: fewer than there are where the room ended, never part of a message.
    """
    row = np.int64(0)
    i = np.int64(first)
    while i < len(starts) and row < len(record_starts):
        start = starts[i]
        end = trimmed(buffer, start, start + lengths[i])
        count = np.int64(NO_ARRAY)
        p = skip_blanks(buffer, start, end)
        if arrays == NESTED and p < end and buffer[p] == 123:
            count = nested(buffer, p, end, keys, row, record_starts, record_lengths)
        if arrays == 1 and p < end and buffer[p] == 91:
            count = elements(buffer, p, end, keys, dot, row, record_starts, record_lengths, result)
        if count == NO_ARRAY:
            count = lines(buffer, start, end, keys, dot, row, record_starts, record_lengths, result)
        if count == NO_ROOM:
            break
        for k in range(row, row + count):
            message[k] = i
            if record_lengths[k] < 0:
                begin = record_starts[k]
                stop, _ = string(buffer, begin, begin - record_lengths[k])
                record_lengths[k] = trimmed(buffer, begin, stop) - begin
        row += count
        i += 1
    result[NEXT_MESSAGE] = i
    return row
