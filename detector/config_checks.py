"""Further checks of single values of a configuration: what a text must look like, and what it is read as."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from detector.incidents.incident import PATTERNS
from detector.records.route_names import is_template

NAME_BYTES = 48  # of names kept in snapshots
DAY_US = 86_400_000_000
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")
_KEY = re.compile(r"key~[0-9a-f]{16}")


def hours(text: str) -> tuple[int, int]:
    """``02:00-04:00`` as minutes of the day, from and until.

    Raises:
        ValueError: it is nothing of the kind.
    """
    found = _HOURS.fullmatch(text)
    if not found:
        raise ValueError(text)
    start, end = (60 * int(found[i]) + int(found[i + 1]) for i in (1, 3))
    if end > 1440:
        raise ValueError(text)
    return start, end % 1440


def expiry_us(text: str) -> int:
    """The first moment after a day (ISO 8601), microseconds since 1970 UTC.

    Raises:
        ValueError: it is no day.
    """
    day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    return round(day.timestamp()) * 1_000_000 + DAY_US


def moment_us(text: str) -> int:
    """A date or time (ISO 8601; UTC where it names no zone) as microseconds since 1970 UTC.

    Raises:
        ValueError: it is nothing of the kind.
    """
    moment = datetime.fromisoformat(text)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _name(text: str) -> str:
    if not text.strip() or not text.isascii() or not text.isprintable():
        return "must be printable ASCII"
    return "" if len(text) <= NAME_BYTES else f"longer than {NAME_BYTES} bytes"


def _text(text: str) -> str:
    return "" if text.strip() else "is empty"


def _route(text: str) -> str:
    return "" if is_template(text) else f"{text!r} is no route such as GET /users/{{id}} or /api/*"


def _wire(text: str) -> str:
    if not is_template(text) or text.endswith("*"):
        return f"{text!r} is no route such as GET /users/{{id}}"
    return (
        ""
        if text.count("{") == 1 and text.count("}") == 1
        else f"{text!r} must hold one place for an id, such as {{id}}"
    )


def _read_by(read: Callable[[str], object], otherwise: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            read(text)
        except ValueError:
            return f"{text!r} {otherwise}"
        return ""

    return check


def _pattern(text: str) -> str:
    return "" if text in PATTERNS else f"{text!r} is not known; allowed: {', '.join(PATTERNS)}"


def _key(text: str) -> str:
    return "" if _KEY.fullmatch(text) else f"{text!r} is not key~ and 16 hexadecimal digits, as incidents name keys"


CHECKS: dict[str, Callable[[str], str]] = {
    "name": _name,
    "text": _text,
    "route": _route,
    "wire": _wire,
    "hours": _read_by(hours, "is not of the form 02:00-04:00"),
    "date": _read_by(expiry_us, "is no day such as 2027-03-31"),
    "moment": _read_by(moment_us, "is not a moment; write 2026-11-21, 2026-11-21T16:00 or 2026-11-21T16:00:00+01:00"),
    "pattern": _pattern,
    "key": _key,
}
"""By name, what a check has against a value; empty if nothing."""
