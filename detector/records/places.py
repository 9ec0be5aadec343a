"""Where addresses are at home: autonomous system and country out of a database in MaxMind's format.

With one given, a row's network is its autonomous system (with a country database alone: its country), not its /24:
botnets and proxies are rented by the provider, and one provider has thousands of /24s. The user supplies the file
(GeoLite2-ASN.mmdb, GeoLite2-Country.mmdb, or another vendor's in the same format); none comes with the program.

The format is MaxMind DB 2.0: a binary tree over the bits of an address, whose leaves point to records. The tree is
walked here for a whole column of addresses at once; a record is decoded when it is met for the first time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.records.batch import Batch
from detector.records.keys import REPLAY_KEY, HashKey

MARK = b"\xab\xcd\xefMaxMind.com"  # begins the metadata, in the last 128 KiB
META_BYTES = 128 << 10
SEPARATOR_BYTES = 16  # between tree and data
MAX_NESTING = 16  # of a record: those published have 3
TAG_PLACE = 0x706C616365  # "place": keeps networks of a database apart from those by address

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio

U64 = npt.NDArray[np.uint64]


class MaxMind:
    """One database.

    Raises ``UsageError`` where the file cannot be read or is no such database.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
        at = self._data.rfind(MARK, max(0, len(self._data) - META_BYTES))
        if at < 0:
            raise UsageError(f"{path}: no MaxMind database (.mmdb)")
        try:
            self._base = at + len(MARK)
            meta, _ = self._value(self._base, 0)
            self._nodes, bits, self._version = meta["node_count"], meta["record_size"], meta["ip_version"]
            if bits not in (24, 28, 32) or self._version not in (4, 6):
                raise UsageError(f"{path}: records of {bits} bits for IPv{self._version} are not known")
            self._tree = self._branches(bits)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"{path}: damaged: {type(error).__name__}") from error
        self._base = self._nodes * bits // 4 + SEPARATOR_BYTES
        self._start4 = (
            0 if self._version == 4 else self._walk(np.zeros((1, 2), np.uint64), 96, 0, np.zeros(1, np.int64))[0]
        )

    def _branches(self, bits: int) -> npt.NDArray[np.int64]:
        """int64 (nodes, 2): where each node leads for a bit of 0 and of 1."""
        raw = (
            np.frombuffer(self._data, np.uint8, self._nodes * bits // 4)
            .reshape(self._nodes, bits // 4)
            .astype(np.int64)
        )
        if bits == 28:
            left = raw[:, 0] << 16 | raw[:, 1] << 8 | raw[:, 2] | (raw[:, 3] >> 4) << 24
            right = (raw[:, 3] & 15) << 24 | raw[:, 4] << 16 | raw[:, 5] << 8 | raw[:, 6]
            return np.stack([left, right], axis=1)
        size = bits // 8
        powers = 256 ** np.arange(size - 1, -1, -1)
        return np.stack([raw[:, :size] @ powers, raw[:, size:] @ powers], axis=1)

    def _walk(self, words: U64, count: int, skip: int, node: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Follows ``count`` bits of each address from its bit ``skip`` on, as far as there are branches."""
        for bit in range(skip, skip + count):
            word = words[:, bit // 64]
            turn = ((word >> np.uint64(63 - bit % 64)) & np.uint64(1)).astype(np.int64)
            inner = node < self._nodes
            if not inner.any():
                break
            node = np.where(inner, self._tree[np.where(inner, node, 0), turn], node)
        return node

    def leaves(self, words: U64) -> npt.NDArray[np.int64]:
        """Where each address's record stands in the data, -1 for none.

        Args:
            words: uint64 (n, 2), IPv4 inside ``::ffff:0:0/96``.
        """
        four = (words[:, 0] == 0) & (words[:, 1] >> np.uint64(32) == 0xFFFF)
        node = np.full(len(words), self._nodes, np.int64)
        node[four] = self._walk(words[four], 32, 96, np.full(int(four.sum()), self._start4, np.int64))
        if self._version == 6:
            node[~four] = self._walk(words[~four], 128, 0, np.zeros(int((~four).sum()), np.int64))
        return np.where(node > self._nodes, node - self._nodes - SEPARATOR_BYTES, -1)

    def record(self, leaf: int) -> Any:
        """What stands at a leaf; None where it is damaged."""
        try:
            return self._value(self._base + leaf, 0)[0]
        except (IndexError, ValueError, UnicodeDecodeError, RecursionError):
            return None

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        """The value at a place and the place after it (MaxMind DB 2.0, "Data Field Format")."""
        if depth > MAX_NESTING:
            raise ValueError(at)
        control = self._data[at]
        kind, at = control >> 5, at + 1
        if kind == 1:
            extra = (control >> 3) & 3
            bits = int.from_bytes(self._data[at : at + extra + 1], "big")
            bits += ((control & 7) << (8 * (extra + 1)) if extra < 3 else 0) + (0, 2048, 526336, 0)[extra]
            return self._value(self._base + bits, depth + 1)[0], at + extra + 1
        if kind == 0:
            kind, at = 7 + self._data[at], at + 1
        size = control & 31
        if size > 28:
            extra = size - 28
            size = (29, 285, 65821)[extra - 1] + int.from_bytes(self._data[at : at + extra], "big")
            at += extra
        return self._content(kind, size, at, depth)

    def _content(self, kind: int, size: int, at: int, depth: int) -> tuple[Any, int]:
        if kind == 7:
            found = {}
            for _ in range(min(size, len(self._data))):
                name, at = self._value(at, depth + 1)
                found[str(name)], at = self._value(at, depth + 1)
            return found, at
        if kind == 11:
            values = []
            for _ in range(min(size, len(self._data))):
                value, at = self._value(at, depth + 1)
                values.append(value)
            return values, at
        if kind == 14:
            return bool(size), at
        raw = self._data[at : at + size]
        value = raw.decode() if kind == 2 else int.from_bytes(raw, "big") if kind in (5, 6, 8, 9, 10) else raw
        return value, at + size


class Places:
    """Networks by database: autonomous systems, else countries.

    Args:
        databases: the one whose records have a number of an autonomous system, or a country, best first.
        key: the resolver's.

    Attributes:
        names: what a network is called, ``AS64500`` or ``NL``, by its number in `Batch.network`.
    """

    def __init__(self, databases: list[MaxMind], key: HashKey = REPLAY_KEY) -> None:
        self._databases = databases
        self._key = key
        self._known: list[dict[int, int]] = [{} for _ in databases]
        self.names: dict[int, str] = {}

    def mark(self, batch: Batch, addresses: U64) -> None:
        """Sets ``network`` where a database knows the address; elsewhere it stays as it is.

        Args:
            batch: the rows.
            addresses: uint64 (n, 2), zeros where a row has none.
        """
        if not len(batch):
            return
        words = addresses[:, 0] * _FACTOR ^ addresses[:, 1]
        _, first, place = np.unique(words, return_index=True, return_inverse=True)
        distinct = addresses[first]
        numbers = np.zeros(len(distinct), np.uint32)
        for database, known in zip(self._databases, self._known, strict=True):
            open_ = np.flatnonzero((numbers == 0) & distinct.any(axis=1))
            leaves = database.leaves(distinct[open_])
            for leaf in np.unique(leaves[leaves >= 0]).tolist():
                if leaf not in known:
                    known[leaf] = self._number(database.record(leaf))
            numbers[open_] = [known.get(leaf, 0) for leaf in leaves.tolist()]
        found = numbers[place.reshape(-1)]
        batch.network[found > 0] = found[found > 0]

    def _number(self, record: Any) -> int:
        """The number of a record's network, 32 bits that are never 0; 0 where it names none."""
        name = place_name(record)
        if not name:
            return 0
        number = place_number(name, self._key)
        self.names[number] = name
        return number


def place_number(name: str, key: HashKey) -> int:
    """What `Batch.network` has for a place of this name."""
    return key.of_words(TAG_PLACE, key.of_text(name.encode())) >> 32 or 1


def place_name(record: Any) -> str:
    """``AS64500`` of a record of autonomous systems, else the country's two letters, else nothing."""
    if not isinstance(record, dict):
        return ""
    number = record.get("autonomous_system_number") or record.get("asn")
    if number:
        return f"AS{str(number).removeprefix('AS')}"
    country = record.get("country") or record.get("registered_country") or record.get("country_code")
    code = country.get("iso_code", "") if isinstance(country, dict) else country
    return str(code or "")
