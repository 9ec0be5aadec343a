"""Whose record is whose: a map from record to person, where the log itself does not name the subject.

The map is a CSV file with a header: ``record,person``, both as the log and the owner's systems write them. A record is
an id as it stands in requests (``4711``, ``0f8fad5b-…``, ``ann@example.com``); one person may have many. Both are kept
as keyed hashes alone, 16 bytes a record, so that a map of ten million takes 160 MB and holds nobody's name.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.records.batch import Batch
from detector.records.keys import REPLAY_KEY, HashKey

COLUMNS = ("record", "person")
MAX_DIGITS = 18  # `path_kernel.MAX_NUMBER_DIGITS`: a longer number is a text


class Persons:
    """Persons by record.

    Args:
        records: uint64 (n,), keyed hashes as `Batch.object` has them; of records named twice the first counts.
        persons: uint64 (n,), keyed hashes of the persons.
    """

    def __init__(self, records: npt.NDArray[np.uint64], persons: npt.NDArray[np.uint64]) -> None:
        self._records, first = np.unique(records, return_index=True)
        self._persons = persons[first]

    def __len__(self) -> int:
        return len(self._records)

    @classmethod
    def read(cls, path: Path, key: HashKey = REPLAY_KEY) -> Persons:
        """The map in a CSV file.

        Raises:
            UsageError: it cannot be read, has no header with these columns, or a row lacks one; with its line.
        """
        records: list[int] = []
        persons: list[int] = []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                if not set(COLUMNS) <= set(rows.fieldnames or ()):
                    raise UsageError(f"{path}:1: the header must name {' and '.join(COLUMNS)}")
                for row in rows:
                    if not row["record"] or not row["person"]:
                        raise UsageError(f"{path}:{rows.line_num}: a record or a person is missing")
                    records.append(hash_id(row["record"], key))
                    persons.append(hash_id(row["person"], key))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from error
        return cls(np.array(records, np.uint64), np.array(persons, np.uint64))

    def mark(self, batch: Batch) -> None:
        """Fills ``subject`` where it is empty and the map has the row's object."""
        if not len(self._records):
            return
        at = np.minimum(np.searchsorted(self._records, batch.object), len(self._records) - 1)
        found = (batch.subject == 0) & (self._records[at] == batch.object) & (batch.object != 0)
        batch.subject[found] = self._persons[at[found]]


def hash_id(text: str, key: HashKey) -> int:
    """The keyed hash of an id as the resolver makes it: of a number where it is one, else of its bytes."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and not _is_card(text):
        return key.of_number(int(text))
    return key.of_text(text.encode())


def _is_card(text: str) -> bool:
    """`path_kernel.is_card` for one number: leading zeros are digits too."""
    figures = [int(c) for c in text]
    four, two = int(text[:4] or 0), int(text[:2] or 0)
    issued = (len(text) == 15 and two in (34, 37)) or (
        len(text) == 16 and ((40 <= two <= 55 and two != 50) or two == 65 or 2221 <= four <= 2720 or four == 6011)
    )
    doubled = [sum(divmod(2 * d, 10)) for d in figures[-2::-2]]
    return issued and sum(figures[-1::-2] + doubled) % 10 == 0
