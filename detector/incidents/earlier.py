"""What a client had read before it was named: a campaign's clients are named late, and their notice is about all of it.

The ring of recent reads tells it as far back as it reaches. How much is older is known from the client's own count,
though not which records those were: the list then says between which numbers the truth lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.incident import Estimate
from detector.incidents.records import Records


@dataclass
class Earlier:
    """Reads of named clients that nobody has kept.

    Attributes:
        most: how many there are at most: all that is missing, whatever route it was on.
        likely: how many of them were on the incident's route, by the share of what is known of the same client.
    """

    most: int = 0
    likely: float = 0.0

    def look_back(
        self,
        records: Records,
        route: int,
        clients: npt.NDArray[np.uint64],
        fresh: npt.NDArray[np.int64],
        reads: npt.NDArray[Any],
        since_us: int,
    ) -> None:
        """Puts what is held of clients' reads on a route among its records, and counts what is not held.

        Args:
            records: the incident's; those of these clients from before ``since_us`` are counted as held.
            route: the incident's.
            clients: (n,), who is named now, each for the first time.
            fresh: (n,), record reads that repeated none of the client's own, as its slot counts them.
            reads: what the ring holds of these clients (dtype READS), in log order.
            since_us: log time back to which the ring holds every read; 0 where that is all.
        """
        mine = reads[(reads["route"] == route) & ~reads["listed"]]
        old = records.of(clients)
        old = old[(old["time_us"] < since_us) & (old["rows"] == 1)]
        held = _counts(clients, reads["client"][~reads["own"] & ~reads["listed"]]) + _counts(clients, old["client"])
        here = _counts(clients, mine["client"][~mine["own"]]) + _counts(clients, old["client"])
        gone = np.maximum(fresh - held, 0)
        self.most += int(gone.sum())
        self.likely += float((gone * (here + 1.0) / (held + 1.0)).sum())
        records.add(mine)

    def widen(self, listed: Estimate) -> Estimate:
        """How many records they have read in all, by how many are listed: what is missing may be listed already, as a
        read of another client, or none on this route."""
        total = listed.estimate + round(min(self.likely, self.most))
        return Estimate(total, listed.low, max(listed.high + self.most, total))


def _counts(clients: npt.NDArray[np.uint64], seen: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """How often each client occurs in ``seen``; no others do."""
    order = np.argsort(clients)
    place = order[np.minimum(np.searchsorted(clients, seen, sorter=order), len(clients) - 1)]
    return np.bincount(place, minlength=len(clients)).astype(np.int64)
