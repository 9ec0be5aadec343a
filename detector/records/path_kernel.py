"""Machine code: the path of one request as tokens, and the ids in it. The codes are those of `shape`.

Work (int64, 16 rows of 6): rows 0-7 the path's segments, 8-11 the query's ids; columns start, end, class, number, and
of a query key its start and end. Row 15 is the list of ids in the request, if it has one: its row, start and end, and
the bytes of its key where the key comes again before each id.
"""

from __future__ import annotations

import numpy as np

from .hash_kernel import U0, U1, inner, load8, mix2, plain, short_word, sip

NUMBER, UUID, HEX, EMAIL, PHONE, TOKEN, DATE, SLUG, PAGE, STATIC = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
DIGIT, HEX_LETTER, LETTER, SEPARATOR, DOT, PERCENT, OTHER_BYTE, PATH_END = 1, 2, 4, 8, 16, 32, 64, 128
FILLER = 2048
LETTERS = HEX_LETTER | LETTER
LOOKS = 127  # the bits that say what a segment is made of

DEPTH = 8
COLUMNS = 6
MAX_NUMBER_DIGITS = 18  # the most that fit into int64
MAX_SUFFIX = 16
MIN_HEX = 16
MIN_PARTED = 7  # digits parted by dashes: an order's, a card's, an insured person's number
LIST = 15 * 6  # where the list stands in the work table
MIN_TOKEN = 20
MIN_TOKEN_RUN = 16
ODD_LENGTH = 24
ODD_SEPARATORS = 2

U6 = np.uint64(6)
U32 = np.uint64(32)
U16 = np.uint64(16)
U56 = np.uint64(56)
SUFFIX_BITS = np.uint64((1 << 22) - 1)
TOP36 = np.uint64(((1 << 36) - 1) << 28)
NUMBER_TAG = np.uint64(0x6E756D626572)
FACTOR = np.uint64(0x9E3779B97F4A7C15)
DASHES = (1 << 8) | (1 << 13) | (1 << 18) | (1 << 23)  # RFC 9562
PAGE_WORD = np.uint64(int.from_bytes(b"page", "little"))
WEBMANIF = np.uint64(int.from_bytes(b"webmanif", "little"))
CASE = np.uint64(0x2020202020202020)


@plain
def is_card(value, digits):
    """Whether a number of 15 or 16 digits is that of a payment card: issuers' prefixes, and the Luhn check (ISO 7812).

    It is a secret, so it may name an object by its hash and by nothing else. Of other numbers one in ten passes Luhn.
    """
    top = value // 10**9 if digits == 15 else value // 10**10  # its first six digits
    first = top // 10**4
    issued = digits == 15 and (first == 34 or first == 37)
    if digits == 16:
        issued = (
            40 <= first <= 49 or 51 <= first <= 55 or first == 65 or 2221 <= top // 100 <= 2720 or top // 100 == 6011
        )
    total = 0
    for place in range(digits if issued else 0):
        figure = value % 10
        value = value // 10
        figure = figure * 2 if place & 1 else figure
        total += figure - 9 if figure > 9 else figure
    return issued and total % 10 == 0


@inner
def to_number(buf, start, end):
    """The decimal digits of a span as a number, other bytes passed over; -1 above 18 digits, without any, of a card."""
    value = 0
    digits = 0
    for i in range(start, end):
        figure = np.int64(buf[i]) - 48
        if 0 <= figure <= 9:
            value = value * 10 + figure
            digits += 1
    if digits == 15 or digits == 16:
        return -1 if is_card(value, digits) else value
    return value if 0 < digits <= MAX_NUMBER_DIGITS else -1


@plain
def classify_odd(buf, start, end, flags, bits):
    """The class of a segment or value that is neither a number nor short, 0 = a literal."""
    size = end - start
    dashes = ats = dot = digits = at = run = seen = token = 0
    filler = True
    for i in range(start, end):
        kind = np.int64(bits[buf[i]])
        if buf[i] == 45 and i - start < 60:
            dashes |= 1 << (i - start)
        if buf[i] == 64:
            ats += 1
            at = i
        if kind & DOT:
            dot = i
        digits += kind & DIGIT
        filler = filler and (kind & (DIGIT | FILLER) != 0 or i == start)
        alone = kind & (DIGIT | LETTERS) != 0
        run = run + 1 if alone else 0
        seen = seen | kind if alone else 0
        if run >= MIN_TOKEN_RUN and seen & DIGIT and seen & LETTERS:
            token = 1
    if ats == 1 and at > start and dot > at + 1 and dot < end - 1:
        return EMAIL
    if filler and 7 <= digits <= 15 and (buf[start] == 43 or buf[start] == 32):
        return PHONE
    if flags == DIGIT | SEPARATOR and buf[start] - 49 < 2:
        if (size == 10 and dashes == (1 << 4 | 1 << 7)) or (size == 7 and dashes == 1 << 4):
            return DATE
    if size == 36 and dashes == DASHES and flags & (DIGIT | HEX_LETTER | SEPARATOR) == flags:
        return UUID
    if flags == DIGIT | SEPARATOR and digits >= MIN_PARTED:
        return TOKEN
    if size >= MIN_HEX and flags == DIGIT | HEX_LETTER:
        return HEX
    return TOKEN if size >= MIN_TOKEN and token else 0


@inner
def classify(buf, start, end, flags, bits):
    """The class of a segment or value by its look, 0 = a literal. ``flags``: its byte classes, or-ed."""
    if flags == DIGIT:
        return NUMBER
    if flags & OTHER_BYTE or (flags & DIGIT and end - start >= 7):
        return classify_odd(buf, start, end, flags, bits)
    return 0


@plain
def look(buf, start, end, bits):
    """The or of a span's byte classes."""
    flags = 0
    for i in range(start, end):
        flags |= np.int64(bits[buf[i]])
    return flags & LOOKS


@inner
def value_hash(buf, start, end, number, k0, k1):
    """The object an id names: of its number where it has one, else of its text."""
    if number >= 0:
        return mix2(NUMBER_TAG, np.uint64(number), k0, k1)
    return sip(buf, start, end - start, k0, k1)


@inner
def word_hash(buf, start, size, memo, k0, k1):
    """`sip` with a memory for words under eight bytes, which most segments are."""
    if size > 7:
        return sip(buf, start, size, k0, k1)
    block = short_word(buf, start, size) | (np.uint64(size) << U56)
    slot = np.int64((block * FACTOR) >> np.uint64(55)) << 1
    if memo[slot] != block:
        memo[slot] = block
        memo[slot + 1] = sip(buf, start, size, k0, k1)
    return memo[slot + 1]


@plain
def suffix_start(buf, start, end, bits):
    """The first byte of a suffix (letter first, at most 16 letters and figures), ``end`` where there is none."""
    dot = end - 1
    while dot > start and bits[buf[dot]] & (DIGIT | LETTERS) and end - dot <= MAX_SUFFIX:
        dot -= 1
    if dot <= start or buf[dot] != 46 or dot == end - 1 or bits[buf[dot + 1]] & LETTERS == 0:
        return end
    return dot + 1


@plain
def is_static(buf, start, end, suffixes):
    """Whether a suffix, letters in either case, is that of an asset (`shape.static_table`)."""
    if end - start > 7:
        return end - start == 11 and (load8(buf, start) | CASE) == WEBMANIF
    text = U0
    for i in range(start, end):
        text |= np.uint64(np.int64(buf[i]) | 32) << np.uint64((i - start) << 3)
    slot = np.int64((text * FACTOR) >> U56)
    while suffixes[slot] != U0:
        if suffixes[slot] == text:
            return True
        slot = (slot + 1) & 255
    return False


@plain
def is_odd(buf, start, end, flags, bits):
    """Whether a literal looks like a value rather than a word (`shape`)."""
    size = end - start
    if flags & DIGIT and size <= 3 and buf[start] | 32 == 118:
        return look(buf, start + 1, end, bits) != DIGIT  # v1 to v99 are words
    separators = 0
    for i in range(start, end):
        separators += (np.int64(bits[buf[i]]) >> 3) & 1
    return flags & (DIGIT | PERCENT | OTHER_BYTE) != 0 or separators > ODD_SEPARATORS or size > ODD_LENGTH


@inner
def segment(buf, start, end, flags, bits, memo, k0, k1):
    """One segment as (token, value, class, number)."""
    kind = classify(buf, start, end, flags, bits)
    stem = end
    suffix = U0
    if flags & DOT and kind != EMAIL and kind != PHONE:
        tail = suffix_start(buf, start, end, bits)
        if tail < end:
            stem = tail - 1
            flags = look(buf, start, stem, bits)
            kind = classify(buf, start, stem, flags, bits)
            suffix = (sip(buf, tail, end - tail, k0, k1) & SUFFIX_BITS) | U1
    if kind > 0:
        number = to_number(buf, start, stem) if kind == NUMBER or kind == PHONE else -1
        value = value_hash(buf, start, stem, number, k0, k1)
        token = np.uint64(kind)
        if suffix != U0:
            token |= U32 | (suffix << U6)
        return token, value, kind, number
    value = word_hash(buf, start, stem - start, memo, k0, k1)
    token = (value & TOP36) | U32 | (suffix << U6)
    if (flags & ~LETTERS or stem - start > ODD_LENGTH) and is_odd(buf, start, stem, flags, bits):
        token |= U16
    return token, value, 0, -1


@plain
def list_segment(buf, start, end, bits, memo, k0, k1):
    """The first id of a segment that lists several (``/users/1,2,3``): (its end, token, value, class, number).

    The end is 0 where the segment is no such list: ids of a list are numbers, UUIDs or hex digits.
    """
    stop = start
    while stop < end and buf[stop] != 44 and buf[stop] != 124:
        stop += 1
    if stop == start or stop >= end - 1:
        return 0, U0, U0, 0, -1
    token, value, kind, number = segment(buf, start, stop, look(buf, start, stop, bits), bits, memo, k0, k1)
    if kind == NUMBER or kind == UUID or kind == HEX:
        return stop, token, value, kind, number
    return 0, U0, U0, 0, -1


@inner
def split(buf, start, end, slots, stops, tools, out, base, k0, k1):
    """The path's segments into tokens and values from ``base`` on, and into the work table.

    Returns (segments, where the path ends). Stops at a percent sign where ``stops`` has the bit for it.
    """
    bits, memo, work = tools
    tokens, slug = out
    work[LIST] = -1
    depth = 0
    at = start
    after_page = False
    while at < end and depth < slots:
        first = at
        flags = 0
        while at < end:
            kind = np.int64(bits[buf[at]])
            if kind & stops:
                dots = at - first == 2 and buf[first] == 46 and buf[first + 1] == 46
                if buf[at] != 47 or depth < slots - 1 or dots:
                    break
                kind = OTHER_BYTE  # what lies deeper belongs to the last segment
            flags |= kind
            at += 1
        last = at
        if at < end and buf[at] == 59:
            while at < end and buf[at] != 47 and (buf[at] == 59 or bits[buf[at]] & stops == 0):
                at += 1
        if at < end and buf[at] != 47:
            end = at
        at += 1
        if last == first or (last == first + 1 and buf[first] == 46):
            continue
        if last == first + 2 and buf[first] == 46 and buf[first + 1] == 46:  # RFC 3986, 5.2.4
            if depth > 0:
                depth -= 1
                tokens[base + depth] = U0
                slug[base + depth] = U0
                work[LIST] = work[LIST] if work[LIST] < depth else -1
            after_page = False
            continue
        token, value, kind, number = segment(buf, first, last, flags & LOOKS, bits, memo, k0, k1)
        if flags & OTHER_BYTE and (kind == 0 or kind == TOKEN):
            stop, one, single, sort, count = list_segment(buf, first, last, bits, memo, k0, k1)
            if stop > 0:
                work[LIST] = depth
                work[LIST + 1] = first
                work[LIST + 2] = last
                work[LIST + 3] = 0
                token, value, kind, number, last = one, single, sort, count, stop
        if after_page and kind == NUMBER:
            kind = PAGE
            token = (token & ~np.uint64(15)) | np.uint64(PAGE)
        after_page = kind == 0 and last - first == 4 and short_word(buf, first, 4) == PAGE_WORD
        tokens[base + depth] = token
        slug[base + depth] = value
        row = depth * COLUMNS
        work[row] = first
        work[row + 1] = last
        work[row + 2] = kind
        work[row + 3] = number
        depth += 1
    while at < end and (buf[at] == 47 or buf[at] == 59 or bits[buf[at]] & stops == 0):
        at += 1
    return depth, min(at, end)


@plain
def decode(buf, start, end, out, at, hexes, kept):
    """Percent-decodes a span to ``out`` from ``at`` on, but for bytes with a class in ``kept``; returns the end there.

    Delimiters stay encoded, so that an encoded one never splits.
    """
    bits, delimiters = kept
    i = start
    while i < end:
        byte = np.int64(buf[i])
        if byte == 37 and i + 2 < end:
            high = np.int64(hexes[buf[i + 1]])
            low = np.int64(hexes[buf[i + 2]])
            if high < 16 and low < 16 and np.int64(bits[high * 16 + low]) & delimiters == 0:
                byte = high * 16 + low
                i += 2
        out[at] = byte
        at += 1
        i += 1
    return at
