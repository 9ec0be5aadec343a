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

    # Shares of the budget: 0.3 single clients, 0.3 campaigns, 0.2 blocks of ids, 0.2 partners and consent
    # (detection facts, section 6). Of the campaigns' share each detector of cells has its part
    # (`campaign.Cells.share`). Contracts and grants are rules and need none: partners' share goes to how they use
    # grants, where there are any; without a policy, three quarters of it go to tallies of accounts and to clients that
    # come again (`tallies.Tally.share`, `again.SHARE`), which with a policy come on top: 1.15 of the budget in all.
    CLIENTS = 0.3
    CAMPAIGNS = 0.3
    BLOCKS = 0.2
    PARTNERS = 0.2

    def client_threshold(self, clients_a_day: float) -> float:
        """Nats at which a client is convicted: ln of the tests a day over the false ones allowed."""
        return log(max(clients_a_day, 100.0) / (self.CLIENTS * self.per_day))

    def partner_threshold(self, tests_a_day: float) -> float:
        """The same for what is asked of partners each day."""
        return log(max(tests_a_day, 100.0) / (self.PARTNERS * self.per_day))

    def block_threshold(self, blocks_a_day: float) -> float:
        """The same for a block of ids, each weighed at most some twelve times in its spell (a quarter more each)."""
        return log(12.0 * max(blocks_a_day, 100.0) / (self.BLOCKS * self.per_day))
