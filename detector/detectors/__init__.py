"""Evidence to signals: one behaviour a file.

A new detector of single clients is one file with a function ``judge(evidence, budget) -> Signal | None`` and one line
here; what it is convicted of is remembered in the bit of its line.
"""

from __future__ import annotations

from collections.abc import Callable

from detector.detectors import bulk, contract, guessing, sweep, tripwire, walk
from detector.detectors.signal import Budget, Signal
from detector.evidence.client import ClientEvidence

CLIENT_DETECTORS: dict[str, tuple[int, Callable[[ClientEvidence, Budget], Signal | None]]] = {
    "walk": (1, walk.judge),
    "bulk": (2, bulk.judge),
    "guessing": (4, guessing.judge),
}

BLOCK_DETECTORS: dict[str, Callable[..., Signal | None]] = {"sweep": sweep.judge}

RULE_DETECTORS: dict[str, Callable[..., object]] = {"contract": contract.judge, "tripwire": tripwire.judge}
"""Not statistics but what the owner has declared: partners and records nobody may read."""

__all__ = ["BLOCK_DETECTORS", "CLIENT_DETECTORS", "RULE_DETECTORS", "Budget", "Signal"]
