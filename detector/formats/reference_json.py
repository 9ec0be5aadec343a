"""The slow parser's half for JSON lines: a recursive reader by RFC 8259, and the map applied to what it finds."""

from __future__ import annotations

import re

from detector.formats import jsonlines as j
from detector.formats import reference as r
from detector.formats import variables as v
from detector.formats.fields import FIELDS
from detector.formats.jsonlines import JsonFormat, Key
from detector.formats.prefix import Prefixed
from detector.formats.presets import Format
from detector.formats.reference_time import MOMENTS, any_moment

NUMBER = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
TOKEN = re.compile(rb"[a-z0-9E+.-]*")
PLAIN = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
DEPTH = 32
_ISO = rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
_CLOCK = rb"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
PREFIX = {
    "cri": re.compile(_ISO + rb" std(?:out|err) [FP] "),
    "syslog": re.compile(
        rb"<\d{1,3}>\d{1,2} (?:[^ ]+ ){5}(?:-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*\")*\])+) (?:\xef\xbb\xbf)?"
        rb"|(?:<\d{1,3}>)?(?:" + _MONTH + rb" ..\ " + _CLOCK + rb"|" + _ISO + rb") [^ ]+ [^ ]*: ",
        re.DOTALL,
    ),
}
ABSENT = 1_000  # rank of a key that is there and says nothing

Path = tuple[bytes, ...] | None


def parse(format: Format, line: bytes) -> r.Parsed:
    """Reads one line (without its line end) by any format."""
    if isinstance(format, Prefixed):
        return parse(format.inner, stripped(format.prefix, line))
    return parse_json(format, line) if isinstance(format, JsonFormat) else r.parse_text(format, line)


def stripped(prefix: str, line: bytes) -> bytes:
    """A line without its prefix, or as it is."""
    match = PREFIX[prefix].match(line)
    if not match or any(MOMENTS[v.TIME_ISO](moment, 0)[0] != len(moment) for moment in match.groups() if moment):
        return line
    return line[match.end() :]


def parse_json(format: JsonFormat, line: bytes) -> r.Parsed:
    """Reads one line (without its line end) through a format's map."""
    line = line.rstrip(b"\r\n")
    reason = r.whole_line(line)
    if reason or line.lstrip(r.BLANKS)[:1] == b"#":
        return r.Parsed(reason or "comment")
    reader = _Reader(format, line)
    try:
        return r.in_zone(reader.read(), format.zone)
    except r.Failure as failure:
        return r.Parsed(failure.reason)


class _Reader:
    def __init__(self, format: JsonFormat, line: bytes) -> None:
        self.line = line
        self.p = 0
        self.keys: dict[tuple[bytes, ...], Key] = {tuple(p.encode() for p in key.path): key for key in format.keys}
        self.pairs = {tuple(p.encode() for p in path) for path in format.pairs}
        self.named = {FIELDS[key.code] for key in format.keys if key.kind == j.TEXT}
        self.needs_address = format.needs_address
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
        if self.needs_address and "address" in self.named and "address" not in self.ranks:
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
            if c == b"[" and path in self.pairs:
                self.elements(path, depth)
            else:
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

    def elements(self, path: Path, depth: int) -> None:
        """What stands in an array of pairs."""
        if self.peek() == b"]":
            self.p += 1
            return
        while True:
            if self.peek() == b"{" and depth + 1 <= DEPTH:
                self.p += 1
                self.pair(path, depth + 1)
            else:
                self.value(None, depth + 1)
            c = self.peek()
            self.p += 1
            if c == b"]":
                return
            if c != b",":
                raise r.Failure("json")

    def pair(self, path: Path, depth: int) -> None:
        """One pair: its value belongs to the key that its name says, at whatever depth it lies."""
        named: Path = None
        if self.peek() == b"}":
            self.p += 1
            return
        while True:
            if self.peek() != b'"':
                raise r.Failure("json")
            key = self.string()
            if self.peek() != b":":
                raise r.Failure("json")
            self.p += 1
            if key in (b"key", b"name") and self.peek() == b'"':
                start = self.p + 1
                self.string()
                raw = self.line[start : self.p - 1]
                named = (*(path or ()), raw) if b"\\" not in raw else None
            elif key == b"value":
                self.anything(named, depth + 1)
            else:
                self.value(None, depth + 1)
            c = self.peek()
            self.p += 1
            if c == b"}":
                return
            if c != b",":
                raise r.Failure("json")

    def anything(self, path: Path, depth: int) -> None:
        """A value all of whose plain values, of arrays those of the first element, are kept under one key."""
        c = self.peek()
        if c not in (b"{", b"["):
            self.keep(path, self.string() if c == b'"' else self.scalar())
            return
        if depth > DEPTH:
            raise r.Failure("json")
        self.p += 1
        close = b"}" if c == b"{" else b"]"
        if self.peek() == close:
            self.p += 1
            return
        while True:
            if c == b"{":
                if self.peek() != b'"':
                    raise r.Failure("json")
                self.string()
                if self.peek() != b":":
                    raise r.Failure("json")
                self.p += 1
            self.anything(path, depth + 1)
            path = None if c == b"[" else path
            following = self.peek()
            self.p += 1
            if following == close:
                return
            if following != b",":
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
        elif key.kind == j.URL_KEY:
            host = parsed.values.get("host")
            parsed.put("target", value)
            r.split_url(parsed)
            if "host" in self.ranks:
                parsed.put("host", host or b"")
        elif key.kind == j.MOMENT:
            parsed.time_us, parsed.zoneless = any_moment(value, key.code)
            if parsed.time_us < 0:
                raise r.Failure("time")
        elif key.kind == j.STATUS_KEY:
            parsed.status = r.number(value, 3, "status")
        elif key.kind == j.BYTES_KEY:
            parsed.bytes_out = r.number(value, 18, "bytes")
        else:
            parsed.rows = min(r.number(value, 18, "bytes"), 999_999_999)
