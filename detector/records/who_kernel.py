"""Machine code: who asks. See `resolve` for the meaning.

Tables of several columns come as one long array: a row of ``span`` has ``fields`` numbers, one of ``name`` 48 bytes.
"""

from __future__ import annotations

import numpy as np

from .address_kernel import HOST, INVALID, MAPPED, V4, V6, dotted, effective, which_network
from .hash_kernel import U0, U1, field, inner, mix2, permute, plain, sip
from .looks_kernel import look
from .name_kernel import WIDTH, copy_v4, put_address, put_hex, put_network, put_text, put_word

# formats.fields.FIELDS by place; the kinds of batch.KINDS from 2 to 4 are the fields of the same number, those from
# 6 on the fields from CERTIFICATE on
ADDRESS = np.int64(0)
FORWARDED = np.int64(1)
AGENT = np.int64(8)
CERTIFICATE = np.int64(15)
KIND_ADDRESS, KIND_ACCOUNT, KIND_KEY, KIND_SESSION, KIND_NETWORK, KIND_CERTIFICATE = 1, 2, 3, 4, 5, 6
PRIVATE_ROWS, PRIVATE_FORWARDED, INVALID_HOPS = 12, 13, 14

N0 = np.int64(0)
N4 = np.int64(4)
N16 = np.int64(16)
IN_NAME = np.int64(512)

U32 = np.uint64(32)
TAG_V4 = np.uint64(0x7634)
TAG_V6 = np.uint64(0x7636)
TAG_HOST = np.uint64(0x686F7374)
TAG_INVALID = np.uint64(0x696E76616C6964)
TAG_NETWORK = np.uint64(0x6E6574)
ACCOUNT_TEXT = np.uint64(int.from_bytes(b"acc~", "little"))
BEARER = np.uint64(int.from_bytes(b"bearer", "little"))
BASIC = np.uint64(int.from_bytes(b"basic", "little"))
JWT = np.uint64(int.from_bytes(b"eyj", "little"))
MIN_JWT = 20  # `path_kernel.MIN_TOKEN`
KEY_TEXT = np.uint64(int.from_bytes(b"key~", "little"))
SESSION_TEXT = np.uint64(int.from_bytes(b"sid~", "little"))
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@plain
def host_name(buf, span, small, scratch):
    """A host name into ``scratch`` in small letters, without a port; returns its length."""
    start, end = span
    digits = end
    while digits > start and 48 <= buf[digits - 1] <= 57 and end - digits < 5:
        digits -= 1
    stop = end
    if digits < end and digits - 1 > start and buf[digits - 1] == 58:
        stop = digits - 1
    for i in range(start, stop):
        if buf[i] == 58:  # no host and port, then
            stop = end
    end = stop
    for i in range(start, end):
        scratch[i - start] = small[buf[i]]
    return end - start


@plain
def is_private(kind, hi, lo):
    """RFC 1918, loopback, link-local; IPv6 unique local. Not RFC 6598: behind those stand people, not a proxy."""
    if kind == V4:
        ip = np.int64(lo & np.uint64(0xFFFFFFFF))
        top = ip >> 24
        half = ip >> 16
        return top == 10 or top == 127 or ip >> 20 == 0xAC1 or half == 0xC0A8 or half == 0xA9FE
    return kind == V6 and (hi >> np.uint64(57) == 0x7E or hi >> np.uint64(54) == 0x3FA or (hi == U0 and lo == U1))


@plain
def count_private(hi, lo, tallies, forwarded):
    """Counts a private address; of more than 64 the later ones are left out."""
    counters, private, counts = tallies
    counters[PRIVATE_ROWS] += 1
    counters[PRIVATE_FORWARDED] += forwarded
    slot = np.int64(((hi ^ lo) * FACTOR) >> np.uint64(58))
    for _ in range(64):
        if counts[slot] == 0 or (private[2 * slot] == hi and private[2 * slot + 1] == lo):
            private[2 * slot] = hi
            private[2 * slot + 1] = lo
            counts[slot] += 1
            return
        slot = (slot + 1) & 63


@inner
def network_hash(prefix, key):
    """32 bits for the prefix of a network; never 0."""
    value = permute(permute(prefix ^ TAG_NETWORK ^ key[1]) ^ key[0]) >> U32
    return value if value != U0 else U1


@plain
def put_name(name, at, kind, who, scratch, bits):
    """The printable name of an address: (hi, lo, hash, length of a host name)."""
    if kind == HOST:
        put_text(name, at, scratch, (N0, who[3]), who[2], bits, IN_NAME)
    else:
        put_address(name, at, kind, who[0], who[1])


@plain
def is_credential(buf, span):
    """Whether what stands where an account should is a whole header or token: ``Bearer …``, ``Basic …``, a JWT."""
    size = span[1] - span[0]
    word = U0
    for i in range(min(size, 7)):
        word |= np.uint64(np.int64(buf[span[0] + i]) | 32) << np.uint64(8 * i)
    space = np.uint64(32)
    if size > 7 and word == BEARER | space << np.uint64(48):
        return True
    if size > 6 and word & np.uint64((1 << 48) - 1) == BASIC | space << np.uint64(40):
        return True
    return size >= MIN_JWT and word & np.uint64((1 << 24) - 1) == JWT


@plain
def put_field(name, at, buf, span, value, rung, bits):
    """The printable name of an account, certificate or fingerprint; of a key, session or token, secrets, its hash."""
    if rung == KIND_KEY or rung == KIND_SESSION or is_credential(buf, span):
        word = KEY_TEXT if rung == KIND_KEY else SESSION_TEXT if rung == KIND_SESSION else ACCOUNT_TEXT
        at = put_word(name, at, word, N4)
        put_hex(name, at, value, N16)
    else:
        put_text(name, at, buf, span, value, bits, IN_NAME)


@inner
def source_hash(buf, peer, address, small, scratch, key):
    """The keyed hash of (kind, hi, lo), its network's, and the length of a host name in ``scratch``."""
    kind, hi, lo = address
    tag = TAG_V4
    part = lo
    network = U0
    size = 0
    if kind == V4:
        network = network_hash(lo >> np.uint64(8), key)
    elif kind == V6:
        tag = TAG_V6
        part = hi
        network = network_hash(hi >> np.uint64(16), key)
    elif kind == INVALID:
        tag = TAG_INVALID
    else:
        tag = TAG_HOST
        size = host_name(buf, peer, small, scratch)
        part = sip(scratch, N0, size, key[0], key[1])
    return mix2(tag, part, key[0], key[1]), network, size


def who(
    buf, span, fields, rows, key, ladder, trusted, bits, small, hexes, scratch, counters, private, private_counts,
    client, source, network, agent, kinds, name, partners, declared, words_of,
    agent_keys, agent_texts, network_keys, network_texts, look_sizes,
):  # fmt: skip
    """Fills the columns of who asked for the lines named by ``rows``; ``name`` comes zeroed. Returns their number.

    ``words_of``, where it has rows, takes the addresses themselves: two words each, zeros for what is none.
    """
    for row in range(rows.size):
        line = rows[row] * fields
        peer = field(buf, span, line, ADDRESS)
        chain = field(buf, span, line, FORWARDED)
        kind, hi, lo, address, net, size = 0, U0, U0, U0, U0, 0
        verbatim = False
        if peer[0] < peer[1]:
            ip = dotted(buf, peer[0], peer[1]) if trusted.shape[0] == 0 else -1
            verbatim = ip >= 0
            if verbatim:
                kind, lo = V4, MAPPED | np.uint64(ip)
            else:
                kind, hi, lo = effective(buf, peer, chain, trusted, (bits, small, hexes))
            address, net, size = source_hash(buf, peer, (kind, hi, lo), small, scratch, key)
            if words_of.shape[0] > 0 and (kind == V4 or kind == V6):
                words_of[row, 0] = hi
                words_of[row, 1] = lo
            if partners.shape[0] > 0:
                declared[row] = which_network(kind, hi, lo, partners)
        found = 0
        value = U0
        for r in range(ladder.size):
            rung = np.int64(ladder[r])
            if rung == KIND_ADDRESS and kind != 0:
                found = rung
                value = address
                if verbatim:
                    copy_v4(name, row * WIDTH, buf, peer[0], peer[1])
                else:
                    put_name(name, row * WIDTH, kind, (hi, lo, address, size), scratch, bits)
                counters[INVALID_HOPS] += kind == INVALID
                if is_private(kind, hi, lo):
                    count_private(hi, lo, (counters, private, private_counts), np.int64(chain[0] < chain[1]))
            elif rung == KIND_NETWORK and net != U0:
                found = rung
                value = mix2(TAG_NETWORK, net, key[0], key[1])
                put_network(name, row * WIDTH, kind, hi, lo)
            elif rung != KIND_ADDRESS and rung != KIND_NETWORK:
                words = field(
                    buf, span, line, rung if rung < KIND_CERTIFICATE else rung - KIND_CERTIFICATE + CERTIFICATE
                )
                if words[0] < words[1]:
                    found = rung
                    value = sip(buf, words[0], words[1] - words[0], key[0], key[1])
                    value = mix2(np.uint64(rung), value, key[0], key[1])
                    put_field(name, row * WIDTH, buf, words, value, rung, bits)
            if found:
                break
        if not found:
            value = mix2(U0, U0, key[0], key[1])
            name[row * WIDTH] = 45
        counters[found] += 1
        kinds[row] = found
        client[row] = value
        source[row] = address
        network[row] = np.uint32(net)
        words = field(buf, span, line, AGENT)
        agent[row] = sip(buf, words[0], words[1] - words[0], key[0], key[1]) if words[0] < words[1] else U0
        look(
            (agent_keys, agent_texts, network_keys, network_texts, look_sizes),
            buf, agent[row], words, net, kind, hi, lo,
        )  # fmt: skip
    return rows.size
