"""Who is looked at when it is learnt what clients are like: one pass over the table instead of one a column."""

from __future__ import annotations

import numpy as np


def busy(after_us, fewest, clients, slots, leads):
    """The clients seen after a log time that have made so many fresh reads, mostly on some route, and are in no
    incident: writes their slots and those routes, returns how many they are."""
    found = 0
    for slot in range(clients.shape[0]):
        c = clients[slot]
        fresh = np.int64(c.fresh[0]) + np.int64(c.fresh[1])
        if fresh < fewest or c.last_us <= after_us or c.incident != 0 or c.lead == 0:
            continue
        slots[found] = slot
        leads[found] = c.lead
        found += 1
    return found
