"""How each party uses what it was allowed: whether persons are there when they are read, and what they are read for.

A trial is a person whom a party reads for the first time on a day of UTC. Counts stand by hour of log time: the last
day is what a party does now, what lies before it is what it usually does, and fades with a half-life of a week.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.packing import Arrays, adopted

HOUR_US = 3_600_000_000
HOURS = 26
"""Hours kept: the running one, the twenty-four before it, and one more, so that none is written over before it counts
as past. A day, because nights are not like days."""

WEEK = 168
"""Hours in which what a party used to do comes to count half: the facts ask for a weekly history (5.1 C6)."""

PURPOSES = 8
"""Purposes told apart, the last for all others; policies of the facts name up to five."""

PLENTY = 4096
"""Trials an hour from which on persons are sampled, by halves: a share is then known to a hundredth."""

ABSENT, DORMANT, DRIFT = 1, 2, 4  # bits: hours in which a party was found out teach nothing

HOUR = np.dtype(
    [
        ("hour", "i8"),  # since 1970; 0 = not in use
        ("trials", "i8"),
        ("absent", "i8"),  # trials of persons who were away
        ("asked", "i8"),  # trials of whom it is known whether they are dormant
        ("dormant", "i8"),
        ("mix", "i8", PURPOSES),
        ("found", "u1"),  # bits of what it was found out for meanwhile
    ]
)
PAST = np.dtype(
    [
        ("party", "i4"),
        ("place", "i4"),
        ("begin_us", "i8"),  # its first trial
        ("hour", "i8"),  # the last hour that has become past
        ("absent", "f8", 2),  # how many were away, of how many
        ("dormant", "f8", 2),
        ("mix", "f8", PURPOSES),
        ("agree", "f8", 3),  # of hours with two trials or more: how many, sum and squares of the chance that two agree
        ("purpose", "u8", PURPOSES - 1),  # which they are
        ("purposes", "i4"),
    ]
)


class Uses:
    """One party's uses of one class of data.

    Attributes:
        past: what it used to do (dtype PAST, a record).
        hours: what it does now (HOUR (HOURS,), by hour modulo HOURS).
    """

    def __init__(self, party: int, place: int, begin_us: int) -> None:
        self.past: Any = np.zeros(1, PAST)
        self.past["party"], self.past["place"], self.past["begin_us"] = party, place, begin_us
        self.hours: npt.NDArray[Any] = np.zeros(HOURS, HOUR)

    def of(self, field: str, now_us: int) -> npt.NDArray[Any]:
        """A field of `HOUR` in the last day, one entry an hour."""
        found: npt.NDArray[Any] = self.hours[field][self._near(now_us)]
        return found

    def _near(self, now_us: int) -> npt.NDArray[np.bool_]:
        return self.hours["hour"] >= max(now_us // HOUR_US - 24, 1)

    def usual(self, field: str) -> npt.NDArray[np.float64]:
        """A field of `PAST`."""
        found: npt.NDArray[np.float64] = self.past[field][0]
        return found

    def mark(self, bit: int, now_us: int) -> None:
        """It is found out: what it has done in the last day does not become usual."""
        self.hours["found"][self._near(now_us)] |= bit

    def thinned(self, now_us: int) -> int:
        """Persons are looked at whose hash ends in so many zeros."""
        hour = now_us // HOUR_US
        slot = self.hours[hour % HOURS]
        trials = int(slot["trials"]) if slot["hour"] == hour else 0
        return max(trials // PLENTY, 0).bit_length()

    def add(
        self,
        hour: int,
        absent: npt.NDArray[np.bool_],
        known: npt.NDArray[np.bool_],
        dormant: npt.NDArray[np.bool_],
        purpose: npt.NDArray[np.uint64],
    ) -> None:
        """Takes in the trials of an hour."""
        self.pass_hours(hour * HOUR_US)
        slot = self.hours[hour % HOURS : hour % HOURS + 1]
        if slot["hour"] > hour:
            return
        if slot["hour"] < hour:
            slot[:] = np.zeros(1, HOUR)
            slot["hour"] = hour
        slot["trials"] += len(absent)
        slot["absent"] += int(absent.sum())
        slot["asked"] += int(known.sum())
        slot["dormant"] += int((known & dormant).sum())
        slot["mix"] += np.bincount(self.places(purpose, learn=True), minlength=PURPOSES)

    def places(self, purpose: npt.NDArray[np.uint64], learn: bool = False) -> npt.NDArray[np.int64]:
        """The place of purposes in a mix, in the order in which they came; the last is for those that came too late."""
        names = self.past["purpose"][0]
        found = np.full(len(purpose), PURPOSES - 1, np.int64)
        values, first = np.unique(purpose, return_index=True)
        for value in values[np.argsort(first)].tolist():
            count = int(self.past["purposes"][0])
            at = np.flatnonzero(names[:count] == value)
            if not len(at) and learn and count < len(names):
                names[count] = value
                self.past["purposes"] = count + 1
                at = np.array([count])
            if len(at):
                found[purpose == value] = at[0]
        return found

    def pass_hours(self, now_us: int) -> None:
        """Log time has reached a moment: hours more than a day old become what is usual."""
        old = (self.hours["hour"] > 0) & (self.hours["hour"] < now_us // HOUR_US - 24)
        for at in np.flatnonzero(old)[np.argsort(self.hours["hour"][old])].tolist():
            self._pass(self.hours[at])
            self.hours[at] = np.zeros(1, HOUR)[0]

    def _pass(self, slot: Any) -> None:
        past = self.past
        if past["hour"][0]:
            fades = 0.5 ** ((int(slot["hour"]) - int(past["hour"][0])) / WEEK)
            for field in ("absent", "dormant", "mix", "agree"):
                past[field] *= fades
        past["hour"] = slot["hour"]
        if not slot["found"] & ABSENT:
            past["absent"] += [slot["absent"], slot["trials"]]
        if not slot["found"] & DORMANT:
            past["dormant"] += [slot["dormant"], slot["asked"]]
        if not slot["found"] & DRIFT:
            past["mix"] += slot["mix"]
            n = int(slot["trials"])
            if n > 1:
                agree = float((slot["mix"] * (slot["mix"] - 1)).sum()) / (n * (n - 1))
                past["agree"] += [1.0, agree, agree * agree]


class Usage:
    """All parties' uses, by party and class (places in the policy)."""

    def __init__(self) -> None:
        self._uses: dict[tuple[int, int], Uses] = {}

    def __len__(self) -> int:
        return len(self._uses)

    def of(self, party: int, place: int, begin_us: int) -> Uses:
        """One party's of one class."""
        return self._uses.setdefault((party, place), Uses(party, place, begin_us))

    def others(self, party: int) -> list[tuple[int, int, Uses]]:
        """Those of other parties: party, class and uses, in order."""
        return [(p, c, uses) for (p, c), uses in sorted(self._uses.items()) if p != party]

    def everybody(self) -> list[Uses]:
        """All, in order."""
        return [uses for _, uses in sorted(self._uses.items())]

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        return {
            "past": np.concatenate([np.zeros(0, PAST), *(uses.past for uses in self.everybody())]),
            "hours": np.concatenate([np.zeros(0, HOUR), *(uses.hours for uses in self.everybody())]),
        }

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        past, hours = adopted(arrays["past"], PAST), adopted(arrays["hours"], HOUR).reshape(-1, HOURS)
        self._uses = {}
        for row, own in zip(past, hours, strict=True):
            uses = self.of(int(row["party"]), int(row["place"]), int(row["begin_us"]))
            uses.past[0], uses.hours[:] = row, own
