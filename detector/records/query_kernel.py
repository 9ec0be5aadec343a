"""Machine code: the query keys that name objects or pages, at most four a request, in the order of their bytes."""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, U56, inner, plain, short_word

NUMBER, UUID, PAGE, OPERATION, NO_KEY = 1, 2, 9, 16, 255
SEPARATOR, DOT, PERCENT = 8, 16, 32
FIRST = 8  # the work row of the first key
COLUMNS = 6
MOST = 4  # a record is named by one id, at times by two; four leave half of the path's places
LIST = 15 * 6  # of the work table: `path_kernel`
MAX_PAIRS = 64  # of a query of thousands of pairs the first are read: a line costs what its bytes cost

FACTOR = np.uint64(0x9E3779B97F4A7C15)
U57 = np.uint64(57)
MEMO_KEYS = 1_024  # in the memory, behind the words of paths
SLOT_SHIFT = np.uint64(54)  # 64 - log2(shape.KEY_SLOTS)
ID, BRACKET_ID, UUID_END, GUID_END = 0x6964, 0x5B69645D, 0x75756964, 0x67756964  # "id", "[id]", "uuid", "guid"


@plain
def key_class(buf, start, end, keys, small, bits):
    """The class a query key's value is printed as, by `shape.key_table` or by the key's end; 0 = no id.

    A pair of brackets at its end, as PHP and Rails have it for lists, is no part of it.
    """
    if end - start > 2 and buf[end - 1] == 93 and buf[end - 2] == 91:
        end -= 2
    size = end - start
    low = high = U0
    ending = 0
    for i in range(start, end):
        letter = np.int64(small[buf[i]])
        ending = ((ending << 8) | letter) & 0xFFFFFFFF
        shift = np.uint64(((i - start) & 7) << 3)
        if i - start < 8:
            low |= np.uint64(letter) << shift
        else:
            high ^= np.uint64(letter) << shift
    slot = np.int64(((low ^ high) * FACTOR) >> SLOT_SHIFT) * 3
    while size <= 16 and keys[slot + 2] != U0:
        if keys[slot] == low and keys[slot + 1] == high:
            kind = np.int64(keys[slot + 2])
            return kind if kind != NO_KEY else 0
        slot = slot + 3 if slot + 3 < keys.size else 0
    if size < 4:
        return 0
    if ending == UUID_END or ending == GUID_END:
        return UUID
    third = np.int64(buf[end - 3])
    camel = buf[end - 2] == 73 and 97 <= third <= 122
    if ending & 0xFFFF == ID and (bits[third] & (SEPARATOR | DOT) or camel):
        return NUMBER
    return NUMBER if ending == BRACKET_ID else 0


@plain
def insert(buf, work, count, pair, kind):
    """Puts (key start, key end, value start, value end) into its place among the ``count`` there are."""
    at = (FIRST + count) * COLUMNS
    size = pair[1] - pair[0]
    while at > FIRST * COLUMNS:
        other = work[at - 2]
        length = work[at - 1] - other
        k = 0
        while k < size and k < length and buf[pair[0] + k] == buf[other + k]:
            k += 1
        if k == length or (k < size and buf[pair[0] + k] > buf[other + k]):
            break
        for k in range(COLUMNS):
            work[at + k] = work[at + k - COLUMNS]
        at -= COLUMNS
    work[at] = pair[2]
    work[at + 1] = pair[3]
    work[at + 2] = kind
    work[at + 4] = pair[0]
    work[at + 5] = pair[1]


@inner
def key_kind(buf, start, end, keys, memo, small, bits):
    """`key_class` with a memory for keys under eight bytes, which most are."""
    size = end - start
    if size > 7:
        return key_class(buf, start, end, keys, small, bits)
    block = short_word(buf, start, size) | (np.uint64(size) << U56)
    slot = MEMO_KEYS + (np.int64((block * FACTOR) >> U57) << 1)
    if memo[slot] != block:
        memo[slot] = block
        memo[slot + 1] = np.uint64(key_class(buf, start, end, keys, small, bits))
    return np.int64(memo[slot + 1])


@inner
def same_key(buf, named, start, end):
    """Whether a key is that of the id right before it: ``id=1&id=2``."""
    size = end - start
    if size == 0 or named[1] - named[0] != size:
        return False
    for k in range(size):
        if buf[named[0] + k] != buf[start + k]:
            return False
    return True


@plain
def lists_ids(buf, start, end):
    """Whether a value names several: something, a comma or an upright bar, something."""
    for i in range(start + 1, end - 1):
        if buf[i] == 44 or buf[i] == 124:
            return True
    return False


@plain
def find_ids(buf, start, end, stops, keys, tools, small):
    """The id-like and page-like pairs of a query into the work table: how many, or -1 at a percent sign that stops."""
    bits, memo, work = tools
    count = 0
    at = start
    pairs = 0
    named = (np.int64(0), np.int64(0), np.int64(0))  # the last id: its key, and where its value begins
    while pairs < MAX_PAIRS:
        pairs += 1
        first = at
        while at < end and np.int64(bits[buf[at]]) & stops == 0:
            at += 1
        last = at
        if at == end or buf[at] != 61:
            named = (first, first, first)
        if at < end and buf[at] == 61:
            at += 1
            while at < end and (np.int64(bits[buf[at]]) & stops == 0 or buf[at] == 61):
                at += 1
            if at < end and buf[at] == 37:
                return -1
            if at > last + 1 and same_key(buf, named, first, last):
                pairs -= 1
                if work[LIST] < 0 or (work[LIST] == FIRST and work[LIST + 1] == named[2]):
                    work[LIST] = FIRST
                    work[LIST + 1] = named[2]
                    work[LIST + 2] = at
                    work[LIST + 3] = last - first + 1
            elif at > last + 1 and last > first and count < MOST:
                kind = key_kind(buf, first, last, keys, memo, small, bits)
                named = (first, last if 0 < kind != PAGE and kind != OPERATION else first, last + 1)
                if kind > 0:
                    insert(buf, work, count, (first, last, last + 1, at), kind)
                    count += 1
                if named[1] > first and work[LIST] < 0 and lists_ids(buf, last + 1, at):
                    work[LIST] = FIRST
                    work[LIST + 1] = last + 1
                    work[LIST + 2] = at
                    work[LIST + 3] = 0
            else:
                named = (first, first, first)
        if at >= end or buf[at] == 35:
            break
        if buf[at] == 37:
            return -1
        at += 1
    return count
