"""Machine code: the texts of literals by their token, so that a route can be named long after its line is gone."""

from __future__ import annotations

import numpy as np
from detector.compiled import njit

from .name_kernel import put_text

SLUG, QUERY, SUFFIX = 8, 12, 14
TEXTS, PARENTS, SUFFIXES = 0, 1, 2  # places in `sizes`
MAX_TEXTS = 65_536
MAX_PARENTS = 16_384
MAX_SUFFIXES = 1_024

U0 = np.uint64(0)
U15 = np.uint64(15)
U16 = np.uint64(16)
U23 = np.uint64(23)
U32 = np.uint64(32)
U41 = np.uint64(41)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
SUFFIX_MASK = np.uint64(((1 << 22) - 1) << 6)
TEXT_SHIFT = np.uint64(47)  # 64 - log2 of twice MAX_TEXTS
PARENT_SHIFT = np.uint64(49)  # 64 - log2 of twice MAX_PARENTS


@njit
def slot_of(keys, key, shift):
    """Where a key stands in a table of open addressing, or, as -1 - place, where it would."""
    slot = np.int64((key * FACTOR) >> shift)
    while keys[slot] != U0:
        if keys[slot] == key:
            return slot
        slot = (slot + 1) & (keys.size - 1)
    return -1 - slot


@njit
def count_child(tables, chain, look):
    """Whether one more text may be kept below a path's beginning; counts it where so."""
    parents, counts, sizes = tables[3], tables[4], tables[5]
    if sizes[TEXTS] >= MAX_TEXTS:
        return False
    slot = slot_of(parents, chain, PARENT_SHIFT)
    if slot < 0:
        if sizes[PARENTS] >= MAX_PARENTS:
            return False
        slot = -1 - slot
        parents[slot] = chain
        sizes[PARENTS] += 1
    if counts[slot, look] >= sizes[3]:
        return False
    counts[slot, look] += 1
    return True


@njit
def store(tables, slot, token, buf, start, end, form):
    """Keeps a text in the free place ``slot`` stands for."""
    keys, texts, forms, sizes = tables[0], tables[1], tables[2], tables[5]
    slot = -1 - slot
    put_text(texts, slot, 0, buf, start, end, token, True)
    forms[slot] = form
    keys[slot] = token
    sizes[TEXTS] += 1


@njit
def intern_suffix(tables, token, buf, start, end):
    """Keeps the text of a suffix, at most 1,024 of them."""
    keys, sizes = tables[0], tables[5]
    key = (token & SUFFIX_MASK) | U32 | np.uint64(SUFFIX)
    slot = slot_of(keys, key, TEXT_SHIFT)
    if slot < 0 and sizes[SUFFIXES] < MAX_SUFFIXES and sizes[TEXTS] < MAX_TEXTS:
        sizes[SUFFIXES] += 1
        dot = end - 1
        while dot > start and buf[dot] != 46:
            dot -= 1
        store(tables, slot, key, buf, dot + 1, end, 0)


@njit
def intern(tables, buf, tokens, row, depth, work, answered):
    """Keeps the texts of an answered path's literals; what has no text counts as ``{slug}`` for what is below it.

    Returns the chain of the whole path, the parent of its query keys.
    """
    keys = tables[0]
    chain = np.uint64(1)
    for d in range(depth):
        token = tokens[row, d]
        if token >= U16:
            if answered and token & SUFFIX_MASK:
                intern_suffix(tables, token, buf, work[d, 0], work[d, 1])
            if token & U15 == U0:
                slot = slot_of(keys, token, TEXT_SHIFT)
                if slot < 0:
                    if answered and count_child(tables, chain, np.int64((token >> np.uint64(4)) & np.uint64(1))):
                        store(tables, slot, token, buf, work[d, 0], work[d, 1], 0)
                    else:
                        token = np.uint64(SLUG)
        chain = (chain ^ token) * FACTOR
        chain = (chain << U23) | (chain >> U41)
    return chain if chain != U0 else np.uint64(1)


@njit
def intern_query(tables, buf, chain, token, pair, form):
    """Keeps the text of a query key."""
    slot = slot_of(tables[0], token, TEXT_SHIFT)
    if slot < 0 and count_child(tables, chain, 0):
        store(tables, slot, token, buf, pair[0], pair[1], form)
