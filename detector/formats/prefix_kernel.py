"""What stands in front of a line in a file: where syslog's or CRI's own words end."""

from __future__ import annotations

import numpy as np

from detector.formats.moment_kernel import clock_second, iso, month_of
from detector.formats.word_kernel import I8, U1, called, inner

SYSLOG, CRI = range(2)


@inner
def word_end(buffer: U1, p: int, end: int) -> int:
    """The first blank in [p, end), else ``end``."""
    while p < end and buffer[p] != 32:
        p += 1
    return p


@inner
def digits_end(buffer: U1, p: int, end: int, most: int) -> int:
    """Where a number of at most ``most`` digits at ``p`` ends; ``p`` where there is none."""
    last = min(end, p + most)
    while p < last and 48 <= buffer[p] <= 57:
        p += 1
    return p


@called
def cri(buffer: U1, p: int, end: int) -> int:
    """Behind ``2026-01-24T01:34:36.743Z stdout F ``, the container runtime interface's log prefix; -1: there is none.

    P in place of F says that the line goes on in the next one: it is torn, and its record with it.
    """
    p, _ = iso(buffer, p, end)
    if p < 0 or end - p < 10 or buffer[p] != 32 or buffer[p + 1] != 115 or buffer[p + 2] != 116 or buffer[p + 3] != 100:
        return -1
    after = word_end(buffer, p + 1, end)
    out = after - p == 7 and ((buffer[p + 4] == 111 and buffer[p + 5] == 117) or (buffer[p + 4] == 101))
    if not out or end - after < 3 or buffer[after + 2] != 32:
        return -1
    return after + 3 if buffer[after + 1] == 70 or buffer[after + 1] == 80 else np.int64(-1)


@called
def structured(buffer: U1, p: int, end: int) -> int:
    """Behind the structured data of RFC 5424 at ``p`` (``-`` or ``[id a="b"]…``) and the blank after it; -1: none."""
    if p < end and buffer[p] == 45:
        p += 1
    else:
        if p >= end or buffer[p] != 91:
            return -1
        while p < end and buffer[p] == 91:
            quoted = False
            p += 1
            while p < end and (quoted or buffer[p] != 93):
                if quoted and buffer[p] == 92:
                    p += 1
                elif buffer[p] == 34:
                    quoted = not quoted
                p += 1
            p += 1
    if p >= end or buffer[p] != 32:
        return -1
    p += 1
    if end - p >= 3 and buffer[p] == 0xEF and buffer[p + 1] == 0xBB and buffer[p + 2] == 0xBF:
        p += 3
    return p


@called
def syslog(buffer: U1, start: int, end: int) -> int:
    """Behind a header of RFC 5424, of RFC 3164, or of what syslog daemons write to files; -1: there is none.

    ``<134>1 2026-… host app pid id - ``, ``<134>Apr  4 14:30:19 host app[1]: ``, ``2026-04-04T14:30:19Z host app: ``.
    """
    p = start
    if p < end and buffer[p] == 60:
        p = digits_end(buffer, p + 1, end, np.int64(3))
        if p == start + 1 or p >= end or buffer[p] != 62:
            return -1
        p += 1
        version = digits_end(buffer, p, end, np.int64(2))
        if version > p and version < end and buffer[version] == 32:
            p = version + 1
            for _ in range(5):
                after = word_end(buffer, p, end)
                if after == p or after >= end:
                    return -1
                p = after + 1
            return structured(buffer, p, end)
    if end - p >= 16 and month_of(buffer, p) > 0:
        if buffer[p + 3] != 32 or buffer[p + 6] != 32 or clock_second(buffer, p + 7) < 0 or buffer[p + 15] != 32:
            return -1
        p += 16
    else:
        p, _ = iso(buffer, p, end)
        if p < 0 or p >= end or buffer[p] != 32:
            return -1
        p += 1
    host = word_end(buffer, p, end)
    if host == p or host + 1 >= end:
        return -1
    tag = word_end(buffer, host + 1, end)
    if tag >= end or tag == host + 1 or buffer[tag - 1] != 58:
        return -1
    return tag + 1


def strip(buffer: U1, starts: I8, lengths: I8, kind: int, new_starts: I8, new_lengths: I8) -> int:
    """Finds where each line begins behind its prefix; a line without one stays as it is.

    Args:
        buffer, starts, lengths: the chunk.
        kind: SYSLOG or CRI.
        new_starts, new_lengths: out, the lines without it.

    Returns:
        How many lines have one.
    """
    found = 0
    for i in range(len(starts)):
        start, end = starts[i], starts[i] + lengths[i]
        p = syslog(buffer, start, end) if kind == SYSLOG else cri(buffer, start, end)
        if p < 0:
            new_starts[i], new_lengths[i] = start, lengths[i]
        else:
            new_starts[i], new_lengths[i] = p, end - p
            found += 1
    return found
