"""Batch to evidence: one pass over the rows in log order.

Rows are taken in groups: a first loop only looks where a row's slots lie, so that the processor has fetched them when
the second loop, row by row, learns and judges. The kernel stops right after a row whose evidence is worth weighing, so
that what is decided there holds from the next row on, whatever the batches.
"""

from __future__ import annotations

import math

import numpy as np

from detector.compiled import njit
from detector.evidence.accounts_kernel import close_accounts
from detector.evidence.again_kernel import come
from detector.evidence.answers_kernel import WORTH, answer, beat, misses_expected
from detector.evidence.arrivals_kernel import arrive, know_decays
from detector.evidence.cells_kernel import close_minute
from detector.evidence.constants import (
    BLOCK_IDS,
    BLOCK_MIN_HITS,
    CAP,
    GROUP,
    MISS_MIN,
    PRIOR_COLD,
    REACH,
    RUN,
)
from detector.evidence.outcome_kernel import ANSWERED, GOOD, HELD, MISSED, SEEN, TRIAL
from detector.evidence.owners_kernel import FOREIGN, NOTHING, weigh_owned
from detector.evidence.trials_kernel import cohort_of, note_trial
from detector.records.batch import DECLARED, LATE, NAME_BYTES, PAGED, STATIC
from detector.state.ahead_kernel import ahead_of_block, ahead_of_cells, ahead_of_client, ahead_of_index
from detector.state.cells_kernel import hashed_cells
from detector.state.layout import ACTED, COUNTER
from detector.state.tables_kernel import (
    COLD,
    OWN,
    add_client,
    find_block,
    find_client,
    mix,
    observe,
)

U = np.uint64
CANDIDATE = COUNTER["candidate"]
DECLARED_COUNT = COUNTER["declared"]
JUDGED = COUNTER["judged"]
STRAYED = COUNTER["strayed"]
MINUTE = COUNTER["minute"]
NEWCOMERS = COUNTER["newcomers"]
READ_BIT, COLD_BIT, OWN_BIT, LISTED_BIT, COHORT_SHIFT = 1, 2, 4, 8, 4


@njit
def _order(c, number):
    """Follows a client's ids: runs of one step, and the stretch of neighbouring ids it works through."""
    if c.run == 0:
        c.run = 1
        c.low = number
        c.high = number
        c.inside = 1
        c.last_number = number
        return
    step = number - c.last_number
    if step == 0:
        return
    if step == c.step:
        c.run += 1
    else:
        c.step = step
        c.run = 2
    c.last_number = number
    if c.low - REACH <= number <= c.high + REACH:
        c.inside += 1
        if c.high < number <= c.high + 2 or c.low - 2 <= number < c.low:
            c.advances += 1
        c.low = min(c.low, number)
        c.high = max(c.high, number)
    else:
        c.strays += 1
        if c.strays > c.inside:
            c.low = number
            c.high = number
            c.inside = 1
            c.advances = 0
            c.strays = 0


@njit
def _baseline(r, minute):
    """Lets the route's baseline fade over an hour of log time."""
    if minute > r.minute:
        fade = math.exp(-(minute - r.minute) / 60.0)
        r.tries *= fade
        r.fresh *= fade
        r.cold *= fade
        r.misses *= fade
        r.minute = minute


@njit
def _weigh(c, r, is_miss, is_cold, is_first):
    """Counts a trial against what others do on the route, and lets a client's first few trials teach the route."""
    c.tries[0] += 1
    c.misses_expected[0] += misses_expected(c, r, is_miss, is_first)
    c.misses[0] += is_miss
    if is_miss == 0:
        c.fresh[0] += 1
        c.cold[0] += is_cold
        c.cold_expected[0] += (r.cold + PRIOR_COLD[0]) / (r.fresh + PRIOR_COLD[1])
    if c.tries[0] <= CAP and c.incident == 0:
        r.tries += 1.0
        r.misses += is_miss
        if is_miss == 0:
            r.fresh += 1.0
            r.cold += is_cold


@njit
def _is_established(r, number, minute):
    """Whether an id was there an hour ago, by the largest id of the route then; keeps that mark up to date.

    What is new is read in a crowd by those it is new for (a back-fill, a catalogue's drop) and says nothing about them.
    """
    hour = minute // 60
    if hour > r.high_hour:
        r.high_before = r.high_then if hour == r.high_hour + 1 else r.high
        r.high_then = r.high
        r.high_hour = hour
    return number < 0 or r.high_before == 0 or number <= r.high_before


@njit
def _newcomer(ring, counters, slot, key, minute, route, agent, source, network):
    """Appends a client seen for the first time to the ring of those to be looked at once, later."""
    e = ring[counters[NEWCOMERS] % ring.shape[0]]
    counters[NEWCOMERS] += 1
    e.key = key
    e.agent = agent
    e.source = source
    e.slot = slot
    e.route = route
    e.network = network
    e.minute = minute


@njit
def _lead(c, route):
    if c.lead == route:
        c.lead_margin += 1
    elif c.lead_margin == 0:
        c.lead = route
        c.lead_margin = 1
    else:
        c.lead_margin -= 1


@njit
def _hit(b, client, number, is_edge, is_steady):
    """A cold first read inside a block of ids; time enters as its place among them, so that no pause has leverage."""
    t = np.float64(b.hits)
    place = np.int64(number & (BLOCK_IDS - 1))
    x = np.float64(place)
    b.sum_t += t
    b.sum_x += x
    b.sum_tt += t * t
    b.sum_xx += x * x
    b.sum_tx += t * x
    b.hits += 1
    b.edge += is_edge
    b.steady += is_steady
    b.clients |= U(1) << ((client >> U(7)) & U(63))
    short = np.uint32(client >> U(32))
    if short != b.last_client:
        b.switches += 1
        b.near += abs(place - np.int64(b.last_place)) <= REACH
        b.last_client = short
    b.last_place = place
    if short == b.lead_client:
        b.lead_margin += 1
    elif b.lead_margin == 0:
        b.lead_client = short
        b.lead_margin = 1
    else:
        b.lead_margin -= 1


@njit
def _block_worth(b):
    """Whether a block's hits are enough, cold enough and ordered enough to be weighed now; sets when to look next."""
    if b.flagged != 0 or b.hits < BLOCK_MIN_HITS or b.hits < b.next_check or 5 * b.hits < 4 * b.reads:
        return False
    b.next_check = b.hits + b.hits // 4
    n = np.float64(b.hits)
    covariance = n * b.sum_tx - b.sum_t * b.sum_x
    spread = (n * b.sum_tt - b.sum_t * b.sum_t) * (n * b.sum_xx - b.sum_x * b.sum_x)
    return 4.0 * covariance * covariance > spread and 4 * b.switches > b.hits


@njit
def _client_worth(c, floor):
    """Whether a client's evidence is worth weighing now; sets when to look next: each sixteenth more."""
    if c.run >= RUN or (c.inside >= RUN and 2 * c.inside > c.high - c.low and 2 * c.advances >= c.inside):
        if c.raised & 1 == 0:
            return True
    tries = c.tries[0] + c.tries[1]
    if tries < c.next_check:
        return False
    c.next_check = tries + max(4, tries // 16)
    fresh = c.fresh[0] + c.fresh[1]
    misses = c.misses[0] + c.misses[1]
    if c.raised & 2 == 0 and fresh >= floor and 2 * (c.cold[0] + c.cold[1]) >= fresh:
        return True
    foreign = np.int64(c.foreign[0]) + np.int64(c.foreign[1])
    if c.raised & 2 == 0 and fresh >= floor and foreign > 1:
        return True
    return c.raised & 4 == 0 and misses >= MISS_MIN and 2 * misses >= tries


def judge(
    first, last, floor,
    time_us, client, source, network, agent, kind, name, route, object_, number, bytes_out, requests, flags,
    origin, outcomes, rows,
    index, clients, names, blocks, routes, counters, room, blank_client, blank_block,
    cells, past, touched, noise, limits, crossings, maturity, alarms, blank_cell,
    sources, tallies, suspects, tally_limits,
    out_slot, out_flags, out_incident, candidate_client, candidate_block,
):  # fmt: skip
    """Judges rows ``first`` to ``last`` and returns the row after the last one done; see `evidence.judge`."""
    counters[CANDIDATE] = 0
    know_decays(room)
    hashed = hashed_cells(cells, routes)
    only_minute = first == last  # no row is judged, but the minute before that row is closed
    if only_minute:
        last = first + 1
    row = first
    while row < last:
        end = min(row + GROUP, last)
        for i in range(row, end):
            ahead_of_index(index, client[i])
        for i in range(row, end):
            out_slot[i] = ahead_of_client(client[i], index, clients)
            if object_[i] != U(0) and flags[i] & (STATIC | PAGED | DECLARED) == 0:
                ahead_of_cells(cells, hashed, route[i], network[i])
                if number[i] >= 0:
                    ahead_of_block(blocks, route[i], number[i] // BLOCK_IDS)
        while row < end:
            i = row
            minute = time_us[i] // 60_000_000
            if minute > counters[MINUTE]:
                said = close_minute(
                    minute, routes, cells, past, touched, noise, limits, alarms, room, blank_cell, counters
                )
                said += close_accounts(minute, clients, maturity, sources, tallies, suspects, tally_limits, counters)
                if said > 0:
                    counters[CANDIDATE] = 4
                    return row  # which is judged when the alarms have been heard
            if only_minute:
                return row
            row += 1
            if flags[i] & DECLARED:
                counters[DECLARED_COUNT] += requests[i]
                out_slot[i] = -1
                out_flags[i] = 0
                out_incident[i] = 0
                continue
            slot = out_slot[i]
            if slot < 0 or clients[slot].key != client[i]:
                slot = find_client(client[i], index, clients)
                if slot < 0:
                    slot = add_client(client[i], index, clients, blank_client, counters)
                    for byte in range(NAME_BYTES):
                        names[slot, byte] = name[i, byte]
                    clients[slot].kind = kind[i]
                    clients[slot].entry = route[i]
                    clients[slot].part = origin[i]
                    _newcomer(maturity, counters, slot, client[i], minute, route[i], agent[i], source[i], network[i])
                out_slot[i] = slot
            c = clients[slot]
            if c.part != origin[i]:
                counters[STRAYED] += 1
            out_incident[i] = c.incident
            arrive(c, time_us[i], bytes_out[i], requests[i], room)
            cohort = cohort_of(time_us[i] - c.first_us)
            out_flags[i] = cohort << COHORT_SHIFT
            outcome = np.int64(outcomes[i])
            miss = outcome & MISSED != 0
            trial = outcome & TRIAL != 0
            seen = outcome & SEEN
            if object_[i] == U(0) and flags[i] & (STATIC | PAGED) == 0:
                c.crossed |= np.uint8(ACTED)
            r = routes[route[i]]
            r.requests += requests[i]
            news = 0
            if outcome & ANSWERED:
                good = outcome & GOOD != 0
                opened = OWN if trial else seen
                row_of = (route[i], object_[i], number[i], rows[i], bytes_out[i], requests[i], flags[i], good, opened)
                news = answer(c, routes, row_of) | beat(c, r, row_of, time_us[i])
                out_flags[i] |= news & LISTED_BIT
            if not trial:
                if news & WORTH:
                    candidate_client[0] = c
                    counters[CANDIDATE] |= 1
                    return row
                continue
            if not miss:
                held = outcome >> HELD
                if held != NOTHING:
                    weigh_owned(c, r, 1 if held == FOREIGN else 0, minute // 60)
                c.reads[0] += 1
                r.reads += 1
                _lead(c, route[i])
                out_flags[i] |= READ_BIT
            elif c.lead == 0:
                c.lead = route[i]  # until it reads something, if ever
            if seen == OWN:
                out_flags[i] |= OWN_BIT
                if news & WORTH:
                    candidate_client[0] = c
                    counters[CANDIDATE] |= 1
                    return row
                continue
            if requests[i] == 0 and c.asked == 2:
                news |= come(c, r, row_of, time_us[i])
            counters[JUDGED] += 1
            cold = 1 if seen == COLD and not miss else 0
            if not miss:
                observe(c.registers, mix(object_[i], U(route[i])))
                if cold:
                    out_flags[i] |= COLD_BIT
            _baseline(r, minute)
            _weigh(c, r, 1 if miss else 0, cold, requests[i])
            if (_is_established(r, number[i], minute) or miss) and c.incident == 0:
                note_trial(
                    c, slot, np.int64(c.tries[0]) - 1, 1 if miss else 0, cold, 1 if miss and seen == COLD else 0,
                    time_us[i], client[i], agent[i], network[i], route[i], cohort,
                    hashed, cells, past, touched, crossings, counters,
                )  # fmt: skip
            found = 0
            if number[i] >= 0 and flags[i] & LATE == 0:
                _order(c, number[i])
                if not miss:
                    block = find_block(blocks, blank_block, route[i], number[i] // BLOCK_IDS, time_us[i], counters)
                    b = blocks[block]
                    b.reads += 1
                    b.last_us = time_us[i]
                    if cold:
                        edge = 1 if number[i] > r.high - 64 else 0
                        pure = c.lead == route[i] and 5 * c.lead_margin >= 3 * (c.requests[0] + c.requests[1])
                        steady = 1 if pure and c.fresh[0] + c.fresh[1] > 1 else 0
                        _hit(b, client[i], number[i], edge, steady)
                        if _block_worth(b):
                            candidate_block[0] = b
                            counters[CANDIDATE] |= 2
                            found = 1
                    if r.high == 0 or number[i] > r.high:
                        r.high = number[i]
                    if r.low == 0 or number[i] < r.low:
                        r.low = number[i]
            if _client_worth(c, floor) or news & WORTH:
                candidate_client[0] = c
                counters[CANDIDATE] |= 1
                found = 1
            if found:
                return row
    return row
