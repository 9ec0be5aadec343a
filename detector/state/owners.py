"""Whose a record is, as far as reading shows: one slot for each of a sample of the objects."""

from __future__ import annotations

import numpy as np

OWNER_SAMPLE = 64
"""Of so many objects one is watched (detection facts, A3): a table a sixty-fourth of that of the objects. A client that
reads a thousand records of other people meets sixteen that are watched; which ones, the hash's key hides."""

OWNER = np.dtype([("tag", "u4"), ("owner", "u4"), ("hour", "u4"), ("hours", "u2"), ("others", "u2")])
"""Part of the object's hash, 0 = slot not in use; part of the account's that reads it; log hour of the last read that
was counted; separate hours in which that account has read it; reads by anybody else."""
