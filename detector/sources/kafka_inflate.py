"""Compressed record batches to text, in pieces: Kafka limits a batch's size on the wire, never what it inflates to."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import zstandard
from isal import igzip_lib

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)  # attribute bits 0 to 2 of a batch (kafka.apache.org, "Record Batch")

PIECE_BYTES = 8 << 20  # text held at a time; a batch of 1 MB, the broker's limit, rarely inflates to more (8 : 1)

_XERIAL = b"\x82SNAPPY\x00"  # snappy-java's stream: this, two version numbers, then blocks behind their lengths
_XERIAL_HEADER_BYTES = 16
_SNAPPY_EXPANSION = 64  # the shortest copy takes two bytes and writes 64 (snappy's format description, 2.2)


class InflateError(Exception):
    """Compressed data that is damaged, or of a codec whose number nobody has given out."""


def inflate(codec: int, data: memoryview) -> Iterator[bytes | memoryview]:
    """The text of a batch's records, in pieces of about ``PIECE_BYTES`` at most, none empty.

    Args:
        codec: attribute bits 0 to 2 of the batch.
        data: what follows the batch's header.

    Raises:
        InflateError: the data is damaged. Pieces before the damage may have been given.
    """
    if codec == NONE:
        if data:
            yield data
    elif codec == LZ4:
        yield from _lz4(data)
    elif codec == ZSTD:
        yield from _zstd(data)
    elif codec == GZIP:
        yield from _gzip(data)
    elif codec == SNAPPY:
        yield from _snappy(data)
    else:
        raise InflateError(f"compression number {codec}; known are 0 to {ZSTD}")


def _lz4(data: memoryview) -> Iterator[bytes]:
    import lz4.frame

    left: Any = data
    while left:
        frame = lz4.frame.LZ4FrameDecompressor()
        try:
            while not frame.eof:
                text = frame.decompress(left, max_length=PIECE_BYTES)
                left = b""
                if text:
                    yield text
                elif frame.needs_input and not frame.eof:
                    raise InflateError("lz4 data ends too early")
        except RuntimeError as fault:  # what the library raises for anything wrong in a frame
            raise InflateError(f"lz4 data damaged ({fault})") from fault
        left = frame.unused_data


@cache
def _zstd_context() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor()


def _zstd(data: memoryview) -> Iterator[bytes]:
    step = min(PIECE_BYTES, 16 * len(data) + 4096)  # the room is taken before the text is known
    try:
        with _zstd_context().stream_reader(data, read_across_frames=True) as reader:
            while text := reader.read(step):
                yield text
    except zstandard.ZstdError as fault:
        raise InflateError(f"zstd data damaged ({fault})") from fault


def _gzip(data: memoryview) -> Iterator[bytes]:
    left: bytes = bytes(data)
    while left:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        try:
            while not member.eof:
                text = member.decompress(left, PIECE_BYTES)
                left = b""
                if text:
                    yield text
                elif member.needs_input and not member.eof:
                    raise InflateError("gzip data ends too early")
        except igzip_lib.IsalError as fault:  # type: ignore[misc]  # its stub forgets `type`
            raise InflateError(f"gzip data damaged ({fault})") from fault
        left = member.unused_data.lstrip(b"\0")


def _snappy(data: memoryview) -> Iterator[bytes]:
    """By pyarrow's codec, which is here anyway: python-snappy is no dependency."""
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        yield from _snappy_block(data)
        return
    place = _XERIAL_HEADER_BYTES
    while place < len(data):
        if place + 4 > len(data):
            raise InflateError("snappy data ends too early")
        (size,) = struct.unpack_from(">i", data, place)
        place += 4
        if size < 0 or size > len(data) - place:
            raise InflateError("snappy data ends too early")
        yield from _snappy_block(data[place : place + size])
        place += size


def _snappy_block(block: memoryview) -> Iterator[bytes]:
    import pyarrow as pa

    size = shift = 0
    for byte in block[:5]:  # the block begins with the length of its text, base 128, low bits first
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if size > _SNAPPY_EXPANSION * len(block):
        raise InflateError(f"snappy data damaged ({len(block)} bytes that say they hold {size})")
    try:
        text: bytes = pa.Codec("snappy").decompress(block, size, asbytes=True)
    except OSError as fault:  # pyarrow.ArrowIOError
        raise InflateError(f"snappy data damaged ({fault})") from fault
    if text:
        yield text
