"""Judging the cells at each minute of log time.

A cell is held against three expectations and the largest counts: the share the route's other cells show in these
minutes, the share the cell itself showed before, and how many it counted a minute in the last hour. The first alone
alarms on every cell that a flash crowd leaves alone, the second on every back-fill, both where a crowd that read hot
things has gone and left the shares diluted. Inflated by what levels wander by from hour to hour, it is the mean of a
negative binomial whose likelihood ratios make a CUSUM (Page 1954) in nats: exp(h) ticks at least between false alarms,
on average.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.constants import (
    CELL_PRIOR,
    CELL_SETTLED_MINUTES,
    FADES,
    QUIET_MINUTES,
    SUSPECT_NATS,
)
from detector.evidence.noise_kernel import close_day, close_hour, learn_minute
from detector.state.ahead_kernel import ahead_of_past, lowest
from detector.state.cells import (
    COHORT_CELL,
    COUNTS,
    DIRECT,
    LAMBDAS,
    ROUTE_CELL,
    STATISTICS,
)
from detector.state.cells_kernel import clear_past, hashed_cells, name_past, sum_cohorts
from detector.state.layout import COUNTER

U = np.uint64
MINUTE = COUNTER["minute"]
ALARMS = COUNTER["alarms"]
CELL_MINUTES = COUNTER["cell_minutes"]
BUSY = COUNTER["busy"]
EACH = len(STATISTICS)
L0, L1 = LAMBDAS
LOG_L0, LOG_L1 = math.log(LAMBDAS[0]), math.log(LAMBDAS[1])
WORDS_AHEAD = 4  # of 64 cells each, whose memory is asked for ahead: a dozen cells in a busy minute
RATES = (math.log(1.0 - 1.0 / 5.0), math.log(1.0 - 1.0 / 60.0))  # of what is smoothed over five minutes, an hour
FIRST_FADE = 2 * COUNTS  # in the kernel's room: behind what is expected of a cell


@njit
def _fade(room, rate, gap):
    """What is left of a smoothed minute or hour after so many minutes."""
    if 0 <= gap < FADES:
        return room[FIRST_FADE + rate * FADES + gap]
    return math.exp(RATES[rate] * np.float64(gap))


@njit
def _know_fades(room):
    """The fades over the first `FADES` minutes, once: an exponential for each cell and minute would cost a tenth."""
    if room[FIRST_FADE] == 0.0:
        for rate in range(len(RATES)):
            for gap in range(FADES):
                room[FIRST_FADE + rate * FADES + gap] = math.exp(RATES[rate] * np.float64(gap))


@njit
def _smooth(h, p, room, minute):
    """Brings a cell's smoothed minutes up to date; those without counts fade it as well."""
    fade = _fade(room, 0, np.int64(minute) - np.int64(p.minute))
    for k in range(COUNTS):
        p.recent[k] = p.recent[k] * fade + h.now[3 + k] / 5.0
    for e in range(3):
        p.recent_exposed[e] = p.recent_exposed[e] * fade + h.now[e] / 5.0


@njit
def _expected(h, p, r, k, own_route):
    """What is expected of a count now, the most of: the share of the route's other cells (the route itself: of its last
    hour) times the cell's usual ratio; the cell's own share; its last hour a minute. Returns that and the first of them
    without the ratio."""
    e = min(k % EACH, 2)
    n = np.float64(h.now[e])
    if own_route:
        rate = p.hour[k] / max(np.float64(p.hour_exposed[e]), 1e-9)
    else:
        others = max(np.float64(r.recent[k]) - np.float64(p.recent[k]), 0.0)
        rate = (others + 0.01) / (max(np.float64(r.recent_exposed[e]) - np.float64(p.recent_exposed[e]), 0.0) + 1.0)
    by_others = n * rate
    share = (r.seen[k] + 0.1) / (r.exposed[e] + 1.0)
    if p.seen[k] == 0.0 and p.expected[k] == 0.0 and p.exposed[e] == 0.0 and p.hour[k] == 0.0:
        return max(by_others, n * share), by_others  # what follows comes to, of a cell without a past
    usual = (CELL_PRIOR + p.seen[k]) / (CELL_PRIOR + p.expected[k])
    by_past = (CELL_PRIOR + p.seen[k]) / (CELL_PRIOR + p.exposed[e] * share) * share
    return max(usual * by_others, n * by_past, p.hour[k] / 60.0), by_others


@njit
def _step(score, x, inflated, ratio, log_ratio, r):
    """One step of the CUSUM: the log ratio of two negative binomials, mean times ``ratio`` against the mean."""
    nats = x * log_ratio - (x + r) * math.log((r + ratio * inflated) / (r + inflated))
    return max(0.0, score + nats)


@njit
def _score(p, k, x, mean, noise, limit, minute):
    """Brings a count's scores and what it has in excess up to date; returns the larger score. What a score brings along
    counts for no more than two alarms, so that suspicion ends soon after its reason."""
    s0 = min(np.float64(p.score[2 * k]), 2.0 * limit[0])
    s1 = min(np.float64(p.score[2 * k + 1]), 2.0 * limit[0])
    if x > mean or s0 > 0.0 or s1 > 0.0:
        row = noise[np.int64(p.kind) * COUNTS + k]
        inflated = mean * math.exp(limit[1] * math.sqrt(1.0 / (CELL_PRIOR + p.seen[k]) + row[0] * row[0]))
        r = 1.0 / row[1]
        s0 = _step(s0, x, inflated, L0, LOG_L0, r)
        s1 = _step(s1, x, inflated, L1, LOG_L1, r)
        p.score[2 * k] = s0
        p.score[2 * k + 1] = s1
    if s0 > 0.0 or s1 > 0.0:
        if p.since[k] == 0:
            p.since[k] = minute
        p.surplus[k] += x - mean
        p.since_seen[k] += x
    else:
        p.since[k] = 0
        p.surplus[k] = 0.0
        p.since_seen[k] = 0.0
    return max(s0, s1)


@njit
def _alarm(p, r, limits, alarms, counters, minute):
    """Writes the alarms of a cell whose scores are high enough, and begins those scores anew."""
    for channel in range(limits.shape[0]):
        threshold = limits[channel, 0]
        first = channel * EACH
        clients = max(p.surplus[first], p.surplus[first + 2], p.surplus[first + 3])
        if threshold <= 0.0 or clients < limits[channel, 2]:
            continue
        for k in range(first, first + EACH):
            score = max(p.score[2 * k], p.score[2 * k + 1])
            if score < threshold or counters[ALARMS] >= alarms.shape[0]:
                continue
            a = alarms[counters[ALARMS]]
            counters[ALARMS] += 1
            r.alarmed = minute
            a.value = p.value
            a.nats = score
            a.observed = p.since_seen[k]
            a.expected = p.since_seen[k] - p.surplus[k]
            a.clients = clients
            a.route = p.route
            a.kind = p.kind
            a.statistic = k - first
            a.channel = channel
            a.since = p.since[k]
            a.minute = minute
            p.score[2 * k] = 0.0
            p.score[2 * k + 1] = 0.0


@njit
def _teach(h, p):
    """Adds the minute to a cell's past."""
    for k in range(COUNTS):
        p.seen[k] += h.now[3 + k]
    for e in range(3):
        p.exposed[e] += h.now[e]


@njit
def _judge_cell(h, p, r, settled, noise, limits, alarms, room, counters, minute):
    """One cell at the end of a minute that has counted something; ``room`` holds what is expected of it."""
    own_route = p.kind == ROUTE_CELL
    suspect = 0.0
    learn = True
    if settled:
        for k in range(COUNTS):
            x = np.float64(h.now[3 + k])
            if h.now[min(k % EACH, 2)] == 0 and x == 0.0:
                continue
            mean, by_others = _expected(h, p, r, k, own_route)
            room[k] = mean
            room[COUNTS + k] = by_others
            suspect = max(suspect, _score(p, k, x, mean, noise, limits[k // EACH], minute))
        _alarm(p, r, limits, alarms, counters, minute)
        learn = suspect < SUSPECT_NATS and minute - np.int64(r.alarmed) > QUIET_MINUTES
        for k in range(COUNTS):
            x = np.float64(h.now[3 + k])
            if h.now[min(k % EACH, 2)] == 0 and x == 0.0:
                continue
            learn_minute(noise[np.int64(p.kind) * COUNTS + k], x, room[k], learn)
            if learn:
                p.hour_seen[k] += x
                p.hour_expected[k] += room[k]
                p.expected[k] += room[COUNTS + k]
        if learn:
            _teach(h, p)
    if learn:  # what is under suspicion does not become the usual hour
        fade = _fade(room, 1, np.int64(minute) - np.int64(p.minute))
        for k in range(COUNTS):
            p.hour[k] = p.hour[k] * fade + h.now[3 + k]
        for e in range(3):
            p.hour_exposed[e] = p.hour_exposed[e] * fade + h.now[e]
    p.minute = minute
    for k in range(12):
        h.now[k] = 0


@njit
def _pass(cells, past, touched, hashed, first_word, routes_only, noise, limits, alarms, room, blank, counters, minute):
    """Judges the cells that have counted something, in the order of their slots; a route's own ones in a pass for
    themselves, for the others are held against them as they were."""
    words = touched.shape[1]
    for word in range(first_word, words):
        if word + WORDS_AHEAD < words:
            coming = touched[0, word + WORDS_AHEAD]
            while coming != U(0):
                ahead_of_past(cells, past, ((word + WORDS_AHEAD) << 6) + lowest(coming))
                coming &= coming - U(1)
        bits = touched[0, word]
        todo = bits
        left = U(0)
        while todo != U(0):
            bit = lowest(todo)
            todo &= todo - U(1)
            place = (word << 6) + bit
            name_past(cells, past, place, minute)
            p = past[place]
            if (p.kind == ROUTE_CELL) != routes_only:
                left |= U(1) << U(bit)
                continue
            r = past[hashed + DIRECT * np.int64(p.route)]
            born = np.int64(p.born if p.kind == COHORT_CELL else r.born)  # a cohort's first day is its own kind
            settled = minute - born >= CELL_SETTLED_MINUTES
            counters[CELL_MINUTES] += 1
            if not routes_only:
                clear_past(past, blank, place, minute)
                _smooth(cells[place], p, room, minute)
            _judge_cell(cells[place], p, r, settled, noise, limits, alarms, room, counters, minute)
        if bits != U(0):
            touched[0, word] = left
            touched[1, word] |= bits


@njit
def _smooth_routes(cells, past, touched, hashed, room, blank, minute):
    """The routes' smoothed minutes, before their cells are held against them."""
    for word in range(hashed >> 6, touched.shape[1]):
        bits = touched[0, word]
        while bits != U(0):
            place = (word << 6) + lowest(bits)
            bits &= bits - U(1)
            if place >= hashed and past[place].kind == ROUTE_CELL:
                clear_past(past, blank, place, minute)
                _smooth(cells[place], past[place], room, minute)


@njit
def close_minute(now, routes, cells, past, touched, noise, limits, alarms, room, blank, counters):
    """Log time has reached the minute ``now``: judges what the minute before has counted. Returns how many alarms.

    Only cells that counted something are visited: a minute without trials costs a microsecond, 3,600 busy cells about
    two milliseconds.
    """
    minute = counters[MINUTE]
    counters[MINUTE] = now
    counters[ALARMS] = 0
    if minute == 0:
        return 0
    hashed = hashed_cells(cells, routes)
    sum_cohorts(cells, past, touched, hashed, minute, counters)
    _know_fades(room)
    _smooth_routes(cells, past, touched, hashed, room, blank, minute)
    _pass(cells, past, touched, hashed, 0, False, noise, limits, alarms, room, blank, counters, minute)
    _pass(cells, past, touched, hashed, hashed >> 6, True, noise, limits, alarms, room, blank, counters, minute)
    if now // 60 > minute // 60:
        close_hour(past, touched, noise)
        counters[BUSY] = max(counters[CELL_MINUTES], counters[BUSY] - counters[BUSY] // 24)
        counters[CELL_MINUTES] = 0
    if now // 1440 > minute // 1440:
        close_day(cells, past, noise)
    return counters[ALARMS]
