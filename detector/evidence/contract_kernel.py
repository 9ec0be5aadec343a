"""Machine code: a partner's rows counted against its contract. See `contract` for the meaning of slots."""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import CREEP
from detector.evidence.contract import (
    AT_OTHER_HOURS,
    DAY_MINUTES,
    DAYS,
    ELSEWHERE,
    FOREIGN,
    NETWORKS,
    READ,
    SLOTS,
    WINDOW,
)
from detector.records.batch import DECLARED, MISS, STATIC

U = np.uint64
PROBES = 64  # slots looked at before a route counts for its partner alone
MINUTE_US = 60_000_000


@njit
def close_day(s):
    """The day is over: remembers its largest hour, unless it broke the contract."""
    peak = max(s.peak, s.hour_records)
    if peak > 0 and s.broken & 1 == 0:
        for k in range(DAYS - 1, 0, -1):
            s.peaks[k] = s.peaks[k - 1]
        s.peaks[0] = peak
        s.days += 1
        if s.days <= DAYS:
            s.reference = max(s.reference, np.float64(peak))
        else:
            s.reference = max(s.reference, min(np.float64(peak), s.reference * CREEP))
    s.peak = 0
    s.day_records = 0
    s.hour_records = 0
    s.broken &= 2


@njit
def advance(s, minute):
    """Brings a slot to a log minute: clears the minutes between, closes hours and days."""
    if s.minute == minute:
        return
    if s.first_us != 0:
        if minute // DAY_MINUTES > s.minute // DAY_MINUTES:
            close_day(s)
        elif minute // 60 > s.minute // 60:
            s.peak = max(s.peak, s.hour_records)
            s.hour_records = 0
    for m in range(max(s.minute + 1, minute - WINDOW + 1), minute + 1):
        s.by_minute[m % WINDOW] = 0
        s.foreign[m % WINDOW] = 0
        s.elsewhere[m % WINDOW] = 0
        s.at_other_hours[m % WINDOW] = 0
    s.minute = minute


@njit
def note(s, time_us, minute, records, said, requests):
    """Counts a row into a slot."""
    if minute > s.minute:
        advance(s, minute)
    if s.first_us == 0:
        s.first_us = time_us
    s.last_us = time_us
    place = s.minute % WINDOW
    s.records += records
    s.day_records += records
    s.hour_records += records
    s.by_minute[place] += records
    s.foreign[place] += requests * ((said & FOREIGN) != 0)
    s.elsewhere[place] += requests * ((said & ELSEWHERE) != 0)
    s.at_other_hours[place] += requests * ((said & AT_OTHER_HOURS) != 0)


@njit
def find(table, token, route):
    """The slot of a partner's route, taken where it is free; -1 where the table is full there."""
    key = (U(token) << U(16)) ^ U(route)
    place = np.int64((key * U(0x9E3779B97F4A7C15)) >> U(52))
    for _ in range(PROBES):
        s = table[place]
        if s.token == token and s.route == route:
            return place
        if s.token == 0:
            s.token = token
            s.route = route
            return place
        place = (place + 1) % SLOTS
    return np.int64(-1)


@njit
def see_network(s, network):
    """Remembers the first networks a partner comes from."""
    for k in range(min(np.int64(s.seen), NETWORKS)):
        if s.networks[k] == network:
            return
    if s.seen < NETWORKS:
        s.networks[s.seen] = network
        s.seen += 1


@njit
def place_of(tokens, token):
    """Where a token stands in a sorted list; -1 = it does not."""
    low, high = 0, tokens.size
    while low < high:
        middle = (low + high) // 2
        if tokens[middle] < token:
            low = middle + 1
        else:
            high = middle
    return low if low < tokens.size and tokens[low] == token else -1


def count(
    first, last, time_us, partner, flags, route, object_, status, readable, rows, network, requests,
    tokens, allowed, minutes, totals, routes, out,
):  # fmt: skip
    """Counts the rows ``first`` to ``last`` that carry a partner's token; says in ``out`` what each is."""
    for i in range(first, last):
        if partner[i] == 0:
            continue
        place = place_of(tokens, partner[i])
        if place < 0:
            continue
        asks = readable[i] != 0 and flags[i] & STATIC == 0 and (object_[i] != U(0) or rows[i] > 1)
        at = status[i]
        good = at == 0 or (at >= 200 and at < 300) or at == 304
        minute = time_us[i] // MINUTE_US
        said = 0
        records = np.int64(0)
        if flags[i] & DECLARED == 0:
            said = FOREIGN if asks else 0
        elif asks:
            if good and flags[i] & MISS == 0:
                said = READ
                records = max(np.int64(rows[i]), np.int64(1))
            if allowed[place, route[i]] == 0:
                said |= ELSEWHERE
            if minutes[place, minute % DAY_MINUTES] == 0:
                said |= AT_OTHER_HOURS
        out[i] = said
        asked = 1 if asks else 0  # also further objects of one request
        note(totals[place], time_us[i], minute, records, said, asked)
        see_network(totals[place], network[i])
        if asks:
            slot = find(routes, partner[i], route[i])
            if slot >= 0:
                note(routes[slot], time_us[i], minute, records, said, asked)
    return last
