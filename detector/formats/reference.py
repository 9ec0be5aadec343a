"""A slow parser that is right at sight: what the scanners are tested against, and how `explain` reads one line.

Text layouts and JSON maps mean exactly what is written here. Nothing in a hot path may call it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from detector.formats import variables as v
from detector.formats.fields import FIELDS, MAX_LINE_BYTES
from detector.formats.jsonlines import UNITS
from detector.formats.layout import Layout, Piece, stored_times
from detector.formats.reference_time import MOMENTS, any_moment, calendar_day, clock_time, epoch, has_zone
from detector.formats.text import TextFormat
from detector.formats.zone import Zone

REQUEST = re.compile(rb"([A-Z_-]{1,20}) (?:(.*) HTTP/\d(?:\.\d)?|(/.*))", re.DOTALL)
URL = re.compile(rb"[A-Za-z]{1,8}://([^/?#]+)([/?#].*)", re.DOTALL)
BLANKS = b" \t\n\v\f\r"
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
    zoneless: bool = field(default=False, compare=False)

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
    return "empty" if not line.strip(BLANKS) else None


def in_zone(parsed: Parsed, zone: Zone | None) -> Parsed:
    """Moves a moment that says no zone."""
    if zone is not None and parsed.zoneless and parsed.reason == "ok":
        parsed.time_us = max(0, int(zone.utc(np.array([parsed.time_us], np.int64))[0]))
    return parsed


def parse_text(format: TextFormat, line: bytes) -> Parsed:
    """Reads one line (without its line end) by the layouts of a format, in order."""
    line = line.rstrip(b"\r\n")
    reason = whole_line(line)
    if reason:
        return Parsed(reason)
    worst = Failure("layout", -1)
    for layout in format.layouts:
        try:
            return in_zone(Reading(layout, line).read(), format.zone)
        except Failure as failure:
            if failure.place > worst.place:
                worst = failure
    return Parsed("comment" if line.lstrip(BLANKS)[:1] == b"#" else worst.reason)


class Reading:
    """One try of one layout on one line."""

    def __init__(self, layout: Layout, line: bytes) -> None:
        self.layout = layout
        self.line = line
        self.parsed = Parsed()
        self.stored = stored_times(layout)
        self.day = self.clock = 0

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
        for piece in self.layout.pieces:
            self.undo(piece)
        return self.parsed

    def undo(self, piece: Piece) -> None:
        """Undoes what the server did to a text."""
        slot = piece.slot
        name = FIELDS[slot.code] if slot.kind == v.SPAN and slot.code >= 0 else ""
        value = self.parsed.values.get(name)
        if value is not None:
            value = value.replace(b"+", b" ") if slot.plus else value
            for _ in range(slot.rounds):
                value = re.sub(rb"%([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), value)
            self.parsed.values[name] = value

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
        if kind in MOMENTS:
            end, value = MOMENTS[kind](line, p)
            if end < 0:
                raise Failure("time", p)
            if piece in self.stored:
                self.parsed.time_us = value
                self.parsed.zoneless = kind == v.TIME_LOCAL or (kind == v.TIME_ISO and not has_zone(line[p:end]))
        else:
            end = self.end_of(piece, p)
            if end > len(line) or (end == len(line) and follow):
                if piece.slot.mode != v.QUOTED or follow != b'"' or not last:
                    raise Failure("torn", end)
                self.store(piece, p, end, p)
                self.parsed.torn = True
                return end
            quote = piece.slot.mode == v.CELL and line[p : p + 1] == b'"'
            self.store(piece, p + quote, end - quote, p)
        after = self.literal(end, follow)
        return end if piece.keep else after

    def end_of(self, piece: Piece, p: int) -> int:
        """Where a word, a quoted field or the rest of the line ends."""
        line, mode = self.line, piece.slot.mode
        if mode == v.REST:
            return len(line)
        if mode == v.CELL and line[p : p + 1] == b'"':
            match = re.compile(rb'"(?:[^"]|"")*+"').match(line, p)
            return match.end() if match else len(line) + 1
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
        value, parsed, (kind, code, *_) = self.line[start:end], self.parsed, piece.slot
        if kind in (v.ADDRESS, v.ADDRESSES) and not value:
            raise Failure("address", place)
        if kind in (v.SPAN, v.ADDRESS) and code >= 0:
            parsed.put(FIELDS[code], value)
        elif kind == v.ADDRESSES:
            last = re.split(rb"[ ,]", value)[-1]
            parsed.put("address", last)
            parsed.put("forwarded", value[: len(value) - len(last)].rstrip(b" ,"))
        elif kind in (v.REQUEST, v.REQUEST_URL):
            method = parsed.values.get("method", b"")
            request_line(value, parsed)
            if kind == v.REQUEST_URL:
                if "method" not in parsed.values:
                    parsed.put("method", method)
                split_url(parsed)
        elif kind == v.STATUS:
            parsed.status = number(value, 3, "status", place)
        elif kind == v.BYTES:
            parsed.bytes_out = number(value, 18, "bytes", place)
        elif kind == v.ROWS:
            parsed.rows = 1 if value == b"-" else number(value, 9, "layout", place)
        elif piece in self.stored:
            parsed.time_us = self.time(value, kind, code)
            if parsed.time_us < 0:
                raise Failure("time", place)

    def time(self, value: bytes, kind: int, code: int) -> int:
        """A field's moment, or -1."""
        if kind == v.TIME_EPOCH:
            return epoch(value, code)
        if kind == v.TIME_ANY:
            micros, self.parsed.zoneless = any_moment(value, UNITS["auto"])
            return micros
        part = calendar_day(value) if kind == v.DAY else clock_time(value)
        if kind == v.DAY:
            self.day = part
        else:
            self.clock = part
        self.parsed.zoneless = True
        return -1 if part < 0 else self.day + self.clock


def request_line(value: bytes, parsed: Parsed) -> None:
    """Stores ``METHOD target HTTP/x`` as method and target; anything else is all target."""
    match = REQUEST.fullmatch(value)
    method, target = (match[1], match[3] if match[2] is None else match[2]) if match else (b"", value)
    parsed.put("method", method)
    parsed.put("target", target)


def split_url(parsed: Parsed) -> None:
    """Parts a target that is a whole URL into host and target."""
    match = URL.fullmatch(parsed.values.get("target", b""))
    if match:
        parsed.put("host", match[1])
        parsed.put("target", match[2])


def number(value: bytes, most: int, reason: str, place: int = 0) -> int:
    """A number of at most ``most`` ASCII digits; ``-`` is 0, what follows a point is cut."""
    if value == b"-":
        return 0
    if not re.fullmatch(rb"[0-9]{1,%d}(\.[0-9]+)?" % most, value):
        raise Failure(reason, place)
    return int(value.partition(b".")[0])
