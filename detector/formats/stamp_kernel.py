"""The times of text layouts: moments that end by themselves, and those that a field holds."""

from __future__ import annotations

import numpy as np

from detector.formats.moment_kernel import (
    AUTO,
    CLF_BYTES,
    calendar_day,
    clf,
    clock_time,
    has_zone,
    iso_again,
    local,
    moment_again,
    us,
)
from detector.formats.value_kernel import OK, TIME
from detector.formats.word_kernel import I8, U1, called, inner, load8

# operations, as in variables.py (a test holds them equal)
TIME_CLF, TIME_ISO, TIME_EPOCH = 2, 3, 4
TIME_LOCAL, TIME_US, DAY, CLOCK, TIME_ANY = range(12, 17)
# cells of scratch: of the line at hand; the moment read last; the stamp it was read from, four words and the moment
TIME_CELL, STATUS_CELL, BYTES_CELL, ROWS_CELL, TORN_CELL, MOMENT_CELL, STAMP = range(7)
# 1 where the line's time has no zone, the same of the moment read last; what adds up to the time
ZONE_CELL, MOMENT_ZONE_CELL, DAY_CELL, CLOCK_CELL = range(11, 15)
LAST_DAY = 15  # the day read last: two words and its moment
LAST_CLOCK = 18  # the time of the day read last: one word and what it is
LAST_ISO = 20  # the second of ISO 8601 read last: three words and its moment
CELLS = 24


@inner
def day_again(buffer: U1, start: int, end: int, numbers: I8) -> int:
    """As `calendar_day`; equal days in a row are read once."""
    if end - start != 10:
        return -1
    a, b = np.int64(load8(buffer, start)), np.int64(load8(buffer, start + 2))
    if a != numbers[LAST_DAY] or b != numbers[LAST_DAY + 1]:
        value = calendar_day(buffer, start, end)
        if value < 0:
            return -1
        numbers[LAST_DAY], numbers[LAST_DAY + 1], numbers[LAST_DAY + 2] = a, b, value
    return numbers[LAST_DAY + 2]


@inner
def clock_again(buffer: U1, start: int, end: int, numbers: I8) -> int:
    """As `clock_time`; equal times of whole seconds in a row are read once."""
    if end - start != 8:
        return clock_time(buffer, start, end)
    a = np.int64(load8(buffer, start))
    if a != numbers[LAST_CLOCK]:
        value = clock_time(buffer, start, end)
        if value < 0:
            return -1
        numbers[LAST_CLOCK], numbers[LAST_CLOCK + 1] = a, value
    return numbers[LAST_CLOCK + 1]


@called
def store_any(buffer: U1, start: int, end: int, numbers: I8) -> int:
    """Reads a moment in a cell of a table: OK or TIME."""
    if start < end:
        numbers[TIME_CELL], numbers[ZONE_CELL] = moment_again(
            buffer, start, end, np.int64(AUTO), numbers, np.int64(LAST_ISO)
        )
    return OK if start < end and numbers[TIME_CELL] >= 0 else TIME


@inner
def store_time(buffer: U1, start: int, end: int, kind: int, numbers: I8) -> int:
    """Reads a day, a time of the day (they add up) or a moment in a cell of a table: OK or TIME."""
    if kind == TIME_ANY:
        return store_any(buffer, start, end, numbers)
    if kind == DAY:
        part = day_again(buffer, start, end, numbers)
        numbers[DAY_CELL] = part
    else:
        part = clock_again(buffer, start, end, numbers)
        numbers[CLOCK_CELL] = part
    numbers[TIME_CELL] = numbers[DAY_CELL] + numbers[CLOCK_CELL]
    numbers[ZONE_CELL] = 1
    return OK if part >= 0 else TIME


@inner
def is_moment(kind: int) -> bool:
    """Whether an operation reads a moment that ends by itself."""
    return kind == TIME_CLF or kind == TIME_ISO or kind == TIME_LOCAL or kind == TIME_US


@inner
def moment(buffer: U1, p: int, end: int, kind: int, numbers: I8) -> int:
    """Reads a moment into its cell; where it ends, or -1. Equal stamps in a row are read once.

    Four cells from STAMP on are the bytes of the last common log format's stamp, the next one is its moment.
    """
    if kind != TIME_CLF:
        return other_moment(buffer, p, end, kind, numbers)
    if end - p < CLF_BYTES:
        return -1
    a, b = np.int64(load8(buffer, p)), np.int64(load8(buffer, p + 8))
    c, d = np.int64(load8(buffer, p + 16)), np.int64(load8(buffer, p + CLF_BYTES - 8))
    if a != numbers[STAMP] or b != numbers[STAMP + 1] or c != numbers[STAMP + 2] or d != numbers[STAMP + 3]:
        e, value = clf(buffer, p, end)
        if e < 0:
            return -1
        numbers[STAMP], numbers[STAMP + 1], numbers[STAMP + 2], numbers[STAMP + 3] = a, b, c, d
        numbers[STAMP + 4] = value
    numbers[MOMENT_CELL] = numbers[STAMP + 4]
    return p + CLF_BYTES


@called
def other_moment(buffer: U1, p: int, end: int, kind: int, numbers: I8) -> int:
    """A moment that is not the common log format's; as :func:`moment`."""
    zoneless = 0
    if kind == TIME_ISO:
        e, value = iso_again(buffer, p, end, numbers, np.int64(LAST_ISO))
        zoneless = 1 - has_zone(buffer, p, e) if e > 0 else 0
    elif kind == TIME_LOCAL:
        e, value = local(buffer, p, end)
        zoneless = 1
    else:
        e, value = us(buffer, p, end)
    if e >= 0:
        numbers[MOMENT_CELL], numbers[MOMENT_ZONE_CELL] = value, zoneless
    return e
