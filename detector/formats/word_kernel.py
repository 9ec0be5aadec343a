"""Eight bytes at a time: the loads and searches the scanners share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

# For what only other compiled functions call: no wrapper for Python, no reference counts, half the compile time.
# An array is seven words to pass, so what runs for every field is inlined and what runs for few lines is called.
inner = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True)
called = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)

U1 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int64]

ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)


@intrinsic
def load8(typing_context: Any, buffer: Any, place: Any) -> Any:
    """The eight bytes at a place as a little-endian word, aligned or not; the caller keeps inside the buffer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(buffer, types.int64), build


@intrinsic
def store8(typing_context: Any, buffer: Any, place: Any, value: Any) -> Any:
    """Writes a little-endian word at a place, aligned or not; the caller keeps inside the buffer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        builder.store(arguments[2], builder.bitcast(pointer, ir.IntType(64).as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(buffer, types.int64, types.uint64), build


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Place of the lowest set bit of a word that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


@inner
def until(buffer: U1, p: int, end: int, a: int, b: int) -> int:
    """The first place in [p, end) of byte ``a``, byte ``b`` or NUL, else ``end``; each byte comes eight times over.

    A byte of ``x`` is 0 where ``(x - 0x01…) & ~x & 0x80…`` has its high bit; the lowest such bit is exact (L. Lamport,
    "Multiple byte processing with full-word instructions", CACM 1975).
    """
    last = len(buffer) - 8
    while p < end and p <= last:
        word = load8(buffer, p)
        x = word ^ a
        y = word ^ b
        hits = (((x - ONES) & ~x) | ((y - ONES) & ~y) | ((word - ONES) & ~word)) & HIGHS
        if hits != 0:
            return min(p + (lowest_bit(hits) >> 3), end)
        p += 8
    while p < end:
        c = np.uint64(buffer[p])
        if c == a & np.uint64(255) or c == b & np.uint64(255) or c == 0:
            return p
        p += 1
    return end
