"""OTLP's protobuf unrolled: each log record or span of an export request becomes a line of OTLP JSON.

The wire format is that of protobuf.dev/programming-guides/encoding, the field numbers those of opentelemetry-proto
1.x (logs.proto, trace.proto, common.proto). Only what lines of logs are read for is written: moments, ids, attributes
that are text, whole numbers or lists of text, and bodies of log records where they are asked for.
"""

from __future__ import annotations

import numpy as np

from detector.formats.otlp_words import (
    ATTRIBUTES,
    BODY,
    BODY_ALONE,
    BODY_BEGIN,
    BODY_END,
    END,
    INTEGER,
    KEY,
    LOG_BEGIN,
    OBSERVED,
    SPAN,
    SPAN_BEGIN,
    TEXT,
    TRACE,
    VALUE_END,
    WITH_BODY,
)
from detector.formats.value_kernel import MAX_LINE_BYTES
from detector.formats.wire_kernel import BYTES, field
from detector.formats.word_kernel import I8, U1, called, inner

LIMIT = MAX_LINE_BYTES + 1  # of a line written: one longer than that is rejected as too long, by its length alone
DAMAGED, NO_ROOM = -1, -2
NEXT_MESSAGE, OPENED, USED = range(3)  # cells of the result
COMMA, BLANK, ZERO = 44, 32, 48


@called
def word(out: U1, o: int, stop: int, words: U1, places: I8, which: int) -> int:
    """Writes one of the words, as far as there is room before ``stop``; returns where to go on."""
    size = min(places[which + 1] - places[which], stop - o)
    for i in range(size):
        out[o + i] = words[places[which] + i]
    return o + size


@called
def text(out: U1, o: int, stop: int, buffer: U1, start: int, end: int) -> int:
    """Writes bytes as the inside of a JSON string."""
    for p in range(start, end):
        c = buffer[p]
        if stop - o < 6:
            return stop  # the line is longer than any that is read
        if c >= 32 and c != 34 and c != 92:
            out[o] = c
            o += 1
        elif c >= 32:
            out[o], out[o + 1] = 92, c
            o += 2
        else:  # backslash, u, 0, 0, two hexadecimal digits
            out[o], out[o + 1], out[o + 2], out[o + 3], out[o + 4] = 92, 117, ZERO, ZERO, ZERO + (c >> 4)
            out[o + 5] = hexadecimal(c & 15)
            o += 6
    return o


@inner
def hexadecimal(digit: int) -> int:
    """The character of a digit below 16."""
    return digit + (48 if digit < 10 else 87)


@called
def identifier(out: U1, o: int, stop: int, buffer: U1, start: int, end: int) -> int:
    """Writes a trace's or span's id as OTLP JSON does: hexadecimal."""
    for p in range(start, end):
        if stop - o < 2:
            return stop
        c = np.int64(buffer[p])
        out[o], out[o + 1] = hexadecimal(c >> 4), hexadecimal(c & 15)
        o += 2
    return o


@called
def whole(out: U1, o: int, stop: int, value: int) -> int:
    """Writes a whole number."""
    if stop - o < 20:
        return stop
    if value < 0:
        out[o] = 45
        o += 1
    size, rest = 1, value // 10 if value >= 0 else -(value // -10)
    while rest != 0:
        size += 1
        rest = rest // 10 if rest >= 0 else -(rest // -10)
    for i in range(size - 1, -1, -1):
        tenth = value // 10 if value >= 0 else -(value // -10)
        digit = value - tenth * 10
        out[o + i] = ZERO + (digit if digit >= 0 else -digit)
        value = tenth
    return o + size


@inner
def integral(bits: int) -> tuple[int, bool]:
    """The number an IEEE 754 double stands for, where that is whole and below 2^62."""
    exponent = (bits >> 52) & 2047
    fraction = (bits & ((np.int64(1) << 52) - 1)) | (np.int64(1) << 52)
    shift = exponent - 1075
    value = np.int64(0)
    if bits & ~(np.int64(1) << 63) == 0:
        return value, True
    if shift < -52 or shift > 9:
        return value, False
    if shift < 0:
        value = fraction >> -shift
        if value << -shift != fraction:
            return value, False
    else:
        value = fraction << shift
    return (-value if bits < 0 else value), True


@called
def listed(buffer: U1, p: int, end: int, out: U1, o: int, stop: int) -> int:
    """Writes the texts of an ArrayValue, a comma between them, as RFC 9110 (5.3) joins a header's lines; -1 = damaged.

    A list without text writes nothing.
    """
    begun = False
    while p < end:
        tag, start, last, p = field(buffer, p, end)
        if p < 0 or tag == 8:
            return DAMAGED
        if tag != 10:  # values = 1
            continue
        q = start
        while q < last:
            tag, first, behind, q = field(buffer, q, last)
            if q < 0:
                return DAMAGED
            if tag == 10:  # string_value = 1
                if begun and stop - o >= 2:
                    out[o], out[o + 1] = COMMA, BLANK
                    o += 2
                o, begun = text(out, o, stop, buffer, first, behind), True
    return o


@called
def attribute(buffer: U1, p: int, end: int, out: U1, o: int, stop: int, words: U1, places: I8, comma: bool) -> int:
    """Writes a KeyValue; ``o`` where it has no value that is read, -1 = damaged. Of fields that come twice the last
    counts, as protobuf says."""
    key_start, key_end = np.int64(0), np.int64(0)
    value_start, value_end = np.int64(0), np.int64(0)
    while p < end:
        tag, start, last, p = field(buffer, p, end)
        if p < 0:
            return DAMAGED
        if tag == 10:  # key = 1
            key_start, key_end = start, last
        elif tag == 18:  # value = 2
            value_start, value_end = start, last
    kind, first, behind, p = np.int64(0), np.int64(0), np.int64(0), value_start
    while p < value_end:
        kind, first, behind, p = field(buffer, p, value_end)
        if p < 0:
            return DAMAGED
    if kind == 33:  # double_value = 4
        first, is_whole = integral(first)
        kind = np.int64(24) if is_whole else np.int64(0)
    if key_end == key_start or (kind != 10 and kind != 24 and kind != 42):  # string, int or array_value = 1, 3, 5
        return o
    begin = o
    if comma and o < stop:
        out[o] = COMMA
        o += 1
    o = word(out, o, stop, words, places, KEY)
    o = text(out, o, stop, buffer, key_start, key_end)
    o = word(out, o, stop, words, places, INTEGER if kind == 24 else TEXT)
    if kind == 24:
        o = whole(out, o, stop, first)
    elif kind == 10:
        o = text(out, o, stop, buffer, first, behind)
    else:
        before = o
        o = listed(buffer, first, behind, out, o, stop)
        if o == before:
            return begin
    return o if o < 0 else word(out, o, stop, words, places, VALUE_END)


@called
def said(buffer: U1, p: int, end: int) -> tuple[int, int]:
    """Where the text of an AnyValue lies: (first byte, behind its last), (0, -1) where it holds anything else."""
    kind, first, behind = np.int64(0), np.int64(0), np.int64(0)
    while p < end:
        kind, first, behind, p = field(buffer, p, end)
        if p < 0:
            return np.int64(0), np.int64(-1)
    if kind == 10:  # string_value = 1
        return first, behind
    return np.int64(0), np.int64(-1)


@called
def record(buffer: U1, begin: int, end: int, out: U1, o: int, stop: int, words: U1, places: I8, bodies: int) -> int:
    """Writes a LogRecord or Span, whichever its fields say it is; where it ends, -1 = damaged."""
    is_log, is_span = False, False
    spoken, spoken_end = np.int64(0), np.int64(-1)
    moment, observed = np.int64(0), np.int64(0)
    trace, trace_end, span, span_end = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    attributes = np.int64(50)  # number 6 of LogRecord, with its wire type; 9 of Span
    p = begin
    while p < end:
        tag, value, last, p = field(buffer, p, end)
        if p < 0:
            return DAMAGED
        if tag == 9 or tag == 89:  # LogRecord: time_unix_nano = 1, observed_time_unix_nano = 11
            is_log = True
            moment = value if tag == 9 else moment
            observed = value if tag == 89 else observed
        elif tag == 10 and last - value == 16:  # Span: trace_id = 1, span_id = 2, start_time_unix_nano = 7
            is_span, trace, trace_end, attributes = True, value, last, np.int64(74)
        elif tag == 18 and last - value == 8:
            span, span_end = value, last
        elif tag == 57:
            is_span, moment, attributes = True, value, np.int64(74)
    if is_log and is_span:
        return DAMAGED
    if not is_span:  # also where neither is sure: a log record without a moment, which the scanner will reject
        is_log = True
        span, span_end = np.int64(0), np.int64(0)
        body, body_end = np.int64(0), np.int64(0)
        p = begin
        while p < end:
            tag, value, last, p = field(buffer, p, end)
            if tag == 74:  # LogRecord: trace_id = 9, span_id = 10
                trace, trace_end = value, last
            elif tag == 82:
                span, span_end = value, last
            elif tag == 42:  # body = 5
                body, body_end = value, last
        spoken, spoken_end = said(buffer, body, body_end)
        if bodies == BODY_ALONE and spoken_end >= 0:
            o = word(out, o, stop, words, places, BODY_BEGIN)
            o = text(out, o, stop, buffer, spoken, spoken_end)
            return word(out, o, stop, words, places, BODY_END)
    o = word(out, o, stop, words, places, LOG_BEGIN if is_log else SPAN_BEGIN)
    o = whole(out, o, stop, moment) if moment != 0 else o
    if is_log:
        o = word(out, o, stop, words, places, OBSERVED)
        o = whole(out, o, stop, observed) if observed != 0 else o
    o = word(out, o, stop, words, places, TRACE)
    o = identifier(out, o, stop, buffer, trace, trace_end)
    o = word(out, o, stop, words, places, SPAN)
    o = identifier(out, o, stop, buffer, span, span_end)
    o = word(out, o, stop, words, places, ATTRIBUTES)
    p, first = begin, o
    while p < end:
        tag, value, last, p = field(buffer, p, end)
        if tag == attributes:
            o = attribute(buffer, value, last, out, o, stop, words, places, o > first)
            if o < 0:
                return DAMAGED
    if bodies == WITH_BODY and spoken_end >= 0:
        behind = word(out, o, stop, words, places, BODY)
        behind = text(out, behind, stop, buffer, spoken, spoken_end)
        behind = word(out, behind, stop, words, places, BODY_END)
        if behind < stop or o == first:  # what has attributes is read without a body that is too long for a line
            return behind
    return word(out, o, stop, words, places, END)


@called
def request(
    buffer: U1,
    p: int,
    end: int,
    out: U1,
    o: int,
    words: U1,
    places: I8,
    bodies: int,
    row: int,
    record_starts: I8,
    record_lengths: I8,
) -> tuple[int, int]:
    """Writes the records of an Export{Logs,Trace}ServiceRequest: (how many, where to go on writing).

    The number is DAMAGED where the bytes are no such request, NO_ROOM where the lines or rows did not suffice.
    """
    count = np.int64(0)
    while p < end:
        tag, q, resource_end, p = field(buffer, p, end)
        if p < 0 or (tag >> 3 == 1 and tag != 10):  # resource_logs or resource_spans = 1
            return DAMAGED, o
        while tag == 10 and q < resource_end:
            inside, s, scope_end, q = field(buffer, q, resource_end)
            if q < 0 or (inside >> 3 <= 2 and inside & 7 != BYTES):  # resource = 1, scope_logs or scope_spans = 2
                return DAMAGED, o
            while inside == 18 and s < scope_end:
                here, start, last, s = field(buffer, s, scope_end)
                if s < 0 or (here >> 3 <= 2 and here & 7 != BYTES):  # scope = 1, log_records or spans = 2
                    return DAMAGED, o
                if here != 18:
                    continue
                if row + count >= len(record_starts) or len(out) - o < LIMIT + 1:
                    return NO_ROOM, o
                behind = record(buffer, start, last, out, o, o + LIMIT, words, places, bodies)
                if behind < 0:
                    return DAMAGED, o
                record_starts[row + count], record_lengths[row + count] = o, behind - o
                out[behind] = 10
                o = behind + 1
                count += 1
    return count, o


def unroll(
    buffer: U1,
    starts: I8,
    lengths: I8,
    words: U1,
    places: I8,
    bodies: int,
    first: int,
    out: U1,
    record_starts: I8,
    record_lengths: I8,
    message: I8,
    result: I8,
) -> int:
    """Writes the records of the messages from ``first`` on as lines of OTLP JSON, a line feed behind each.

    A message that is no export request, or damaged anywhere, becomes one line of its own first bytes; one without
    records an empty line.

    Args:
        buffer, starts, lengths: the chunk of messages.
        words, places: of ``otlp_words.packed``.
        bodies: WITHOUT_BODY, WITH_BODY or BODY_ALONE: what is written of a log record whose body is text.
        out: out, the lines.
        record_starts, record_lengths: out, where each lies in ``out``.
        message: out, int64 (rows,), index of the message it comes from.
        result: out, int64 (3,): the message to go on with; messages opened, added up; bytes of ``out`` written.

    Returns:
        How many lines were written: fewer than there are where the room ended, never part of a message.
    """
    row, o = np.int64(0), np.int64(0)
    i = np.int64(first)
    while i < len(starts):
        start, end = starts[i], starts[i] + lengths[i]
        count, behind = request(buffer, start, end, out, o, words, places, bodies, row, record_starts, record_lengths)
        if count == NO_ROOM or row >= len(record_starts) or len(out) - o < LIMIT + 1:
            break
        if count <= 0:
            size = min(end - start, np.int64(LIMIT)) if count == DAMAGED else np.int64(0)
            for k in range(size):
                c = buffer[start + k]
                out[o + k] = BLANK if c == 10 or c == 13 else c
            record_starts[row], record_lengths[row] = o, size
            out[o + size] = 10
            behind = o + size + 1
        result[OPENED] += 1 if count >= 0 else 0
        count = max(count, np.int64(1))
        for k in range(row, row + count):
            message[k] = i
        row, o = row + count, behind
        i += 1
    result[NEXT_MESSAGE], result[USED] = i, o
    return row
