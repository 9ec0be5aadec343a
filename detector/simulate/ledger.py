"""The attacker's requests of a streamed log, column by column: how many records were gone at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from detector.simulate.columns.rows import DECOY, ROW, Ints, Rows
from detector.simulate.site import EXPOSES, FORMS, RECORDS

_PAGES = 100_000  # more pages than any list here has
_SHIFT = 57  # numbers and pages end below it; six bits of forms above
_LISTS = np.array([name in ("users_bulk", "users_page", "wildcard", "newest") for name in FORMS])


@dataclass(frozen=True)
class Ledger:
    """n requests of the attacker in log order.

    Attributes:
        time_us: int64 (n,).
        actor: int64 (n,), index into the cast.
        form: int64 (n,), index into `site.FORMS`.
        record: int64 (n,), which record (or page of records) was returned: equal for equal records; -1 = none.
        count: int64 (n,), how many records that is.
        decoy: bool (n,), read to look like everybody.
    """

    time_us: Ints
    actor: Ints
    form: Ints
    record: Ints
    count: Ints
    decoy: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_us)

    @classmethod
    def of(cls, rows: Rows) -> Ledger:
        """The attacker's rows among these, which are in log order and list what batched requests ask for."""
        theirs = rows[rows["actor"] >= 0] if len(rows) else np.zeros(0, ROW)
        form = theirs["form"].astype(np.int64)
        page = np.maximum(theirs["page"].astype(np.int64), 0)
        number = np.maximum(theirs["number"], 0)
        key = (form << _SHIFT) ^ (number * _PAGES + page)
        whole = _LISTS[form]
        returned = (theirs["status"] == 200) & (EXPOSES[form] | whole) & ((theirs["rows"] > 0) | (theirs["batch"] > 1))
        return cls(
            theirs["time_us"].astype(np.int64),
            theirs["actor"].astype(np.int64),
            form,
            np.where(returned, key, -1),
            np.where(returned, np.where(whole, RECORDS[form], 1), 0),
            (theirs["flags"] & DECOY) > 0,
        )

    @classmethod
    def joined(cls, parts: list[Ledger]) -> Ledger:
        """One ledger of several that follow one another."""
        if not parts:
            return cls.of(np.zeros(0, ROW))
        return cls(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ("time_us", "actor", "form", "record")),
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ("count", "decoy")),
        )

    @cached_property
    def gone(self) -> Ints:
        """int64 (n,): distinct records returned up to and with each request; decoys, which anybody reads, left out."""
        planned = np.where(self.decoy, -1, self.record)
        _, first = np.unique(planned, return_index=True)
        fresh = np.zeros(len(self), np.int64)
        fresh[first] = self.count[first]
        fresh[planned < 0] = 0
        return np.cumsum(fresh)

    def exposed_by(self, time_us: int) -> int:
        """Distinct records returned up to and with this moment."""
        n = int(np.searchsorted(self.time_us, time_us, "right"))
        return int(self.gone[n - 1]) if n else 0

    @property
    def records(self) -> int:
        """Distinct records returned in all."""
        return int(self.gone[-1]) if len(self) else 0

    @property
    def routes(self) -> list[str]:
        """Templates of what was read, most requests first."""
        counts = np.bincount(self.form[self.record >= 0], minlength=len(FORMS))
        forms = list(FORMS.values())
        order = np.argsort(-counts, kind="stable")
        return list(dict.fromkeys(forms[code].route for code in order.tolist() if counts[code]))

    def later(self, time_us: int) -> Ledger:
        """The requests after a moment."""
        n = int(np.searchsorted(self.time_us, time_us, "right"))
        names = ("time_us", "actor", "form", "record", "count", "decoy")
        return Ledger(*(getattr(self, name)[n:] for name in names))
