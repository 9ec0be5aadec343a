"""JSON lines as formats: a map from keys to fields, and the kernel that walks it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.errors import UsageError
from detector.formats.fields import FIELD, FIELDS, Fields
from detector.formats.zone import Zone

if TYPE_CHECKING:
    from detector.sources.chunk import Chunk

# what a key's value is, shared with json_kernel.py
NONE, TEXT, MOMENT, STATUS_KEY, BYTES_KEY, ROWS_KEY, REQUEST_KEY, URL_KEY, PAIRS = range(9)

UNITS = {"auto": -1, "clf": -2, "iso": -3, "s": 0, "ms": 3, "us": 6, "ns": 9}
MAX_KEYS = 62  # one bit each of an int64 tells a key that comes twice
URL_RANK = 20  # behind every key that holds a target alone
CELLS = 72  # scratch of the kernel: ranks and numbers (33), a node for each depth, the zone, the last second
JUMPS = 40  # lengths of keys told apart when one is looked up; hardly any key is longer
MAX_KEY_DEPTH = 4  # deepest key any preset needs (Kong's request.headers.user-agent has 3)

_SCAN = Kernel(
    "detector.formats.json_kernel:scan",
    [
        Array("u1"),  # buffer
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Array("i8", 2),  # nodes
        Array("u1"),  # keys
        Array("i8"),  # cells
        Array("u1"),  # reason
        Array("u1"),  # torn
        Array("i8"),  # time_us
        Array("u2"),  # status
        Array("i8"),  # bytes_out
        Array("i4"),  # rows
        Array("i4", 3),  # span
    ],
    "i8",
)


@dataclass(frozen=True)
class Key:
    """One key of the map.

    Attributes:
        path: the key, or the keys of the objects around it first; of an array the first element counts.
        kind: TEXT, MOMENT …
        code: the field it fills; for a moment its unit.
        rank: of several keys that fill one field the one with the lowest rank and a value counts.
    """

    path: tuple[str, ...]
    kind: int
    code: int
    rank: int


@dataclass(frozen=True)
class JsonFormat:
    """Lines that are one JSON object each, read through a field map.

    Attributes:
        name: the preset's name, or ``custom``.
        keys: every key of the map.
        needs_address: whether a line without any of its addresses is rejected, where the map names one.
        pairs: keys of arrays of pairs, ``[{"key": "a", "value": …}]``, which are read as objects, ``{"a": …}``.
        zone: of moments that say none; None = UTC.
    """

    name: str
    keys: tuple[Key, ...]
    about: str = ""
    pairs: tuple[tuple[str, ...], ...] = ()
    needs_address: bool = True
    zone: Zone | None = None
    _nodes: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _text: npt.NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        nodes, text = _compile(self.keys, self.pairs, self.needs_address)
        object.__setattr__(self, "_nodes", nodes)
        object.__setattr__(self, "_text", text)

    def scan(self, chunk: Chunk) -> Fields:
        """Where every field of every line lies. Strings are unescaped in the chunk's buffer: scan a chunk once."""
        return self.columns(chunk.buffer, chunk.starts, chunk.lengths)

    def columns(
        self, buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> Fields:
        """:meth:`scan` for a bare buffer: uint8 (size,), int64 (n,), int64 (n,)."""
        out = Fields.empty(len(starts))
        _SCAN(
            buffer,
            starts,
            lengths,
            self._nodes,
            self._text,
            np.zeros(CELLS, np.int64),
            out.reason,
            out.torn,
            out.time_us,
            out.status,
            out.bytes_out,
            out.rows,
            out.span,
        )
        if self.zone is not None:
            self.zone.settle(out)
        out.torn &= 1
        return out

    @property
    def specificity(self) -> int:
        """Formats with longer keys are the more particular ones: where two fit a log alike, theirs is meant."""
        return max(len(".".join(key.path)) for key in self.keys)


def compile_map(document: dict[str, Any], where: str) -> tuple[Key, ...]:
    """The keys of a map as YAML gives it.

    ``fields:`` names for each field of FIELDS, and for ``status``, ``bytes``, ``rows``, ``request`` (a whole request
    line) and ``url`` (a target with or without its host), the keys that hold it, best first; ``time:`` the keys of the
    moment with their units. A dot goes into an object, ``\\.`` is a dot.

    Raises:
        UsageError: a field, unit or key that cannot be; the message names it and what is allowed.
    """
    numbers = {"status": STATUS_KEY, "bytes": BYTES_KEY, "rows": ROWS_KEY}
    keys: list[Key] = []
    for name, paths in document.get("fields", {}).items():
        for rank, path in enumerate(paths if isinstance(paths, list) else [paths]):
            if name in FIELD:
                # a whole request line, where there is one, says more than a target alone: it ranks first
                keys.append(Key(_split(path, where), TEXT, FIELD[name], rank + (name == "target")))
            elif name in numbers:
                keys.append(Key(_split(path, where), numbers[name], 0, rank))
            elif name == "request":
                keys.append(Key(_split(path, where), REQUEST_KEY, FIELD["target"], rank))
            elif name == "url":
                keys.append(Key(_split(path, where), URL_KEY, FIELD["target"], rank + URL_RANK))
            else:
                allowed = ", ".join((*FIELDS, *numbers, "request", "url"))
                raise UsageError(f"{where}: there is no field '{name}'; there are {allowed}")
    for rank, (path, unit) in enumerate(document.get("time", {}).items()):
        if unit not in UNITS:
            raise UsageError(f"{where}: a moment has no unit '{unit}'; there are {', '.join(UNITS)}")
        keys.append(Key(_split(path, where), MOMENT, UNITS[unit], rank))
    if not any(key.kind == MOMENT for key in keys) or not any(key.code == FIELD["target"] for key in keys):
        raise UsageError(f"{where}: a map needs a time and a target (or request)")
    if len(keys) > MAX_KEYS:
        raise UsageError(f"{where}: {len(keys)} keys; at most {MAX_KEYS} are allowed")
    return tuple(keys)


def pair_paths(document: dict[str, Any], where: str) -> tuple[tuple[str, ...], ...]:
    """The arrays of pairs that a map names under ``pairs:``; in ``fields:`` their keys stand as those of objects."""
    return tuple(_split(path, where) for path in document.get("pairs", []))


def _split(path: str, where: str) -> tuple[str, ...]:
    parts = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", str(path)))
    if len(parts) > MAX_KEY_DEPTH or not all(parts):
        raise UsageError(f"{where}: the key '{path}' is empty in a part or deeper than {MAX_KEY_DEPTH}")
    return parts


@dataclass
class _Node:
    name: bytes = b""
    kind: int = NONE
    code: int = 0
    rank: int = 0
    bit: int = 0


def _compile(
    keys: tuple[Key, ...], pairs: tuple[tuple[str, ...], ...], needs_address: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The map as the scanner walks it.

    Returns:
        nodes: int64 (n, 9 + JUMPS): first child, children, offset and length of its key, kind, code, rank, bit; then by
            length how many of the children, which stand in the order of their keys' lengths, have shorter keys; last
            the key that came behind it, for the scanner to write, -1 at first. Node 0 is the line's object; its code is
            1 where the map names an address and each line must have one.
        text: uint8 (size + 8,), the bytes of all keys, and eight that a word's load may reach.
    """
    tree: dict[tuple[str, ...], _Node] = {
        (): _Node(code=int(needs_address and any(k.kind == TEXT and k.code == 0 for k in keys)))
    }
    for bit, key in enumerate(keys):
        for depth in range(1, len(key.path) + 1):
            tree.setdefault(key.path[:depth], _Node(key.path[depth - 1].encode()))
        node = tree[key.path]
        node.kind, node.code, node.rank, node.bit = key.kind, key.code, key.rank, bit
    for path in pairs:
        tree[path].kind = PAIRS
    # children of one node stand together, by the lengths of their keys
    order = sorted(tree, key=lambda path: (len(path), path[:-1], len(tree[path].name), path))
    rows: list[list[int]] = []
    text = bytearray()
    for path in order:
        node = tree[path]
        children = [i for i, other in enumerate(order) if other and other[:-1] == path]
        first = children[0] if children else 0
        lengths = [len(tree[order[i]].name) for i in children]
        shorter = [sum(length < size for length in lengths) for size in range(JUMPS)]
        own = [first, len(children), len(text), len(node.name), node.kind, node.code, node.rank, node.bit]
        rows.append([*own, *shorter, -1])
        text += node.name
    return np.array(rows, np.int64), np.frombuffer(bytes(text) + bytes(8), np.uint8).copy()
