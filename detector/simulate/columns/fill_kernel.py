"""Machine code: rows of the simulator into the columns of a batch, as the resolver makes them from the same lines.

Hashes, names and objects are computed by the helpers of `records`; what depends on the form alone (tokens, method,
flags) was found by resolving one line of each form. Tables of several columns come as one long array.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.records.address_kernel import MAPPED
from detector.records.hash_kernel import U0, mix2, sip
from detector.records.name_kernel import WIDTH, put_hex, put_v4, put_v6, put_word
from detector.records.path_kernel import NUMBER_TAG
from detector.records.who_kernel import KEY_TEXT, TAG_V4, TAG_V6, network_hash

U = np.uint64
KEYS = 1 << 40  # rows.KEYS
ACCOUNT_KIND, KEY_KIND, ADDRESS_KIND = 2, 3, 1
F_MISS, F_DECLARED = 8, 16
NONE, NUMBER, LISTED, PAGE, EMAIL, TAG = 0, 1, 2, 3, 4, 5  # what a form's object is: columns.fill.READS
SLASH_64 = U(int.from_bytes(b"::/64", "little"))
N0, N4, N16 = np.int64(0), np.int64(4), np.int64(16)
LETTERS = 0  # place of the alphabet in `texts`
USER_TEXT, APP_TEXT = 36, 40  # "user", "app" in `texts`
DOMAIN, DOMAIN_SIZE = 43, 13  # "@mail.example"


@njit
def put_number(out, at, value):
    """Decimal digits; returns the place after them."""
    size = 1
    rest = value // 10
    while rest > 0:
        size += 1
        rest //= 10
    for k in range(size):
        out[at + size - 1 - k] = 48 + value % 10
        value //= 10
    return at + size


@njit
def put_tag(out, at, number):
    """A service tag: a letter and six of 36 letters and figures, spread so that neighbours look unlike."""
    value = (U(number) * U(0x9E3779B97F4A7C15)) >> U(20)
    out[at] = 65 + np.int64(value % U(26))
    value //= U(26)
    for k in range(1, 7):
        figure = np.int64(value % U(36))
        out[at + k] = 48 + figure if figure < 10 else 55 + figure
        value //= U(36)
    return at + 7


@njit
def object_of(row, kind, texts, scratch, k0, k1):
    """(object, number) of a row as the resolver folds them."""
    if kind == NONE or row.number < 0:
        return U0, np.int64(-1)
    if kind == EMAIL or kind == TAG:
        if kind == TAG:
            end = put_tag(scratch, N0, row.number)
        else:
            scratch[0] = 117  # "u"
            end = put_number(scratch, np.int64(1), row.number)
            for k in range(DOMAIN_SIZE):
                scratch[end + k] = texts[DOMAIN + k]
            end += DOMAIN_SIZE
        return sip(scratch, N0, end, k0, k1), np.int64(-1)
    value = mix2(NUMBER_TAG, U(row.number), k0, k1)
    if kind == LISTED:
        value = mix2(value, mix2(NUMBER_TAG, U(row.page), k0, k1), k0, k1)
    return value, row.number


@njit
def name_of(row, name, at, texts, named, k0, k1, scratch):
    """Writes the printable name and returns (kind, client) of somebody with an account or a key."""
    who = row.who
    if who < 0:
        for k in range(WIDTH):
            name[at + k] = named[-who - 1, k]
        end = N0
        while named[-who - 1, end] != 0:
            end += 1
        for k in range(end):
            scratch[k] = named[-who - 1, k]
        return ACCOUNT_KIND, mix2(U(ACCOUNT_KIND), sip(scratch, N0, end, k0, k1), k0, k1)
    if who < KEYS:
        for k in range(4):
            scratch[k] = texts[USER_TEXT + k]
        end = put_number(scratch, N4, who)
        for k in range(end):
            name[at + k] = scratch[k]
        return ACCOUNT_KIND, mix2(U(ACCOUNT_KIND), sip(scratch, N0, end, k0, k1), k0, k1)
    for k in range(3):
        scratch[k] = texts[APP_TEXT + k]
    end = put_number(scratch, np.int64(3), who - KEYS)
    value = mix2(U(KEY_KIND), sip(scratch, N0, end, k0, k1), k0, k1)
    at = put_word(name, at, KEY_TEXT, N4)
    put_hex(name, at, value, N16)
    return KEY_KIND, value


def fill(
    rows, key, reads, form_flags, form_methods, form_tokens, form_slugs, form_places, agents, texts, named, scratch,
    with_rows, time_us, client, source, network, agent, kind, name, tokens, slug, method, objects, numbers, counts,
    status, bytes_out, requests, flags,
):  # fmt: skip
    """Fills the columns, which come zeroed. Returns the number of rows."""
    k0, k1 = key[0], key[1]
    for i in range(rows.shape[0]):
        row = rows[i]
        form = np.int64(row.form)
        time_us[i] = row.time_us
        if row.address < U(1 << 32):
            address = mix2(TAG_V4, MAPPED | row.address, k0, k1)
            network[i] = np.uint32(network_hash((MAPPED | row.address) >> U(8), key))
        else:
            address = mix2(TAG_V6, row.address, k0, k1)
            network[i] = np.uint32(network_hash(row.address >> U(16), key))
        source[i] = address
        agent[i] = agents[row.agent]
        if row.who == 0:
            kind[i] = ADDRESS_KIND
            client[i] = address
            if row.address < U(1 << 32):
                put_v4(name, i * WIDTH, np.int64(row.address))
            else:
                put_v6(name, i * WIDTH, row.address, N4, SLASH_64)
        else:
            kind[i], client[i] = name_of(row, name, i * WIDTH, texts, named, k0, k1, scratch)
        base = i * 8
        for d in range(8):
            tokens[base + d] = form_tokens[form, d]
            slug[base + d] = form_slugs[form, d]
        method[i] = form_methods[form]
        objects[i], numbers[i] = object_of(row, reads[form], texts, scratch, k0, k1)
        if form_places[form] >= 0:
            slug[base + form_places[form]] = mix2(NUMBER_TAG, U(row.number), k0, k1)
        code = np.int64(row.status)
        missed = 400 <= code < 500 and code != 401 and code != 403 and code != 429
        flags[i] = form_flags[form] | (F_MISS if missed else 0) | (row.flags & F_DECLARED)
        counts[i] = row.rows if with_rows and row.batch == 1 else 1
        status[i] = row.status
        bytes_out[i] = row.size
        requests[i] = row.requests
    return rows.shape[0]
