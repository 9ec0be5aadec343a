"""Records of Kafka's message format 2 (magic 2) to columns: where each value lies, its offset and its time.

Record: length varint, attributes int8, timestamp delta varlong, offset delta varint, key, value, headers; varints are
zigzag, base 128, low bits first (kafka.apache.org/documentation/#messageformat, "Record").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import njit

U1 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int64]

# columns of `parts`, as in kafka_batches.py (a test decodes by both)
BEGIN, END, COUNT, BASE_OFFSET, LAST_DELTA, FIRST_MS, BROKER_MS, OPEN, STOPPED, DONE = range(10)
# what `result` says
FAULTY, TOMBSTONES, NEXT_OFFSET = range(3)

NO_TIME = -1  # Kafka's own "no timestamp"
MAX_MS = 4_102_444_800_000  # 2100-01-01: later ones are no times (FIELDS holds log times to the same bound)
INT32 = np.int64(2_147_483_647)
TOO_LONG = np.int64(1 << 62)  # where `varint` says a number goes on after ten bytes


@njit
def varint(data: U1, p: int, end: int) -> tuple[int, int]:
    """A number and the place behind it; the place lies behind ``end`` where it does not fit."""
    if p >= end:
        return 0, end + 1
    byte = np.uint64(data[p])
    value = byte & np.uint64(127)
    p += 1
    shift = np.uint64(7)
    while byte >= np.uint64(128):
        if shift >= np.uint64(70):
            return 0, TOO_LONG
        if p >= end:
            return 0, end + 1
        byte = np.uint64(data[p])
        value |= (byte & np.uint64(127)) << shift
        shift += np.uint64(7)
        p += 1
    return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1)), p


@njit
def behind_headers(data: U1, p: int, end: int) -> int:
    """The place behind a record's headers; behind ``end`` where they are no headers."""
    count, p = varint(data, p, end)
    if p > end or count < 0 or count > end - p:  # a header takes two bytes at least
        return end + 1
    for _ in range(count):
        size, p = varint(data, p, end)
        if p > end or size < 0 or size > end - p:
            return end + 1
        p += size
        size, p = varint(data, p, end)
        if p > end or size > end - p:
            return end + 1
        p += max(size, 0)
    return p


def records(
    data: U1,
    parts: I8,
    fetch_offset: int,
    starts: I8,
    lengths: I8,
    offsets: I8,
    times_us: I8,
    broker: U1,
    result: I8,
) -> int:
    """Writes a row for each value at or behind ``fetch_offset``; returns how many.

    ``parts`` int64 (n, 10): stretches of ``data`` with records one behind the other. A part with OPEN set goes on in
    data not here yet: it stops before its first unfinished record. STOPPED becomes the place it stopped at, DONE how
    many records were read. Reading ends at the first fault: a part that is no records, or holds more or fewer bytes
    than its records; ``result[FAULTY]`` is then its number + 1, and the rows before the fault count.
    ``result[NEXT_OFFSET]`` is behind the last record read, -1 where there was none.
    """
    rows = 0
    result[FAULTY] = 0
    result[TOMBSTONES] = 0
    result[NEXT_OFFSET] = -1
    for part in range(parts.shape[0]):
        p = parts[part, BEGIN]
        end = parts[part, END]
        done = 0
        fault = False
        while done < parts[part, COUNT]:
            size, q = varint(data, p, end)
            if q > end or size > end - q:
                fault = parts[part, OPEN] == 0 or size > INT32 or q == TOO_LONG
                break
            stop = q + size
            if size < 6:  # the fields that follow take a byte each
                fault = True
                break
            ms, q = varint(data, q + 1, stop)
            if q > stop:
                fault = True
                break
            delta, q = varint(data, q, stop)
            if q > stop or delta < 0 or delta > parts[part, LAST_DELTA]:
                fault = True
                break
            key, q = varint(data, q, stop)
            if q > stop or key > stop - q:
                fault = True
                break
            q += max(key, 0)
            length, q = varint(data, q, stop)
            if q > stop or length > stop - q:
                fault = True
                break
            start = q
            q = behind_headers(data, q + max(length, 0), stop)
            if q != stop or rows >= starts.size:
                fault = True
                break
            p = stop
            done += 1
            offset = parts[part, BASE_OFFSET] + delta
            result[NEXT_OFFSET] = offset + 1
            if offset < fetch_offset:
                continue
            if length < 0:
                result[TOMBSTONES] += 1
                continue
            ms += parts[part, FIRST_MS]
            if parts[part, BROKER_MS] != NO_TIME:
                ms = parts[part, BROKER_MS]
            starts[rows] = start
            lengths[rows] = length
            offsets[rows] = offset
            times_us[rows] = ms * 1000 if 0 <= ms <= MAX_MS else NO_TIME
            broker[rows] = parts[part, BROKER_MS] != NO_TIME
            rows += 1
        parts[part, STOPPED] = p
        parts[part, DONE] = done
        if done >= parts[part, COUNT] and p != end:
            fault = True
        if fault:
            result[FAULTY] = part + 1
            break
    return rows
