"""Who is looked at when it is learnt what clients are like: one pass over the table instead of one a column."""

from __future__ import annotations

import numpy as np

from detector.records.batch import KINDS

ACCOUNT = KINDS.index("account")
MATCHED, STRANGERS, CLERKS = 0, 1, 2
CLERK = 3  # reads of other people's records among those watched: two are chance, with thousands of accounts


def busy(after_us, fewest, clients, slots, leads, matched):
    """The clients seen after a log time that have made so many fresh reads, mostly on some route, and are in no
    incident: writes their slots and those routes, returns how many they are. Of the accounts among them that have read
    two established records or more, counts by route how many there are, how many have mostly read other people's, and
    how many of these can be no chance."""
    found = 0
    for slot in range(clients.shape[0]):
        c = clients[slot]
        fresh = np.int64(c.fresh[0]) + np.int64(c.fresh[1])
        if fresh < fewest or c.last_us <= after_us or c.incident != 0 or c.lead == 0:
            continue
        slots[found] = slot
        leads[found] = c.lead
        found += 1
        established = np.int64(c.established[0]) + np.int64(c.established[1])
        if established > 1 and c.kind == ACCOUNT:
            foreign = np.int64(c.foreign[0]) + np.int64(c.foreign[1])
            matched[c.lead, MATCHED] += 1
            if foreign > 1 and 2 * foreign >= established:
                matched[c.lead, STRANGERS] += 1
                matched[c.lead, CLERKS] += foreign >= CLERK
    return found
