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
    is_static,
    look,
    split,
    suffix_start,
    to_number,
    value_hash,
    word_hash,
)
from .query_kernel import FIRST, find_ids
from .text_kernel import intern, intern_query, is_known

# formats.fields.FIELDS by place
METHOD = np.int64(5)
TARGET = np.int64(6)
QUERY = np.int64(7)
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
    """Where the path begins that has no slash in front: behind scheme and authority of the absolute form, or at once."""
    for i in range(start, min(end - 2, start + 8)):
        if buf[i] == 58 and buf[i + 1] == 47 and buf[i + 2] == 47:
            at = i + 3
            while at < end and buf[at] != 47 and buf[at] != 63 and buf[at] != 35:
                at += 1
            return at
    return start


@plain
def read_encoded(buf, target, query, keys, tools, glyphs, scratch, out, base, key):
    """`split` and `find_ids` of a request with percent signs, decoded into ``scratch``: (segments, ids)."""
    bits = tools[0]
    for d in range(base, base + DEPTH):
        out[0][d] = U0
        out[1][d] = U0
    hexes = glyphs[2]
    end = target[0]
    while end < target[1] and buf[end] != 63 and buf[end] != 35:
        end += 1
    if end < target[1] and buf[end] == 63:
        query = (end + 1, target[1])
    stop = decode(buf, target[0], end, scratch, N0, hexes, (bits, PATH_STOPS))
    last = query[0]
    while last < query[1] and buf[last] != 35:
        last += 1
    last = decode(buf, query[0], last, scratch, stop, hexes, (bits, QUERY_STOPS))
    count = find_ids(scratch, stop, last, QUERY_END, keys, tools, glyphs[1])
    depth, _ = split(scratch, N0, stop, SLOTS - count, PATH_END, tools, out, base, key[0], key[1])
    return depth, count


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
        intern_query(tables, buf, chain, tokens, base + depth + q, (work[row + 4], work[row + 5], work[row + 2]), bits)


@plain
def make_static(tokens, slug, base):
    """Turns the tokens of an asset into the class {static} alone."""
    for d in range(base, base + DEPTH):
        tokens[d] = U0
        slug[d] = U0
    tokens[base] = np.uint64(C_STATIC)


def what(
    buf, span, fields, rows, status, key, bits, small, hexes, keys, suffixes, methods, memo, scratch, work,
    text_keys, texts, text_forms, parents, parent_counts, sizes, tokens, slug, method, objects, numbers, flags,
):  # fmt: skip
    """Fills the columns of what was asked for in the lines named by ``rows``; they come zeroed. Returns their number."""
    tools = (bits, memo, work)
    glyphs = (bits, small, hexes)
    tables = (text_keys, texts, text_forms, parents, parent_counts, sizes)
    out = (tokens, slug)
    for row in range(rows.size):
        line = rows[row] * fields
        base = row * DEPTH
        code = np.int64(status[row])
        missed = 400 <= code < 500 and code != 401 and code != 403 and code != 429
        method[row] = find_method(buf, field(buf, span, line, METHOD), methods)
        start, end = field(buf, span, line, TARGET)
        query = field(buf, span, line, QUERY)
        if start < end and buf[start] != 47:
            start = path_start(buf, start, end)
        depth, stop = split(buf, start, end, SLOTS, PATH_STOPS, tools, out, base, key[0], key[1])
        encoded = stop < end and buf[stop] == 37
        count = 0
        if stop < end and buf[stop] == 63:
            query = (stop + 1, end)
        if query[0] < query[1] and not encoded:
            count = find_ids(buf, query[0], query[1], QUERY_STOPS, keys, tools, small)
            encoded = count < 0
        if encoded or depth + count > DEPTH:
            depth, count = read_encoded(buf, (start, end), query, keys, tools, glyphs, scratch, out, base, key)
            encoded = True
        text = scratch if encoded else buf
        flags[row] = F_MISS if missed else 0
        if depth > 0 and tokens[base + depth - 1] & SUFFIX_MASK:
            last = (depth - 1) * COLUMNS
            if is_static(text, suffix_start(text, work[last], work[last + 1], bits), work[last + 1], suffixes):
                make_static(tokens, slug, base)
                numbers[row] = -1
                flags[row] |= F_STATIC
                continue
        found = path_object(slug, base, work, depth, key)
        if count > 0:
            found = query_objects(text, tools, count, tokens, base + depth, found, key)
        put_object(row, found, (objects, numbers, flags), key)
        known = True
        for d in range(depth + count):
            known = known and is_known(tables, tokens[base + d])
        if not known and (count > 0 or (not missed and code < 500)):
            keep_texts(text, tables, tools, tokens, base, (depth, count), not missed and code < 500)
    return rows.size
