"""The clock of one file or partition: at which log time each of its rows is judged.

Every row gets a *moment* by a rule that looks at the records of its own file in their order and at nothing else, so
that no cutting into chunks, no threading and no restart can change it, and a replay agrees with the stream:

* ``high`` is the highest time so far of a record that is not `future`;
* the *watermark* before a record is ``high - lateness``, or, where more, ``high`` as of ``HELD_BLOCKS`` times ``BLOCK``
  records ago (so many are held at most, whatever the rate), or the file's floor;
* a `late` record is older than the watermark: its moment is the watermark, it is judged as soon as it is read;
* a `future` record is dated too far ahead to be believed: its moment is ``high``, it does not move the watermark;
* for every other record the moment is its time.

Only a record more than an hour above ``high``, a *suspect*, can be future. Two rules tell:

* **busy**: at least half of the last 1,024 records (suspects among them) are no more than an hour behind ``high``, that
  is their median is not. Then a suspect is future if it is more than an hour above that median (contract.md, "Order").
  It is decided at once.
* **sparse**: fewer than 1,024 records were read, or their median is more than an hour behind ``high``, as in a log of a
  few lines a day, where every line would be future by the first rule. Then the records behind decide: one *confirms*
  the suspect if it is dated no more than an hour before it, else it *contradicts*. The suspect is believed as soon as
  the confirming ones lead by 5 among at most 9, and is future as soon as they no longer can; until then it waits, with
  everything behind it. Where records like it (within an hour of it) were refused lately, counting begins behind the
  first of those: what one host with a wrong clock keeps claiming is not believed the tenth time because chance put its
  records side by side. The first record of all is judged by the same rule; if it is refused, ``high`` begins at the
  earliest of those that contradict it.

At the end of the input the majority of what is left behind a suspect decides; see :func:`_is_beyond_the_gaps` for one
with nothing behind it. What follows from the rules:

* Ordinary traffic waits for nothing but the confirmation of its very first record.
* A record dated 2099, anywhere, is one future record and nothing else. Of 1 % of records with random dates the past
  ones are late, the future ones future, and no good record is either: five in a row would have to agree.
* One of three hosts two hours ahead is future throughout; where its records come mixed with the others' from the first
  line on, it wins the sparse rule in one log of thirty ((1/2) ** 5, a random walk), after 1,024 records never.
* A log with its newest line first is late but for its head, whatever the distance of its lines: at most three of them
  are future.
* After an outage in busy traffic the first 512 records are future, until the median has followed; a stream cannot know
  better. A sparse log goes on at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

BLOCK = 1_024  # records a median is taken of (contract.md, "Order")
AHEAD_US = 3_600_000_000  # an hour: honest clocks are less wrong, wrong dates more (contract.md, "Order")
HELD_BLOCKS = 512  # 524,288 records of about 300 bytes: 160 MB; 60 s of lateness hold that only above 8,700 lines/s
LEAD = 5  # with p the share of wrong clocks, (p / (1 - p)) ** 5 of them win: 1e-10 at 1 %, 3 % at a third
LOOK = 9  # records a suspect waits for at most: two contradictions may be made up for
LIKE = 128  # records looked back for ones like the suspect; with 64, a third of wrong clocks wins 7 % (tried)
WINDOW = 2_048  # rows looked at together where suspects are near: a step costs some 30 calls whatever its size
NEVER = -(1 << 62)


class Moments(NamedTuple):
    """What the clock made of m rows, in file order: ``moment`` int64 microseconds UTC, ``late`` and ``future`` bool."""

    moment: I64
    late: Mask
    future: Mask

    def take(self, rows: slice) -> Moments:
        """A stretch of them, shared."""
        return Moments(self.moment[rows], self.late[rows], self.future[rows])


class _Run(NamedTuple):
    """A run of rows decided together.

    Attributes:
        before: ``high`` before each of them.
        future: which of them are future.
        high: ``high`` behind the last.
    """

    before: I64
    future: Mask
    high: int


class FileClock:
    """The moments of one file's rows.

    Args:
        lateness_us: how far behind ``high`` a record may be and still be sorted in.
        floor_us: no moment lies before it.
    """

    def __init__(self, lateness_us: int, floor_us: int = NEVER) -> None:
        self._lateness = lateness_us
        self._floor = floor_us
        self._seen = 0  # rows decided
        self._line: I64 = np.empty(0, np.int64)  # times of the last BLOCK rows decided, then of those that wait
        self._high = NEVER
        self._highs = np.full(HELD_BLOCKS, NEVER, np.int64)  # ``high`` at the end of the last whole blocks decided

    @property
    def watermark(self) -> int:
        """No row still to be decided has a moment before it."""
        return max(self._high - self._lateness, int(self._highs[0]), self._floor)

    @property
    def waiting(self) -> int:
        """Rows pushed and not decided: at most ``LOOK`` + 1."""
        return len(self._line) - min(self._seen, BLOCK)

    def push(self, times: I64, last: bool = False) -> Moments:
        """Takes the next rows' times; returns the moments decided now, of the oldest rows that had none.

        Args:
            times: int64 (n,), microseconds UTC.
            last: no more rows will come: all are decided.
        """
        start = min(self._seen, BLOCK)
        line = np.concatenate((self._line, times)) if len(self._line) else times
        runs = _decide(line, start, self._high, last)
        decided = sum(len(run.before) for run in runs)
        if not decided:
            self._line = line.copy()
            return Moments(np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.bool_))
        before = runs[0].before if len(runs) == 1 else np.concatenate([run.before for run in runs])
        future = runs[0].future if len(runs) == 1 else np.concatenate([run.future for run in runs])
        moments = self._moments(line[start : start + decided], before, future, runs[-1].high)
        self._high = runs[-1].high
        self._seen += decided
        self._line = line[max(start + decided - BLOCK, 0) :].copy()  # a view would keep the whole push
        return moments

    def _moments(self, times: I64, before: I64, future: Mask, high: int) -> Moments:
        mark = np.maximum(before - self._lateness, self._floor)
        held = self._held(before, high)
        if held[-1] > mark[0]:  # both only rise: elsewhere the count binds nowhere
            into = self._seen % BLOCK
            np.maximum(mark, np.repeat(held, BLOCK)[into : into + len(mark)], out=mark)
        moment = np.maximum(times, mark)
        late = times < mark
        if future.any():
            late &= ~future
            moment[future] = np.maximum(before, mark)[future]
        return Moments(moment, late, future)

    def _held(self, before: I64, high: int) -> I64:
        """``high`` as of ``HELD_BLOCKS`` blocks ago, for each block these rows touch; notes the blocks they end."""
        into, rows = self._seen % BLOCK, len(before)
        ends = before[BLOCK - into :: BLOCK]
        if (into + rows) % BLOCK == 0:
            ends = np.append(ends, high)
        highs = np.concatenate((self._highs, ends))
        self._highs = highs[-HELD_BLOCKS:]
        return highs[: -(-(into + rows) // BLOCK)]

    def save(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The whole state, the times of rows that wait included: numbers for JSON, and arrays (copies)."""
        meta = {"lateness_us": self._lateness, "floor_us": self._floor, "seen": self._seen, "high_us": self._high}
        return meta, {"line": self._line.copy(), "highs": self._highs.copy()}

    @classmethod
    def load(
        cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], lateness_us: int | None = None
    ) -> FileClock:
        """The clock as it was saved; with another lateness it goes on from the watermark it had reached."""
        clock = cls(int(meta["lateness_us"]), int(meta["floor_us"]))
        clock._seen, clock._high = int(meta["seen"]), int(meta["high_us"])
        clock._line, clock._highs = arrays["line"].astype(np.int64), arrays["highs"].astype(np.int64)
        if lateness_us is not None and lateness_us != clock._lateness:
            clock._floor = clock.watermark
            clock._lateness = lateness_us
        return clock


def _decide(line: I64, at: int, high: int, last: bool) -> list[_Run]:
    """Decides the rows of ``line`` from ``at`` on, as far as can be; before them up to ``BLOCK`` decided earlier."""
    runs: list[_Run] = []
    width = len(line)
    while at < len(line):
        run = _plain_run(line[at : at + width], high)
        width *= 2
        if not len(run.before):
            width = WINDOW // 8
            run = _future_run(line, at, high)
        if not len(run.before):
            found = _verdict(line, at, high, last)
            if found is None:
                break
            run = found
        runs.append(run)
        at += len(run.before)
        high = run.high
    return runs


def _plain_run(rows: I64, high: int) -> _Run:
    """The rows before the first suspect."""
    highs = np.concatenate(([high], rows))
    np.maximum.accumulate(highs, out=highs)
    stop = _first(rows - highs[:-1] > AHEAD_US)
    return _Run(highs[:stop], np.zeros(stop, np.bool_), int(highs[stop]))


def _future_run(line: I64, at: int, high: int) -> _Run:
    """The rows from a suspect on, as long as all suspects among them are certain to be future by the busy rule.

    Medians are bounded instead of taken: how many of the last records lie above the lowest suspect less an hour, and
    how many no more than an hour below the highest ``high``.
    """
    rows = line[at : at + WINDOW] if _is_busy(line[max(at - BLOCK, 0) : at], high) else line[:0]
    ahead = rows - high > AHEAD_US
    highs = np.maximum.accumulate(np.concatenate(([high], np.where(ahead, high, rows))))
    suspect = rows - highs[:-1] > AHEAD_US
    stop = _first(ahead & ~suspect)  # a row that ``highs`` should have followed
    if stop:
        near = line[at - BLOCK : at + stop]
        above = _counts(near >= rows[:stop][suspect[:stop]].min() - AHEAD_US)
        current = _counts(near >= int(highs[stop]) - AHEAD_US)
        stop = _first(suspect[:stop] & ((above >= BLOCK // 2) | (current < BLOCK // 2)))
    return _Run(highs[:stop], suspect[:stop], int(highs[stop]))


def _counts(marks: Mask) -> I64:
    """How many of the ``BLOCK`` marks before each place there are, from the place ``BLOCK`` on."""
    total = np.zeros(len(marks) + 1, np.int64)
    np.cumsum(marks, out=total[1:])
    return total[BLOCK:-1] - total[: -1 - BLOCK]


def _verdict(line: I64, at: int, high: int, last: bool) -> _Run | None:
    """One suspect, decided; None = the rows behind it do not suffice yet."""
    behind = line[at + 1 : at + 1 + LOOK]
    future = _is_future(line[max(at - BLOCK, 0) : at], int(line[at]), behind, high, last)
    if future is None:
        return None
    if not future:
        return _Run(np.array([high]), np.zeros(1, np.bool_), int(line[at]))
    if high == NEVER:  # the first record of all
        against = behind[behind <= line[at] - AHEAD_US]
        high = int(against[: LOOK - LEAD - 1].min())  # those that refused it, whatever lies behind them
    return _Run(np.array([high]), np.ones(1, np.bool_), high)


def _is_future(recent: I64, time: int, behind: I64, high: int, last: bool) -> bool | None:
    """Whether a suspect is future, by the busy or the sparse rule; None = not known yet."""
    if _is_busy(recent, high):
        return bool(np.count_nonzero(recent >= time - AHEAD_US) < BLOCK // 2)
    back = recent[-LIKE:]
    since = back[_first(np.abs(back - time) <= AHEAD_US) + 1 :]
    votes = np.where(np.concatenate((since, behind)) > time - AHEAD_US, 1, -1)
    lead = int(votes[: len(since)].sum()) + np.concatenate(([0], np.cumsum(votes[len(since) :])))
    if lead.max() >= LEAD:
        return False
    if lead[-1] + LOOK - len(behind) < LEAD:
        return True
    if not last:
        return None
    return bool(lead[-1] < 0) if len(votes) else _is_beyond_the_gaps(recent, time, high)


def _is_busy(recent: I64, high: int) -> bool:
    """Whether the median of the last 1,024 records is no more than an hour behind ``high``."""
    return bool(len(recent) == BLOCK and np.count_nonzero(recent >= high - AHEAD_US) >= BLOCK // 2)


def _is_beyond_the_gaps(recent: I64, time: int, high: int) -> bool:
    """Whether the very last record is future: further ahead than an hour and what the records before it span.

    A log of a few lines a day ends with such gaps, a busy one does not. The span is taken as twice the distance from
    their median, which no wrong date among them can stretch.
    """
    if not len(recent):
        return False  # the only record of all
    middle = (len(recent) - 1) // 2
    return time - high > AHEAD_US + 2 * max(high - int(np.partition(recent, middle)[middle]), 0)


def _first(marks: Mask) -> int:
    """Index of the first mark; their number where there is none."""
    at = int(marks.argmax()) if len(marks) else 0
    return at if at < len(marks) and marks[at] else len(marks)
