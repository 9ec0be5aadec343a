"""Very many accounts in few hands, each used for a read or two and never signed in (forged tokens).

Nothing an account does here is odd: it reads what is its own. What is odd is an address behind which account after
account does that and nothing else (`evidence.accounts_kernel`). An office, a carrier's address, a proxy show the site's
own share of such accounts, and never stand out. Nor does one address convict: there must be many that stand out, or one
with accounts by the hundred, more than there ever were before.
"""

from __future__ import annotations

from detector.detectors.campaign import FEWEST_CLIENTS
from detector.detectors.tallies import Tally
from detector.state.accounts import FAN_OUT

TALLY = Tally("fan_out", FAN_OUT, FEWEST_CLIENTS, share=0.05)
"""A sixth of what campaigns of all kinds may cost (`Budget.CAMPAIGNS`), as `accounts` has; a campaign half, a look-up a
sixth."""
