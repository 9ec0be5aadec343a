"""The texts of path literals, query keys and suffixes by token: fixed memory, filled by the resolver.

A route is learnt in log order long after its line's bytes are gone, and nobody can be named from a hash; so the first
time a literal is answered its text is kept, 48 printable bytes of it. A place in a path keeps at most as many texts as
`routes` could ever need there before it turns the place into ``{slug}``, so that a flood of values cannot fill the
table.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.batch import NAME_BYTES
from detector.records.looks import AGENT, NETWORK, Looks
from detector.records.probing import places
from detector.records.shape import CLASS_MASK, HASHED, SUFFIX, SUFFIX_MASK

TEXT_SLOTS = 131_072  # twice `text_kernel.MAX_TEXTS`
PARENT_SLOTS = 32_768  # twice `text_kernel.MAX_PARENTS`
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1

TEXT = np.dtype([("token", "u8"), ("form", "u1"), ("text", f"S{NAME_BYTES}")])
PARENT = np.dtype([("chain", "u8"), ("odd", "i4"), ("plain", "i4")])


NO_AGENTS: npt.NDArray[Any] = np.zeros(0, AGENT)
NO_NETWORKS: npt.NDArray[Any] = np.zeros(0, NETWORK)


class Texts:
    """Texts by token.

    Args:
        per_parent: texts kept below one beginning of a path, of odd and of plain literals each.

    Attributes:
        keys: uint64 (TEXT_SLOTS,), tokens, open addressing, 0 = free.
        texts: uint8 (TEXT_SLOTS * NAME_BYTES,), printable ASCII, zero padded.
        forms: uint8 (TEXT_SLOTS,), of a query key the class its value is printed as.
        parents: uint64 (PARENT_SLOTS,); counts: int32 (PARENT_SLOTS * 2,), odd texts at even places.
        sizes: int64 (4,): texts, parents, suffixes, ``per_parent``.
        looks: what agents and networks are called.
        lock: held by whoever fills the table or copies it: the two are done by different threads.
    """

    def __init__(self, per_parent: int) -> None:
        self.keys = np.zeros(TEXT_SLOTS, np.uint64)
        self.texts = np.zeros(TEXT_SLOTS * NAME_BYTES, np.uint8)
        self.forms = np.zeros(TEXT_SLOTS, np.uint8)
        self.parents = np.zeros(PARENT_SLOTS, np.uint64)
        self.counts = np.zeros(PARENT_SLOTS * 2, np.int32)
        self.sizes = np.array([0, 0, 0, per_parent], np.int64)
        self.lock = Lock()
        self.looks = Looks(self.lock)

    def __len__(self) -> int:
        return int(self.sizes[0])

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Everything the table is, as the kernel takes it."""
        return self.keys, self.texts, self.forms, self.parents, self.counts, self.sizes

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy: the texts (dtype TEXT), and how many lie below each beginning of a path (dtype PARENT)."""
        with self.lock:
            rows = self._rows(np.flatnonzero(self.keys))
            at = np.flatnonzero(self.parents)
            parents = np.empty(len(at), PARENT)
            parents["chain"], parents["odd"], parents["plain"] = (
                self.parents[at],
                self.counts[2 * at],
                self.counts[2 * at + 1],
            )
            looks = self.looks.save()
        return {"texts": rows, "text_parents": parents, **looks}

    def load(
        self,
        rows: npt.NDArray[Any],
        parents: npt.NDArray[Any],
        agents: npt.NDArray[Any] = NO_AGENTS,
        networks: npt.NDArray[Any] = NO_NETWORKS,
    ) -> None:
        """Takes back what `save` gave, into a table not used yet; beyond what there is room for, nothing."""
        with self.lock:
            self.looks.load(agents, networks)
            parents = parents[: PARENT_SLOTS // 2]
            at = places(_home(parents["chain"], PARENT_SLOTS), PARENT_SLOTS)
            self.parents[at] = parents["chain"]
            self.counts[2 * at], self.counts[2 * at + 1] = parents["odd"], parents["plain"]
            self.sizes[1] = len(parents)
            self._put(rows)

    def reset(self) -> None:
        """Forgets everything: what follows is `load`."""
        with self.lock:
            for column in (self.keys, self.texts, self.forms, self.parents, self.counts):
                column[:] = 0
            self.sizes[:3] = 0

    def adopt(self, rows: npt.NDArray[Any]) -> None:
        """Takes texts of another process's table (dtype TEXT); those known here stay as they are."""
        with self.lock:
            self._put(rows[~np.isin(rows["token"], self.keys)])

    def of_tokens(self, tokens: list[int]) -> npt.NDArray[Any]:
        """What is kept of tokens and of their suffixes (dtype TEXT)."""
        suffixes = [(token & SUFFIX_MASK) | HASHED | SUFFIX for token in tokens if token & SUFFIX_MASK]
        slots = {self._slot(token) for token in (*tokens, *suffixes)}
        return self._rows(np.array(sorted(slots - {-1}), np.int64))

    def _rows(self, slots: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        rows = np.empty(len(slots), TEXT)
        rows["token"], rows["form"] = self.keys[slots], self.forms[slots]
        rows["text"] = self.texts.view(f"S{NAME_BYTES}")[slots]
        return rows

    def _put(self, rows: npt.NDArray[Any]) -> None:
        rows = rows[: max(0, TEXT_SLOTS // 2 - len(self))]
        at = places(_home(rows["token"], TEXT_SLOTS), TEXT_SLOTS, self.keys != 0)
        self.texts.view(f"S{NAME_BYTES}")[at] = rows["text"]
        self.forms[at] = rows["form"]
        self.keys[at] = rows["token"]
        self.sizes[0] += len(rows)
        self.sizes[2] += np.count_nonzero(rows["token"] & np.uint64(CLASS_MASK) == SUFFIX)

    def text(self, token: int) -> str:
        """The text of a hashed token; where none was kept, ``~`` and eight hex digits of the token."""
        slot = self._slot(token)
        if slot < 0:
            return f"~{token >> 32:08x}"
        return bytes(self.texts[slot * NAME_BYTES : (slot + 1) * NAME_BYTES]).rstrip(b"\0").decode("ascii")

    def form(self, token: int) -> int:
        """The class in which a query key's value is printed; 0 where the key is not known."""
        slot = self._slot(token)
        return 0 if slot < 0 else int(self.forms[slot])

    def suffix(self, token: int) -> str:
        """A token's suffix with its dot, or nothing."""
        code = token & SUFFIX_MASK
        return "." + self.text(code | HASHED | SUFFIX) if code else ""

    def _slot(self, token: int) -> int:
        slot = ((token * _FACTOR) & _MASK) >> _shift(TEXT_SLOTS)
        while self.keys[slot]:
            if int(self.keys[slot]) == token:
                return slot
            slot = (slot + 1) % TEXT_SLOTS
        return -1


def _shift(slots: int) -> int:
    return 64 - (slots.bit_length() - 1)


def _home(keys: npt.NDArray[np.uint64], slots: int) -> npt.NDArray[np.int64]:
    """Where keys stand in an empty table: what the kernel computes key by key."""
    return ((keys * np.uint64(_FACTOR)) >> np.uint64(_shift(slots))).astype(np.int64)
