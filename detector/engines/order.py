"""Rows into the order of log time: those of one file sorted by their moments, then merged with other files' rows.

Which moment a row has is said by the clock of its file (`engines.moments`). Rows leave in the order (moment, client,
file, position). A file's watermark bounds the moments of all its rows to come, so rows before the lowest watermark of
the files that are not finished are complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.engines.ledger_clock import LedgerClock
from detector.engines.moments import BLOCK, I64, NEVER, FileClock, Mask, Moments
from detector.engines.sorting import Move, order_rows
from detector.records.batch import Batch

__all__ = ["BLOCK", "NEVER", "FileClock", "Merger", "Moments", "Part", "Pending", "Released", "order_rows"]

Saved = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]  # numbers for JSON, and arrays by name


class Part:
    """Rows of one file with their moments, sorted, of which the first ``start`` have left.

    Attributes:
        batch, moments: as they were read.
        order: their sorting; None = they lie in order already.
        moment: the moments, sorted.
    """

    def __init__(self, batch: Batch, moments: Moments) -> None:
        self.batch = batch
        self.moments = moments
        self.order = order_rows(moments.moment, batch.client)
        self.moment = moments.moment if self.order is None else moments.moment[self.order]
        self.start = 0

    def rows(self, stop: int) -> I64 | slice:
        """The rows from ``start`` to ``stop`` in their order."""
        return slice(self.start, stop) if self.order is None else self.order[self.start : stop]

    def __len__(self) -> int:
        """Rows that have not left."""
        return len(self.moment) - self.start

    def columns(self) -> list[Any]:
        """The batch's columns, then `late` and `future`, as they were read."""
        return [*self.batch.columns(), self.moments.late, self.moments.future]


class Pending:
    """One file's rows on their way to their moments: its clock, and the few rows that wait for it.

    Args:
        clock: the file's.
    """

    def __init__(self, clock: FileClock | LedgerClock) -> None:
        self.clock = clock
        self._waiting: list[Batch] = []  # none is empty, all together have ``clock.waiting`` rows

    @property
    def watermark(self) -> int:
        """No row still to come, nor one that waits, has a moment before it."""
        return self.clock.watermark

    def push(self, batch: Batch) -> list[Part]:
        """Takes the file's next rows; returns those whose moments are known by now, in file order."""
        return self._decide(batch, False)

    def finish(self) -> list[Part]:
        """The rows left when the file has ended."""
        return self._decide(Batch.empty(0), True)

    def _decide(self, batch: Batch, last: bool) -> list[Part]:
        moments = self.clock.push(batch.time_us, last)
        done, total = 0, len(moments.moment)
        parts: list[Part] = []
        left: list[Batch] = []
        for rows in (*self._waiting, batch):
            size = min(len(rows), total - done)
            if size:
                own = rows if size == len(rows) else rows.take(slice(0, size))
                parts.append(Part(own, moments.take(slice(done, done + size))))
            if size < len(rows):
                left.append(rows.take(np.arange(size, len(rows))))  # a copy: a view would keep the whole batch
            done += size
        self._waiting = left
        return parts

    def save(self) -> Saved:
        """Clock and waiting rows, see :meth:`load`."""
        meta, arrays = self.clock.save()
        rows = Batch.concatenate([Batch.empty(0), *self._waiting])
        return {"clock": meta}, {f"clock.{name}": array for name, array in arrays.items()} | _named("rows.", rows)

    @classmethod
    def load(
        cls, lateness_us: int, meta: dict[str, Any], arrays: Mapping[str, npt.NDArray[Any]], origin: int | None = None
    ) -> Pending:
        """The rows and the clock as they were saved.

        Args:
            lateness_us: see ``FileClock.load``.
            meta, arrays: what ``save`` gave.
            origin: the file's number now; None = unchanged.
        """
        clock = {name.removeprefix("clock."): array for name, array in arrays.items() if name.startswith("clock.")}
        pending = cls(
            LedgerClock.load(meta["clock"], clock)
            if meta["clock"].get("ledger")
            else FileClock.load(meta["clock"], clock, lateness_us)
        )
        rows = _batch("rows.", arrays)
        if origin is not None:
            rows.origin[:] = origin
        pending._waiting = [rows] if len(rows) else []
        return pending


def _named(prefix: str, batch: Batch) -> dict[str, npt.NDArray[Any]]:
    """The columns by their names."""
    return {prefix + field.name: getattr(batch, field.name) for field in fields(batch)}


def _batch(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Batch:
    """The batch of these columns (copies)."""
    return Batch(**{field.name: arrays[prefix + field.name].copy() for field in fields(Batch)})


@dataclass
class Released:
    """Rows ready to be judged, in the order (moment, client, file, position); moments never fall from one to the next.

    Attributes:
        batch: the rows; ``time_us`` is what the log says, also for late and future rows.
        moment_us: int64 (n,), the log time to judge each row at: never falling.
        late: bool (n,), older than the watermark when it was read.
        future: bool (n,), dated more than an hour ahead of the records around it, see `engines.moments`.
        watermark_us: every row still to come has a moment of at least this.
        rejected: lines of all files rejected by the time these rows left, by reason; only of files that are read.
    """

    batch: Batch
    moment_us: I64
    late: Mask
    future: Mask
    watermark_us: int
    rejected: Mapping[str, int] = field(default_factory=dict)


class Merger:
    """Holds sorted parts of several files and lets go what no row to come can precede.

    Every row is sorted when it comes and merged once when it leaves; rows that stay are not touched, unless they come
    in very small parts: those are put together in pairs of like size.

    Args:
        least_rows: fewer are kept for the next time; 1 = rows leave as soon as they are complete.
    """

    LEAST_ROWS = 16_384  # for a replay: a merge costs some 50 calls whatever its size
    MOST_ROWS = 65_536  # more leave in several pieces: 20 MB stay in the reach of caches, 200 MB do not
    JOINED_ROWS = 4_096  # a part's rows that make looking at it cheap beside judging them

    def __init__(self, least_rows: int = LEAST_ROWS) -> None:
        self._least_rows = least_rows
        self._parts: dict[int, list[Part]] = {}  # by file, in file order; none is empty

    def add(self, parts: list[Part]) -> None:
        """Takes rows in; parts of one file in file order."""
        for part in parts:
            if len(part):
                held = self._parts.setdefault(int(part.batch.origin[0]), [])
                held.append(part)
                while len(held) > 1 and self._are_small(held[-2], held[-1]):
                    held[-2:] = [Part(*_left(held[-2:]))]

    def _are_small(self, part: Part, behind: Part) -> bool:
        """Whether to put two parts together: each row is then copied some ten times at most."""
        return len(part) <= 2 * len(behind) and len(part) + len(behind) <= self.JOINED_ROWS

    def release(self, watermark_us: int, last: bool = False) -> Iterator[Released]:
        """The rows with a moment before the watermark; unless ``last``, not while they are too few."""
        least = 1 if last else self._least_rows
        stops = self._stops(watermark_us)
        while (rows := sum(stop - part.start for part, stop in stops)) >= least:
            reach = watermark_us
            if rows > self.MOST_ROWS:
                waiting = np.concatenate([part.moment[part.start : stop] for part, stop in stops])
                reach = int(np.partition(waiting, self.MOST_ROWS)[self.MOST_ROWS]) + 1
                stops = self._stops(reach)
            yield self._merge(stops, reach)
            stops = self._stops(watermark_us)

    def waiting(self) -> dict[int, int]:
        """Rows that have not left, by file."""
        return {origin: sum(map(len, parts)) for origin, parts in self._parts.items()}

    def drop(self, origin: int) -> None:
        """Forgets the rows of a file."""
        self._parts.pop(origin, None)

    def parts_of(self, origin: int, renumbered: int) -> list[Part]:
        """The parts of a file, to be added to another merger, under its number there."""
        own = self._parts.get(origin, [])
        for part in own:
            part.batch.origin[:] = renumbered
        return own

    def save(self, only: set[int] | None = None) -> Saved:
        """The rows that have not left, as arrays (copies), and how many each part has; ``only`` of these files."""
        wanted = sorted(self._parts if only is None else self._parts.keys() & only)
        parts = [part for origin in wanted for part in self._parts[origin]]
        batch, moments = _left(parts)
        return {"sizes": [len(part) for part in parts]}, moments._asdict() | _named("rows.", batch)

    @classmethod
    def load(
        cls,
        meta: dict[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        least_rows: int = LEAST_ROWS,
        origins: Mapping[int, int] | None = None,
    ) -> Merger:
        """A merger that holds what was saved.

        Args:
            meta, arrays: what ``save`` gave.
            least_rows: see the class.
            origins: the files' new numbers by their old ones; others keep theirs.
        """
        merger = cls(least_rows)
        batch, moments = _batch("rows.", arrays), Moments(*(arrays[name] for name in Moments._fields))
        ends = np.cumsum(np.array(meta["sizes"], np.int64)).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            part = Part(batch.take(slice(start, end)), moments.take(slice(start, end)))
            part.batch.origin[:] = (origins or {}).get(int(part.batch.origin[0]), int(part.batch.origin[0]))
            merger.add([part])
        return merger

    def _stops(self, watermark_us: int) -> list[tuple[Part, int]]:
        """The parts with rows before the watermark, and how far those reach; by file, then as they came."""
        parts = [part for origin in sorted(self._parts) for part in self._parts[origin]]
        stops = [(part, int(part.moment.searchsorted(watermark_us))) for part in parts]
        return [(part, stop) for part, stop in stops if stop > part.start]

    def _merge(self, stops: list[tuple[Part, int]], watermark_us: int) -> Released:
        """Takes these rows out, in one order."""
        rows = [part.rows(stop) for part, stop in stops]
        moment = np.concatenate([part.moment[part.start : stop] for part, stop in stops])
        move = None
        if len(stops) > 1:
            client = [part.batch.client[r] for (part, _), r in zip(stops, rows, strict=True)]
            move = Move.of(order_rows(moment, np.concatenate(client)))
        columns = zip(*(part.columns() for part, _ in stops), strict=True)
        *fields, late, future = (_gather(column, rows, move) for column in columns)
        for part, stop in stops:
            part.start = stop
        left = {origin: [part for part in parts if len(part)] for origin, parts in self._parts.items()}
        self._parts = {origin: parts for origin, parts in left.items() if parts}
        return Released(Batch(*fields), moment if move is None else move.apply(moment), late, future, watermark_us)


def _left(parts: list[Part]) -> tuple[Batch, Moments]:
    """What has not left of these parts, one behind the other, each in its order (copies)."""
    parts = [*parts, _NO_ROWS]
    rows = [part.rows(len(part.moment)) for part in parts]
    columns = zip(*(part.columns() for part in parts), strict=True)
    *own, late, future = (_gather(column, rows, None) for column in columns)
    moment = np.concatenate([part.moment[part.start :] for part in parts])
    return Batch(*own), Moments(moment, late, future)


def _gather(columns: tuple[npt.NDArray[Any], ...], rows: list[I64 | slice], move: Move | None) -> npt.NDArray[Any]:
    """One column of several parts, its rows in their order; of a single part in order already, a view."""
    if len(rows) == 1 and isinstance(rows[0], slice):
        return columns[0][rows[0]]
    sizes = [r.stop - r.start if isinstance(r, slice) else len(r) for r in rows]
    joined = np.empty((sum(sizes), *columns[0].shape[1:]), columns[0].dtype)
    end = 0
    for column, r, size in zip(columns, rows, sizes, strict=True):
        piece = joined[end : end + size]
        if isinstance(r, slice):
            piece[:] = column[r]
        else:
            column.take(r, axis=0, out=piece, mode="clip")  # without a mode numpy would write into a copy
        end += size
    return joined if move is None else move.apply(joined)


_NO_ROWS = Part(Batch.empty(0), Moments(np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.bool_)))
