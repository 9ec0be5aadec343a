"""Protobuf's wire format (protobuf.dev/programming-guides/encoding): field after field, never read behind the end."""

from __future__ import annotations

import numpy as np

from detector.formats.word_kernel import U1, called, inner, load8

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; groups (3, 4) are in no message of OTLP


@called
def varint(buffer: U1, p: int, end: int) -> tuple[int, int]:
    """The number at ``p`` and where it ends, -1 where it is longer than ten bytes or cut off."""
    value, shift = np.uint64(0), np.uint64(0)
    while p < end and shift < np.uint64(70):
        c = np.uint64(buffer[p])
        value |= (c & np.uint64(127)) << shift
        p += 1
        if c < np.uint64(128):
            return np.int64(value), p
        shift += np.uint64(7)
    return np.int64(0), np.int64(-1)


@inner
def fixed64(buffer: U1, p: int) -> int:
    """Eight bytes, the lowest first."""
    if p + 8 <= len(buffer):
        return np.int64(load8(buffer, p))
    return np.int64(0)


@called
def field(buffer: U1, p: int, end: int) -> tuple[int, int, int, int]:
    """The field at ``p``: (number × 8 + wire type, value or first byte, behind its last byte, where the next begins).

    The last is -1 where the bytes are no field.
    """
    tag, p = varint(buffer, p, end)
    bad = np.int64(-1)
    if p < 0 or tag < 8 or tag >= np.int64(1) << 32:
        return tag, p, p, bad
    wire = tag & 7
    if wire == VARINT:
        value, after = varint(buffer, p, end)
        return tag, value, after, after
    if wire == FIXED64:
        return (tag, fixed64(buffer, p), p + 8, p + 8) if end - p >= 8 else (tag, p, p, bad)
    if wire == FIXED32:
        return (tag, np.int64(0), p + 4, p + 4) if end - p >= 4 else (tag, p, p, bad)
    if wire == BYTES:
        size, p = varint(buffer, p, end)
        if p >= 0 and 0 <= size <= end - p:
            return tag, p, p + size, p + size
    return tag, p, p, bad
