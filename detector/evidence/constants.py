"""Numbers the evidence rests on, each with its origin."""

from __future__ import annotations

DAY_US = 86_400_000_000

RUN = 128
"""Ids in order that convict one client at cold start. A gallery of 60 thumbnails makes a run of 59, so a bound derived
from an average step share is too low; twice the longest benign run measured, rounded to a power of two."""

REACH = 64
"""How far beyond the stretch an id may lie and still belong to it: answers of parallel workers arrive out of order by
about the number of requests under way, which browsers and crawlers keep below a few dozen."""

CAP = 8
"""Trials of one client and day that teach its route's baseline, so that nobody teaches it his own normality."""

PRIOR_COLD = (5.0, 10.0)
"""Cold reads and reads a route is believed to have had before the first: a short log is half cold (.47 to .71 was
measured on ten-minute logs), so nothing is made of coldness until ordinary clients have shown their own."""

PRIOR_MISS = (1.5, 50.0)
"""Misses and tries before the first: 3 %, the share of unknown ids in ordinary API traffic."""

MISS_MIN = 8
"""Misses before guessing is weighed: the fewest that can prove it at one false alarm in a million (TRW, null .03)."""

BLOCK_IDS = 1024
BLOCK_MIN_HITS = 64
"""Ids a block, and the cold first reads it needs before its order is weighed (the identity-free scan)."""

GROUP = 256
"""Rows whose slots are fetched ahead; 256 slots of five cache lines stay in a first-level cache of 64 kB or its
second level."""
