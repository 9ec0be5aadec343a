"""Several clients come again for the same list, on a route where hardly anybody comes twice a day.

Each of them gets no more at a time than anybody (a batch of look-ups that finds fifty numbers is an address book), and
so little in all that none is convicted alone. What convicts is how many they are: against how many of the route's
clients came again before, as uncertain as that is known (`evidence.again_kernel`).
"""

from __future__ import annotations

from math import log
from typing import Any

from detector.detectors.signal import Budget, Finding, Signal
from detector.detectors.tallies import FEWEST_LOOKS
from detector.evidence.client import ClientEvidence
from detector.evidence.constants import HANDFUL, TALLY_SIGMA
from detector.state.accounts import RATIOS

PATTERN = "over_fetch"

SHARE = 0.05
"""Of the budget of false incidents: as much as each detector of accounts has (`detectors.accounts`), out of the part
for partners and consent (`Budget.PARTNERS`)."""


def judge(evidence: ClientEvidence, route: Any, records: int, looks: float, budget: Budget) -> Signal | None:
    """A signal about a client that has just come again, if too many have done so lately; None otherwise.

    Args:
        evidence: of the client.
        route: its main route's row (dtype ROUTE).
        records: in lists, of all clients that have come again lately.
        looks: clients that come again in a day, on any route.
        budget: the user's.

    Raised from `HANDFUL` above what is expected: a team that shares a task is less.
    """
    slot, null = evidence.slot, evidence.null
    counted = int(route["again"].sum())
    before = float(route["usual"][1])
    expected = (before + 0.5) / max(float(route["usual"][0]), 1.0) * int(route["came"].sum())
    nats = rise_nats(counted, expected, before)
    threshold = log(max(looks, FEWEST_LOOKS) * len(RATIOS) / (SHARE * budget.per_day))
    if not null.settled or counted - expected < HANDFUL or records < null.floor or nats < threshold:
        return None
    usual = null.tail_rows.begin if null.tail_rows else 0.0
    findings = [
        Finding("clients_that_came_again", float(counted), round(expected, 2), round(nats, 1)),
        Finding("records_in_lists_a_day", float(max(slot["rows"])), round(usual, 1), round(evidence.rows, 1)),
        Finding("answers", evidence.total("answers"), 0.0, 0.0),
    ]
    return Signal(PATTERN, int(slot["beat_route"]), int(slot["key"]), int(slot["last_us"]), nats, threshold, findings)


def rise_nats(counted: int, expected: float, seen: float) -> float:
    """Log of the largest over `RATIOS` of e-values that a count is a rise; the same as
    `evidence.accounts_kernel.rise_nats`, outside of a kernel."""
    r = 1.0 / (1.0 / (seen + 0.5) + TALLY_SIGMA * TALLY_SIGMA)
    return max(counted * log(ratio) - (counted + r) * log((r + ratio * expected) / (r + expected)) for ratio in RATIOS)
