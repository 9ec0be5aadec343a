"""Reads of records that are somebody else's by all that reading shows (the channel *foreign*).

A record belongs to the account that comes back to it in hour after hour while hardly anybody else does. Coldness cannot
tell reads of such records: their owners have just read them. Of a sample of the objects the table of owners remembers
who comes back (`state.owners`); an account's read of one that is established counts, as foreign where it is another's,
as not where it is its own (once a day) or many people's. Addresses and keys own nothing and are not held to account:
one person has many, and one of them many people. Their reads make a record public.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import CAP, ESTABLISHED, OTHERS_RATIO, PRIOR_COLD
from detector.state.layout import WAYS
from detector.state.owners import OWNER_SAMPLE

U = np.uint64
NOTHING, FAMILIAR, FOREIGN = 0, 1, 2
MOST = 65_535
HOURS_A_DAY = 24


@njit
def is_watched(key):
    """Whether an object is in the sample; by bits of its hash that neither its bucket nor its tag is taken from."""
    return (key >> U(58)) & U(OWNER_SAMPLE - 1) == U(0)


@njit
def touch_owner(owners, key, reader, is_account, is_fresh, hour):
    """Notes a read of a watched object. Returns NOTHING (not established, or repeated), FAMILIAR or FOREIGN.

    Args:
        owners: the table.
        key: hash of route and object.
        reader: part of the client's hash.
        is_account: whether the client is an account.
        is_fresh: whether it repeats no read of its own of the last 24 h.
        hour: log hour.
    """
    base = np.int64((key >> U(32)) & U(owners.shape[0] // WAYS - 1)) * WAYS
    tag = np.uint32(key & U(0xFFFFFFFF)) | np.uint32(1)
    least = base
    for way in range(base, base + WAYS):
        o = owners[way]
        if o.tag == tag:
            return _read(o, reader, is_account, is_fresh, hour)
        if _lasts(o) < _lasts(owners[least]):
            least = way
    if is_account:
        o = owners[least]
        o.tag = tag
        o.owner = reader
        o.hour = hour
        o.hours = 1
        o.others = 0
    return NOTHING


@njit
def _lasts(o):
    """The log hour until which a slot is kept, where room is short: each hour its owner came back in keeps it a day
    longer, up to a month (judgement: as long as an incident may stay open)."""
    return np.int64(o.hour) + HOURS_A_DAY * min(np.int64(o.hours), 30) if o.tag != 0 else np.int64(-1)


@njit
def _read(o, reader, is_account, is_fresh, hour):
    hours, others = np.int64(o.hours), np.int64(o.others)
    established = hours + others >= ESTABLISHED
    owned = OTHERS_RATIO * others <= hours
    later = hour > np.int64(o.hour)
    first_today = hour // HOURS_A_DAY > np.int64(o.hour) // HOURS_A_DAY
    if o.owner == reader:
        if later:
            o.hour = hour
            o.hours = min(hours + 1, MOST)
        return FAMILIAR if established and is_account and (is_fresh or first_today) else NOTHING
    if later or is_fresh:
        o.hour = max(np.int64(o.hour), hour)
        o.others = min(others + 1, MOST)
        if is_account and others >= hours:  # it is this one that comes back
            o.owner = reader
            o.hours, o.others = o.others, o.hours
    if not (established and is_account and is_fresh):
        return NOTHING
    return FOREIGN if owned else FAMILIAR


@njit
def weigh_owned(c, r, is_foreign, hour):
    """Counts a read of an established record against what other accounts do on the route; the first few of its day
    teach the route, whose share fades over a day: of a sample there is little in an hour."""
    if hour > np.int64(r.owned_hour):
        fade = np.float32(math.exp(-(hour - np.int64(r.owned_hour)) / HOURS_A_DAY))
        r.owned[0] *= fade
        r.owned[1] *= fade
        r.owned_hour = hour
    if r.owned_since == 0:
        r.owned_since = hour
    if c.established[0] == MOST:
        return
    c.established[0] += 1
    c.foreign[0] += is_foreign
    c.foreign_expected[0] += (r.owned[1] + PRIOR_COLD[0]) / (r.owned[0] + PRIOR_COLD[1])
    if c.established[0] <= CAP and c.incident == 0:
        r.owned[0] += 1.0
        r.owned[1] += is_foreign
