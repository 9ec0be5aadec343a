"""The slow parser's times: what `moment_kernel.py` must say of every moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from detector.formats import variables as v
from detector.formats.jsonlines import UNITS

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
CLF = re.compile(rb"(\d\d)/(...)/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.DOTALL)
ISO = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)")
FRACTION = re.compile(rb"[.,](\d+)")
ZONE = re.compile(rb"([+-])(\d\d)(:?)(\d\d)")
EPOCH = re.compile(rb"(?=[.]?\d)(\d*)([.]\d*)?([eE][+-]?\d{1,2})?")
LOCAL = re.compile(rb"(\d\d)/(...)/(\d{4}):(\d\d):(\d\d):(\d\d)", re.DOTALL)
US = re.compile(rb"(\d\d)/(\d\d)/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
DAY = re.compile(rb"(\d{4})-(\d\d)-(\d\d)")
CLOCK = re.compile(rb"(\d\d):(\d\d):(\d\d)([.,]\d+)?")
LAST_US = 4_102_444_800_000_000  # 2100-01-01


def clf(line: bytes, p: int) -> tuple[int, int]:
    """The common log format's moment at ``p``: (its end or -1, microseconds since 1970)."""
    match = CLF.match(line, p)
    if not match or match[2] not in MONTHS:
        return -1, 0
    day, year, hour, minute, second = (int(g) for g in match.group(1, 3, 4, 5, 6))
    return _at(match.end(), (year, MONTHS.index(match[2]) + 1, day, hour, minute, second), match.groups()[6:], 0)


def iso(line: bytes, p: int) -> tuple[int, int]:
    """An ISO 8601 moment at ``p``: (its end or -1, microseconds since 1970)."""
    match = ISO.match(line, p)
    if not match:
        return -1, 0
    end, micros, zone = match.end(), 0, (b"+", b"00", b"00")
    fraction = FRACTION.match(line, end)
    if fraction:
        end, micros = fraction.end(), int(fraction[1][:6].ljust(6, b"0"))
    if line[end : end + 1] == b"Z":
        end += 1
    elif line[end : end + 1] in (b"+", b"-"):
        offset = ZONE.match(line, end)
        if not offset:
            return -1, 0
        end, zone = offset.end(), (offset[1], offset[2], offset[4])
    year, month, day, hour, minute, second = (int(g) for g in match.groups())
    return _at(end, (year, month, day, hour, minute, second), zone, micros)


def _at(end: int, parts: tuple[int, ...], zone: tuple[bytes, ...], micros: int) -> tuple[int, int]:
    year, month, day, hour, minute, second = parts
    sign, zone_hours, zone_minutes = zone[0], int(zone[1]), int(zone[2])
    if zone_hours > 23 or zone_minutes > 59 or second > 60:
        return -1, 0
    east = timedelta(hours=zone_hours, minutes=zone_minutes) * (-1 if sign == b"-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return -1, 0
    value = (moment - datetime(1970, 1, 1, tzinfo=UTC) - east) // timedelta(microseconds=1) + micros
    return (end, value) if 0 <= value < LAST_US and year >= 1970 else (-1, 0)


def us(line: bytes, p: int) -> tuple[int, int]:
    """cPanel's moment at ``p``, month first: (its end or -1, microseconds since 1970)."""
    match = US.match(line, p)
    if not match:
        return -1, 0
    month, day, year, hour, minute, second = (int(g) for g in match.groups()[:6])
    return _at(match.end(), (year, month, day, hour, minute, second), match.groups()[6:], 0)


def local(line: bytes, p: int) -> tuple[int, int]:
    """HAProxy's moment at ``p``, without a zone: (its end or -1, microseconds since 1970)."""
    match = LOCAL.match(line, p)
    if not match or match[2] not in MONTHS:
        return -1, 0
    day, year, hour, minute, second = (int(g) for g in match.group(1, 3, 4, 5, 6))
    moment = (year, MONTHS.index(match[2]) + 1, day, hour, minute, second)
    fraction = FRACTION.match(line, match.end())
    micros = int(fraction[1][:6].ljust(6, b"0")) if fraction else 0
    return _at(fraction.end() if fraction else match.end(), moment, (b"+", b"00", b"00"), micros)


def has_zone(moment: bytes) -> bool:
    """Whether an ISO 8601 moment says its zone."""
    return re.search(rb"(Z|[+-]\d\d:?\d\d)\Z", moment[19:]) is not None


def calendar_day(value: bytes) -> int:
    """Microseconds since 1970 of ``2024-03-12``, or -1."""
    end, micros = iso(value + b"T00:00:00Z", 0) if DAY.fullmatch(value) else (-1, -1)
    return micros if end >= 0 else -1


def clock_time(value: bytes) -> int:
    """Microseconds of the day of ``15:22:28.123``, or -1."""
    match = CLOCK.fullmatch(value)
    end, micros = iso(b"1970-01-01T" + value, 0) if match else (-1, -1)
    return micros if end >= 0 else -1


def any_moment(value: bytes, unit: int) -> tuple[int, bool]:
    """Microseconds since 1970 of a value in one of ``jsonlines.UNITS``, or -1, and whether it says no zone.

    ``auto`` tells by the look.
    """
    if unit == UNITS["auto"]:
        digits = len(value) - len(value.lstrip(b"0123456789"))
        sign = b"/" if value[:1] == b"[" else value[digits : digits + 1]
        unit = {b"-": UNITS["iso"], b"/": UNITS["clf"]}.get(
            sign, 0 if digits <= 10 else 3 if digits <= 13 else 6 if digits <= 16 else 9
        )
    if unit == UNITS["iso"]:
        end, micros = iso(value, 0)
        return (micros, not has_zone(value)) if end == len(value) else (-1, False)
    if unit == UNITS["clf"]:
        value = value[1:-1] if len(value) == 28 and value[:1] == b"[" else value
        end, micros = clf(value, 0)
        return (micros if end == len(value) else -1), False
    return epoch(value, unit), False


def epoch(value: bytes, power: int) -> int:
    """Microseconds since 1970 of a decimal number of 10^-power seconds, or -1; what lies below one is cut."""
    match = EPOCH.fullmatch(value)
    if not match or len(re.findall(rb"[0-9]", match[1] + (match[2] or b""))) > 40:
        return -1
    whole, point, exponent = match[1], (match[2] or b".")[1:], int((match[3] or b"e0")[1:])
    digits = whole + point
    shift = 6 - power + exponent - len(point)
    micros = int(digits) * 10**shift if shift >= 0 else int(digits) // 10**-shift
    return micros if micros < LAST_US else -1


MOMENTS = {v.TIME_CLF: clf, v.TIME_ISO: iso, v.TIME_LOCAL: local, v.TIME_US: us}
