"""A slow parser that is right at sight: what the scanners are tested against, and how `explain` reads one line.

Text layouts and JSON maps mean exactly what is written here. Nothing in a hot path may call it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from detector.formats import variables as v
from detector.formats.fields import FIELDS, MAX_LINE_BYTES
from detector.formats.layout import Layout, Piece, stored_time
from detector.formats.text import TextFormat

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
CLF = re.compile(rb"(\d\d)/(...)/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.DOTALL)
ISO = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)")
FRACTION = re.compile(rb"[.,](\d+)")
ZONE = re.compile(rb"([+-])(\d\d)(:?)(\d\d)")
EPOCH = re.compile(rb"(?=[.]?\d)(\d*)([.]\d*)?([eE][+-]?\d{1,2})?")
REQUEST = re.compile(rb"([A-Z_-]{1,20}) (?:(.*) HTTP/\d(?:\.\d)?|(/.*))", re.DOTALL)
LAST_US = 4_102_444_800_000_000  # 2100-01-01
RETRY_BYTES = 4  # see Reading.settle


@dataclass
class Parsed:
    """One line as read: the reason it was rejected or ``ok``, its numbers, and its fields by name.

    Attributes:
        values: field name → bytes; what is absent or ``-`` is not in it.
    """

    reason: str = "ok"
    torn: bool = False
    time_us: int = 0
    status: int = 0
    bytes_out: int = 0
    rows: int = 1
    values: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, value: bytes) -> None:
        """Stores a field; nothing and ``-`` are absent."""
        self.values.pop(name, None)
        if value not in (b"", b"-"):
            self.values[name] = value


class Failure(Exception):
    """A line is not what the format says: why, and how far it was read."""

    def __init__(self, reason: str, place: int = 0) -> None:
        self.reason = reason
        self.place = place
        super().__init__(reason)


def whole_line(line: bytes) -> str | None:
    """The reason a line is rejected before it is read, or None."""
    if len(line) > MAX_LINE_BYTES:
        return "too_long"
    if b"\0" in line:
        return "binary"
    return "empty" if not line.strip(b" \t\n\v\f\r") else None


def parse_text(format: TextFormat, line: bytes) -> Parsed:
    """Reads one line (without its line end) by the layouts of a format, in order."""
    line = line.rstrip(b"\r\n")
    reason = whole_line(line)
    if reason:
        return Parsed(reason)
    worst = Failure("layout", -1)
    for layout in format.layouts:
        try:
            return Reading(layout, line).read()
        except Failure as failure:
            if failure.place > worst.place:
                worst = failure
    return Parsed(worst.reason)


class Reading:
    """One try of one layout on one line."""

    def __init__(self, layout: Layout, line: bytes) -> None:
        self.layout = layout
        self.line = line
        self.parsed = Parsed()
        self.stored = stored_time(layout)

    def read(self) -> Parsed:
        """The line's fields, or Failure."""
        p = self.literal(0, self.layout.prefix)
        pieces = list(self.layout.pieces)
        budget = RETRY_BYTES * len(self.line)
        while pieces:
            free = pieces.pop(0) if pieces[0].slot.mode == v.FREE else None
            fixed: list[Piece] = []
            while pieces and pieces[0].slot.mode != v.FREE:
                fixed.append(pieces.pop(0))
            if free:
                p, budget = self.settle(free, fixed, not pieces, p, budget)
            else:
                p = self.run(fixed, not pieces, p)
        return self.parsed

    def settle(self, free: Piece, fixed: list[Piece], last: bool, start: int, budget: int) -> tuple[int, int]:
        """A free field ends at the first place where all up to the next free field fits.

        Once retries have read RETRY_BYTES times the line they end: a line that needs more is hostile.
        """
        worst: Failure | None = None
        end = start
        while True:
            end = self.line.find(free.follow, end)
            if end < 0 or budget < 0:
                raise Failure(worst.reason, max(worst.place, start)) if worst else Failure("torn", start)
            try:
                self.store(free, start, end, end)
                return self.run(fixed, last, end + (0 if free.keep else len(free.follow))), budget
            except Failure as failure:
                if worst is None or failure.place > worst.place:
                    worst = failure
                budget -= failure.place - end
                end += 1

    def run(self, pieces: list[Piece], last: bool, p: int) -> int:
        """Fields none of which is free, one after another; the last of the layout must end the line."""
        for i, piece in enumerate(pieces):
            p = self.fixed(piece, p, last and i + 1 == len(pieces))
        if last and p != len(self.line):
            raise Failure("layout", p)
        return p

    def fixed(self, piece: Piece, p: int, last: bool) -> int:
        """One field and the text behind it; where the next one begins."""
        line, kind, follow = self.line, piece.slot.kind, piece.follow
        if kind in (v.TIME_CLF, v.TIME_ISO):
            end, value = (clf if kind == v.TIME_CLF else iso)(line, p)
            if end < 0:
                raise Failure("time", p)
            if piece is self.stored:
                self.parsed.time_us = value
        else:
            end = self.end_of(piece, p)
            if end == len(line) and follow:
                if piece.slot.mode != v.QUOTED or follow != b'"' or not last:
                    raise Failure("torn", end)
                self.store(piece, p, end, p)
                self.parsed.torn = True
                return end
            self.store(piece, p, end, p)
        after = self.literal(end, follow)
        return end if piece.keep else after

    def end_of(self, piece: Piece, p: int) -> int:
        """Where a word, a quoted field or the rest of the line ends."""
        line, mode = self.line, piece.slot.mode
        if mode == v.REST:
            return len(line)
        while p < len(line):
            if mode == v.QUOTED and line[p] == ord("\\"):
                p += 1
            elif piece.follow and line[p] == piece.follow[0]:
                return p
            elif mode == v.WORD and line[p] == ord(" "):
                raise Failure("layout", p)
            p += 1
        return len(line)

    def literal(self, p: int, text: bytes) -> int:
        """Where a text that must stand at ``p`` ends."""
        for byte in text:
            if p == len(self.line):
                raise Failure("torn", p)
            if self.line[p] != byte:
                raise Failure("layout", p)
            p += 1
        return p

    def store(self, piece: Piece, start: int, end: int, place: int) -> None:
        """What one field says; ``place`` is how far the line counts as read where that is not what it must be."""
        value, parsed, (kind, code, _) = self.line[start:end], self.parsed, piece.slot
        if kind in (v.ADDRESS, v.ADDRESSES) and not value:
            raise Failure("address", place)
        if kind in (v.SPAN, v.ADDRESS) and code >= 0:
            parsed.put(FIELDS[code], value)
        elif kind == v.ADDRESSES:
            last = re.split(rb"[ ,]", value)[-1]
            parsed.put("address", last)
            parsed.put("forwarded", value[: len(value) - len(last)].rstrip(b" ,"))
        elif kind == v.REQUEST:
            request_line(value, parsed)
        elif kind == v.STATUS:
            parsed.status = number(value, 3, "status", place)
        elif kind == v.BYTES:
            parsed.bytes_out = number(value, 18, "bytes", place)
        elif kind == v.ROWS:
            parsed.rows = 1 if value == b"-" else number(value, 9, "layout", place)
        elif kind == v.TIME_EPOCH and piece is self.stored:
            parsed.time_us = epoch(value, code)
            if parsed.time_us < 0:
                raise Failure("time", place)


def request_line(value: bytes, parsed: Parsed) -> None:
    """Stores ``METHOD target HTTP/x`` as method and target; anything else is all target."""
    match = REQUEST.fullmatch(value)
    method, target = (match[1], match[3] if match[2] is None else match[2]) if match else (b"", value)
    parsed.put("method", method)
    parsed.put("target", target)


def number(value: bytes, most: int, reason: str, place: int = 0) -> int:
    """A number of at most ``most`` ASCII digits; ``-`` is 0."""
    if value == b"-":
        return 0
    if not re.fullmatch(rb"[0-9]{1,%d}" % most, value):
        raise Failure(reason, place)
    return int(value)


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
