"""Machine code: reads held against the ledger of grants, each at its own second.

Where a grant lies says nothing of where the next one does, so every look-up would wait for memory: the places are asked
for some reads ahead.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.ledger import BEFORE_GRANT, NO_GRANT, OTHER_SCOPE, REVOKED, TICKED
from detector.state.ahead_kernel import prefetch
from detector.state.aligned import LINE
from detector.state.grants_kernel import home
from detector.state.tables_kernel import mix

U = np.uint64
ONE = U(1)
SCOPE = U((1 << 24) - 1)
AHEAD = 16  # reads: of 8, 16 and 32 the fastest in a ledger of 10 M grants


@njit
def key_of(subject, pair):
    """What a person's grants to a party of a class are kept by; ``ledger.keys_of`` for one."""
    key = mix(subject, pair)
    return key if key != U(0) else ONE


def look_up(words, capacity, whole, time_s, subject, party, needs, purpose, pairs, manners, bits, place, since):
    """Fills ``bits``, ``place`` and ``since``; see `ledger.Ledger.look_up`."""
    every, width = pairs.shape[1] - 1, words.shape[1]
    end = time_s.shape[0]
    for row in range(-AHEAD, end):
        later = row + AHEAD
        if later < end:
            wanted = needs[later]
            for c in range(every):
                if (wanted >> np.uint32(c)) == 0:
                    break
                if (wanted >> np.uint32(c)) & np.uint32(1) != 0:
                    at = home(key_of(subject[later], pairs[party[later], c]), capacity)
                    prefetch(words, at * width, 0)
                    prefetch(words, at * width, LINE)  # keys stand 2.5 places behind their own on average
                    if whole:
                        prefetch(words, home(key_of(subject[later], pairs[party[later], every]), capacity) * width, 0)
        if row < 0:
            continue
        p = party[row]
        wanted = needs[row]
        scope = purpose[row] & SCOPE
        first = -1
        for c in range(every):
            if (wanted >> np.uint32(c)) == 0:
                break
            if (wanted >> np.uint32(c)) & np.uint32(1) == 0:
                continue
            # The grant for this very class counts, else one for all classes.
            said, given = NO_GRANT, 0
            for which in range(2 if whole else 1):
                key = key_of(subject[row], pairs[p, c if which == 0 else every])
                at = home(key, capacity)
                while at < words.shape[0] and words[at, 0] != U(0) and words[at, 0] < key:
                    at += 1
                found = NO_GRANT
                while at < words.shape[0] and words[at, 0] == key:
                    info = words[at, 1]
                    second = np.int64(info >> U(32))
                    code = np.int64(info & U(0xFF))
                    if second > time_s[row]:
                        if found == NO_GRANT:
                            found = BEFORE_GRANT
                        break
                    if code & 1 == 0:
                        # In the second of its revocation a read may have come first.
                        if second < time_s[row]:
                            found = REVOKED
                    else:
                        own = (info >> U(8)) & SCOPE
                        if (manners[p] >> np.uint32(code >> 1)) & np.uint32(1) == 0:
                            found = TICKED
                        elif own != U(0) and scope != U(0) and own != scope:
                            found = OTHER_SCOPE
                        else:
                            found = 0
                            given = second
                    at += 1
                if found == 0:
                    said = 0
                    break
                if said == NO_GRANT or which == 0:
                    said = found
            if said != 0:
                bits[row] |= np.uint32(said)
                if first < 0:
                    first = c
            elif since[row] == 0:
                since[row] = given
                if place[row] == 0 and first < 0:
                    place[row] = c
        if first >= 0:
            place[row] = first
            since[row] = 0
    return end
