"""Envelopes by a slow, plain reader, and messages put into chunks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from detector.formats.envelope import Envelope
from detector.sources.chunk import Chunk

SCALAR = re.compile(rb"(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![a-zE0-9+.-])")
STRING = re.compile(rb'"(?:[^\x00-\x1f"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
BLANKS = re.compile(rb"[ \t\r\n]*")
ESCAPE = re.compile(rb"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)")
PLAIN = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}

Member = tuple[bytes, Any]  # key as written; (kind, start, end, members)


def chunk_of(messages: list[bytes], between: bytes = b"") -> Chunk:
    """Messages one behind the other, something between them; positions count from 1,000."""
    lengths = np.array([len(message) for message in messages], np.int64)
    starts = np.cumsum(lengths + len(between)) - lengths - len(between)
    buffer = np.frombuffer(bytearray(between.join(messages) or b"\0"), np.uint8)
    return Chunk(buffer, starts.astype(np.int64), lengths, np.arange(1_000, 1_000 + len(messages)), 7)


def records(envelope: Envelope, messages: list[bytes], between: bytes = b"") -> list[list[bytes]]:
    """The records of each message, as the kernel opens them."""
    chunk = envelope.open(chunk_of(messages, between))
    assert chunk.origin == 7
    out: list[list[bytes]] = [[] for _ in messages]
    text = chunk.buffer.tobytes()
    for position, start, length in zip(chunk.positions, chunk.starts, chunk.lengths, strict=True):
        assert 0 <= start <= start + length <= len(text)
        out[position - 1_000].append(text[start : start + length])
    return out


class _Bad(Exception):
    """Not JSON."""


class _Reader:
    """RFC 8259, remembering where things lie."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def blanks(self, p: int) -> int:
        found = BLANKS.match(self.text, p)
        assert found
        return found.end()

    def value(self, p: int, depth: int = 1) -> tuple[str, int, int, list[Member]]:
        p = self.blanks(p)
        c = self.text[p : p + 1]
        if c == b'"':
            return "text", p, self.match(STRING, p), []
        if c not in (b"{", b"["):
            return "scalar", p, self.match(SCALAR, p), []
        if depth > 62:
            raise _Bad
        return self.members(p, depth, c == b"{")

    def match(self, pattern: re.Pattern[bytes], p: int) -> int:
        found = pattern.match(self.text, p)
        if found is None:
            raise _Bad
        return found.end()

    def members(self, begin: int, depth: int, is_object: bool) -> tuple[str, int, int, list[Member]]:
        kind, close = ("object", b"}") if is_object else ("array", b"]")
        members: list[Member] = []
        p = self.blanks(begin + 1)
        if self.text[p : p + 1] == close:
            return kind, begin, p + 1, members
        while True:
            key = b""
            if is_object:
                p = self.blanks(p)
                end = self.match(STRING, p)
                key = self.text[p + 1 : end - 1]
                p = self.blanks(end)
                if self.text[p : p + 1] != b":":
                    raise _Bad
                p += 1
            value = self.value(p, depth + 1)
            members.append((key, value))
            p = self.blanks(value[2])
            if self.text[p : p + 1] == close:
                return kind, begin, p + 1, members
            if self.text[p : p + 1] != b",":
                raise _Bad
            p += 1


def _whole(text: bytes) -> tuple[str, int, int, list[Member]] | None:
    """The JSON value that a text is, None where it is none or more than one."""
    reader = _Reader(text)
    try:
        value = reader.value(0)
    except _Bad:
        return None
    return value if reader.blanks(value[2]) == len(text) else None


def unescaped(text: bytes) -> bytes:
    """A string's characters, without the line end behind them."""

    def one(found: re.Match[bytes]) -> bytes:
        high, low, point, plain = found.groups()
        if plain:
            return PLAIN.get(plain, plain)
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00).encode()
        value = int(point, 16)
        return chr(0xFFFD if 0xD800 <= value < 0xE000 else value).encode()

    return ESCAPE.sub(one, text).rstrip(b"\r\n")


def _held(text: bytes, value: tuple[str, int, int, list[Member]], key: bytes) -> bytes | None:
    """What an object holds under the key, as the record it is; None where that is nothing to be opened."""
    outer, dot, inner = key.partition(b".")
    found = [v for k, v in value[3] if k == key]
    if dot:
        found += [w for k, v in value[3] if k == outer and v[0] == "object" for j, w in v[3] if j == inner]
    if len(found) != 1 or found[0][0] not in ("text", "object"):
        return None
    kind, start, end, _ = found[0]
    return unescaped(text[start + 1 : end - 1]) if kind == "text" else text[start:end]


def slow(envelope: Envelope, message: bytes) -> list[bytes]:
    """The records of one message."""
    key = envelope.key.encode()
    message = message.rstrip(b"\r\n")

    def single(text: bytes) -> bytes:
        value = _whole(text)
        held = _held(text, value, key) if key and value and value[0] == "object" else None
        return text if held is None else held

    whole = _whole(message)
    if envelope.arrays and whole and whole[0] == "array" and all(v[0] in ("text", "object") for _, v in whole[3]):
        return [_element(message, v, single) for _, v in whole[3]] or [b""]
    if whole and whole[0] == "object":
        return [single(message)]
    return [single(line.rstrip(b"\r\n")) for line in message.split(b"\n")]


def _element(text: bytes, value: tuple[str, int, int, list[Member]], single: Callable[[bytes], bytes]) -> bytes:
    if value[0] == "text":
        return unescaped(text[value[1] + 1 : value[2] - 1])
    return single(text[value[1] : value[2]])
