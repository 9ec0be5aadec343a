"""Machine code: where lines end, 64 bytes at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 64
LINE_FEED = 10


@intrinsic
def feeds64(typing_context: Any, text: Any, place: Any) -> Any:
    """Which of the 64 bytes at a place are line feeds: a bit each, from the first; the caller keeps inside the text."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), WIDTH)
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())
        there = builder.load(pointer)
        there.align = 1
        wanted = ir.Constant(kind, [LINE_FEED] * WIDTH)
        return builder.bitcast(builder.icmp_unsigned("==", there, wanted), ir.IntType(WIDTH))

    return types.uint64(text, types.int64), build


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Place of the lowest set bit of a word that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


def feeds(text: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> int:
    """Writes the places of all line feeds of a text to ``ends``; returns how many, -1 where there is no room for 64
    more."""
    found = 0
    p = 0
    while p + WIDTH <= text.size:
        bits = feeds64(text, p)
        if bits != 0 and found + WIDTH > ends.size:
            return -1
        while bits != 0:
            ends[found] = p + lowest_bit(bits)
            found += 1
            bits &= bits - np.uint64(1)
        p += WIDTH
    if found + WIDTH > ends.size:
        return -1
    while p < text.size:
        if text[p] == LINE_FEED:
            ends[found] = p
            found += 1
        p += 1
    return found
