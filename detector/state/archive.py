"""The container of what outlives the process: plain data and arrays in one checked piece of bytes.

::

    magic 8 | format u4 | length u8 | BLAKE2b-256 of all else | manifest's length u4 | manifest | arrays

all little-endian. The manifest is ASCII JSON: the plain data, and of every array its name, type, shape and length as
stored. Arrays follow one another, each compressed by zstd at level 1, which halves a full table of clients and makes an
empty one nothing. The first four fields are the same in every format, so that a later one is recognised as such.

Nothing is trusted before the checksum has been, and no size even then: what an array says it needs is added up and
compared with a limit, and with what its compressed form says, before memory is asked for.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from detector.errors import SnapshotDamaged, SnapshotVersion
from detector.packing import Saved

FORMAT = 1
MAGIC = b"\x93DETECT\n"  # no text begins so, and a transfer that changes line ends breaks it
MOST_BYTES = 1 << 34
"""Unpacked arrays in all: tables for 16 million clients and 134 million objects, 16 times the default, are 8 GB."""

LEVEL = 1  # of zstd: the fastest; level 3 takes twice the time for a tenth less
MOST_ARRAYS = 4096

_BEGIN = struct.Struct("<8sIQ")
_DIGEST_BYTES = 32
_HEAD = _BEGIN.size + _DIGEST_BYTES
_COUNT = struct.Struct("<I")
_KINDS = frozenset("biufSV")  # numbers, truth values, byte strings, records; nothing that refers to Python objects


def pack(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Puts plain data and arrays into one piece of bytes.

    Args:
        meta: what JSON can say; keys come back as strings, NaN is refused.
        arrays: by name; numbers, truth values, byte strings and records of these, of any shape.

    Raises:
        ValueError: there is something in it that cannot be kept.
    """
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
    entries, pieces = [], []
    for name, array in arrays.items():
        said, shape = _said(array.dtype), list(np.shape(array))
        piece = compressor.compress(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        entries.append({"name": name, "type": said, "shape": shape, "bytes": len(piece)})
        pieces.append(piece)
    manifest = json.dumps({"meta": meta, "arrays": entries}, ensure_ascii=True, allow_nan=False).encode("ascii")
    parts = [_COUNT.pack(len(manifest)), manifest, *pieces]
    begin = _BEGIN.pack(MAGIC, FORMAT, _HEAD + sum(map(len, parts)))
    return b"".join([begin, _digest(begin, *parts), *parts])


def unpack(data: bytes | memoryview, most_bytes: int = MOST_BYTES) -> Saved:
    """Reads what `pack` wrote; the arrays are read-only.

    Args:
        data: the piece of bytes.
        most_bytes: memory the arrays may take.

    Raises:
        SnapshotDamaged: it is not what was written.
        SnapshotVersion: it is, but in another format.
    """
    view = memoryview(data)
    _check(view)
    try:
        (size,) = _COUNT.unpack_from(view, _HEAD)
        begin = _HEAD + _COUNT.size
        manifest = json.loads(bytes(view[begin : begin + size]).decode("ascii"))
        return Saved(manifest["meta"], _arrays(manifest["arrays"], view[begin + size :], most_bytes))
    except (KeyError, TypeError, ValueError, RecursionError, struct.error, zstandard.ZstdError) as error:
        raise SnapshotDamaged(f"snapshot: its contents contradict themselves ({type(error).__name__})") from error


def _check(view: memoryview) -> None:
    if len(view) < _HEAD:
        raise SnapshotDamaged(f"snapshot: {len(view)} bytes; its head alone takes {_HEAD}")
    magic, version, length = _BEGIN.unpack_from(view)
    if magic != MAGIC:
        raise SnapshotDamaged("snapshot: it does not begin as one")
    if length != len(view):
        raise SnapshotDamaged(f"snapshot: {len(view)} bytes of {length}")
    if _digest(view[: _BEGIN.size], view[_HEAD:]) != view[_BEGIN.size : _HEAD]:
        raise SnapshotDamaged("snapshot: its checksum is wrong")
    if version != FORMAT:
        raise SnapshotVersion(f"snapshot: format {version}; this version reads format {FORMAT}")


def _digest(*parts: bytes | memoryview) -> bytes:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _arrays(entries: list[dict[str, Any]], body: memoryview, most_bytes: int) -> dict[str, npt.NDArray[Any]]:
    if len(entries) > MOST_ARRAYS:
        raise ValueError("arrays")
    decompressor = zstandard.ZstdDecompressor()
    arrays: dict[str, npt.NDArray[Any]] = {}
    at, room = 0, most_bytes
    for entry in entries:
        dtype, shape = _type_of(entry["type"]), tuple(int(n) for n in entry["shape"])
        piece = body[at : at + entry["bytes"]]
        size = dtype.itemsize * prod(shape)
        if min(shape, default=0) < 0 or size > room or zstandard.frame_content_size(piece) != size:
            raise ValueError("size")
        raw = decompressor.decompress(piece, max_output_size=size) if size else b""
        arrays[str(entry["name"])] = np.frombuffer(raw, dtype).reshape(shape) if size else np.zeros(shape, dtype)
        at += entry["bytes"]
        room -= size
    if at != len(body):
        raise ValueError("length")
    return arrays


def _is_kept(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in _KINDS and not dtype.hasobject and dtype.byteorder != ">"


def _said(dtype: np.dtype[Any]) -> Any:
    """A type in JSON: its code, or of a record its fields with their places, gaps and all."""
    if not _is_kept(dtype):
        raise ValueError(f"an array of {dtype} cannot be kept")
    if dtype.names is None:
        return dtype.str
    fields = [(name, *dtype.fields[name][:2]) for name in dtype.names] if dtype.fields else []
    said = [[name, _said(field.base), list(field.shape), place] for name, field, place in fields]
    return {"fields": said, "size": dtype.itemsize}


def _type_of(said: Any) -> np.dtype[Any]:
    """The type that `_said` said."""
    if isinstance(said, str):
        plain = np.dtype(said)
        if not _is_kept(plain) or plain.names is not None or plain.itemsize == 0:
            raise ValueError("type")
        return plain
    names, codes, shapes, places = zip(*said["fields"], strict=True)
    formats = [(_type_of(code), tuple(shape)) for code, shape in zip(codes, shapes, strict=True)]
    record = {"names": names, "formats": formats, "offsets": places, "itemsize": said["size"]}
    return np.dtype(record)  # type: ignore[call-overload, no-any-return]
