"""JSON files that are one document of many records: in place, each record comes to stand on a line of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

U1 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int64]

# cells of the state
DEPTH, IN_STRING, ESCAPED, INSIDE, IN_RECORD, SIZE, NAMED, ENDED = range(8)
NAME_BYTES = 16
LF, BLANK = 10, 32


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
def is_name(name: U1, size: int, names: U1) -> bool:
    """Whether the last string is one of the names, which come one after another, each with its length in front."""
    p = 0
    while p < len(names):
        length = np.int64(names[p])
        if length == size:
            k = 0
            while k < size and name[k] == names[p + 1 + k]:
                k += 1
            if k == size:
                return True
        p += 1 + length
    return False


def unroll(buffer: U1, size: int, names: U1, state: I8, name: U1) -> None:
    """Blanks all that is no record, puts a line feed behind each record and none into it.

    A record is an object in an array that is the document itself or stands under one of the names. Text may be cut
    anywhere between two calls.

    Args:
        buffer: text, rewritten; ``size`` bytes of it.
        names: keys of such arrays, each with its length in front.
        state: int64 (8,), begins as zeros but for INSIDE = -1; kept from call to call.
        name: uint8 (NAME_BYTES,), kept from call to call.
    """
    for i in range(size):
        c = buffer[i]
        in_record = state[IN_RECORD] == 1
        keep = in_record
        if state[IN_STRING] == 1:
            if state[ESCAPED] == 1:
                state[ESCAPED] = 0
            elif c == 92:
                state[ESCAPED] = 1
                state[SIZE] = NAME_BYTES
            elif c == 34:
                state[IN_STRING] = 0
                state[NAMED] = 1 if state[SIZE] < NAME_BYTES and is_name(name, state[SIZE], names) else 0
            elif not in_record and state[SIZE] < NAME_BYTES:
                name[state[SIZE]] = c
                state[SIZE] += 1
        elif c == 34:
            state[IN_STRING], state[SIZE] = 1, 0
        elif c == 123:
            state[DEPTH] += 1
            if not in_record and state[INSIDE] > 0 and state[DEPTH] == state[INSIDE] + 1:
                state[IN_RECORD] = 1
                keep = True
        elif c == 91:
            state[DEPTH] += 1
            if not in_record and state[INSIDE] < 0 and (state[NAMED] == 1 or state[DEPTH] == 1):
                state[INSIDE] = state[DEPTH]
        elif c == 125:
            if in_record and state[DEPTH] == state[INSIDE] + 1:
                state[IN_RECORD] = 0
                state[ENDED] = 1
            state[DEPTH] -= 1
        elif c == 93:
            if not in_record and state[DEPTH] == state[INSIDE]:
                state[INSIDE] = -1
            state[DEPTH] -= 1
        if state[IN_STRING] == 0 and c != 34 and c != 58 and c > BLANK:
            state[NAMED] = 0
        if not keep:
            if state[ENDED] == 1 and c != 125:
                buffer[i] = LF
                state[ENDED] = 0
            else:
                buffer[i] = BLANK
        elif c == LF or c == 13:
            buffer[i] = BLANK
