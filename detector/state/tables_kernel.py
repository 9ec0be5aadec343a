"""Look-ups in the fixed tables, called by the judging kernel for every row."""

from __future__ import annotations

import numpy as np

from detector.compiled import njit
from detector.state.layout import COUNTER, DAILY, REGISTERS, WAYS

U = np.uint64
CLIENTS = COUNTER["clients"]
CLIENTS_EVICTED = COUNTER["clients_evicted"]
OBJECTS_EVICTED = COUNTER["objects_evicted"]
BLOCKS_EVICTED = COUNTER["blocks_evicted"]
BLOCKS = COUNTER["blocks"]
HAND = COUNTER["hand"]

EMPTY, OWN, SEEN, COLD = 0, 1, 2, 3
SAMPLE = 8  # slots looked at when one must go: the smallest of eight is in the lowest fifth with probability .83
SPELL_US = 3_600_000_000  # a block untouched for an hour starts over: A5's longest window
DAY_MINUTES = 1440
POWERS = np.exp2(-np.arange(256.0))  # exact


@njit
def mix(a, b):
    """A 64-bit mix of two keyed hashes (the finalizer of SplitMix64); keyed because its inputs are."""
    x = U(a) ^ (U(b) * U(0x9E3779B97F4A7C15))
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit
def _evict(index, clients, counters):
    """Frees the slot of the least informative of a few clients: fewest fresh reads, then longest unseen."""
    capacity = clients.shape[0]
    hand = counters[HAND]
    victim = -1
    for _ in range(64):
        hand = (hand * 6364136223846793005 + 1442695040888963407) & 0x7FFFFFFFFFFFFFFF
        slot = (hand >> 20) % capacity
        c = clients[slot]
        if c.incident != 0:
            continue
        if victim < 0:
            victim = slot
            tried = 1
            continue
        v = clients[victim]
        weight = c.fresh[0] + c.fresh[1]
        least = v.fresh[0] + v.fresh[1]
        if weight < least or (weight == least and c.last_us < v.last_us):
            victim = slot
        tried += 1
        if tried >= SAMPLE:
            break
    counters[HAND] = hand
    if victim < 0:
        victim = (hand >> 20) % capacity
    _unlink(index, clients, victim)
    counters[CLIENTS_EVICTED] += 1
    return victim


@njit
def _unlink(index, clients, slot):
    """Takes a slot out of the index and closes the gap, so that no tombstones pile up."""
    mask = U(index.shape[0] - 1)
    hole = U(clients[slot].key) & mask
    while (index[hole] & U(0xFFFFFFFF)) != U(slot + 1):
        hole = (hole + U(1)) & mask
    at = hole
    while True:
        at = (at + U(1)) & mask
        entry = index[at]
        if entry == U(0):
            break
        home = U(clients[np.int64(entry & U(0xFFFFFFFF)) - 1].key) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            index[hole] = entry
            hole = at
    index[hole] = U(0)


@njit
def find_client(key, index, clients):
    """The slot of a client, or -1."""
    mask = U(index.shape[0] - 1)
    at = U(key) & mask
    tag = U(key) >> U(32)
    while True:
        entry = index[at]
        if entry == U(0):
            return np.int64(-1)
        if (entry >> U(32)) == tag:
            slot = np.int64(entry & U(0xFFFFFFFF)) - 1
            if clients[slot].key == key:
                return slot
        at = (at + U(1)) & mask


@njit
def add_client(key, index, clients, blank, counters):
    """A slot for a client seen for the first time, cleared but for its key."""
    slot = counters[CLIENTS]
    if slot < clients.shape[0]:
        counters[CLIENTS] = slot + 1
    else:
        slot = _evict(index, clients, counters)
        clients[slot] = blank[0]
    clients[slot].key = key
    mask = U(index.shape[0] - 1)
    at = U(key) & mask
    while index[at] != U(0):
        at = (at + U(1)) & mask
    index[at] = ((U(key) >> U(32)) << U(32)) | U(slot + 1)
    return slot


@njit
def clear_generation(c, g):
    """The counts of one of the two generations to zero."""
    c.bytes_out[g] = 0
    c.requests[g] = 0
    c.reads[g] = 0
    c.fresh[g] = 0
    c.cold[g] = 0
    c.cold_expected[g] = 0.0
    c.tries[g] = 0
    c.misses[g] = 0
    c.misses_expected[g] = 0.0
    c.established[g] = 0
    c.foreign[g] = 0
    c.foreign_expected[g] = 0.0
    c.answers[g] = 0
    c.over[g] = 0
    c.unread_expected[g] = 0.0
    c.rows[g] = 0
    c.familiar[g] = 0.0


@njit
def turn_generation(c, generation):
    """Moves the counts of the day before into the second place when a new day of this client begins."""
    follows = generation == c.generation + 1
    c.distinct_before = distinct(c.registers) if follows else 0.0
    for r in range(REGISTERS):
        c.registers[r] = 0
    if follows:
        c.bytes_out[1] = c.bytes_out[0]
        c.requests[1] = c.requests[0]
        c.reads[1] = c.reads[0]
        c.fresh[1] = c.fresh[0]
        c.cold[1] = c.cold[0]
        c.cold_expected[1] = c.cold_expected[0]
        c.tries[1] = c.tries[0]
        c.misses[1] = c.misses[0]
        c.misses_expected[1] = c.misses_expected[0]
        c.established[1] = c.established[0]
        c.foreign[1] = c.foreign[0]
        c.foreign_expected[1] = c.foreign_expected[0]
        c.answers[1] = c.answers[0]
        c.over[1] = c.over[0]
        c.unread_expected[1] = c.unread_expected[0]
        c.rows[1] = c.rows[0]
        c.familiar[1] = c.familiar[0]
    else:
        clear_generation(c, 1)
    clear_generation(c, 0)
    c.generation = generation
    c.next_check = 0
    c.bits = 0
    c.crossed &= np.uint8(255 - DAILY)
    c.taught_route = 0
    c.batches = 0
    c.depth = 0.0
    for kind in range(3):
        c.taught[kind] = 0


@njit
def observe(registers, hashed):
    """One element into a HyperLogLog sketch whose register count is a power of two of at most 64."""
    count = U(registers.shape[0])
    place = hashed & (count - U(1))
    rest = (hashed >> U(6)) | (U(1) << U(57))
    rank = 1
    while (rest & U(1)) == U(0):
        rank += 1
        rest >>= U(1)
    if registers[place] < rank:
        registers[place] = rank


@njit
def distinct(registers):
    """HyperLogLog's estimate (Flajolet et al. 2007), by linear counting while it is below 2.5 registers."""
    m = registers.shape[0]
    total = 0.0
    zeros = 0
    for r in range(m):
        total += POWERS[registers[r]]
        if registers[r] == 0:
            zeros += 1
    estimate = (0.709 if m == 64 else 0.697) * m * m / total
    if estimate <= 2.5 * m and zeros > 0:
        estimate = m * np.log(m / zeros)
    return estimate


@njit
def touch_object(objects, key, reader, minute, counters):
    """Notes a read of an object. Returns COLD (nobody else read it in the last 24 h), SEEN, or OWN (a repeat)."""
    buckets = U(objects.shape[0] // WAYS)
    base = np.int64((key >> U(32)) & (buckets - U(1))) * WAYS
    tag = np.uint32(key & U(0xFFFFFFFF)) | np.uint32(1)
    oldest = base
    for way in range(base, base + WAYS):
        o = objects[way]
        if o.tag == tag:
            return _again(o, reader, minute)
        if o.last_minute < objects[oldest].last_minute:
            oldest = way
    o = objects[oldest]
    if o.tag != 0 and minute - o.last_minute < DAY_MINUTES:
        counters[OBJECTS_EVICTED] += 1
    o.tag = tag
    o.reader = reader
    o.last_minute = minute
    o.other_minute = 0
    return COLD


@njit
def _again(o, reader, minute):
    if o.reader == reader:
        own = minute - o.last_minute < DAY_MINUTES
        cold = minute - o.other_minute >= DAY_MINUTES
        o.last_minute = max(o.last_minute, np.uint32(minute))
        if own:
            return OWN
        return COLD if cold else SEEN
    cold = minute - o.last_minute >= DAY_MINUTES
    o.other_minute = o.last_minute
    o.reader = reader
    o.last_minute = max(o.last_minute, np.uint32(minute))
    return COLD if cold else SEEN


@njit
def find_block(blocks, blank, route, block, time_us, counters):
    """The slot of a block of 1,024 ids on a route, begun anew after an hour's rest."""
    buckets = U(blocks.shape[0] // WAYS)
    base = np.int64(mix(U(block), U(route)) & (buckets - U(1))) * WAYS
    least = base
    for way in range(base, base + WAYS):
        b = blocks[way]
        if b.route == route and b.block == block:
            if time_us - b.last_us > SPELL_US:
                _begin_block(blocks, way, blank, route, block, time_us, counters)
            return way
        if b.hits < blocks[least].hits or (b.hits == blocks[least].hits and b.last_us < blocks[least].last_us):
            least = way
    b = blocks[least]
    if b.route != 0 and time_us - b.last_us <= SPELL_US:
        counters[BLOCKS_EVICTED] += 1
    _begin_block(blocks, least, blank, route, block, time_us, counters)
    return least


@njit
def _begin_block(blocks, slot, blank, route, block, time_us, counters):
    counters[BLOCKS] += 1
    blocks[slot] = blank[0]
    b = blocks[slot]
    b.route = route
    b.block = block
    b.begin_us = time_us
    b.last_us = time_us
