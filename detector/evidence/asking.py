"""How people were asked for their consent: minute counts of what the ledger says of the screen it was asked on.

A screen that really asks is declined by most, takes seconds to read, and is come to from many pages (detection facts,
5.1 C5). What stands here are the counts; `detectors.consent` says when they smell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import SnapshotDamaged
from detector.packing import Arrays, adopted
from detector.records.ledger import DECLINE, GRANT, VIEW
from detector.state.sketch import mix_each

MINUTES = 4320  # three days: what a smell is traced back through
INSTANT_US = 1_000_000  # a second from view to grant: nobody has read anything (issue, facts)
SEEN = 1 << 16  # views remembered for their grants, 1 MB; more than a minute's of any screen but the very largest

MINUTE = np.dtype(
    [
        ("minute", "i8"),  # which one, minutes since 1970
        ("views", "u4"),
        ("grants", "u4"),
        ("declines", "u4"),
        ("timed", "u4"),  # grants whose view is known
        ("instant", "u4"),  # of those, within a second of it
        ("unseen", "u4"),  # grants without a view, where views are logged at all
        ("top", "u4"),  # grants given on the page most of them were given on in that minute
        ("page", "u8"),  # that page
    ]
)

COUNTS = ("views", "grants", "declines", "timed", "instant", "unseen")


class Asking:
    """Counts by party and class (places in the policy; the last class is all of them)."""

    def __init__(self) -> None:
        self._rings: dict[tuple[int, int], npt.NDArray[Any]] = {}
        self._views = np.zeros((SEEN, 2), np.uint64)  # key, moment
        self._any_views = False

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Whom anything is known of."""
        return sorted(self._rings)

    def note(self, changes: npt.NDArray[Any], party: npt.NDArray[np.int64], place: npt.NDArray[np.int64]) -> None:
        """Counts changes (dtype `ledger.CHANGE`) of parties and classes; -1 = of nobody, not counted."""
        known = (party >= 0) & (place >= 0)
        changes, party, place = changes[known], party[known], place[known]
        if not len(changes):
            return
        counted = _columns(changes, self._viewed(changes))
        minute = changes["time_us"] // 60_000_000
        width = int(place.max()) + 1
        for pair in np.flatnonzero(np.bincount(party * width + place)).tolist():
            p, c = divmod(pair, width)
            own = (party == p) & (place == c)
            self._count(p, c, minute[own], {name: column[own] for name, column in counted.items()})

    def _viewed(self, changes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """When each person was asked: as the change says, or by the view logged before it; 0 = not known."""
        viewed: npt.NDArray[np.int64] = changes["viewed_us"].copy()
        views = np.flatnonzero((changes["action"] == VIEW) & (changes["subject"] != 0))
        if not self._any_views and not len(views):
            return viewed
        self._any_views = True
        keys = mix_each(changes["subject"], changes["partner"])
        at = (keys >> np.uint64(48)).astype(np.int64) % SEEN
        asks = np.flatnonzero((changes["action"] == GRANT) & (viewed == 0))
        # In their order: a view comes before its grant, often in the same tick.
        for row in np.sort(np.concatenate([views, asks])).tolist():
            if changes["action"][row] == VIEW:
                self._views[at[row]] = keys[row], np.uint64(changes["time_us"][row])
            elif self._views[at[row], 0] == keys[row]:
                viewed[row] = int(self._views[at[row], 1])
        return viewed

    def _count(
        self, party: int, place: int, minute: npt.NDArray[np.int64], counted: dict[str, npt.NDArray[Any]]
    ) -> None:
        ring = self._rings.setdefault((party, place), np.zeros(MINUTES, MINUTE))
        oldest = max(int(ring["minute"].max()), int(minute.max())) - MINUTES  # what lies there is beyond the ring
        groups, which = np.unique(minute, return_inverse=True)
        which = which.reshape(-1)
        at = groups % MINUTES
        fresh = (groups > oldest) & (ring["minute"][at] < groups)
        ring[at[fresh]] = np.zeros(1, MINUTE)
        ring["minute"][at[fresh]] = groups[fresh]
        kept = groups > oldest
        for name in COUNTS:
            sums = np.bincount(which, counted[name], len(groups)).astype(np.uint32)
            ring[name][at[kept]] += sums[kept]
        for number, page, count in _pages(which, counted["page"] * counted["grants"].astype(np.uint64)):
            slot = ring[at[number]]
            if not kept[number]:
                continue
            if page == int(slot["page"]):
                slot["top"] += count
            elif count > slot["top"]:
                slot["page"], slot["top"] = page, count

    def minutes(self, party: int, place: int) -> npt.NDArray[Any]:
        """What is known of a party and class (dtype MINUTE), in order of time."""
        ring = self._rings[party, place]
        known = ring[ring["minute"] > 0]
        return known[np.argsort(known["minute"], kind="stable")]

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        parts = [self.minutes(*pair) for pair in self.pairs]
        return {
            "pairs": np.array([[*pair, len(part)] for pair, part in zip(self.pairs, parts, strict=True)], np.int64),
            "minutes": np.concatenate([np.zeros(0, MINUTE), *parts]),
            "views": self._views.copy(),
        }

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        minutes, start = adopted(arrays["minutes"], MINUTE), 0
        self._rings = {}
        for p, c, n in arrays["pairs"].reshape(-1, 3).tolist():
            ring = self._rings[p, c] = np.zeros(MINUTES, MINUTE)
            own = minutes[start : start + n]
            ring[own["minute"] % MINUTES] = own
            start += n
        if arrays["views"].shape != self._views.shape:
            raise SnapshotDamaged("snapshot: its views of consent screens do not fit")
        self._views[:] = arrays["views"]
        self._any_views = bool(self._views.any())


def _columns(changes: npt.NDArray[Any], viewed: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """What each change counts as, by the names of MINUTE."""
    granted = changes["action"] == GRANT
    timed = granted & (viewed > 0)
    return {
        "views": changes["action"] == VIEW,
        "grants": granted,
        "declines": changes["action"] == DECLINE,
        "timed": timed,
        "instant": timed & (changes["time_us"] - viewed <= INSTANT_US),
        "unseen": granted & (viewed == 0),
        "page": changes["referrer"],
    }


def _pages(which: npt.NDArray[np.int64], page: npt.NDArray[np.uint64]) -> list[tuple[int, int, int]]:
    """For each group the page most of its grants were given on, and how many: (group, page, count); 0 is no page."""
    named = np.flatnonzero(page)
    if not len(named):
        return []
    pairs = np.stack([which[named].astype(np.uint64), page[named]])
    groups, counts = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((groups[1], -counts, groups[0]))  # of pages with as many the smaller hash
    first = order[np.unique(groups[0][order], return_index=True)[1]]
    return [(int(g), int(p), int(n)) for g, p, n in zip(groups[0][first], groups[1][first], counts[first], strict=True)]
