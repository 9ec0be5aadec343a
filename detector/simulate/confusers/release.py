"""N10: a release of the app."""

from __future__ import annotations

from detector.simulate.confusers.confuser import Confuser

_AFTER_US = 3_600_000_000

N10 = Confuser(
    "N10",
    "a new agent for 30 % of the people within two days",
    "the same clients, accounts and habits under a new agent: its cell grows, the share of odd ones in it does not",
    world=lambda options: {"release_us": options.start_us + _AFTER_US},
)
