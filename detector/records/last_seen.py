"""When persons were last there, as the owner knows it: a CSV file with the header ``person,last_seen``.

A log of a week cannot say who has been away for months; the table of accounts can. Persons are as in requests or in
`policy.persons`; ``last_seen`` is a day or a moment (ISO 8601, UTC unless said). Kept as keyed hashes alone.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.persons import hash_id

COLUMNS = ("person", "last_seen")
DAY_US = 86_400_000_000
DAY_LETTERS = len("2026-03-03")


def read_last_seen(path: Path, key: HashKey = REPLAY_KEY) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """uint64 (n,) persons and int64 (n,) microseconds since 1970; a day counts to its end.

    Raises:
        UsageError: it cannot be read, has no header with these columns, or a row is none; with its line.
    """
    persons, moments = [], []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise UsageError(f"{path}:1: the header must name {' and '.join(COLUMNS)}")
            for row in rows:
                person, text = (row["person"] or "").strip(), (row["last_seen"] or "").strip()
                if not person:
                    raise UsageError(f"{path}:{rows.line_num}: a person is missing")
                try:
                    moments.append(_moment_us(text))
                except ValueError as error:
                    raise UsageError(
                        f"{path}:{rows.line_num}: last_seen {text!r}: allowed is a day or a moment, such as 2026-03-03"
                    ) from error
                persons.append(hash_id(person, key))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return np.array(persons, np.uint64), np.array(moments, np.int64)


def _moment_us(text: str) -> int:
    when = datetime.fromisoformat(text)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return round(when.timestamp()) * 1_000_000 + (DAY_US - 1 if len(text) == DAY_LETTERS else 0)
