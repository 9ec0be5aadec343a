"""Accounts made, or taken over, to harvest, each too little to be convicted alone (an account mill, stuffing).

An account counts once a day, on the route it mostly reads: half an hour after it was first seen, if all it did was to
read records that nobody else reads and no list has shown it (`evidence.accounts_kernel`); or, whatever its age, as soon
as its amount and its coldness together come near what would convict it alone. What convicts is that there are more such
accounts than there were before.
"""

from __future__ import annotations

from detector.detectors.bulk import GROUP_NATS
from detector.detectors.tallies import Tally
from detector.evidence.client import ClientEvidence
from detector.state.accounts import ACCOUNTS

FEWEST = 9
"""Accounts above what is usual. Groups of accounts that share one task and no disguise are three to eight in the
catalogue: a team, or the single client's detectors' business (see `evidence.constants.HANDFUL`)."""

TALLY = Tally("fan_out", ACCOUNTS, FEWEST, share=0.05)

NEAR_NATS = 8.0
"""Nats of single evidence from which an account counts: one ordinary client-day in exp(8) = 3,000 at most, two thirds
of what convicts on a site of a hundred thousand clients. Accounts taken over reach it after a hundred records."""


def is_near(evidence: ClientEvidence) -> bool:
    """Whether an account is nearly convicted of taking what nobody else reads (the two groups of `bulk`)."""
    if not evidence.null.settled:
        return False
    cold, volume = evidence.cold, evidence.volume
    return cold >= GROUP_NATS and volume >= GROUP_NATS and cold + volume >= NEAR_NATS
