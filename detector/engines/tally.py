"""Reads added up by who made them, in columns: a row a reader, whatever the number of reads.

Distinct persons and consents are kept one by one (16 bytes each), for the answer to "who read it?" is no estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.batch import NAME_BYTES, Batch

READER = np.dtype(
    [
        ("group", "u8"),  # client, purpose and, where asked for, consent, mixed
        ("name", f"S{NAME_BYTES}"),
        ("kind", "u1"),  # index into records.batch.KINDS
        ("partner", "u4"),
        ("purpose", "u8"),
        ("consent", "u8"),  # of the first read; with distinct consents of a group, one of them
        ("reads", "i8"),
        ("first_us", "i8"),
        ("last_us", "i8"),
    ]
)
COMPACT_ROWS = 1 << 20  # rows that wait before they are put together: some 110 MB at most
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)  # as xxHash mixes lanes

Table = npt.NDArray[Any]  # of READER
U64 = npt.NDArray[np.uint64]


class Tally:
    """Adds up reads.

    Args:
        by_consent: whether reads of one client under different consents are told apart.
    """

    def __init__(self, by_consent: bool) -> None:
        self._by_consent = by_consent
        self._tables: list[Table] = []
        self._waiting = 0
        self._distinct = {"person": _Pairs(), "consent": _Pairs()}

    def add(self, batch: Batch, rows: npt.NDArray[np.int64], person: U64) -> None:
        """Adds reads.

        Args:
            batch: what was read.
            rows: which of its rows are meant.
            person: uint64 (len(rows),), keyed hash of whose record each is; 0 = not known.
        """
        if not len(rows):
            return
        made = np.zeros(len(rows), READER)
        client, purpose, consent = batch.client[rows], batch.purpose[rows], batch.consent[rows]
        group = client * _ODD[0] + purpose * _ODD[1]
        made["group"] = group + consent * _ODD[2] if self._by_consent else group
        made["name"] = np.ascontiguousarray(batch.name[rows]).view(f"S{NAME_BYTES}")[:, 0]
        made["kind"], made["partner"] = batch.kind[rows], batch.partner[rows]
        made["purpose"], made["consent"] = purpose, consent
        made["reads"] = 1
        made["first_us"] = made["last_us"] = batch.time_us[rows]
        self._distinct["person"].add(made["group"], person)
        self._distinct["consent"].add(made["group"], consent)
        self._tables.append(_together(made))
        self._waiting += len(self._tables[-1])
        if self._waiting > COMPACT_ROWS:
            self._tables = [_together(np.concatenate(self._tables))]
            self._waiting = 0

    def readers(self) -> tuple[Table, Mapping[str, npt.NDArray[np.int64]]]:
        """A row each, most reads first, then by name; and of each how many distinct persons and consents."""
        whole = _together(np.concatenate([np.zeros(0, READER), *self._tables]))
        whole = whole[np.lexsort((whole["group"], whole["name"], -whole["reads"]))]
        return whole, {name: pairs.counts(whole["group"]) for name, pairs in self._distinct.items()}


class _Pairs:
    """Distinct (group, value) pairs, 0 left out."""

    def __init__(self) -> None:
        self._group: U64 = np.zeros(0, np.uint64)
        self._key: U64 = np.zeros(0, np.uint64)
        self._waiting: list[tuple[U64, U64]] = []
        self._rows = 0

    def add(self, group: U64, value: U64) -> None:
        """Takes pairs in."""
        said = value != 0
        if said.any():
            self._waiting.append((group[said], group[said] * _ODD[1] + value[said] * _ODD[0]))
            self._rows += int(np.count_nonzero(said))
        if self._rows > COMPACT_ROWS:
            self._settle()

    def _settle(self) -> None:
        group = np.concatenate([self._group, *(g for g, _ in self._waiting)])
        self._key, first = np.unique(np.concatenate([self._key, *(k for _, k in self._waiting)]), return_index=True)
        self._group = group[first]
        self._waiting, self._rows = [], 0

    def counts(self, groups: U64) -> npt.NDArray[np.int64]:
        """How many distinct values each group has."""
        self._settle()
        found, counts = np.unique(self._group, return_counts=True)
        if not len(found):
            return np.zeros(len(groups), np.int64)
        at = np.minimum(np.searchsorted(found, groups), len(found) - 1)
        return np.where(found[at] == groups, counts[at], 0)


def _together(rows: Table) -> Table:
    """One row a group: reads added, first and last moment; the rest of its first row."""
    if len(rows) < 2:
        return rows
    ordered = rows[np.argsort(rows["group"], kind="stable")]
    begins = np.flatnonzero(np.concatenate([[True], ordered["group"][1:] != ordered["group"][:-1]]))
    made: Table = ordered[begins]
    made["reads"] = np.add.reduceat(ordered["reads"], begins)
    made["first_us"] = np.minimum.reduceat(ordered["first_us"], begins)
    made["last_us"] = np.maximum.reduceat(ordered["last_us"], begins)
    return made
