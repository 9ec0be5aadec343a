"""One detector's opinion, and what it was formed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One number that convicts: what was seen, what was expected of an ordinary client, its weight in nats."""

    name: str
    value: float
    expected: float
    weight: float


@dataclass(frozen=True)
class Signal:
    """Who, when, how strong, against what threshold, from which numbers.

    Attributes:
        pattern: a name of the closed list.
        route: id of the lead route.
        client: hash of the client; 0 = many.
        time_us: log time of the row that decided it.
        nats: the statistic; ``threshold``: what it had to reach.
        evidence: the numbers that convict, largest weight first.
        block: for a sweep, the block's slot (dtype BLOCK) as of that row.
    """

    pattern: str
    route: int
    client: int
    time_us: int
    nats: float
    threshold: float
    evidence: list[Finding]
    block: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Budget:
    """How many false incidents a day the user accepts, and how detectors share them.

    Attributes:
        per_day: the user's ``false_incidents_per_day``.
    """

    per_day: float = 1.0

    # Shares of the budget, from 0.3 single clients, 0.3 campaigns, 0.2 blocks of ids, 0.2 partners and consent
    # (detection facts, section 6). Of the campaigns' share each detector of cells and of accounts has its part
    # (`campaign.Cells.share`, `tallies.Tally.share`). Contracts and grants are rules and need none; of the partners'
    # share a quarter goes to how they use grants and a quarter to clients that come again (`again.SHARE`). All
    # detectors' together come to no more than the budget, with a policy or without (a test).
    #
    # Single clients' share is one for all their detectors: each also asks for two groups of evidence and a floor, and
    # where theory allows each of them one ordinary client-day in 100, 1,000 and 10,000, all together named 9.0, 1.4 and
    # 0.7 in 100,000 (146,281 client-days, `detector evaluate --suite quick`, "named by").
    CLIENTS = 0.3
    CAMPAIGNS = 0.3
    BLOCKS = 0.2
    PARTNERS = 0.05

    def client_threshold(self, clients_a_day: float) -> float:
        """Nats at which a client is convicted: ln of the tests a day over the false ones allowed."""
        return log(max(clients_a_day, 100.0) / (self.CLIENTS * self.per_day))

    def partner_threshold(self, tests_a_day: float) -> float:
        """The same for what is asked of partners each day.

        The tests are known exactly, so no least number is taken for granted. They look at the last day all the time,
        which is not a test more: of simulated days whose share is a draw from the null, looked at with every hour, one
        in 5 e^h at most came to h (20,000 days each at shares of .05 and .3, 2 and 20 persons an hour).
        """
        return log(max(tests_a_day, 1.0) / (self.PARTNERS * self.per_day))

    def block_threshold(self, blocks_a_day: float) -> float:
        """The same for a block of ids, each weighed at most some twelve times in its spell (a quarter more each)."""
        return log(12.0 * max(blocks_a_day, 100.0) / (self.BLOCKS * self.per_day))
