"""Eight and sixteen bytes at a time: the loads and searches the scanners share."""

from __future__ import annotations

from collections.abc import Callable
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
def byte(typing_context: Any, buffer: Any, place: Any) -> Any:
    """The byte at a place at or behind the buffer's first: an index in brackets is first asked whether it is negative,
    three instructions each."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.zext(builder.load(builder.gep(array.data, [arguments[1]])), ir.IntType(64))

    return types.int64(buffer, types.int64), build


@intrinsic
def store8(typing_context: Any, buffer: Any, place: Any, value: Any) -> Any:
    """Writes a little-endian word at a place, aligned or not; the caller keeps inside the buffer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        builder.store(arguments[2], builder.bitcast(pointer, ir.IntType(64).as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(buffer, types.int64, types.uint64), build


def _vector(context: Any, builder: Any, signature: Any, arguments: Any, size: int) -> tuple[Any, Callable[[Any], Any]]:
    """So many bytes at a place as a vector, and what makes a vector of one byte."""
    kind = ir.VectorType(ir.IntType(8), size)
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    pointer = builder.gep(array.data, [arguments[1]])
    bytes_there = builder.load(builder.bitcast(pointer, kind.as_pointer()))
    bytes_there.align = 1

    def all_of(byte: Any) -> Any:
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), byte, ir.Constant(ir.IntType(32), 0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
        return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), places)

    return bytes_there, all_of


def _bits(builder: Any, found: Any) -> Any:
    word = builder.bitcast(found, ir.IntType(found.type.count))
    return word if found.type.count == 64 else builder.zext(word, ir.IntType(64))


@intrinsic
def among16(typing_context: Any, buffer: Any, place: Any, a: Any, b: Any) -> Any:
    """Which of the sixteen bytes at a place are the lowest byte of ``a`` or of ``b``, or NUL: a bit each, from the
    first; the caller keeps inside the buffer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        there, all_of = _vector(context, builder, signature, arguments, 16)
        found = builder.icmp_unsigned("==", there, all_of(ir.Constant(ir.IntType(8), 0)))
        for word in arguments[2:]:
            byte = builder.trunc(word, ir.IntType(8))
            found = builder.or_(found, builder.icmp_unsigned("==", there, all_of(byte)))
        return _bits(builder, found)

    return types.uint64(buffer, types.int64, types.uint64, types.uint64), build


@intrinsic
def equal64(typing_context: Any, buffer: Any, place: Any, wanted: Any) -> Any:
    """Which of the 64 bytes at a place are the lowest byte of ``wanted``: a bit each, from the first; the caller keeps
    inside the buffer."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        there, all_of = _vector(context, builder, signature, arguments, 64)
        byte = builder.trunc(arguments[2], ir.IntType(8))
        return _bits(builder, builder.icmp_unsigned("==", there, all_of(byte)))

    return types.uint64(buffer, types.int64, types.uint64), build


@intrinsic
def special32(typing_context: Any, buffer: Any, place: Any) -> Any:
    """The same of 32 bytes and what ends plain text in a JSON string: a quote, a backslash, a control character.

    Most values are shorter than 32 bytes: a second step, now taken and now not, is guessed wrong by the processor.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        there, all_of = _vector(context, builder, signature, arguments, 32)
        found = builder.icmp_unsigned("<", there, all_of(ir.Constant(ir.IntType(8), 32)))
        for byte in (34, 92):
            found = builder.or_(found, builder.icmp_unsigned("==", there, all_of(ir.Constant(ir.IntType(8), byte))))
        return _bits(builder, found)

    return types.uint64(buffer, types.int64), build


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Place of the lowest set bit of a word that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


@inner
def until(buffer: U1, p: int, end: int, a: int, b: int) -> int:
    """The first place in [p, end) of byte ``a``, byte ``b`` or NUL, else ``end``; each byte comes eight times over."""
    last = len(buffer) - 16
    while p < end and p <= last:
        hits = among16(buffer, p, a, b)
        if hits != 0:
            return min(p + lowest_bit(hits), end)
        p += 16
    while p < end:
        c = np.uint64(buffer[p])
        if c == a & np.uint64(255) or c == b & np.uint64(255) or c == 0:
            return p
        p += 1
    return end


@inner
def has_nul(buffer: U1, p: int, end: int) -> bool:
    """Whether a NUL stands in [p, end), which lies in the buffer."""
    while p + 64 <= end:
        if equal64(buffer, p, 0) != 0:
            return True
        p += 64
    while p < end:
        if buffer[p] == 0:
            return True
        p += 1
    return False
