"""Records into the order of log time: per file by a clock that wrong stamps cannot move, then over all files.

Every row gets a *moment*, the log time it is judged at, by a rule that looks at the records of its own file in their
order and at nothing else, so that no cutting into chunks and no threading can change it:

* ``high`` is the highest time so far of a record that is not `future`;
* the *watermark* before a record is ``high - lateness``, or, where more, ``high`` as it was ``HELD_BLOCKS`` blocks ago
  (so many records are held at most, whatever the rate), or the file's floor;
* a `late` record is older than the watermark: its moment is the watermark, it is judged as soon as it is read;
* a `future` record is more than an hour ahead of the medians of the blocks of 1,024 records before, around and after
  it: its moment is ``high``, it does not move the watermark. (The median before it alone, as a stream without a view
  ahead has to take it, would call every record of a sparse log future: 1,024 of them span days.) At the end of a file,
  where no block follows, those behind it decide: see :func:`_future_at_end`;
* for every other record the moment is its time.

Rows leave in the order (moment, client, file, position). A file's watermark bounds the moments of all its rows to come,
so rows before the lowest watermark of the files that are not finished are complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.records.batch import Batch

I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

BLOCK = 1_024  # records a median is taken of (contract.md, "Order")
AHEAD_US = 3_600_000_000  # an hour: honest clocks are less wrong, wrong dates more (contract.md, "Order")
HELD_BLOCKS = 512  # 524,288 records of about 300 bytes: 160 MB; 60 s of lateness hold that only above 8,700 lines/s
NEVER = -(1 << 62)


@dataclass
class Moments:
    """What the clock made of m rows, in file order: ``moment`` int64 microseconds UTC, ``late`` and ``future`` bool."""

    moment: I64
    late: Mask
    future: Mask


class FileClock:
    """The moments of one file's rows.

    Args:
        lateness_us: how far behind ``high`` a record may be and still be sorted in.
        floor_us: no moment lies before it.
    """

    def __init__(self, lateness_us: int, floor_us: int = NEVER) -> None:
        self._lateness = lateness_us
        self._floor = floor_us
        self._waiting: list[I64] = []
        self._waiting_rows = 0
        self._median = NEVER  # of the last block decided
        self._high = NEVER
        self._highs = np.full(HELD_BLOCKS, NEVER, np.int64)  # ``high`` at the end of the last blocks decided

    @property
    def watermark(self) -> int:
        """No row still to be decided has a moment before it."""
        return max(self._high - self._lateness, int(self._highs[0]), self._floor)

    def push(self, times: I64, last: bool = False) -> Moments:
        """Takes the next rows' times; returns the moments decided now, of the oldest rows that had none.

        A row is decided when the block after its own is complete, or at the end (``last``).
        """
        self._waiting.append(times)
        self._waiting_rows += len(times)
        if not last and self._waiting_rows < 2 * BLOCK:
            return _no_moments()
        times = np.concatenate(self._waiting)
        whole = len(times) // BLOCK
        middle = np.partition(times[: whole * BLOCK].reshape(-1, BLOCK), BLOCK // 2, axis=1)[:, BLOCK // 2]
        sure = max(whole - 1, 0)  # blocks with a whole block behind them
        decided = [self._blocks(times[: sure * BLOCK], middle)] if sure else []
        rest = times[sure * BLOCK :]
        if last and len(rest):
            decided.append(self._rest(rest))
            rest = rest[:0]
        self._waiting, self._waiting_rows = [rest], len(rest)
        return _joined(decided)

    def _blocks(self, times: I64, middle: I64) -> Moments:
        before = np.concatenate(([self._median], middle[:-2]))
        reference = np.maximum(np.maximum(before, middle[:-1]), middle[1:])
        self._median = int(middle[-2])
        future = (times.reshape(-1, BLOCK) > (reference + AHEAD_US)[:, None]).reshape(-1)
        return self._moments(times, future, BLOCK, int(reference[0]))

    def _rest(self, times: I64) -> Moments:
        reference = max(self._median, int(np.partition(times, len(times) // 2)[len(times) // 2]))
        future = times > reference + AHEAD_US
        if future.any():
            future = _future_at_end(times, future)
        return self._moments(times, future, len(times), reference)

    def _moments(self, times: I64, future: Mask, block: int, reference: int) -> Moments:
        """Moments of whole blocks of ``block`` rows each; moves the clock behind them."""
        honest = np.where(future, NEVER, times) if future.any() else times
        high = np.maximum.accumulate(np.concatenate(([self._high], honest)))
        before, ends = high[:-1], high[block::block]
        highs = np.concatenate((self._highs, ends))
        mark = np.maximum(before - self._lateness, np.maximum(np.repeat(highs[: len(ends)], block), self._floor))
        self._high = int(high[-1])
        self._highs = highs[-HELD_BLOCKS:]
        moment = np.maximum(times, mark)
        if future.any():
            now = np.where(before > NEVER, before, reference)
            moment[future] = np.maximum(np.minimum(times, now), mark)[future]
        return Moments(moment, (times < mark) & ~future, future)


def _future_at_end(times: I64, suspect: Mask) -> Mask:
    """Which suspects among a file's last rows are future: those that most of the records behind them contradict.

    A suspect with nothing behind it is future when it is further ahead of the other rows than an hour and the whole
    time those span: a log of a few lines a day ends with such gaps, a busy one does not.
    """
    future = suspect.copy()
    others = times[~suspect]
    high, low = int(others.max()), int(others.min())
    for row in np.flatnonzero(suspect):
        behind = times[row + 1 :]
        if behind.size:
            future[row] = 2 * np.count_nonzero(behind < times[row] - AHEAD_US) > behind.size
        else:
            future[row] = times[row] - high > AHEAD_US + high - low
    return future


def _no_moments() -> Moments:
    return Moments(np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.bool_))


def _joined(parts: list[Moments]) -> Moments:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _no_moments()
    return Moments(
        np.concatenate([p.moment for p in parts]),
        np.concatenate([p.late for p in parts]),
        np.concatenate([p.future for p in parts]),
    )


def order_rows(moment: I64, client: npt.NDArray[np.uint64]) -> I64 | None:
    """The stable order by (moment, client) as row indices; None = the rows lie in it already.

    One sort of unique 64-bit keys (rank of the moment, upper bits of the client, row), several times the speed of
    ``lexsort``; the rare clients of one moment whose upper bits agree are put right afterwards.
    """
    n = len(moment)
    if n < 2:
        return None
    steps = moment[1:] != moment[:-1]
    by_time: I64 | None = None
    if (moment[1:] < moment[:-1]).any():
        by_time = np.argsort(moment, kind="stable")
        moment, client = moment[by_time], client[by_time]
        steps = moment[1:] != moment[:-1]
    group = np.zeros(n, np.uint64)
    np.cumsum(steps, out=group[1:])
    if int(group[-1]) == n - 1:
        return by_time
    row_bits = (n - 1).bit_length()
    group_bits = int(group[-1]).bit_length()
    client_bits = 64 - row_bits - group_bits
    key = group << np.uint64(64 - group_bits) if group_bits else group
    key |= (client >> np.uint64(64 - client_bits)) << np.uint64(row_bits)
    key |= np.arange(n, dtype=np.uint64)
    key.sort()
    order = (key & np.uint64((1 << row_bits) - 1)).astype(np.int64)
    key >>= np.uint64(row_bits)
    _settle(key, client, order)
    return order if by_time is None else by_time[order]


def _settle(key: npt.NDArray[np.uint64], client: npt.NDArray[np.uint64], order: I64) -> None:
    """Sorts, in place, the rows of equal ``key`` by whole client and row."""
    same = key[1:] == key[:-1]
    ordered = client[order]
    if not (same & (ordered[1:] != ordered[:-1])).any():
        return
    member = np.concatenate((same, [False])) | np.concatenate(([False], same))
    at = np.flatnonzero(member)
    rows = order[at]
    order[at] = rows[np.lexsort((rows, client[rows], key[at]))]


class Part:
    """Rows of one file with their moments, sorted, of which the first ``start`` have left."""

    def __init__(self, batch: Batch, moments: Moments) -> None:
        self.batch = batch
        self.late = moments.late
        self.future = moments.future
        self.order = order_rows(moments.moment, batch.client)
        self.moment = moments.moment if self.order is None else moments.moment[self.order]
        self.start = 0

    def rows(self, stop: int) -> I64 | slice:
        """The rows from ``start`` to ``stop`` in their order."""
        return slice(self.start, stop) if self.order is None else self.order[self.start : stop]


@dataclass
class Released:
    """Rows ready to be judged, in the order (moment, client, file, position); moments never fall from one to the next.

    Attributes:
        batch: the rows; ``time_us`` is what the log says, also for late and future rows.
        moment_us: int64 (n,), the log time to judge each row at: never falling, see this module.
        late: bool (n,), older than the watermark when it was read.
        future: bool (n,), dated more than an hour ahead of the records around it.
        watermark_us: every row still to come has a moment of at least this.
    """

    batch: Batch
    moment_us: I64
    late: Mask
    future: Mask
    watermark_us: int


@dataclass
class Move:
    """A new order of rows that leaves all before ``low`` and from ``high`` where they are: parts of one log meet at
    their edges only."""

    low: int
    high: int
    order: I64  # of the rows between, counted from ``low``

    @classmethod
    def of(cls, order: I64 | None) -> Move | None:
        """The part of ``order`` that moves something; None = nothing moves."""
        if order is None:
            return None
        moved = np.flatnonzero(order != np.arange(len(order)))
        if not len(moved):
            return None
        low, high = int(moved[0]), int(moved[-1]) + 1
        return cls(low, high, order[low:high] - low)

    def apply(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The column, changed in place."""
        column[self.low : self.high] = column[self.low : self.high].take(self.order, axis=0)
        return column


class Merger:
    """Holds sorted parts of several files and lets go what no row to come can precede.

    Every row is sorted when it comes and merged once when it leaves; rows that stay are not touched.
    """

    LEAST_ROWS = 16_384  # fewer are kept for the next time: a merge costs some 50 calls whatever its size
    MOST_ROWS = 65_536  # more leave in several pieces: 20 MB stay in the reach of caches, 200 MB do not

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def add(self, parts: list[Part]) -> None:
        """Takes rows in; parts of one file in file order."""
        self._parts += [p for p in parts if len(p.moment)]

    def release(self, watermark_us: int, last: bool = False) -> Iterator[Released]:
        """The rows with a moment before the watermark; unless ``last``, not while they are too few."""
        least = 1 if last else self.LEAST_ROWS
        stops = self._stops(watermark_us)
        while (rows := sum(stop - part.start for part, stop in stops)) >= least:
            reach = watermark_us
            if rows > self.MOST_ROWS:
                waiting = np.concatenate([part.moment[part.start : stop] for part, stop in stops])
                reach = int(np.partition(waiting, self.MOST_ROWS)[self.MOST_ROWS]) + 1
                stops = self._stops(reach)
            yield self._merge(stops, reach)
            stops = self._stops(watermark_us)

    def _stops(self, watermark_us: int) -> list[tuple[Part, int]]:
        """The parts with rows before the watermark, and how far those reach; by file, then as they came."""
        stops = [(part, int(np.searchsorted(part.moment, watermark_us))) for part in self._parts]
        return sorted((s for s in stops if s[1] > s[0].start), key=lambda s: int(s[0].batch.origin[0]))

    def _merge(self, stops: list[tuple[Part, int]], watermark_us: int) -> Released:
        """Takes these rows out, in one order."""
        rows = [part.rows(stop) for part, stop in stops]
        moment = np.concatenate([part.moment[part.start : stop] for part, stop in stops])
        move = None
        if len(stops) > 1:
            client = [part.batch.client[r] for (part, _), r in zip(stops, rows, strict=True)]
            move = Move.of(order_rows(moment, np.concatenate(client)))
        columns = zip(*((*p.batch.columns(), p.late, p.future) for p, _ in stops), strict=True)
        *fields, late, future = (_gather(column, rows, move) for column in columns)
        for part, stop in stops:
            part.start = stop
        self._parts = [p for p in self._parts if p.start < len(p.moment)]
        return Released(Batch(*fields), moment if move is None else move.apply(moment), late, future, watermark_us)


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
