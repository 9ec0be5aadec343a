"""What came of each row by itself: whether it is a trial, and whether anybody else has read its object lately.

This needs the row and the table of objects, nothing of the client, so it runs over whole batches before they are
judged, and may run ahead of the judging in another thread.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import EMPTY_BYTES, GROUP
from detector.evidence.owners_kernel import is_watched, touch_owner
from detector.records.batch import DECLARED, KINDS, MISS, PAGED, STATIC
from detector.state.ahead_kernel import ahead_of_object
from detector.state.tables_kernel import OWN, mix, touch_object

U = np.uint64
ACCOUNT = KINDS.index("account")
SEEN, TRIAL, MISSED, GOOD, ANSWERED = 3, 4, 8, 16, 32
"""Bits of an outcome: what `touch_object` said (OWN where nothing was touched); a record was read or missed; there was
nothing; it was answered well; it says something of records or lists."""
HELD = 6  # from where on its bits are what `touch_owner` said


@njit
def _is_empty(status, bytes_out, is_request):
    """Whether a request was answered that there is nothing, by a body without anything in it instead of a status."""
    return is_request != 0 and 200 <= status < 300 and 0 < bytes_out <= EMPTY_BYTES


@njit
def _of(flags, status, bytes_out, requests, object_, is_readable):
    """The outcome of a row but for who else has read its object."""
    good = status == 0 or 200 <= status < 300 or status == 304
    miss = flags & MISS != 0 or _is_empty(status, bytes_out, requests)
    outcome = (MISSED if miss else 0) | (GOOD if good else 0)
    if is_readable and (good or miss) and flags & STATIC == 0:
        outcome |= ANSWERED
        if flags & PAGED == 0 and object_ != U(0):
            outcome |= TRIAL
    return outcome


@njit
def _touches(outcome, flags, requests):
    """Whether a record was read or missed, or a page of a list was opened."""
    return outcome & TRIAL or (outcome & ANSWERED and outcome & GOOD and flags & PAGED and requests)


def outcomes(
    time_us, client, kind, route, object_, status, bytes_out, requests, flags, method, readable,
    objects, owners, counters, out,
):  # fmt: skip
    """Writes the outcomes of a batch's rows, in log order; notes in the tables of objects and owners what is read.

    Rows are taken in groups: a first loop only asks for the lines of memory that the second will look into.
    """
    n = time_us.shape[0]
    first = 0
    while first < n:
        last = min(first + GROUP, n)
        for i in range(first, last):
            what = 0
            if flags[i] & DECLARED == 0:
                what = _of(flags[i], status[i], bytes_out[i], requests[i], object_[i], readable[method[i]])
                if _touches(what, flags[i], requests[i]):
                    ahead_of_object(objects, mix(object_[i], U(route[i])))
            out[i] = what
        for i in range(first, last):
            what = np.int64(out[i])
            seen = OWN
            if _touches(what, flags[i], requests[i]):
                key = mix(object_[i], U(route[i]))
                reader, minute = np.uint32(client[i] >> U(32)), time_us[i] // 60_000_000
                seen = touch_object(objects, key, reader, minute, counters)
                if what & TRIAL and what & MISSED == 0 and is_watched(key):
                    what |= touch_owner(owners, key, reader, kind[i] == ACCOUNT, seen != OWN, minute // 60) << HELD
            out[i] = what | seen
        first = last
