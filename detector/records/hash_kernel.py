"""Keyed hashes for machine code: SipHash-1-3 for bytes, a two-round keyed mixer for words.

SipHash: Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word and three at the end is what
CPython and Rust use for their own tables. The mixer is MurmurHash3's finaliser (Appleby, public domain) in the
Even-Mansour form of key, permutation, key: whoever does not know the key cannot choose colliding numbers, and no output
of it ever leaves the program.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

# For what only other compiled functions call: no wrapper for Python, no reference counts. `inner` melts into its
# caller, `plain` stays a function of its own: for what is rare or called from many places.
inner = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True)
plain = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)

U0 = np.uint64(0)
U1 = np.uint64(1)
U13 = np.uint64(13)
U16 = np.uint64(16)
U17 = np.uint64(17)
U21 = np.uint64(21)
U32 = np.uint64(32)
U33 = np.uint64(33)
U43 = np.uint64(43)
U47 = np.uint64(47)
U48 = np.uint64(48)
U51 = np.uint64(51)
U56 = np.uint64(56)
FF = np.uint64(0xFF)

INIT0 = np.uint64(0x736F6D6570736575)  # "somepseudorandomlygeneratedbytes", as the paper has it
INIT1 = np.uint64(0x646F72616E646F6D)
INIT2 = np.uint64(0x6C7967656E657261)
INIT3 = np.uint64(0x7465646279746573)

MAX_TEXT = 65_536  # the longest field looked at: a line is no longer

FMIX1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3 fmix64
FMIX2 = np.uint64(0xC4CEB9FE1A85EC53)


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


@inner
def short_word(buf, at, length):
    """``length`` < 8 bytes from ``at`` as a little-endian word, zero above."""
    if at + 8 <= buf.size:
        return load8(buf, at) & ((U1 << np.uint64(length << 3)) - U1)
    value = U0
    for i in range(length):
        value |= np.uint64(buf[at + i]) << np.uint64(i << 3)
    return value


@inner
def sip_round(v0, v1, v2, v3):
    """One SipRound."""
    v0 += v1
    v2 += v3
    v1 = ((v1 << U13) | (v1 >> U51)) ^ v0
    v3 = ((v3 << U16) | (v3 >> U48)) ^ v2
    v0 = (v0 << U32) | (v0 >> U32)
    v2 += v1
    v0 += v3
    v1 = ((v1 << U17) | (v1 >> U47)) ^ v2
    v3 = ((v3 << U21) | (v3 >> U43)) ^ v0
    v2 = (v2 << U32) | (v2 >> U32)
    return v0, v1, v2, v3


@plain
def sip(buf, at, length, k0, k1):
    """SipHash-1-3 of ``buf[at:at + length]`` under the key (k0, k1); never 0 (1 stands for it)."""
    v0, v1, v2, v3 = k0 ^ INIT0, k1 ^ INIT1, k0 ^ INIT2, k1 ^ INIT3
    last = at + length - 7
    while at < last:
        block = load8(buf, at)
        v3 ^= block
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= block
        at += 8
    block = short_word(buf, at, length & 7) | (np.uint64(length) << U56)
    v3 ^= block
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0 ^= block
    v2 ^= FF
    for _ in range(3):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    value = v0 ^ v1 ^ v2 ^ v3
    return value if value != U0 else U1


@inner
def permute(x):
    """MurmurHash3's 64-bit finaliser: a bijection in which every input bit reaches every output bit."""
    x = (x ^ (x >> U33)) * FMIX1
    x = (x ^ (x >> U33)) * FMIX2
    return x ^ (x >> U33)


@inner
def mix2(a, b, k0, k1):
    """Keyed hash of two words in their order; never 0."""
    value = permute(permute(a ^ k0) ^ b ^ k1) ^ k0
    return value if value != U0 else U1


@inner
def field(buf, span, line, code):
    """The (start, end) of a line's field; equal where it is absent, empty or ``-``."""
    start = np.int64(span[line + 2 * code])
    size = np.int64(span[line + 2 * code + 1])
    if size <= 0 or (size == 1 and buf[start] == 45):
        return start, start
    return start, start + min(size, MAX_TEXT)
