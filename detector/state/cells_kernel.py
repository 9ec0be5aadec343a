"""Finding cells and counting in them, called by the judging kernel for trials that say something new."""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.state.ahead_kernel import lowest
from detector.state.cells import COHORT_CELL, DIRECT, NETWORK_CELL, NETWORK_NEW_CELL, ROUTE_CELL
from detector.state.layout import COUNTER, WAYS
from detector.state.tables_kernel import mix

U = np.uint64
CELLS = COUNTER["cells"]
CELLS_EVICTED = COUNTER["cells_evicted"]
LAST = 11  # of a cell's ``now``: counts nothing


@njit
def hashed_cells(cells, routes):
    """How many of the cells are found by hash; behind them DIRECT cells a route."""
    return cells.shape[0] - DIRECT * routes.shape[0]


@njit
def direct_cell(cells, past, hashed, route, kind, cohort, minute, counters):
    """The cell of a route, or of one of its cohorts: always there."""
    place = np.int64(hashed) + DIRECT * np.int64(route) + (0 if kind == ROUTE_CELL else 1 + cohort)
    if cells[place].key == U(0):
        counters[CELLS] += 1
        begin_cell(cells, past, place, U(1), route, kind, U(cohort), minute)
    return place


@njit
def find_cell(cells, past, hashed, route, kind, value, minute, counters):
    """The slot of a cell, or -1 where there is no room for it yet.

    A newcomer wears the smallest cell of its bucket down and takes its place at the last count (the idea of Misra and
    Gries' summary of heavy hitters): a stream of values that come once cannot sweep the table.
    """
    key = mix(U(value), U(route) * U(8) + U(kind))
    base = np.int64(key & U(hashed // WAYS - 1)) * WAYS
    least = base
    for way in range(base, base + WAYS):
        if cells[way].key == key:
            return way
        if cells[way].weight < cells[least].weight:
            least = way
    h = cells[least]
    if h.key != U(0):
        if h.weight > 1:
            h.weight -= 1
            return np.int64(-1)
        counters[CELLS_EVICTED] += 1
    else:
        counters[CELLS] += 1
    begin_cell(cells, past, least, key, route, kind, value, minute)
    return least


@njit
def begin_cell(cells, past, place, key, route, kind, value, minute):
    """A slot for another cell, cleared. Its past is written at the end of the minute (`clear_past`), of a network's not
    even what it is: that fits into the cell."""
    h = cells[place]
    h.key = key
    h.weight = 0
    h._pad = 0
    for k in range(12):
        h.now[k] = 0
    if kind == NETWORK_CELL or kind == NETWORK_NEW_CELL:
        h._pad = 2 * np.int64(route) + (1 if kind == NETWORK_CELL else 2)
        h.now[LAST] = value
        return
    p = past[place]
    p.route = route
    p.kind = kind
    p.value = value
    p.born = minute
    p.minute = minute
    p.alarmed = 0


@njit
def name_past(cells, past, place, minute):
    """Says in the past of a network's cell that was born in the minute that is closed what cell it is."""
    h = cells[place]
    if h._pad == 0:
        return
    p = past[place]
    p.value = h.now[LAST]
    p.route = (np.int64(h._pad) - 1) >> 1
    p.kind = NETWORK_CELL if h._pad & 1 else NETWORK_NEW_CELL
    p.born = minute
    h._pad = 0
    h.now[LAST] = 0


@njit
def clear_past(past, blank, place, minute):
    """Clears what a cell born in the minute that is closed has of the one before it.

    Nothing reads it earlier, and where many networks come once, most cells live for a minute: cleared when they are
    born, their seven lines of cache would be waited for twice, the first time unforeseen. `state.cells.enter_pasts`
    does both between two rows.
    """
    p = past[place]
    if np.int64(p.born) != minute:
        return
    value, route, kind, born = p.value, p.route, p.kind, p.born
    past[place] = blank[0]
    p.value = value
    p.route = route
    p.kind = kind
    p.born = born
    p.minute = born


@njit
def bump(cells, touched, place, what):
    """Counts: bit k of ``what`` is what ``now[k]`` grows by."""
    h = cells[place]
    h.weight += 1
    bits = U(what)
    while bits != U(0):
        h.now[lowest(bits)] += np.uint32(1)
        bits &= bits - U(1)
    touched[0, place >> 6] |= U(1) << U(place & 63)


@njit
def sum_cohorts(cells, past, touched, hashed, minute, counters):
    """The counts of each route as the sum of its cohorts': counted once a minute, not once a trial."""
    for word in range(hashed >> 6, touched.shape[1]):
        bits = touched[0, word]
        while bits != U(0):
            place = (word << 6) + lowest(bits)
            bits &= bits - U(1)
            if place < hashed or past[place].kind != COHORT_CELL:
                continue
            route = direct_cell(cells, past, hashed, past[place].route, ROUTE_CELL, 0, minute, counters)
            for k in range(12):
                cells[route].now[k] += cells[place].now[k]
            cells[route].weight += 1
            touched[0, route >> 6] |= U(1) << U(route & 63)
