"""Accounts looked at once, half an hour after their first request, and counted where that says something.

Two kinds of many accounts in few hands show here. Forged tokens: behind one address account after account makes a read
or two and nothing else, without ever signing in. Mass-made and taken-over accounts: account after account begins with
reads nobody else makes, of records no list has shown it, on one route. Either is held against its own past: how many
there were among how many accounts. The rate before is known as well as it was counted (Jeffreys' prior), so what is to
be expected is a negative binomial, and the ratio of two of those (`RATIOS` times the rate against the rate) is an
e-value: it exceeds exp(h) with probability exp(-h) at most. Tallies are looked at only in minutes that count something.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import (
    CELL_SETTLED_MINUTES,
    HARVEST_READS,
    MATURE_MINUTES,
    QUIET_MINUTES,
    SOURCE_FEWEST,
    SOURCE_FORGED,
    SOURCE_LARGE,
    SOURCE_NATS,
    SOURCE_STRENGTH,
    STUB_ACCOUNTS,
    STUB_PRIOR,
    STUB_REQUESTS,
    SUSPECT_NATS,
    TALLY_SIGMA,
)
from detector.state.accounts import ACCOUNTS, FAN_OUT, HARVESTER, RATIOS, STUB
from detector.state.layout import ACTED, COUNTER, HARVESTS, WAYS

U = np.uint64
NEWCOMERS, MATURED, SEEN, TALLIED = (COUNTER[n] for n in ("newcomers", "matured", "accounts", "tallied"))
STUBS, PLAIN, SUSPECTS = (COUNTER[n] for n in ("stubs", "plain_accounts", "suspects"))
SINCE, DAY, SETTLED_AT = (COUNTER[n] for n in ("accounts_since", "accounts_day", "accounts_settled"))
LOOKS, LOOKS_BEFORE = COUNTER["looks"], COUNTER["looks_before"]
ACCOUNT_KIND, SESSION_KIND = 2, 4  # records.batch.KINDS: account, key, session
DAY_MINUTES = 1440
R0, R1, R2, R3 = RATIOS


@njit
def _log_beta(a, b):
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@njit
def source_nats(k, n, share):
    """Log likelihood ratio that ``k`` of ``n`` accounts behind an address are stubs: nearly all of them as forged ones
    are, against the site's share with over-dispersion 1 / (1 + SOURCE_STRENGTH)."""
    a, b = SOURCE_FORGED, 1.0
    c, d = SOURCE_STRENGTH * share, SOURCE_STRENGTH * (1.0 - share)
    forged = _log_beta(a + k, b + n - k) - _log_beta(a, b)
    return forged - (_log_beta(c + k, d + n - k) - _log_beta(c, d))


@njit
def _find_source(sources, key, day):
    """The slot of an address, a newcomer's in the place of the one with fewest accounts; halved for each day passed."""
    base = np.int64((key >> U(7)) & U(sources.shape[0] // WAYS - 1)) * WAYS
    least = base
    for way in range(base, base + WAYS):
        s = sources[way]
        if s.key == key:
            passed = min(day - np.int64(s.day), 31)
            if passed > 0:
                s.n = np.int64(s.n) >> passed
                s.k = np.int64(s.k) >> passed
                s.told = 0
                s.day = day
            return way
        if s.n < sources[least].n:
            least = way
    s = sources[least]
    s.key = key
    s.day = day
    s.n = 0
    s.k = 0
    s.told = 0
    return least


@njit
def _is_stub(c):
    """Whether all an account did is a few reads."""
    requests = np.int64(c.requests[0]) + np.int64(c.requests[1])
    reads = np.int64(c.reads[0]) + np.int64(c.reads[1])
    return requests <= STUB_REQUESTS and reads > 0 and 2 * reads >= requests and np.int64(c.crossed) & ACTED == 0


@njit
def _is_harvester(c):
    """Whether an account began with reads on one route that nobody else makes and no list has shown it."""
    requests = np.int64(c.requests[0]) + np.int64(c.requests[1])
    fresh = np.int64(c.fresh[0]) + np.int64(c.fresh[1])
    cold = np.int64(c.cold[0]) + np.int64(c.cold[1])
    listed = np.int64(c.rows[0]) + np.int64(c.rows[1])
    pure = 4 * np.int64(c.lead_margin) >= 3 * requests
    return fresh >= HARVEST_READS and pure and 4 * cold >= 3 * fresh and listed < fresh


@njit
def _suspect(ring, counters, time_us, e, c, which):
    """Appends an account to the ring of suspects."""
    s = ring[counters[SUSPECTS] % ring.shape[0]]
    counters[SUSPECTS] += 1
    s.time_us = time_us
    s.client = e.key
    s.agent = e.agent
    s.source = e.source
    s.network = e.network
    s.slot = e.slot
    s.route = c.lead
    s.entry = e.route
    s.which = which
    s.requests = np.int64(c.requests[0]) + np.int64(c.requests[1])


@njit
def _count(tally, accounts):
    tally.minute += 1
    tally.minute_accounts += accounts


@njit
def _behind(s, stub, tallies, counters):
    """Counts an account behind its address; an address that stands out is counted once a day, a very large one each
    time its stubs have doubled: one address alone must have very many."""
    s.n += 1
    s.k += stub
    if s.n <= STUB_ACCOUNTS:  # the first few only: nobody makes his own kind usual
        counters[PLAIN] += 1
        counters[STUBS] += stub
    if stub == 0 or s.k < SOURCE_FEWEST or counters[PLAIN] < STUB_PRIOR:
        return
    if s.told == 0:
        share = min(max((counters[STUBS] + 1.0) / counters[PLAIN], 0.01), 0.9)
        if source_nats(np.float64(s.k), np.float64(s.n), share) < SOURCE_NATS:
            return
        _count(tallies[FAN_OUT], s.k)
    elif s.k >= SOURCE_LARGE and s.k >= 2 * np.int64(s.told):
        _count(tallies[FAN_OUT], s.k - s.told)
    else:
        return
    s.told = s.k
    counters[TALLIED] = 1


@njit
def _mature(now, clients, maturity, sources, tallies, suspects, settled, counters):
    """Looks at every account that is old enough."""
    first = max(counters[MATURED], counters[NEWCOMERS] - maturity.shape[0])
    while first < counters[NEWCOMERS]:
        e = maturity[first % maturity.shape[0]]
        if np.int64(e.minute) + MATURE_MINUTES > now:
            break
        first += 1
        c = clients[e.slot]
        if c.key != e.key or c.kind < ACCOUNT_KIND or c.kind > SESSION_KIND:
            continue
        counters[SEEN] += 1
        stub = 1 if _is_stub(c) else 0
        if c.incident == 0 and e.source != U(0):
            _behind(sources[_find_source(sources, e.source, now // DAY_MINUTES)], stub, tallies, counters)
        time_us = now * 60_000_000
        if stub:
            _suspect(suspects, counters, time_us, e, c, STUB)
        elif settled and np.int64(c.crossed) & HARVESTS == 0 and _is_harvester(c):
            c.crossed |= np.uint8(HARVESTS)
            _suspect(suspects, counters, time_us, e, c, HARVESTER)
            _count(tallies[c.lead], 1)
            counters[TALLIED] = 1
    counters[MATURED] = first


@njit
def rise_nats(counted, expected, seen):
    """Log of the e-value that a count is a rise, the largest over `RATIOS`: negative binomials with the mean expected
    and with so many times that, as certain as ``seen`` counts before and the wander of levels leave the mean."""
    r = 1.0 / (1.0 / (seen + 0.5) + TALLY_SIGMA * TALLY_SIGMA)
    best = 0.0
    for ratio in (R0, R1, R2, R3):
        nats = counted * math.log(ratio) - (counted + r) * math.log((r + ratio * expected) / (r + expected))
        best = max(best, nats)
    return best


@njit
def _close(t, limit, fewest, before, begin, minute, counters):
    """A tally at the end of a minute that counted something; returns whether it alarms."""
    total = np.float64(counters[SEEN])
    passed = min(minute // DAY_MINUTES - np.int64(t.day), 60) if t.day > 0 else 0
    t.day = minute // DAY_MINUTES
    t.seen *= 0.5**passed
    t.exposed *= 0.5**passed
    quiet = minute - np.int64(t.alarmed) > QUIET_MINUTES
    if t.since == 0:
        if quiet:
            t.exposed += max(before - max(t.upto, begin), 0.0)
        t.since = minute
        t.since_exposed = before
        t.now = 0.0
        t.accounts = 0.0
    t.now += t.minute
    t.accounts += t.minute_accounts
    t.minute = 0
    t.minute_accounts = 0
    t.upto = total
    stretch = max(total - t.since_exposed, 1.0)
    expected = (t.seen + 0.5) / max(t.exposed, 1.0) * stretch
    nats = rise_nats(t.now, expected, t.seen)
    if limit > 0.0 and nats >= limit and t.accounts - expected >= fewest:
        t.nats = nats
        t.expected = expected
        t.counted = t.now
        t.alarm_accounts = t.accounts
        t.alarmed = minute
        t.alarm = 1
        t.alarm_since = t.since
        t.since = 0
        return 1
    if nats <= 0.0 or (nats < SUSPECT_NATS and minute - np.int64(t.since) > DAY_MINUTES):
        if quiet:  # what is under suspicion, or has just alarmed, does not become the usual
            t.seen += t.now
            t.exposed += stretch
        t.since = 0
    return 0


@njit
def close_accounts(now, clients, maturity, sources, tallies, suspects, limits, counters):
    """Log time has reached the minute ``now``: looks at accounts and judges the tallies. Returns how many alarm;
    each says so in its own row until it is heard."""
    if counters[SINCE] == 0:
        counters[SINCE] = now
        counters[DAY] = now // DAY_MINUTES
    if now // DAY_MINUTES > counters[DAY]:
        counters[DAY] = now // DAY_MINUTES
        counters[STUBS] //= 2
        counters[PLAIN] //= 2
        counters[LOOKS_BEFORE] = counters[LOOKS]
        counters[LOOKS] = 0
    settled = now - counters[SINCE] >= CELL_SETTLED_MINUTES
    before = counters[SEEN]
    if settled and counters[SETTLED_AT] == 0:
        counters[SETTLED_AT] = before + 1
    _mature(now, clients, maturity, sources, tallies, suspects, settled, counters)
    if counters[TALLIED] == 0:
        return 0
    counters[TALLIED] = 0
    counters[LOOKS] += 1
    alarms = 0
    for row in range(tallies.shape[0]):
        t = tallies[row]
        if t.minute == 0:
            continue
        kind = FAN_OUT if row == FAN_OUT else ACCOUNTS
        begin = 0.0 if row == FAN_OUT else np.float64(counters[SETTLED_AT])
        limit = limits[kind, 0] if settled else 0.0
        alarms += _close(t, limit, limits[kind, 1], np.float64(before), begin, now, counters)
    return alarms
