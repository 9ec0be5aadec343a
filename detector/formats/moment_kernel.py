"""Moments in log lines: the three ways servers write them, to microseconds since 1970 UTC."""

from __future__ import annotations

import numpy as np

from detector.formats.word_kernel import I8, U1, called, inner, load8

LAST_US = 4_102_444_800_000_000  # 2100-01-01: a later stamp in a log is a fault of the clock, not a moment
TWO, FOUR = np.int64(2), np.int64(4)  # typed, so that numba compiles one version for all
ISO_BYTES = 19  # 2020-06-08T06:49:01
MILLI_BYTES = 24  # 2020-06-08T06:49:01.123Z
CLF_BYTES = 26  # dd/Mon/yyyy:HH:MM:SS ±zzzz
US_BYTES = 25  # mm/dd/yyyy:HH:MM:SS ±zzzz
AUTO, CLF_UNIT, ISO_UNIT = -1, -2, -3  # units of a moment; 0, 3, 6, 9 are powers of ten of an epoch
DAY_US = 86_400_000_000


@called
def digits(buffer: U1, start: int, count: int) -> int:
    """The number in exactly ``count`` ASCII digits, or a negative number where one of them is none."""
    value = 0
    for i in range(start, start + count):
        digit = np.int64(buffer[i]) - 48
        if digit < 0 or digit > 9:
            return -1_000_000
        value = value * 10 + digit
    return value


@called
def moment(year: int, month: int, day: int, second: int) -> int:
    """Microseconds since 1970 of a second of a day, or -1 where the day does not exist.

    Days by H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    """
    if month < 1 or month > 12 or day < 1 or year < 1970:
        return -1
    longest = 30 + ((month + (month >> 3)) & 1)
    if month == 2:
        longest = 29 if (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)) else 28
    if day > longest:
        return -1
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return (days * 86_400 + second) * 1_000_000


@called
def clock_second(buffer: U1, start: int) -> int:
    """Second of the day of ``HH:MM:SS``, a leap second folded into the one before it; negative where it is none."""
    hour = digits(buffer, start, TWO)
    minute = digits(buffer, start + 3, TWO)
    second = digits(buffer, start + 6, TWO)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
        return -1_000_000
    if buffer[start + 2] != 58 or buffer[start + 5] != 58:
        return -1_000_000
    return hour * 3600 + minute * 60 + min(second, 59)


@called
def zone_second(buffer: U1, start: int, colon: int) -> int:
    """Seconds east of UTC of ``±HHMM`` (or ``±HH:MM`` with ``colon`` = 1); 1,000,000 where it is none."""
    hour = digits(buffer, start + 1, TWO)
    minute = digits(buffer, start + 3 + colon, TWO)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return 1_000_000
    if buffer[start] == 43:
        return hour * 3600 + minute * 60
    if buffer[start] == 45:
        return -(hour * 3600 + minute * 60)
    return 1_000_000


@called
def month_of(buffer: U1, start: int) -> int:
    """1–12 of ``Jan`` … ``Dec``, 0 where it is none."""
    word = (np.int64(buffer[start]) << 16) | (np.int64(buffer[start + 1]) << 8) | np.int64(buffer[start + 2])
    names = (
        0x4A616E, 0x466562, 0x4D6172, 0x417072, 0x4D6179, 0x4A756E,
        0x4A756C, 0x417567, 0x536570, 0x4F6374, 0x4E6F76, 0x446563,
    )  # fmt: skip
    for i in range(12):
        if names[i] == word:
            return i + 1
    return 0


@called
def clf(buffer: U1, start: int, end: int) -> tuple[int, int]:
    """``08/Jun/2020:06:49:01 +0000`` at ``start``.

    Returns:
        Where it ends (or -1: no moment of the years 1970–2099) and microseconds since 1970.
    """
    if end - start < CLF_BYTES:
        return -1, 0
    if buffer[start + 2] != 47 or buffer[start + 6] != 47 or buffer[start + 11] != 58 or buffer[start + 20] != 32:
        return -1, 0
    second = clock_second(buffer, start + 12)
    east = zone_second(buffer, start + 21, np.int64(0))
    year, day_of_month = digits(buffer, start + 7, FOUR), digits(buffer, start, TWO)
    day = moment(year, month_of(buffer, start + 3), day_of_month, second)
    if second < 0 or east == 1_000_000 or day < 0:
        return -1, 0
    value = day - east * 1_000_000
    if value < 0 or value >= LAST_US:
        return -1, 0
    return start + CLF_BYTES, value


@called
def iso(buffer: U1, start: int, end: int) -> tuple[int, int]:
    """``2020-06-08T06:49:01``, then a fraction, then ``Z``, ``±HH:MM`` or ``±HHMM``; no zone means UTC.

    A blank may stand for the ``T``, a comma for the point. Returns as :func:`clf`.
    """
    value = iso_second(buffer, start) if end - start >= ISO_BYTES else np.int64(-1)
    return iso_rest(buffer, start + ISO_BYTES, end, value) if value >= 0 else (np.int64(-1), np.int64(0))


@called
def iso_again(buffer: U1, start: int, end: int, cells: I8, at: int) -> tuple[int, int]:
    """As `iso`; equal seconds in a row are read once. Four cells from ``at`` on are the last one's bytes and moment."""
    if end - start < ISO_BYTES:
        return np.int64(-1), np.int64(0)
    a, b = np.int64(load8(buffer, start)), np.int64(load8(buffer, start + 8))
    c = np.int64(load8(buffer, start + ISO_BYTES - 8))
    if a != cells[at] or b != cells[at + 1] or c != cells[at + 2]:
        value = iso_second(buffer, start)
        if value < 0:
            return np.int64(-1), np.int64(0)
        cells[at], cells[at + 1], cells[at + 2], cells[at + 3] = a, b, c, value
    return iso_rest(buffer, start + ISO_BYTES, end, cells[at + 3])


@called
def iso_second(buffer: U1, start: int) -> int:
    """Microseconds since 1970 of ``2020-06-08T06:49:01`` at ``start``, or -1."""
    if buffer[start + 4] != 45 or buffer[start + 7] != 45 or (buffer[start + 10] != 84 and buffer[start + 10] != 32):
        return np.int64(-1)
    second = clock_second(buffer, start + 11)
    month, day = digits(buffer, start + 5, TWO), digits(buffer, start + 8, TWO)
    value = moment(digits(buffer, start, FOUR), month, day, second)
    return value if second >= 0 and value >= 0 else np.int64(-1)


@called
def iso_rest(buffer: U1, p: int, end: int, value: int) -> tuple[int, int]:
    """What follows the seconds of :func:`iso`, which are ``value``. Returns as :func:`clf`."""
    p, part = fraction(buffer, p, end)
    value += part
    if p < end and buffer[p] == 90:
        p += 1
    elif p < end and (buffer[p] == 43 or buffer[p] == 45):
        colon = 1 if p + 3 < end and buffer[p + 3] == 58 else 0
        if end - p < 5 + colon:
            return -1, 0
        east = zone_second(buffer, p, colon)
        if east == 1_000_000:
            return -1, 0
        value -= east * 1_000_000
        p += 5 + colon
    if value < 0 or value >= LAST_US:
        return -1, 0
    return p, value


@called
def us(buffer: U1, start: int, end: int) -> tuple[int, int]:
    """``06/10/2021:11:19:31 -0000`` at ``start``, month first, as cPanel writes it. Returns as :func:`clf`."""
    if end - start < US_BYTES:
        return -1, 0
    if buffer[start + 2] != 47 or buffer[start + 5] != 47 or buffer[start + 10] != 58 or buffer[start + 19] != 32:
        return -1, 0
    second = clock_second(buffer, start + 11)
    east = zone_second(buffer, start + 20, np.int64(0))
    year, month = digits(buffer, start + 6, FOUR), digits(buffer, start, TWO)
    day = moment(year, month, digits(buffer, start + 3, TWO), second)
    if second < 0 or east == 1_000_000 or day < 0:
        return -1, 0
    value = day - east * 1_000_000
    if value < 0 or value >= LAST_US:
        return -1, 0
    return start + US_BYTES, value


@called
def fraction(buffer: U1, p: int, end: int) -> tuple[int, int]:
    """``.123`` at ``p``, or nothing: (where it ends, microseconds)."""
    value = np.int64(0)
    if p + 1 < end and (buffer[p] == 46 or buffer[p] == 44) and 48 <= buffer[p + 1] <= 57:
        p += 1
        unit = np.int64(100_000)
        while p < end and 48 <= buffer[p] <= 57:
            value += (np.int64(buffer[p]) - 48) * unit
            unit //= 10
            p += 1
    return p, value


@called
def local(buffer: U1, start: int, end: int) -> tuple[int, int]:
    """``04/Apr/2024:14:30:18.885`` at ``start``, without a zone, as HAProxy writes it. Returns as :func:`clf`."""
    if end - start < 20 or buffer[start + 2] != 47 or buffer[start + 6] != 47 or buffer[start + 11] != 58:
        return -1, 0
    second = clock_second(buffer, start + 12)
    day_of_month = digits(buffer, start, TWO)
    day = moment(digits(buffer, start + 7, FOUR), month_of(buffer, start + 3), day_of_month, second)
    if second < 0 or day < 0:
        return -1, 0
    p, part = fraction(buffer, start + 20, end)
    return (p, day + part) if day + part < LAST_US else (-1, 0)


@called
def calendar_day(buffer: U1, start: int, end: int) -> int:
    """Microseconds since 1970 of the day ``2024-03-12``, or -1."""
    if end - start != 10 or buffer[start + 4] != 45 or buffer[start + 7] != 45:
        return -1
    month, day = digits(buffer, start + 5, TWO), digits(buffer, start + 8, TWO)
    value = moment(digits(buffer, start, FOUR), month, day, np.int64(0))
    return value if value < LAST_US else -1


@called
def clock_time(buffer: U1, start: int, end: int) -> int:
    """Microseconds of the day of ``15:22:28`` or ``15:22:28.123``, or -1."""
    if end - start < 8:
        return -1
    second = clock_second(buffer, start)
    p, part = fraction(buffer, start + 8, end)
    return second * 1_000_000 + part if second >= 0 and p == end else -1


@called
def has_zone(buffer: U1, start: int, end: int) -> int:
    """1 where the ISO 8601 moment in [start, end) says its zone: ``Z``, ``±HH:MM`` or ``±HHMM``."""
    if buffer[end - 1] == 90:
        return 1
    for back in range(5, 7):
        if end - start >= 19 + back and (buffer[end - back] == 43 or buffer[end - back] == 45):
            return 1
    return 0


@called
def any_moment(buffer: U1, start: int, end: int, unit: int) -> tuple[int, int]:
    """Microseconds since 1970 of a value, -1 where it is no moment; and 1 where it says no zone.

    AUTO tells by the look, an epoch by its size: between 1970 and 2100 it has at most 10 digits in seconds, 13 in ms,
    16 in us, 19 in ns.
    """
    if unit == AUTO:
        p = start
        while p < end and 48 <= buffer[p] <= 57:
            p += 1
        if (p < end and buffer[p] == 47) or (p == start and buffer[p] == 91):
            unit = CLF_UNIT
        elif p < end and buffer[p] == 45:
            unit = ISO_UNIT
        else:
            unit = 0 if p - start <= 10 else (3 if p - start <= 13 else (6 if p - start <= 16 else 9))
    if unit == ISO_UNIT:
        e, value = iso(buffer, start, end)
        return (value, 1 - has_zone(buffer, start, end)) if e == end else (-1, 0)
    if unit == CLF_UNIT:
        if end - start == CLF_BYTES + 2 and buffer[start] == 91:
            start, end = start + 1, end - 1
        e, value = clf(buffer, start, end)
        return (value, 0) if e == end else (-1, 0)
    return epoch(buffer, start, end, unit), 0


@inner
def moment_again(buffer: U1, start: int, end: int, unit: int, cells: I8, at: int) -> tuple[int, int]:
    """As `any_moment`; equal seconds of ISO 8601 in a row are read once, see :func:`iso_again`."""
    if end - start == MILLI_BYTES and buffer[start + 19] == 46 and buffer[start + 23] == 90:
        value = milliseconds_again(buffer, start, cells, at)
        if value >= 0 and (unit == AUTO or unit == ISO_UNIT):
            return value, np.int64(0)
    return slow_moment_again(buffer, start, end, unit, cells, at)


@inner
def milliseconds_again(buffer: U1, start: int, cells: I8, at: int) -> int:
    """Microseconds of ``2020-06-08T06:49:01.123Z`` where its second is that of the line before, else -1."""
    a, b = np.int64(load8(buffer, start)), np.int64(load8(buffer, start + 8))
    c = np.int64(load8(buffer, start + ISO_BYTES - 8))
    if a != cells[at] or b != cells[at + 1] or c != cells[at + 2] or cells[at + 3] >= LAST_US - 1_000_000:
        return np.int64(-1)
    tens, ones = np.int64(buffer[start + 21]) - 48, np.int64(buffer[start + 22]) - 48
    hundreds = np.int64(buffer[start + 20]) - 48
    if hundreds < 0 or hundreds > 9 or tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return np.int64(-1)
    return cells[at + 3] + 1_000 * (100 * hundreds + 10 * tens + ones)


@called
def slow_moment_again(buffer: U1, start: int, end: int, unit: int, cells: I8, at: int) -> tuple[int, int]:
    """As `moment_again`, for whatever was written."""
    if end - start >= ISO_BYTES and buffer[start + 4] == 45 and (unit == AUTO or unit == ISO_UNIT):
        e, value = iso_again(buffer, start, end, cells, at)
        return (value, 1 - has_zone(buffer, start, end)) if e == end else (-1, 0)
    return any_moment(buffer, start, end, unit)


@called
def epoch(buffer: U1, start: int, end: int, power: int) -> int:
    """Microseconds since 1970 of a decimal number of units of 10^-power seconds, or -1.

    ``1693840791.7565`` with power 0, ``1693840791756`` with 3. An exponent (``1.69e9``) is understood, since some
    encoders print one. What lies below a microsecond is cut.
    """
    value = 0
    scale = 6 - power  # power of ten still to multiply by
    p = start
    count = 0
    point = False
    while p < end:
        c = np.int64(buffer[p])
        if c == 46 and not point:
            point = True
        elif 48 <= c <= 57:
            count += 1
            if count <= 18:
                value = value * 10 + c - 48
                if point:
                    scale -= 1
            elif not point:
                scale += 1
        else:
            break
        p += 1
    if count == 0 or count > 40:
        return -1
    if p < end and (buffer[p] == 101 or buffer[p] == 69):
        p += 1
        sign = 1
        if p < end and (buffer[p] == 43 or buffer[p] == 45):
            sign = 44 - np.int64(buffer[p])
            p += 1
        if end - p < 1 or end - p > 2:
            return -1
        exponent = digits(buffer, p, end - p)
        if exponent < 0:
            return -1
        scale += sign * exponent
        p = end
    if p < end:
        return -1
    while scale > 0 and value < LAST_US:
        value *= 10
        scale -= 1
    while scale < 0 and value > 0:
        value //= 10
        scale += 1
    if value >= LAST_US or (scale > 0 and value > 0):
        return -1
    return value
