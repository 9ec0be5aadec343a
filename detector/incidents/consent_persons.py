"""How many persons each declared party has read of: ever, by class of data, and a day."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.policy import Policy
from detector.incidents.exposure import Exposure
from detector.incidents.incident import Estimate
from detector.packing import Arrays, joined, parted

DAY_US = 86_400_000_000
EXACT = 1 << 16
"""Persons of a party counted one by one; beyond, an estimate with a standard error of .8 %."""

_PARTS = (("settled", "u8"), ("new", "u8"), ("registers", "u1"))


class PersonsRead:
    """Distinct persons; parties and classes by their places in the policy."""

    def __init__(self) -> None:
        self._ever: dict[tuple[int, int], Exposure] = {}  # by party and class
        self._days: dict[tuple[int, int], Exposure] = {}  # by party and day

    def note(
        self, reads: dict[str, npt.NDArray[Any]], place: npt.NDArray[np.int64], policy: Policy, now_us: int
    ) -> list[tuple[int, int, Estimate, int]]:
        """Counts reads in (columns of PENDING), of parties whose persons matter: who need grants, or have an envelope.

        Returns:
            Where a day's envelope is exceeded: the party, a read of it, how many persons, and how many were agreed.
        """
        self._days = {(p, d): seen for (p, d), seen in self._days.items() if d >= now_us // DAY_US - 1}
        beyond = []
        for p in np.flatnonzero(np.bincount(reads["party"])).tolist():
            most = policy.parties[p].persons_a_day
            if not policy.consent[p] and most is None:
                continue
            own = np.flatnonzero((reads["party"] == p) & (reads["subject"] != 0))
            subject = reads["subject"][own]
            if policy.consent[p]:
                self._note_ever(p, place[own], subject)
            if most is not None and len(own):
                day = reads["time_us"][own] // DAY_US
                for d in np.unique(day).tolist():
                    seen = self._days.setdefault((p, d), Exposure(EXACT))
                    seen.add(subject[day == d])
                    found = seen.estimate()
                    if found.low > most:
                        beyond.append((p, int(own[-1]), found, most))
        return beyond

    def _note_ever(self, party: int, place: npt.NDArray[np.int64], subject: npt.NDArray[np.uint64]) -> None:
        for c in np.flatnonzero(np.bincount(place)).tolist() if len(place) else ():
            self._ever.setdefault((party, c), Exposure(EXACT)).add(subject[place == c])

    def ever(self, party: int, place: int) -> int:
        """How many persons' data of a class a party has read."""
        known = self._ever.get((party, place))
        return known.estimate().estimate if known is not None else 0

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        ever, days = sorted(self._ever), sorted(self._days)
        exposures = [*(self._ever[key] for key in ever), *(self._days[key] for key in days)]
        saved = [exposure.save() for exposure in exposures]
        kept = {name: np.array(keys, np.int64).reshape(-1, 2) for name, keys in (("ever", ever), ("days", days))}
        for number, (name, dtype) in enumerate(_PARTS):
            kept |= joined(name, [parts[number] for parts in saved], dtype)
        return kept

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave."""
        ever, days = ([(int(a), int(b)) for a, b in arrays[name].reshape(-1, 2)] for name in ("ever", "days"))
        parts = [parted(name, arrays, len(ever) + len(days)) for name, _ in _PARTS]
        exposures = []
        for settled, new, registers in zip(*parts, strict=True):
            exposure = Exposure(EXACT)
            exposure.load(settled, new, registers)
            exposures.append(exposure)
        self._ever = dict(zip(ever, exposures[: len(ever)], strict=True))
        self._days = dict(zip(days, exposures[len(ever) :], strict=True))
