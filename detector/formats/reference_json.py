"""The slow parser's half for JSON lines: a recursive reader by RFC 8259, and the map applied to what it finds."""

from __future__ import annotations

import re

from detector.formats import jsonlines as j
from detector.formats import reference as r
from detector.formats.fields import FIELDS
from detector.formats.jsonlines import JsonFormat, Key
from detector.formats.presets import Format

NUMBER = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
TOKEN = re.compile(rb"[a-z0-9E+.-]*")
PLAIN = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
DEPTH = 32
ABSENT = 1_000  # rank of a key that is there and says nothing

Path = tuple[bytes, ...] | None


def parse(format: Format, line: bytes) -> r.Parsed:
    """Reads one line (without its line end) by any format."""
    return parse_json(format, line) if isinstance(format, JsonFormat) else r.parse_text(format, line)


def parse_json(format: JsonFormat, line: bytes) -> r.Parsed:
    """Reads one line (without its line end) through a format's map."""
    line = line.rstrip(b"\r\n")
    reason = r.whole_line(line)
    if reason:
        return r.Parsed(reason)
    reader = _Reader(format, line)
    try:
        return reader.read()
    except r.Failure as failure:
        return r.Parsed(failure.reason)


class _Reader:
    def __init__(self, format: JsonFormat, line: bytes) -> None:
        self.line = line
        self.p = 0
        self.keys: dict[tuple[bytes, ...], Key] = {tuple(p.encode() for p in key.path): key for key in format.keys}
        self.named = {FIELDS[key.code] for key in format.keys if key.kind == j.TEXT}
        self.seen: set[tuple[bytes, ...]] = set()
        self.ranks: dict[str, int] = {}
        self.parsed = r.Parsed()

    def read(self) -> r.Parsed:
        """The line's fields, or Failure in the order of what is wrong."""
        if self.peek() != b"{":
            raise r.Failure("json")
        self.value((), 1)
        if self.blanks() < len(self.line):
            raise r.Failure("json")
        if self.ranks.get("time", ABSENT) == ABSENT or "target" not in self.ranks:
            raise r.Failure("layout")
        if "address" in self.named and "address" not in self.ranks:
            raise r.Failure("address")
        return self.parsed

    def blanks(self) -> int:
        while self.line[self.p : self.p + 1] in (b" ", b"\t", b"\r", b"\n") and self.p < len(self.line):
            self.p += 1
        return self.p

    def peek(self) -> bytes:
        """The next byte that is no blank; Failure ``torn`` where the line ends."""
        if self.blanks() >= len(self.line):
            raise r.Failure("torn")
        return self.line[self.p : self.p + 1]

    def value(self, path: Path, depth: int) -> None:
        """Any value; ``path`` is None where the map cannot reach it."""
        c = self.peek()
        if c in (b"{", b"["):
            if depth > DEPTH:
                raise r.Failure("json")
            self.p += 1
            self.members(path, depth, c == b"[")
        elif c == b'"':
            self.keep(path, self.string())
        else:
            self.keep(path, self.scalar())

    def members(self, path: Path, depth: int, array: bool) -> None:
        """What stands in an object or array; of an array only the first element can be reached."""
        close = b"]" if array else b"}"
        if self.peek() == close:
            self.p += 1
            return
        while True:
            inner = path
            if not array:
                if self.peek() != b'"':
                    raise r.Failure("json")
                key = self.string()
                inner = None if path is None else (*path, key)
                if self.peek() != b":":
                    raise r.Failure("json")
                self.p += 1
            self.value(inner, depth + 1)
            path = None if array else path
            c = self.peek()
            self.p += 1
            if c == close:
                return
            if c != b",":
                raise r.Failure("json")

    def string(self) -> bytes:
        """A string, its escapes undone; half a surrogate pair becomes U+FFFD."""
        out = bytearray()
        self.p += 1
        while self.p < len(self.line):
            c = self.line[self.p : self.p + 1]
            if c == b'"':
                self.p += 1
                return bytes(out)
            if c < b" ":
                raise r.Failure("json")
            if c == b"\\":
                out += self.escape()
            else:
                out += c
                self.p += 1
        raise r.Failure("torn")

    def escape(self) -> bytes:
        c = self.line[self.p + 1 : self.p + 2]
        if c == b"":
            raise r.Failure("torn")
        if c != b"u":
            if c not in PLAIN:
                raise r.Failure("json")
            self.p += 2
            return PLAIN[c]
        if len(self.line) - self.p < 6:
            raise r.Failure("torn")
        point = self.hex(self.p)
        if point is None:
            raise r.Failure("json")
        self.p += 6
        low = self.hex(self.p)
        if 0xD800 <= point < 0xDC00 and low is not None and 0xDC00 <= low < 0xE000:
            self.p += 6
            point = 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00
        return chr(0xFFFD if 0xD800 <= point < 0xE000 else point).encode()

    def hex(self, p: int) -> int | None:
        match = re.compile(rb"\\u([0-9a-fA-F]{4})").match(self.line, p)
        return int(match[1], 16) if match else None

    def scalar(self) -> bytes:
        """A number's text; nothing for ``true``, ``false`` and ``null``."""
        match = TOKEN.match(self.line, self.p)
        text = match[0] if match else b""
        if self.p + len(text) == len(self.line):
            raise r.Failure("torn")
        self.p += len(text)
        if text in (b"true", b"false", b"null"):
            return b""
        if not NUMBER.fullmatch(text):
            raise r.Failure("json")
        return text

    def keep(self, path: Path, value: bytes) -> None:
        """Stores a value under its key; a key twice is a forgery, of several keys the best one with a value counts."""
        key = self.keys.get(path) if path is not None else None
        if key is None or path is None:
            return
        if path in self.seen:
            raise r.Failure("json")
        self.seen.add(path)
        numbers = {j.MOMENT: "time", j.STATUS_KEY: "status", j.BYTES_KEY: "bytes", j.ROWS_KEY: "rows"}
        name = numbers.get(key.kind) or FIELDS[key.code]
        if value == b"" or self.ranks.get(name, ABSENT) < key.rank:
            return
        if value == b"-":
            self.ranks.setdefault(name, ABSENT)
            return
        self.ranks[name] = key.rank
        self.store(key, value)

    def store(self, key: Key, value: bytes) -> None:
        """What one value says."""
        parsed = self.parsed
        if key.kind == j.TEXT:
            parsed.put(FIELDS[key.code], value)
        elif key.kind == j.REQUEST_KEY:
            r.request_line(value, parsed)
        elif key.kind == j.MOMENT:
            parsed.time_us = moment(value, key.code)
            if parsed.time_us < 0:
                raise r.Failure("time")
        elif key.kind == j.STATUS_KEY:
            parsed.status = r.number(value, 3, "status")
        elif key.kind == j.BYTES_KEY:
            parsed.bytes_out = r.number(value, 18, "bytes")
        else:
            parsed.rows = min(r.number(value, 18, "bytes"), 999_999_999)


def moment(value: bytes, unit: int) -> int:
    """Microseconds since 1970 of a value in one of ``jsonlines.UNITS``, or -1; ``auto`` tells by the look."""
    if unit == j.UNITS["auto"]:
        digits = len(value) - len(value.lstrip(b"0123456789"))
        sign = value[digits : digits + 1]
        unit = {b"-": j.UNITS["iso"], b"/": j.UNITS["clf"]}.get(
            sign, 0 if digits <= 10 else 3 if digits <= 13 else 6 if digits <= 16 else 9
        )
    if unit == j.UNITS["iso"]:
        end, micros = r.iso(value, 0)
    elif unit == j.UNITS["clf"]:
        value = value[1:-1] if len(value) == 28 and value[:1] == b"[" else value
        end, micros = r.clf(value, 0)
    else:
        return r.epoch(value, unit)
    return micros if end == len(value) else -1
