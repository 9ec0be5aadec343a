"""What purposes and consents are called: rows carry their keyed hashes alone, their words stand in the lines."""

from __future__ import annotations

import numpy as np

from detector.engines.feed import Resolving
from detector.formats.fields import FIELD, Fields
from detector.records.batch import Batch
from detector.sources.chunk import Chunk

MOST_WORDS = 100_000  # kept: some 15 MB; what comes after is counted, not named
WORD_BYTES = 80  # of each shown: an id of a consent is a UUID or shorter
_FIELDS = ("purpose", "consent")


class Wording:
    """A resolver that also remembers the words.

    Args:
        resolver: the one that makes the rows.
    """

    def __init__(self, resolver: Resolving) -> None:
        self._resolver = resolver
        self._words: dict[str, dict[int, str]] = {name: {} for name in _FIELDS}

    def resolve(self, chunk: Chunk, fields: Fields) -> Batch:
        """The resolver's rows, unchanged."""
        batch = self._resolver.resolve(chunk, fields)
        lines = np.flatnonzero(fields.reason == 0)  # each has one row with `requests` 1, in their order
        rows = np.flatnonzero(batch.requests > 0)
        for name, known in self._words.items():
            column = getattr(batch, name)[rows]
            if not column.any():
                continue
            found, first = np.unique(column, return_index=True)
            for word, row in zip(found.tolist(), first.tolist(), strict=True):
                if word and word not in known and len(known) < MOST_WORDS:
                    start, length = fields.span[lines[row], FIELD[name]].tolist()
                    text = chunk.buffer[start : start + min(length, WORD_BYTES)].tobytes()
                    known[word] = text.decode("utf-8", "replace")
        return batch

    def word(self, name: str, code: int) -> str:
        """The text of a hash; empty where there is none, ``?`` where it was not kept."""
        return self._words[name].get(code, "?") if code else ""
