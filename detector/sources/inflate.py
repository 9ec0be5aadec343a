"""Compressed bytes to text, in fixed memory, member by member; what cannot be decompressed is said, not raised."""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard
from isal import igzip_lib

BLOCK_BYTES = 65_536  # compressed bytes read at a time: a gzip block rarely spans more
STEP_BYTES = 65_536  # text asked for at a time: what a corrupt place can take with it from the text before it

# A zstd block of four bytes may stand for 128 KiB, so a kibibyte of input holds at most 32 MiB of text: the library has
# no limit of output, this is one.
ZSTD_PIECE_BYTES = 1_024
XZ_MEMORY_BYTES = 128 << 20  # `xz -9` needs 65 MiB; dictionaries above that are bombs, not logs


class ByteStream(Protocol):
    """Bytes to be read once. ``loss`` is empty, or says what part of the stream could not be had."""

    loss: str

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 at the end. Never raises for bad data."""


class Raw:
    """The bytes of a file as they lie on disk, counted; reading faults become a loss.

    Args:
        file: an unbuffered binary file, closed by :meth:`close`.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._ahead = b""
        self.consumed = 0
        self.loss = ""

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end, left to be read."""
        while len(self._ahead) < size:
            more = self._get(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, empty at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._get(size)
        self.consumed += len(data)
        return data

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 at the end."""
        if self._ahead:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)
        try:
            got = self._file.readinto(view) or 0
        except OSError as error:
            self.loss = f"reading failed after {self.consumed} bytes: {error.strerror}"
            return 0
        self.consumed += got
        return got

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _get(self, size: int) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            self.loss = f"reading failed after {self.consumed} bytes: {error.strerror}"
            return b""


class Decompressor(Protocol):
    """One member of a compressed file: the interface of ``bz2.BZ2Decompressor``."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more compressed bytes must be given before more text can come."""

    @property
    def unused_data(self) -> bytes:
        """Bytes given that lie behind the member's end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """The next text, at most ``max_length`` bytes where the library can limit it."""


class _ZstdFrame:
    """A zstd frame with the interface of ``bz2.BZ2Decompressor``; output is bounded by giving input in small pieces."""

    def __init__(self) -> None:
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._left = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        return not self._left

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data + bytes(self._left)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if data:
            self._left = memoryview(data)
        piece, self._left = self._left[:ZSTD_PIECE_BYTES], self._left[ZSTD_PIECE_BYTES:]
        return self._frame.decompress(piece)


def _gzip_member() -> Decompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _xz_stream() -> Decompressor:
    return lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES)


@dataclass(frozen=True)
class Codec:
    """A compression: its name, the bytes every member starts with, its decompressor and the faults that one raises."""

    name: str
    magics: tuple[bytes, ...]
    member: Callable[[], Decompressor]
    faults: tuple[type[BaseException], ...]


_GZIP_FAULT: type[BaseException] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub forgets `type`

# RFC 1952 2.3.1; RFC 8878 3.1.1 and 3.1.2 (skippable frames 0x184D2A50..5F); xz-file-format 2.1.1.1; bzip2 header.
CODECS = (
    Codec("gzip", (b"\x1f\x8b",), _gzip_member, (_GZIP_FAULT,)),
    Codec(
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes((n, 0x2A, 0x4D, 0x18)) for n in range(0x50, 0x60))),
        _ZstdFrame,
        (zstandard.ZstdError,),
    ),
    Codec("xz", (b"\xfd7zXZ\x00",), _xz_stream, (lzma.LZMAError,)),
    Codec("bzip2", (b"BZh",), bz2.BZ2Decompressor, (OSError, EOFError)),
)
MAGIC_BYTES = 6

# Archives and compressions that are recognised only to say so.
FOREIGN = {b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4", b"7z\xbc\xaf": "7z", b"\x1f\x9d": "compress"}


def codec_of(head: bytes) -> Codec | None:
    """The compression whose magic bytes ``head`` starts with; None = plain. The file's name does not matter."""
    return next((c for c in CODECS if head.startswith(c.magics)), None)


class Inflated:
    """Text of a compressed file: all its members, one after the other.

    A member that ends too early, a corrupt place and foreign bytes after the last member end the stream: what came
    before counts, ``loss`` says the rest.
    """

    def __init__(self, raw: Raw, codec: Codec) -> None:
        self._raw = raw
        self._codec = codec
        self._member: Decompressor | None = codec.member()
        self._input = b""
        self._text = memoryview(b"")
        self._written = 0
        self.loss = ""

    def readinto(self, view: memoryview) -> int:
        """Writes the next text into ``view``; returns how many bytes, 0 at the end."""
        while not self._text:
            if self._member is None:
                return 0
            self._text = memoryview(self._next(self._member))
        size = min(len(view), len(self._text))
        view[:size] = self._text[:size]
        self._text = self._text[size:]
        self._written += size
        return size

    def _next(self, member: Decompressor) -> bytes:
        """Some text; empty while the member has none to give or when the stream has ended."""
        if member.needs_input and not self._input:
            self._input = self._raw.read(BLOCK_BYTES)
            if not self._input:
                return self._end(f"truncated: the {self._codec.name} data ends after {self._written} bytes of text")
        data = b""
        if member.needs_input:
            data, self._input = self._input, b""
        try:
            text = member.decompress(data, STEP_BYTES)
        except self._codec.faults as fault:
            where = f"before byte {self._raw.consumed} of the file, after {self._written} bytes of text"
            return self._end(f"corrupt: {self._codec.name} data damaged {where} ({fault})")
        if member.eof:
            self._turn(member.unused_data)
        return text

    def _turn(self, rest: bytes) -> None:
        """Goes on to the member that follows, over zero padding, if there is one."""
        rest = rest.lstrip(b"\0")
        while len(rest) < MAGIC_BYTES:
            more = self._raw.read(BLOCK_BYTES)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            self._member = None
            self.loss = self._raw.loss
        elif rest.startswith(self._codec.magics):
            self._member, self._input = self._codec.member(), rest
        else:
            self._end(f"corrupt: bytes that are not {self._codec.name} data stand after its end")

    def _end(self, loss: str) -> bytes:
        self._member = None
        self.loss = self._raw.loss or loss
        return b""
