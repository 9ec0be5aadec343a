"""Evidence to signals: one behaviour a file.

A new detector of single clients is one file with a function ``judge(evidence, budget) -> Signal | None`` and one line
here; what it is convicted of is remembered in the bit of its line. One of many clients together, by what they have in
common, is one file with a `campaign.Cells` and one line; one of many accounts, one with a `tallies.Tally` and one line.
"""

from __future__ import annotations

from collections.abc import Callable

from detector.detectors import (
    accounts,
    again,
    bulk,
    campaign,
    consent,
    contract,
    fan_out,
    guessing,
    lookup,
    metronome,
    over_fetch,
    sweep,
    tripwire,
    walk,
)
from detector.detectors.signal import Budget, Signal
from detector.detectors.tallies import Tally
from detector.evidence.client import ClientEvidence

CLIENT_DETECTORS: dict[str, tuple[int, Callable[[ClientEvidence, Budget], Signal | None]]] = {
    "walk": (1, walk.judge),
    "bulk": (2, bulk.judge),
    "guessing": (4, guessing.judge),
    "over_fetch": (8, over_fetch.judge),
    "metronome": (16, metronome.judge),
}

BLOCK_DETECTORS: dict[str, Callable[..., Signal | None]] = {"sweep": sweep.judge}

RULE_DETECTORS: dict[str, Callable[..., object]] = {
    "consent": consent.smell,
    "contract": contract.judge,
    "tripwire": tripwire.judge,
}
"""Not statistics but what the owner has declared: who may read what, partners, records nobody may read."""

CELL_DETECTORS: dict[str, campaign.Cells] = {"campaign": campaign.CELLS, "lookup": lookup.CELLS}

TALLY_DETECTORS: dict[str, Tally] = {"fan_out": fan_out.TALLY, "accounts": accounts.TALLY}
"""Many accounts in few hands. What `accounts` finds is called fan-out as well: it is the same to whoever is paged."""

_TALLIED = {detector.pattern for detector in TALLY_DETECTORS.values()}

AGAIN = again.judge
"""Clients that come again for the same list where hardly anybody does; told as over-fetch."""

PATTERNS = frozenset([*CLIENT_DETECTORS, *BLOCK_DETECTORS, *CELL_DETECTORS, *_TALLIED, *RULE_DETECTORS])
"""Every pattern that there is a detector for."""

__all__ = [
    "BLOCK_DETECTORS",
    "CELL_DETECTORS",
    "CLIENT_DETECTORS",
    "PATTERNS",
    "RULE_DETECTORS",
    "TALLY_DETECTORS",
    "Budget",
    "Signal",
]
