"""Many clients try ids that mostly do not exist, a few each (distributed look-ups, card and voucher checking)."""

from __future__ import annotations

from detector.detectors.campaign import FEWEST_CLIENTS, Cells
from detector.state.cells import STATISTICS

CELLS = Cells(STATISTICS, "miss", FEWEST_CLIENTS, share=0.05)
"""The campaign's engine on the channel of misses: an id that does not exist and that nobody else has tried in 24 h. A
broken link, an outage, a retried page repeat the same ids, and so count once."""
