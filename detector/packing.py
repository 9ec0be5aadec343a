"""What is kept of tables and lists: the slots in use of a large table, rows by the names of their fields, many short
columns as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.errors import SnapshotDamaged

Arrays = Mapping[str, npt.NDArray[Any]]


class Saved(NamedTuple):
    """What a part of the program keeps: plain data that JSON can say, and arrays by name."""

    meta: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def under(room: str, arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The arrays with a room's name before theirs."""
    return {f"{room}.{name}": array for name, array in arrays.items()}


def within(room: str, arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The arrays `under` a room's name, by their own."""
    return {name.removeprefix(f"{room}."): array for name, array in arrays.items() if name.startswith(f"{room}.")}


def raw(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same memory with each slot as so many bytes: numpy copies records field by field, six times slower, and
    leaves out the gaps between fields."""
    return table.view(f"V{table.itemsize}") if table.dtype.names else table


def picked(table: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy of the rows that a mask or their places name."""
    found: npt.NDArray[Any] = raw(table)[rows].view(table.dtype)
    return found


def copied(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy."""
    return raw(table).copy().view(table.dtype)


def sparse(name: str, table: npt.NDArray[Any], used: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[Any]]:
    """A copy of the rows in use of a flat table and where they stand; of the whole where most are."""
    at = np.flatnonzero(used)
    if 2 * len(at) > len(table):
        return {name: copied(table)}
    return {name: raw(table)[at].view(table.dtype), f"{name}.at": at.astype(np.uint32)}


def fill(name: str, table: npt.NDArray[Any], arrays: Arrays) -> None:
    """Puts what `sparse` kept back into a flat table of zeros.

    Raises:
        SnapshotDamaged: it does not fit.
    """
    rows, at = arrays[name], arrays.get(f"{name}.at")
    if rows.dtype != table.dtype:
        raise SnapshotDamaged(f"snapshot: {name} has fields that do not fit")
    if at is None:
        if len(rows) != len(table):
            raise SnapshotDamaged(f"snapshot: {len(rows)} rows of {name} for a table of {len(table)}")
        raw(table)[:] = raw(rows)
    elif len(at) != len(rows) or (len(at) and int(at.max()) >= len(table)):
        raise SnapshotDamaged(f"snapshot: {name} has places outside its table")
    else:
        raw(table)[at] = raw(rows)


def adopted(rows: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Records of another version's dtype as those of this one: fields by name, new ones zero, dropped ones gone.

    Raises:
        SnapshotDamaged: they are no records.
    """
    if rows.dtype == dtype:
        return rows
    if len(rows) and rows.dtype.names is None:
        raise SnapshotDamaged(f"snapshot: numbers where records of {', '.join(dtype.names or ())} should be")
    taken = np.zeros(len(rows), dtype)
    for field in set(dtype.names or ()) & set(rows.dtype.names or ()):
        if rows[field].shape == taken[field].shape:
            taken[field] = rows[field]
    return taken


def joined(name: str, parts: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike) -> dict[str, npt.NDArray[Any]]:
    """Columns of several owners, all of this dtype, as one, and where each ends."""
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    filled = [raw(part) for part in parts if len(part)]
    whole = np.concatenate(filled).view(dtype) if filled else np.zeros(0, dtype)
    return {name: whole, f"{name}.ends": ends}


def parted(name: str, arrays: Arrays, owners: int) -> list[npt.NDArray[Any]]:
    """What `joined` put together; empty columns where another version kept none of that name.

    Raises:
        SnapshotDamaged: it does not fit the number of owners.
    """
    whole, ends = arrays.get(name), arrays.get(f"{name}.ends")
    if whole is None or ends is None:
        return [np.zeros(0, np.int64)] * owners
    if len(ends) != owners or (owners and int(ends[-1]) != len(whole)) or np.any(np.diff(ends, prepend=0) < 0):
        raise SnapshotDamaged(f"snapshot: {name} does not fit its {owners} owners")
    return np.split(whole, ends[:-1]) if owners else []
