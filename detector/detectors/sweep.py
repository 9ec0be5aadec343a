"""Many clients work through one queue of ids in order (a sweep), whatever the number of addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, log, pi, sqrt
from typing import Any

from detector.detectors.signal import Budget, Finding, Signal

FEWEST_CLIENTS = 4.0
"""Of a block's readers: natural neighbourhood of ids read by one to three visitors gave false alarms in every one of
forty ten-minute logs, by four or more in none (simulation)."""

FEW_CLIENTS_HITS = 256
"""Hits that make up for fewer readers: a quarter of the block in one unbroken order."""

STEADY_SHARE = 0.5
"""Where ids grow with time, their owners read the newest in order, each his own one. So at a route's newest ids most
hits must come from clients that have read there before and do little else ..."""

AGED_HITS = 32
AGED_PURE_SHARE = 0.9
"""... or, half a minute later, nearly all who hit must still have done nothing else. An owner who does something every
two minutes has, by then, in one of four cases; two standard errors below that need 32 of them."""

SUDDEN_PURE_SHARE = 0.5
"""Where ids that stood still are suddenly read in order, half of them. Workers behind shared addresses have company
there (a fifth of the simulated ones). Owners in a log that has just begun are pure as long as they have asked nothing
else: with requests at random, in three of ten cases by the time `SINGLE_SHARE` lets them be looked at."""

YOUNG_SHARE, USUAL_YOUNG = 2 / 3, 0.25
"""... or two in three hits come from clients that did not exist a minute before, where a quarter of the reads elsewhere
are such clients' at most. Decoys and the pages of a browser hide that nothing else is done, not that each identity is
made for its read; a fifth of them lies behind addresses that others have used (simulated). By chance 22 of 32 would be
once in seven million. Where ids grow all the time that may be so: each newcomer has a basket."""

SINGLE_SHARE = 0.5
"""That says nothing while most other clients have made a single request too, as where a log has just begun."""

LEAD_SHARE = 0.25
"""Largest margin of one client over all others together, as a share of the hits: above it (62 % of them) the order is
one client's own, and the others came by."""


@dataclass(frozen=True)
class Company:
    """What became of the clients whose hits on a block's route are half a minute old.

    Attributes:
        aged: such hits of the last ten minutes.
        pure: of those, by clients that have done little else to this day.
        single: share of other clients as old that have made one request.
        young: of those hits, by clients first seen at most a minute before.
        usual_young: share of the reads of other routes in that time that are such clients'.
        sudden: whether the route's newest id used to stand still, as it does where nothing is made any more.
    """

    aged: int = 0
    pure: int = 0
    single: float = 0.0
    sudden: bool = False
    young: int = 0
    usual_young: float = 1.0


def judge(block: Any, company: Callable[[], Company], blocks_a_day: float, budget: Budget) -> Signal | None:
    """Convicts a block of 1,024 ids whose first reads by different clients come in the order of the ids.

    The statistic is the correlation of id and time over cold first reads, by Fisher's z-transform with as many
    independent reads as `independent` finds: exchangeable readers of whatever ids show none, without any baseline.

    Args:
        block: the block's slot (dtype BLOCK).
        company: tells what became of its clients; asked only at a route's newest ids.
        blocks_a_day: blocks opened a day, over which the budget is spread.
        budget: the user's.
    """
    clients, hits = readers(block), int(block["hits"])
    if clients < 2 or (clients < FEWEST_CLIENTS and hits < FEW_CLIENTS_HITS):
        return None
    if block["lead_margin"] > LEAD_SHARE * hits:
        return None
    r = min(abs(correlation(block)), 0.9999)
    freedom = independent(block) - 3.0
    if freedom < 1.0:
        return None
    z = atanh(r) * sqrt(freedom)
    nats = z * z / 2.0 + log(max(z, 1.0) * sqrt(2.0 * pi)) - log(2.0)
    threshold = budget.block_threshold(blocks_a_day)
    if nats < threshold:
        return None
    if 2 * int(block["edge"]) > hits and not _workers(block, company):
        return None
    findings = [
        Finding("order_of_ids_over_time", round(r, 4), 0.0, round(nats, 1)),
        Finding("first_reads_in_block", hits, 0.0, 0.0),
        Finding("clients_in_block", round(clients, 1), 1.0, 0.0),
    ]
    return Signal("sweep", int(block["route"]), 0, int(block["last_us"]), nats, threshold, findings, block)


def _workers(block: Any, company: Callable[[], Company]) -> bool:
    """Whether those who read a route's newest ids in order are workers rather than the owners of what is new."""
    if block["steady"] >= STEADY_SHARE * block["hits"]:
        return True
    seen = company()
    made_for_it = seen.young >= YOUNG_SHARE * seen.aged and seen.usual_young <= USUAL_YOUNG
    if seen.sudden and seen.aged >= AGED_HITS and made_for_it:
        return True
    share = SUDDEN_PURE_SHARE if seen.sudden else AGED_PURE_SHARE
    return seen.aged >= AGED_HITS and seen.pure >= share * seen.aged and seen.single <= SINGLE_SHARE


def independent(block: Any) -> float:
    """How many of a block's hits say something of their own about order: as many as the reader changed and went on
    close to where the other was, as workers of one queue do; or as there are readers, for each may go through a gallery
    of his own. Two who do so at the same time change places at every hit, and have shown two places."""
    nearby = float(block["near"]) + 1.0
    return min(float(block["hits"]), float(block["switches"]) + 1.0, max(nearby, readers(block)))


def readers(block: Any) -> float:
    """Distinct clients of a block, by linear counting in 64 bits; at most 266."""
    zeros = 64 - int(block["clients"]).bit_count()
    return 64.0 * log(64.0 / max(zeros, 1))


def correlation(block: Any) -> float:
    """Correlation of id and time over a block's cold first reads; 0 where either does not vary."""
    n = float(block["hits"])
    spread_t = n * float(block["sum_tt"]) - float(block["sum_t"]) ** 2
    spread_x = n * float(block["sum_xx"]) - float(block["sum_x"]) ** 2
    if spread_t <= 0.0 or spread_x <= 0.0:
        return 0.0
    return (n * float(block["sum_tx"]) - float(block["sum_t"]) * float(block["sum_x"])) / sqrt(spread_t * spread_x)
