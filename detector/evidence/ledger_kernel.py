"""Machine code: reads held against the ledger of grants, each at its own second."""

from __future__ import annotations

import numpy as np

from detector.evidence.ledger import BEFORE_GRANT, NO_GRANT, OTHER_SCOPE, REVOKED, TICKED
from detector.state.grants_kernel import find
from detector.state.tables_kernel import mix

U = np.uint64
ONE = U(1)
SCOPE = U((1 << 24) - 1)


def look_up(words, capacity, time_s, subject, party, needs, purpose, partner, classes, manners, bits, place, since):
    """Fills ``bits``, ``place`` and ``since``; see `ledger.Ledger.look_up`."""
    every = classes.shape[0] - 1
    for row in range(time_s.shape[0]):
        p = party[row]
        wanted = needs[row]
        scope = purpose[row] & SCOPE
        first = -1
        for c in range(every):
            if (wanted >> np.uint32(c)) & np.uint32(1) == 0:
                continue
            # The grant for this very class counts, else one for all classes.
            said, given = NO_GRANT, 0
            for which in range(2):
                key = mix(subject[row], mix(partner[p], classes[c] if which == 0 else classes[every]))
                at = find(words, capacity, key if key != U(0) else ONE)
                if at < 0:
                    continue
                found = NO_GRANT
                start = words[at, 0]
                while at < words.shape[0] and words[at, 0] == start:
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
    return time_s.shape[0]
