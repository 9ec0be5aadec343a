"""Machine code: what is asked for. See `resolve` for the meaning, `shape` for the codes.

Tables of several columns come as one long array: a row of ``span`` has ``fields`` numbers, one of ``tokens`` and
``slug`` eight words.
"""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, field, inner, load8, mix2, plain, short_word
from .path_kernel import (
    COLUMNS,
    DEPTH,
    classify,
    decode,
    is_odd,
    is_static,
    look,
    split,
    suffix_start,
    to_number,
    value_hash,
    word_hash,
)
from .query_kernel import FIRST, LIST, OPERATION, find_ids
from .text_kernel import intern, intern_query, is_known

# formats.fields.FIELDS by place
METHOD = np.int64(5)
TARGET = np.int64(6)
QUERY = np.int64(7)
MAX_PARTS = 1_024  # ids of one request that are read; interfaces take some hundreds (judgement)
PART_BYTES = 65_536  # most bytes of ids hashed anew for the parts of one request
F_STATIC, F_PAGED, F_NAMED, F_MISS = 1, 2, 4, 8
C_NUMBER, C_PHONE, C_PAGE, C_STATIC, C_QUERY, C_QUERY_PAGE = 1, 5, 9, 10, 12, 13

SLOTS = np.int64(DEPTH)
N0 = np.int64(0)
PERCENT = 32
PATH_END = np.int64(128)
PATH_STOPS = np.int64(128 | PERCENT)
QUERY_END = np.int64(256)
QUERY_STOPS = np.int64(256 | PERCENT)

U32 = np.uint64(32)
TOP36 = np.uint64(((1 << 36) - 1) << 28)
SUFFIX_MASK = np.uint64(((1 << 22) - 1) << 6)


@inner
def find_method(buf, words, methods):
    """The method's place in `shape.METHODS`."""
    size = words[1] - words[0]
    if size > 8:
        return methods.size - 1
    text = load8(buf, words[0]) if size == 8 else short_word(buf, words[0], size)
    for m in range(1, methods.size):
        if methods[m] == text:
            return m
    return methods.size - 1 if size > 0 else 0


@plain
def path_start(buf, start, end):
    """Where the path begins that has no slash in front: behind scheme and authority, or at once."""
    for i in range(start, min(end - 2, start + 8)):
        if buf[i] == 58 and buf[i + 1] == 47 and buf[i + 2] == 47:
            at = i + 3
            while at < end and buf[at] != 47 and buf[at] != 63 and buf[at] != 35:
                at += 1
            return at
    return start


@plain
def decode_parts(buf, target, query, scratch, bits, hexes):
    """Path and query, decoded, one behind the other in ``scratch``: (end of the path, end of the query)."""
    end = target[0]
    while end < target[1] and buf[end] != 63 and buf[end] != 35:
        end += 1
    if end < target[1] and buf[end] == 63:
        query = (end + 1, target[1])
    stop = decode(buf, target[0], end, scratch, N0, hexes, (bits, PATH_STOPS))
    last = query[0]
    while last < query[1] and buf[last] != 35:
        last += 1
    return stop, decode(buf, query[0], last, scratch, stop, hexes, (bits, QUERY_STOPS))


@plain
def clear(tokens, slug, base):
    """Makes a row of tokens and values empty again."""
    for d in range(base, base + DEPTH):
        tokens[d] = U0
        slug[d] = U0


@inner
def path_object(slug, base, work, depth, key):
    """Folds the ids of a path: (object, ids, last number, page's object, page's number)."""
    value = page = U0
    ids = 0
    number = page_number = -1
    for d in range(depth):
        kind = work[d * COLUMNS + 2]
        if kind == C_PAGE:
            page = slug[base + d]
            page_number = work[d * COLUMNS + 3]
        elif kind != 0:
            value = slug[base + d] if ids == 0 else mix2(value, slug[base + d], key[0], key[1])
            ids += 1
            number = work[d * COLUMNS + 3] if work[d * COLUMNS + 3] >= 0 else number
    return value, ids, number, page, page_number


@plain
def query_objects(buf, tools, count, tokens, place, path, key):
    """Folds the ids of a query, in any order of theirs, into those of the path, and appends its tokens."""
    bits, memo, work = tools
    value, ids, number, page, page_number = path
    path_ids = ids
    total = U0
    k0, k1 = key[0], key[1]
    for q in range(count):
        row = (FIRST + q) * COLUMNS
        start, end = work[row], work[row + 1]
        if work[row + 2] == OPERATION:
            flags = look(buf, start, end, bits)
            odd = np.uint64(16) if is_odd(buf, start, end, flags, bits) else U0
            tokens[place + q] = (word_hash(buf, start, end - start, memo, k0, k1) & TOP36) | U32 | odd
            continue
        name = word_hash(buf, work[row + 4], work[row + 5] - work[row + 4], memo, k0, k1) & TOP36
        shape = classify(buf, start, end, look(buf, start, end, bits), bits)
        found = to_number(buf, start, end) if shape == C_NUMBER or shape == C_PHONE else -1
        single = value_hash(buf, start, end, found, k0, k1)
        if work[row + 2] == C_PAGE:
            tokens[place + q] = name | U32 | np.uint64(C_QUERY_PAGE)
            page = single if page == U0 else mix2(page, single, k0, k1)
            page_number = found
        else:
            tokens[place + q] = name | U32 | np.uint64(C_QUERY)
            total += mix2(name, single, k0, k1)
            number = found if found >= 0 else number
            value = single if ids == 0 else value
            ids += 1
    if ids > 1 and ids > path_ids:
        value = mix2(value if path_ids > 0 else U0, total, k0, k1)
    return value, ids, number, page, page_number


@inner
def put_object(row, found, out, key):
    """Fills object, number and flags of a row from its folded ids."""
    objects, numbers, flags = out
    value, ids, number, page, page_number = found
    if ids == 0 and page != U0:
        flags[row] |= F_PAGED
        value = page
        number = page_number
    elif ids > 0:
        if page != U0:
            value = mix2(value, page, key[0], key[1])
        if number < 0:
            flags[row] |= F_NAMED
    objects[row] = value
    numbers[row] = number


@plain
def keep_texts(buf, tables, tools, tokens, base, parts, answered):
    """Keeps what texts of a request are not kept yet."""
    bits, _, work = tools
    depth, count = parts
    chain = intern(tables, buf, tokens, base, depth, work, bits, answered)
    for q in range(count):
        row = (FIRST + q) * COLUMNS
        if work[row + 2] != OPERATION:
            intern_query(
                tables, buf, chain, tokens, base + depth + q, (work[row + 4], work[row + 5], work[row + 2]), bits
            )
        elif answered:
            intern_query(tables, buf, chain, tokens, base + depth + q, (work[row], work[row + 1], N0), bits)


@inner
def all_known(tables, tokens, base, places):
    """Whether the texts of all tokens of a row are kept."""
    known = True
    for d in range(base, base + places):
        known = known and is_known(tables, tokens[d])
    return known


@inner
def next_part(buf, at, end):
    """The end of the id that begins at a place in a list."""
    while at < end and buf[at] != 44 and buf[at] != 124 and buf[at] != 38:
        at += 1
    return at


@inner
def list_row(work, count):
    """The row of the work table that holds the list, narrowed by the caller to one id after the other; -1 = none."""
    if work[LIST] < 0 or work[LIST] < FIRST:
        return work[LIST]
    for q in range(count):
        if work[(FIRST + q) * COLUMNS] == work[LIST + 1]:
            return FIRST + q
    return -1


@plain
def put_parts(text, tools, out, places, row, key, more):
    """The further ids of a list: an object and a number each, behind those there are. Returns how many."""
    bits, _, work = tools
    tokens, slug = out
    base, depth, count, at_row = places
    more_row, more_object, more_number, made = more
    begin = at_row * COLUMNS
    other = np.int64(64)
    for r in range(FIRST + count):
        if (r < depth or r >= FIRST) and r != at_row:
            other += work[r * COLUMNS + 1] - work[r * COLUMNS]
    most = min(MAX_PARTS, PART_BYTES // other)
    kind = work[begin + 2]
    parts = 1
    at = work[begin + 1]
    end = work[LIST + 2]
    while at < end - 1 and parts < most and made[0] < more_row.size:
        first = at + 1 + (work[LIST + 3] if text[at] == 38 else 0)
        at = next_part(text, first, end)
        if at <= first:
            continue
        parts += 1
        work[begin] = first
        work[begin + 1] = at
        if at_row < FIRST:
            shape = classify(text, first, at, look(text, first, at, bits), bits)
            number = to_number(text, first, at) if shape == C_NUMBER else -1
            work[begin + 3] = number
            slug[base + at_row] = value_hash(text, first, at, number, key[0], key[1])
        found = path_object(slug, base, work, depth, key)
        if count > 0:
            found = query_objects(text, tools, count, tokens, base + depth, found, key)
        value, _, number, page, _ = found
        if page != U0:
            value = mix2(value, page, key[0], key[1])
        more_row[made[0]] = row
        more_object[made[0]] = value
        more_number[made[0]] = number
        made[0] += 1
    work[begin + 2] = kind
    return parts


def what(
    buf, span, fields, rows, status, key, bits, small, hexes, keys, suffixes, methods, memo, scratch, work,
    text_keys, texts, text_forms, parents, parent_counts, sizes, tokens, slug, method, objects, numbers, flags,
    more_row, more_object, more_number, made,
):  # fmt: skip
    """Fills what was asked for in the lines named by ``rows``; the columns come zeroed. Returns how many there are.

    Of a request for several objects the first is that of its row; the others go to ``more_row`` (the row they belong
    to), ``more_object`` and ``more_number``, ``made[0]`` of them.
    """
    tools = (bits, memo, work)
    tables = (text_keys, texts, text_forms, parents, parent_counts, sizes)
    for row in range(rows.size):
        line = rows[row] * fields
        base = row * DEPTH
        code = np.int64(status[row])
        missed = 400 <= code < 500 and code != 401 and code != 403 and code != 429
        flags[row] = F_MISS if missed else 0
        method[row] = find_method(buf, field(buf, span, line, METHOD), methods)
        target = field(buf, span, line, TARGET)
        if target[0] < target[1] and buf[target[0]] != 47:
            target = (path_start(buf, target[0], target[1]), target[1])
        query = field(buf, span, line, QUERY)
        query = (query[0] + (query[0] < query[1] and buf[query[0]] == 63), query[1])
        path = target
        text, path_stops, query_stops, slots = buf, PATH_STOPS, QUERY_STOPS, SLOTS
        while True:  # again where it must be decoded, and again where path and query together have too many parts
            depth, stop = split(text, path[0], path[1], slots, path_stops, tools, (tokens, slug), base, key[0], key[1])
            raw = path_stops & PERCENT
            encoded = raw and stop < path[1] and text[stop] == 37
            if stop < path[1] and text[stop] == 63:
                query = (stop + 1, path[1])
            count = 0
            if query[0] < query[1] and not encoded:
                count = find_ids(text, query[0], query[1], query_stops, keys, tools, small)
                encoded = count < 0
            if encoded:
                stop, last = decode_parts(buf, target, query, scratch, bits, hexes)
                path, query = (N0, stop), (stop, last)
                text, path_stops, query_stops = scratch, PATH_END, QUERY_END
            elif depth + count > DEPTH:
                slots = SLOTS - count
            else:
                break
            clear(tokens, slug, base)
        if depth > 0 and tokens[base + depth - 1] & SUFFIX_MASK:
            part = (work[(depth - 1) * COLUMNS], work[(depth - 1) * COLUMNS + 1])
            if is_static(text, suffix_start(text, part[0], part[1], bits), part[1], suffixes):
                clear(tokens, slug, base)
                tokens[base] = np.uint64(C_STATIC)
                numbers[row] = -1
                flags[row] |= F_STATIC
                continue
        listed = list_row(work, count)
        if listed >= FIRST:
            work[listed * COLUMNS + 1] = next_part(text, work[listed * COLUMNS], work[LIST + 2])
        found = path_object(slug, base, work, depth, key)
        if count > 0:
            found = query_objects(text, tools, count, tokens, base + depth, found, key)
        put_object(row, found, (objects, numbers, flags), key)
        if listed >= 0:
            whole = (work[listed * COLUMNS], work[listed * COLUMNS + 1], slug[base + min(listed, DEPTH - 1)])
            more = (more_row, more_object, more_number, made)
            put_parts(text, tools, (tokens, slug), (base, depth, count, listed), row, key, more)
            work[listed * COLUMNS] = whole[0]
            work[listed * COLUMNS + 1] = whole[1]
            slug[base + min(listed, DEPTH - 1)] = whole[2]
        answered = not missed and code < 500
        if (answered or count > 0) and not all_known(tables, tokens, base, depth + count):
            keep_texts(text, tables, tools, tokens, base, (depth, count), answered)
    return rows.size
