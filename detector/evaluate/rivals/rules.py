"""Rules of today's tools as columns: a line a rule.

Windows are tumbling on the grid of the rows' half minutes; a tool that slides them sees a little more and alarms a
little more often. Declared partners and crawlers are left out, as their users would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.evaluate.rivals.tally import Bucket, Floats, Keys, Tally
from detector.records.batch import DECLARED, STATIC, Batch
from detector.simulate.columns.rows import Rows
from detector.simulate.play import Labelled
from detector.simulate.site import FORMS
from detector.state.sketch import mix_each

DAY_US = 86_400_000_000
_IN_PATH = np.array(["?" not in (form.template or form.before) for form in FORMS.values()])
_GET = np.array([form.method == "GET" for form in FORMS.values()])

Chosen = tuple[npt.NDArray[np.bool_], Keys, Keys]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: whose it is, and what it says.
        threshold: as shipped; the rule fires above it.
        window_us: after which counts begin anew; 0 = a leaky bucket.
        leak: of the bucket, events a second.
        distinct: whether an item counts once.
        chosen: which rows it looks at, what it counts by, and the item.
        by_address: what it names is an address, else a client.
    """

    name: str
    threshold: float
    chosen: Callable[[Batch, Rows], Chosen]
    window_us: int = 0
    leak: float = 0.0
    distinct: bool = False
    by_address: bool = True


def _address(batch: Batch, _: Rows) -> Chosen:
    return batch.requests > 0, batch.source, batch.source


def _last_segment(batch: Batch, rows: Rows) -> Chosen:
    """Distinct last path segments of GET requests that are no assets; in the query they do not count."""
    form = rows["form"].astype(np.uint64)
    own = _IN_PATH[rows["form"]] & (batch.object != 0)
    item = np.where(own, batch.object, mix_each(form + np.uint64(1), form))
    return (batch.requests > 0) & _GET[rows["form"]] & ((batch.flags & STATIC) == 0), batch.source, item


def _parameter(batch: Batch, rows: Rows) -> Chosen:
    """Distinct values of a path's parameter, by address and template."""
    key = mix_each(batch.source, batch.route.astype(np.uint64))
    return _IN_PATH[rows["form"]] & (batch.object != 0), key, batch.object


def _objects(batch: Batch, _: Rows) -> Chosen:
    return batch.object != 0, batch.client, batch.object


RULES: tuple[Rule, ...] = (
    Rule("30 requests/30 s an address", 30, _address, window_us=30_000_000),
    Rule("300 requests/5 min an address", 300, _address, window_us=300_000_000),
    Rule("CrowdSec http-crawl-non_statics", 40, _last_segment, leak=2.0),
    Rule("Akto parameter enumeration, 50 values/5 min", 50, _parameter, window_us=300_000_000, distinct=True),
    Rule("1,000 distinct objects a day a client", 1000, _objects, window_us=DAY_US, distinct=True, by_address=False),
)
"""CrowdSec's bucket holds 40 and leaks one each half second; it counts distinct segments, here once a half minute."""


class Counter:
    """One rule at work.

    Args:
        rule: what it says.
        bits: of its tables.
    """

    def __init__(self, rule: Rule, bits: int) -> None:
        self.rule = rule
        self._window = -1
        self._tally = Tally(bits, rule.distinct)
        self._bucket = Bucket(bits, rule.leak) if rule.leak else None

    def scores(self, part: Labelled) -> tuple[npt.NDArray[np.int64], Floats]:
        """Rows of a batch the rule looks at, and its score after each."""
        batch = part.batch
        chosen, keys, items = self.rule.chosen(batch, part.rows)
        at = np.flatnonzero(chosen & ((batch.flags & DECLARED) == 0))
        if self._bucket is not None:
            _, first = np.unique(mix_each(keys[at], items[at]), return_index=True)
            at = at[np.sort(first)]
            return at, self._bucket.add(keys[at], batch.time_us[at])
        window = int(batch.time_us[0]) // self.rule.window_us
        if window != self._window:
            self._tally.empty()
            self._window = window
        return at, self._tally.add(keys[at], items[at])


class Total:
    """Three sigma on the site's total, minute by minute against an exponential mean and variance of half an hour."""

    NAME = "3-sigma on the total"
    _DECAY = 1 / 30
    _FEWEST = 30  # minutes before it speaks

    def __init__(self) -> None:
        self._minute, self._count, self._seen = -1, 0, 0
        self._mean = self._square = 0.0

    def fires(self, part: Labelled) -> list[int]:
        """Minutes (log time, microseconds of their end) that closed and were out of bounds."""
        minutes, counts = np.unique(part.batch.time_us // 60_000_000, return_counts=True)
        out = []
        for minute, count in zip(minutes.tolist(), counts.tolist(), strict=True):
            if minute == self._minute:
                self._count += count
                continue
            if self._minute >= 0 and self._close():
                out.append((self._minute + 1) * 60_000_000)
            self._minute, self._count = minute, count
        return out

    def _close(self) -> bool:
        off = self._count - self._mean
        far = self._seen >= self._FEWEST and abs(off) > 3 * self._square**0.5
        self._seen += 1
        step = max(self._DECAY, 1 / self._seen)
        self._mean += step * off
        self._square = (1 - step) * (self._square + step * off * off)
        return far
