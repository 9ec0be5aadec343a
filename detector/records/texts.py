"""The texts of path literals, query keys and suffixes by token: fixed memory, filled by the resolver.

A route is learnt in log order long after its line's bytes are gone, and nobody can be named from a hash; so the first
time a literal is answered its text is kept, 48 printable bytes of it. A place in a path keeps at most as many texts as
`routes` could ever need there before it turns the place into ``{slug}``, so that a flood of values cannot fill the
table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.batch import NAME_BYTES
from detector.records.shape import HASHED, SUFFIX, SUFFIX_MASK

TEXT_SLOTS = 131_072  # twice `text_kernel.MAX_TEXTS`
PARENT_SLOTS = 32_768  # twice `text_kernel.MAX_PARENTS`
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


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
    """

    def __init__(self, per_parent: int) -> None:
        self.keys = np.zeros(TEXT_SLOTS, np.uint64)
        self.texts = np.zeros(TEXT_SLOTS * NAME_BYTES, np.uint8)
        self.forms = np.zeros(TEXT_SLOTS, np.uint8)
        self.parents = np.zeros(PARENT_SLOTS, np.uint64)
        self.counts = np.zeros(PARENT_SLOTS * 2, np.int32)
        self.sizes = np.array([0, 0, 0, per_parent], np.int64)

    def __len__(self) -> int:
        return int(self.sizes[0])

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Everything the table is, as the kernel takes it and as a snapshot keeps it."""
        return self.keys, self.texts, self.forms, self.parents, self.counts, self.sizes

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
        slot = ((token * _FACTOR) & _MASK) >> (64 - (TEXT_SLOTS.bit_length() - 1))
        while self.keys[slot]:
            if int(self.keys[slot]) == token:
                return slot
            slot = (slot + 1) % TEXT_SLOTS
        return -1
