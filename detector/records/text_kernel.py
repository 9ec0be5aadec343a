"""Machine code: the texts of literals by their token, so that a route can be named long after its line is gone."""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, U1, inner, plain
from .name_kernel import WIDTH, put_text

SLUG, SUFFIX = 8, 14
QUERY = np.uint64(12)
TEXTS, PARENTS, SUFFIXES, PER_PARENT = 0, 1, 2, 3  # places in `sizes`
MAX_TEXTS = 65_536
MAX_PARENTS = 16_384
MAX_SUFFIXES = 1_024
COLUMNS = 6
IN_TEMPLATE = np.int64(1024)

U15 = np.uint64(15)
U16 = np.uint64(16)
U23 = np.uint64(23)
U32 = np.uint64(32)
U41 = np.uint64(41)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
SUFFIX_MASK = np.uint64(((1 << 22) - 1) << 6)
TEXT_SHIFT = np.uint64(47)  # 64 - log2 of twice MAX_TEXTS
PARENT_SHIFT = np.uint64(49)  # 64 - log2 of twice MAX_PARENTS


@inner
def slot_of(keys, key, shift):
    """Where a key stands in a table of open addressing, or, as -1 - place, where it would."""
    slot = np.int64((key * FACTOR) >> shift)
    while keys[slot] != U0:
        if keys[slot] == key:
            return slot
        slot = (slot + 1) & (keys.size - 1)
    return -1 - slot


@plain
def count_child(tables, chain, look):
    """Whether one more text may be kept below a path's beginning; counts it where so."""
    parents, counts, sizes = tables[3], tables[4], tables[5]
    slot = slot_of(parents, chain, PARENT_SHIFT)
    if slot < 0:
        if sizes[PARENTS] >= MAX_PARENTS:
            return False
        slot = -1 - slot
        parents[slot] = chain
        sizes[PARENTS] += 1
    if counts[2 * slot + look] >= sizes[PER_PARENT] or sizes[TEXTS] >= MAX_TEXTS:
        return False
    counts[2 * slot + look] += 1
    return True


@plain
def store(tables, token, buf, span, form, bits):
    """Keeps a text that is not kept yet."""
    keys, texts, forms, sizes = tables[0], tables[1], tables[2], tables[5]
    slot = -1 - slot_of(keys, token, TEXT_SHIFT)
    put_text(texts, slot * WIDTH, buf, span, token, bits, IN_TEMPLATE)
    forms[slot] = form
    keys[slot] = token
    sizes[TEXTS] += 1


@inner
def is_known(tables, token):
    """Whether nothing is left to keep of a token: a class, or a text that is there; a suffix counts by itself."""
    keys = tables[0]
    kind = token & U15
    known = token < U16 or (kind != U0 and kind < QUERY) or slot_of(keys, token, TEXT_SHIFT) >= 0
    suffix = token & SUFFIX_MASK
    return known and (suffix == U0 or slot_of(keys, suffix | U32 | np.uint64(SUFFIX), TEXT_SHIFT) >= 0)


@plain
def intern(tables, buf, tokens, base, depth, work, bits, answered):
    """Keeps the texts of an answered path's literals; what has no text counts as ``{slug}`` for what is below it.

    Returns the chain of the whole path, the parent of its query keys.
    """
    keys, sizes = tables[0], tables[5]
    chain = U1
    for d in range(depth):
        token = tokens[base + d]
        span = (work[COLUMNS * d], work[COLUMNS * d + 1])
        if answered and token & SUFFIX_MASK and sizes[SUFFIXES] < MAX_SUFFIXES and sizes[TEXTS] < MAX_TEXTS:
            suffix = (token & SUFFIX_MASK) | U32 | np.uint64(SUFFIX)
            if slot_of(keys, suffix, TEXT_SHIFT) < 0:
                dot = span[1] - 1
                while dot > span[0] and buf[dot] != 46:
                    dot -= 1
                sizes[SUFFIXES] += 1
                store(tables, suffix, buf, (dot + 1, span[1]), np.int64(0), bits)
        if token >= U16 and token & U15 == U0 and slot_of(keys, token, TEXT_SHIFT) < 0:
            if answered and count_child(tables, chain, np.int64((token >> np.uint64(4)) & U1)):
                store(tables, token, buf, span, np.int64(0), bits)
            else:
                token = np.uint64(SLUG)
        chain = (chain ^ token) * FACTOR
        chain = (chain << U23) | (chain >> U41)
    return chain | U1


@plain
def intern_query(tables, buf, chain, tokens, place, key, bits):
    """Keeps the text of a query key: (start, end, form)."""
    token = tokens[place]
    if slot_of(tables[0], token, TEXT_SHIFT) < 0 and count_child(tables, chain, np.int64(0)):
        store(tables, token, buf, (key[0], key[1]), key[2], bits)
