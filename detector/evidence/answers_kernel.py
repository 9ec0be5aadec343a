"""How much an answer holds, against what others get, and the beat at which it is asked for; row by row.

**Sizes.** A list, a search, an export or a batch has three sizes: records (where the log tells them, or as many objects
as the request lists), else bytes; and how far back its page lies. Each client and day teaches one route, chosen by a
keyed hash among those it visits, its largest answer of each kind so far; so a route's histogram counts clients, not
answers, and nobody can make his own size usual by repeating it. An answer is *over* where fewer than one in a thousand
other clients ever get one as large there, or where nobody else opens its page (`evidence.pages_kernel`); a route is
believed to be like the whole site for its first thousand clients, and what the site hardly ever gives is not usual on a
route because a handful of accounts take it.
"""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.evidence.again_kernel import come
from detector.evidence.constants import (
    BEAT,
    BEAT_CV,
    DEVOTED,
    FAMILIAR_TRIES,
    FEWEST_OVER,
    HANDFUL,
    LESSONS,
    OVER_SHARE,
    PRIOR_MISS,
    SIZES_KEPT,
    SIZES_PRIOR,
)
from detector.evidence.pages_kernel import depth_nats, unread
from detector.evidence.steps_kernel import STEPS, half_octave, page_step
from detector.records.batch import LATE, PAGED

U = np.uint64
WORTH, LISTED = 16, 8
OVER_BIT, BEAT_BIT = 8, 16  # of ``raised``: see detectors.CLIENT_DETECTORS
ROWS, BYTES, PAGE = 0, 1, 2
ROUTE, OBJECT, NUMBER, ROW_COUNT, BYTES_OUT, REQUESTS, FLAGS, GOOD, SEEN = 0, 1, 2, 3, 4, 5, 6, 7, 8


@njit
def misses_expected(c, r, is_miss, is_first):
    """What a try's chance to miss would be for an ordinary client, learnt before its outcome is looked at.

    Objects of one request share their fate (an address book is of people who use the service, or of people who do
    not), so each further one is expected to go the way of those before it; only requests are trials.
    """
    share = (r.misses + PRIOR_MISS[0]) / (r.tries + PRIOR_MISS[1])
    c.familiar[0] += min(1.0, r.tries / FAMILIAR_TRIES)
    if is_first:
        c.asked_misses = 0
    elif c.asked > 1:
        share = max(share, (c.asked_misses + 0.5) / np.float64(c.asked))
    c.asked_misses += is_miss
    return share


@njit
def _is_rare(at_least, n, site_share):
    """Whether a size is one that ``at_least`` of ``n`` clients of a route, and a share of the site's, ever get."""
    shrunk = (at_least + SIZES_PRIOR * site_share) / (n + SIZES_PRIOR)
    return shrunk < OVER_SHARE or (at_least < HANDFUL and site_share < OVER_SHARE)


@njit
def _edges(r, site, kind):
    """Where a route's rare sizes of a kind begin, for those it has counted and for those it has not."""
    base = kind * STEPS
    n = site_n = 0
    for step in range(STEPS):
        n += np.int64(r.sizes[base + step])
        site_n += np.int64(site.sizes[base + step])
    r.edge[kind] = 0
    r.edge_own[kind] = 0
    site.edge[kind] = 1 if site_n > SIZES_PRIOR else 0  # whether it is known well enough to lend its shape
    if site_n <= SIZES_PRIOR:
        return
    at_least = site_at_least = 0
    for back in range(STEPS):
        step = STEPS - 1 - back
        at_least += np.int64(r.sizes[base + step])
        site_at_least += np.int64(site.sizes[base + step])
        if _is_rare(at_least, n, site_at_least / site_n):
            r.edge[kind] = step
        if _is_rare(at_least - 1, n - 1, (site_at_least - 1) / (site_n - 1)):
            r.edge_own[kind] = step
        else:
            break
    if kind == BYTES:
        below = 0.0
        for step in range(STEPS):
            below += r.sizes[base + step] + SIZES_PRIOR * site.sizes[base + step] / site_n
            if 2.0 * below >= n + SIZES_PRIOR:
                r.typical = step
                break


@njit
def _count(table, kind, step, more):
    """One client more or less in a histogram; a full one is halved, so that it follows the site."""
    place = kind * STEPS + step
    if more > 0:
        table.sizes[place] += 1
        if table.sizes[place] >= SIZES_KEPT:
            for other in range(kind * STEPS, kind * STEPS + STEPS):
                table.sizes[other] //= 2
    elif table.sizes[place] > 0:
        table.sizes[place] -= 1


@njit
def _turn(route, key):
    """The place a keyed hash gives a route among those a client may teach."""
    x = (U(key) ^ (U(route) * U(0x9E3779B97F4A7C15))) * U(0xBF58476D1CE4E5B9)
    return x ^ (x >> U(31))


@njit
def _teach(c, routes, route, kind, step):
    """Lets a client's largest answer of the day count in its route's histogram and in the whole site's."""
    r, site = routes[route], routes[0]
    if c.incident != 0 or (c.taught_route == route and c.taught[kind] >= step):
        return
    if c.taught_route != route:
        if c.taught_route != 0 and _turn(c.taught_route, c.key) <= _turn(route, c.key):
            return
        for other in range(3):
            if c.taught[other] > 0:
                _count(routes[c.taught_route], other, np.int64(c.taught[other]), -1)
                _count(site, other, np.int64(c.taught[other]), -1)
            c.taught[other] = 0
        c.taught_route = route
    if c.taught[kind] > 0:
        _count(r, kind, np.int64(c.taught[kind]), -1)
        _count(site, kind, np.int64(c.taught[kind]), -1)
    _count(r, kind, step, 1)
    _count(site, kind, step, 1)
    c.taught[kind] = step
    r.lessons += 1
    if step + 2 >= np.int64(r.edge[kind]) or r.lessons % LESSONS == 0:  # what is common moves the edge by little
        _edges(r, site, kind)


@njit
def _is_over(c, routes, route, kind, step):
    """Whether an answer is larger than nearly any other client's, this one left out of those."""
    r = routes[route]
    if r.edge[kind] == 0 and routes[0].edge[kind] != 0:
        _edges(r, routes[0], kind)
    own = c.taught_route == route and np.int64(c.taught[kind]) >= step
    edge = np.int64(r.edge_own[kind]) if own else np.int64(r.edge[kind])
    return edge != 0 and step >= edge


@njit
def answer(c, routes, row):
    """Counts an answer; returns LISTED where a story must count its records, WORTH where evidence is worth weighing."""
    flags = np.int64(row[FLAGS])
    good = row[GOOD]
    rows = np.int64(row[ROW_COUNT])
    listed = rows > 1 or row[OBJECT] == U(0) or flags & PAGED != 0
    if row[REQUESTS]:
        c.answers[0] += 1
        c.asked = 1
        c.asked_over = 0
        if not good or not listed:
            return 0
    else:
        c.asked += 1
        c.rows[0] += 1
        rows = np.int64(c.asked)
        if half_octave(rows) == half_octave(rows - 1):
            return 0
    many = rows > 1
    kind = ROWS if many else BYTES
    step = half_octave(rows if many else np.int64(row[BYTES_OUT]))
    over = _is_over(c, routes, row[ROUTE], kind, step)
    _teach(c, routes, row[ROUTE], kind, step)
    if flags & PAGED and row[NUMBER] >= 0:
        page = page_step(np.int64(row[NUMBER]))
        far = _is_over(c, routes, row[ROUTE], PAGE, page)
        if unread(c, routes[row[ROUTE]], routes[0], row[SEEN]) or far:
            over = True
            own = c.taught_route == row[ROUTE] and np.int64(c.taught[PAGE]) >= page
            c.depth = max(c.depth, np.float32(depth_nats(routes[row[ROUTE]], routes[0], page, own)))
        _teach(c, routes, row[ROUTE], PAGE, page)
    if row[REQUESTS]:
        more = rows
        typical = np.int64(routes[row[ROUTE]].typical)
        if not many and 0 < typical < step:
            more = np.int64(2.0 ** (0.5 * (step - typical)))
        c.rows[0] += min(max(more, 0), 1 << 24)
    found = LISTED if row[REQUESTS] and good and (over or c.raised & (OVER_BIT | BEAT_BIT)) else 0
    if over and c.asked_over == 0:
        c.asked_over = 1
        c.over[0] += 1
        c.over_route = row[ROUTE]
        k = c.over[0] + c.over[1]
        n = c.answers[0] + c.answers[1]
        if c.raised & OVER_BIT == 0 and k >= FEWEST_OVER and 2 * k >= n and k % max(1, k // 8) == 0:
            found |= WORTH
    return found


@njit
def beat(c, r, row, time_us):
    """Follows the gaps between a client's requests on its main route and whether it comes again for its list; WORTH
    where they are those of a clock, or it asks for nothing else, or has just come again."""
    answered = row[GOOD] or row[OBJECT] != U(0)  # what the first number of a batch misses says nothing of the others
    if row[REQUESTS] == 0 or not answered or np.int64(row[FLAGS]) & LATE:
        return 0
    route = row[ROUTE]
    if c.beat_route != route:
        c.beats_away += 1
        if c.beats_away <= c.beats:
            return come(c, r, row, time_us)
        c.beat_route = route
        c.beats = 0
        c.beats_away = 0
        c.beat_hours = 0
        c.beat_us = time_us
        c.batches = 0
    gap = (time_us - c.beat_us) * 1e-6
    c.since = gap
    found = come(c, r, row, time_us)
    c.beats += 1
    c.beat_rows = max(np.int64(row[ROW_COUNT]), 0)
    c.beat_hours |= np.uint32(1) << np.uint32(time_us // 3_600_000_000 % 24)
    c.beat_us = time_us
    if c.beats == 2:
        c.gap = gap
        c.gap_square = gap * gap
    elif c.beats > 2:
        c.gap += (gap - c.gap) / 32.0
        c.gap_square += (gap * gap - c.gap_square) / 32.0
    n = np.int64(c.beats)
    if n < BEAT or c.raised or c.incident or c.gap < 1.0:
        return found
    if n % BEAT == 0 and c.beat_rows > 1 and DEVOTED * np.int64(c.beats_away) <= n:
        return found | WORTH
    if n & (n - 1):
        return found
    mean = np.float64(c.gap)
    return found | WORTH if np.float64(c.gap_square) - mean * mean <= BEAT_CV * BEAT_CV * mean * mean else found
