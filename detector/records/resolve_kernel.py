"""Machine code: accepted lines as rows of a batch. See `resolve` for the meaning, `shape` for the codes."""

from __future__ import annotations

import numpy as np
from detector.compiled import njit

from .address_kernel import INVALID, V4, V6, effective
from .hash_kernel import mix2, short_word, sip, word
from .name_kernel import put_address, put_hex, put_text, put_v4, put_v6
from .path_kernel import classify, decode, is_static, look, split, to_number, value_hash
from .query_kernel import FIRST, find_ids
from .text_kernel import intern, intern_query

ADDRESS, FORWARDED, ACCOUNT, KEY, SESSION, METHOD, TARGET, QUERY, AGENT = 0, 1, 2, 3, 4, 5, 6, 7, 8
KIND_NONE, KIND_ADDRESS, KIND_ACCOUNT, KIND_KEY, KIND_SESSION, KIND_NETWORK = 0, 1, 2, 3, 4, 5
F_STATIC, F_PAGED, F_NAMED, F_MISS = 1, 2, 4, 8
C_NUMBER, C_PHONE, C_PAGE, C_STATIC, C_QUERY, C_QUERY_PAGE = 1, 5, 9, 10, 12, 13
DEPTH = 8
MAX_TEXT = 65_536
PRIVATE_ROWS, PRIVATE_FORWARDED, INVALID_HOPS = 6, 7, 8

U0 = np.uint64(0)
U1 = np.uint64(1)
U32 = np.uint64(32)
U63 = np.uint64(63)
TOP36 = np.uint64(((1 << 36) - 1) << 28)
TAG_V4 = np.uint64(0x7634)
TAG_V6 = np.uint64(0x7636)
TAG_HOST = np.uint64(0x686F7374)
TAG_INVALID = np.uint64(0x696E76616C6964)
TAG_NETWORK = np.uint64(0x6E6574)


@njit
def field(buf, span, line, code):
    """The (start, end) of a field; equal where it is absent, empty or ``-``."""
    start = np.int64(span[line, code, 0])
    size = np.int64(span[line, code, 1])
    if size <= 0 or (size == 1 and buf[start] == 45):
        return start, start
    return start, start + min(size, MAX_TEXT)


@njit
def host_name(buf, start, end, scratch):
    """A host name into ``scratch`` in small letters, without a port; returns its length."""
    colon = -1
    many = False
    for i in range(start, end):
        byte = np.int64(buf[i])
        if byte == 58:
            many = many or colon >= 0
            colon = i
        scratch[i - start] = byte | 32 if 65 <= byte <= 90 else byte
    if colon <= start or many or end - colon < 2 or end - colon > 6:
        return end - start
    for i in range(colon + 1, end):
        if buf[i] < 48 or buf[i] > 57:
            return end - start
    return colon - start


@njit
def is_private(kind, hi, lo):
    """RFC 1918, loopback, link-local; IPv6 unique local. Not RFC 6598: behind those stand people, not a proxy."""
    if kind == V4:
        ip = np.int64(lo & np.uint64(0xFFFFFFFF))
        return (
            ip >> 24 == 10 or ip >> 24 == 127 or ip >> 20 == (172 << 4) + 1 or ip >> 16 == (192 << 8) + 168
        ) or ip >> 16 == (169 << 8) + 254
    if kind == V6:
        top = np.int64(hi >> np.uint64(48))
        return top >> 9 == 0x7E or top >> 6 == 0x3FA or (hi == U0 and lo == U1)
    return False


@njit
def count_private(hi, lo, private, counts):
    """Counts a private address; of more than 64 the later ones are left out."""
    slot = np.int64(((hi ^ lo) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58))
    for _ in range(64):
        if counts[slot] == 0 or (private[slot, 0] == hi and private[slot, 1] == lo):
            private[slot, 0] = hi
            private[slot, 1] = lo
            counts[slot] += 1
            return
        slot = (slot + 1) & 63


@njit
def network_hash(prefix, k0, k1):
    """32 bits for the prefix of a network; never 0."""
    value = mix2(TAG_NETWORK, prefix, k0, k1) >> U32
    return value if value != U0 else U1


@njit
def find_source(buf, span, line, trusted, scratch, k0, k1):
    """Who sent a line: (kind, hi, lo, keyed hash or 0, network or 0, length of a host name in ``scratch``)."""
    peer = field(buf, span, line, ADDRESS)
    if peer[0] == peer[1]:
        return 0, U0, U0, U0, U0, 0
    kind, hi, lo = effective(buf, peer, field(buf, span, line, FORWARDED), trusted)
    if kind == V4:
        return kind, hi, lo, mix2(TAG_V4, lo, k0, k1), network_hash(lo >> np.uint64(8), k0, k1), 0
    if kind == V6:
        return kind, hi, lo, mix2(TAG_V6, hi, k0, k1), network_hash(hi >> np.uint64(16), k0, k1), 0
    if kind == INVALID:
        return kind, hi, lo, mix2(TAG_INVALID, U0, k0, k1), U0, 0
    size = host_name(buf, peer[0], peer[1], scratch)
    return kind, hi, lo, mix2(TAG_HOST, sip(scratch, 0, size, k0, k1), k0, k1), U0, size


@njit
def put_secret(name, row, kind, value):
    """``key~`` or ``session~`` and 16 hex digits: a key or a session is a secret, its name is not made of it."""
    letters = (107, 101, 121) if kind == KIND_KEY else (115, 105, 100)
    for k in range(3):
        name[row, k] = letters[k]
    name[row, 3] = 126
    put_hex(name, row, 4, value, 16)


@njit
def by_field(buf, start, end, rung, keys):
    """The keyed hash of a client named by a field."""
    return mix2(np.uint64(rung), sip(buf, start, end - start, keys[0], keys[1]), keys[0], keys[1])


@njit
def identify(buf, span, line, row, ladder, trusted, scratch, key, out, tallies):
    """Fills client, source, network, kind and name of a row."""
    client, source, network, kinds, name = out
    counters, private, private_counts = tallies
    kind, hi, lo, address, net, size = find_source(buf, span, line, trusted, scratch, key[0], key[1])
    source[row] = address
    network[row] = np.uint32(net)
    for r in range(ladder.size):
        rung = np.int64(ladder[r])
        if rung == KIND_ADDRESS and kind != 0:
            client[row] = mix2(np.uint64(KIND_ADDRESS), address, key[0], key[1])
            if kind == 1:
                put_text(name, row, 0, scratch, 0, size, client[row], False)
            else:
                put_address(name, row, kind, hi, lo)
            counters[INVALID_HOPS] += kind == INVALID
            if is_private(kind, hi, lo):
                count_private(hi, lo, private, private_counts)
                counters[PRIVATE_ROWS] += 1
                chain = field(buf, span, line, FORWARDED)
                counters[PRIVATE_FORWARDED] += chain[0] < chain[1]
        elif rung == KIND_NETWORK and (kind == V4 or kind == V6):
            client[row] = mix2(np.uint64(KIND_NETWORK), net, key[0], key[1])
            if kind == V4:
                put_v4(name, row, lo, 3)
            else:
                put_v6(name, row, hi, 3)
        elif rung >= KIND_ACCOUNT and rung <= KIND_SESSION:
            start, end = field(buf, span, line, rung)
            if start == end:
                continue
            client[row] = by_field(buf, start, end, rung, key)
            if rung == KIND_ACCOUNT:
                put_text(name, row, 0, buf, start, end, client[row], False)
            else:
                put_secret(name, row, rung, client[row])
        else:
            continue
        kinds[row] = rung
        counters[rung] += 1
        return
    client[row] = mix2(U0, U0, key[0], key[1])
    name[row, 0] = 45
    counters[KIND_NONE] += 1


@njit
def find_method(buf, start, end, methods):
    """The method's place in `shape.METHODS`."""
    size = end - start
    if size == 0:
        return 0
    if size > 8:
        return methods.size - 1
    text = word(buf, np.uint64(start)) if size == 8 else short_word(buf, np.uint64(start), size)
    for m in range(1, methods.size):
        if methods[m] == text:
            return m
    return methods.size - 1


@njit
def path_start(buf, start, end):
    """Where the path begins: behind scheme and authority of the absolute form, else at once."""
    if start < end and buf[start] == 47:
        return start
    for i in range(start, min(end - 2, start + 8)):
        if buf[i] == 58 and buf[i + 1] == 47 and buf[i + 2] == 47:
            at = i + 3
            while at < end and buf[at] != 47 and buf[at] != 63 and buf[at] != 35:
                at += 1
            return at
    return start


@njit
def cut_target(buf, start, end):
    """(end of the path, end of the query, whether a percent sign stands in either); no query: both ends are equal."""
    at = start
    percent = False
    mark = -1
    while at < end:
        byte = buf[at]
        if byte == 63 and mark < 0:
            mark = at
        elif byte == 35:
            break
        elif byte == 37:
            percent = True
        at += 1
    return mark if mark >= 0 else at, at, percent


@njit
def path_object(slug, row, work, depth, k0, k1):
    """Folds the ids of a path: (object, ids, last number, page's object, page's number)."""
    value = U0
    ids = 0
    number = -1
    page = U0
    page_number = -1
    for d in range(depth):
        kind = work[d, 2]
        if kind == 0:
            continue
        if kind == C_PAGE:
            page = slug[row, d]
            page_number = work[d, 3]
            continue
        value = slug[row, d] if ids == 0 else mix2(value, slug[row, d], k0, k1)
        ids += 1
        if work[d, 3] >= 0:
            number = work[d, 3]
    return value, ids, number, page, page_number


@njit
def query_objects(buf, work, count, bits, tokens, row, depth, path, k0, k1):
    """Folds the ids of a query, in any order of theirs, into those of the path, and appends its tokens."""
    value, ids, number, page, page_number = path
    path_ids = ids
    total = U0
    for q in range(count):
        start, end, kind = work[FIRST + q, 0], work[FIRST + q, 1], work[FIRST + q, 2]
        name = sip(buf, work[FIRST + q, 4], work[FIRST + q, 5] - work[FIRST + q, 4], k0, k1) & TOP36
        flags, _ = look(buf, start, end, bits)
        shape = classify(buf, start, end, flags, bits)
        found = to_number(buf, start, end) if shape == C_NUMBER or shape == C_PHONE else -1
        single = value_hash(buf, start, end, found, k0, k1)
        if kind == C_PAGE:
            tokens[row, depth + q] = name | U32 | np.uint64(C_QUERY_PAGE)
            page = single if page == U0 else mix2(page, single, k0, k1)
            page_number = found
            continue
        tokens[row, depth + q] = name | U32 | np.uint64(C_QUERY)
        total += mix2(name, single, k0, k1)
        if found >= 0:
            number = found
        if ids == 0:
            value = single
        ids += 1
    if ids > 1 and ids > path_ids:
        value = mix2(value if path_ids > 0 else U0, total, k0, k1)
    return value, ids, number, page, page_number


@njit
def put_object(row, found, out, k0, k1):
    """Fills object, number and flags of a row from its folded ids."""
    objects, numbers, flags = out
    value, ids, number, page, page_number = found
    if ids == 0 and page != U0:
        flags[row] |= F_PAGED
        value = page
        number = page_number
    elif ids > 0:
        if page != U0:
            value = mix2(value, page, k0, k1)
        if number < 0:
            flags[row] |= F_NAMED
    objects[row] = value
    numbers[row] = number


@njit
def read_target(buf, span, line, row, answered, tools, tables, out, key):
    """Fills tokens, values, object, number and flags of a row."""
    bits, keys, suffixes, scratch, work = tools
    tokens, slug, objects, numbers, flags = out
    k0, k1 = key[0], key[1]
    start, end = field(buf, span, line, TARGET)
    start = path_start(buf, start, end)
    stop, end, percent = cut_target(buf, start, end)
    query, query_end = min(stop + 1, end), end
    if stop == end:
        query, query_end = field(buf, span, line, QUERY)
        if query < query_end and buf[query] == 63:
            query += 1
        for i in range(query, query_end):
            percent = percent or buf[i] == 37
    text = buf
    if percent:
        stop = decode(buf, start, stop, scratch, 0, True)
        query_end = decode(buf, query, query_end, scratch, stop, False)
        start, query = 0, stop
        text = scratch
    count = find_ids(text, query, query_end, keys, work) if query < query_end else 0
    depth, tail = split(text, start, stop, DEPTH - count, bits, tokens, slug, row, work, k0, k1)
    if depth > 0 and tail < work[depth - 1, 1] and is_static(text, tail, work[depth - 1, 1], suffixes):
        for d in range(depth):
            tokens[row, d] = U0
            slug[row, d] = U0
        tokens[row, 0] = np.uint64(C_STATIC)
        numbers[row] = -1
        flags[row] |= F_STATIC
        return
    found = path_object(slug, row, work, depth, k0, k1)
    if count > 0:
        found = query_objects(text, work, count, bits, tokens, row, depth, found, k0, k1)
    put_object(row, found, (objects, numbers, flags), k0, k1)
    if answered or count > 0:
        chain = intern(tables, text, tokens, row, depth, work, answered)
        for q in range(count):
            pair = (work[FIRST + q, 4], work[FIRST + q, 5])
            intern_query(tables, text, chain, tokens[row, depth + q], pair, work[FIRST + q, 2])


def resolve(
    buf, span, rows, status, key, ladder, trusted,
    bits, keys, suffixes, methods, scratch, work,
    text_keys, texts, text_forms, parents, parent_counts, sizes,
    counters, private, private_counts,
    client, source, network, agent, kinds, name, tokens, slug, method, objects, numbers, flags,
):  # fmt: skip
    """Fills the columns of the lines named by ``rows``; the columns come zeroed. Returns the number of rows."""
    tools = (bits, keys, suffixes, scratch, work)
    tables = (text_keys, texts, text_forms, parents, parent_counts, sizes)
    who = (client, source, network, kinds, name)
    what = (tokens, slug, objects, numbers, flags)
    tallies = (counters, private, private_counts)
    for row in range(rows.size):
        line = rows[row]
        code = np.int64(status[row])
        missed = 400 <= code < 500 and code != 401 and code != 403 and code != 429
        if missed:
            flags[row] = F_MISS
        identify(buf, span, line, row, ladder, trusted, scratch, key, who, tallies)
        start, end = field(buf, span, line, AGENT)
        if start < end:
            agent[row] = sip(buf, start, end - start, key[0], key[1])
        start, end = field(buf, span, line, METHOD)
        method[row] = find_method(buf, start, end, methods)
        read_target(buf, span, line, row, not missed and code < 500, tools, tables, what, key)
    return rows.size
