"""Keyed hashes for machine code: SipHash-1-3 for bytes, a two-round keyed mixer for words.

SipHash: Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012; one round a word and three at the end is what
CPython and Rust use for their own tables. The mixer is MurmurHash3's finaliser (Appleby, public domain) in the
Even-Mansour form of key, permutation, key: whoever does not know the key cannot choose colliding numbers, and no output
of it ever leaves the program.
"""

from __future__ import annotations

import numpy as np
from numba import njit

U1 = np.uint64(1)
U2 = np.uint64(2)
U3 = np.uint64(3)
U4 = np.uint64(4)
U5 = np.uint64(5)
U6 = np.uint64(6)
U7 = np.uint64(7)
U8 = np.uint64(8)
U13 = np.uint64(13)
U16 = np.uint64(16)
U17 = np.uint64(17)
U21 = np.uint64(21)
U24 = np.uint64(24)
U32 = np.uint64(32)
U33 = np.uint64(33)
U40 = np.uint64(40)
U43 = np.uint64(43)
U47 = np.uint64(47)
U48 = np.uint64(48)
U51 = np.uint64(51)
U56 = np.uint64(56)
FF = np.uint64(0xFF)
ZERO = np.uint64(0)

INIT0 = np.uint64(0x736F6D6570736575)  # "somepseudorandomlygeneratedbytes", as the paper has it
INIT1 = np.uint64(0x646F72616E646F6D)
INIT2 = np.uint64(0x6C7967656E657261)
INIT3 = np.uint64(0x7465646279746573)

FMIX1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3 fmix64
FMIX2 = np.uint64(0xC4CEB9FE1A85EC53)


@njit
def word(buf, at):
    """The eight bytes from ``at`` (uint64) as a little-endian word; they must lie inside ``buf``."""
    return (
        np.uint64(buf[at])
        | (np.uint64(buf[at + U1]) << U8)
        | (np.uint64(buf[at + U2]) << U16)
        | (np.uint64(buf[at + U3]) << U24)
        | (np.uint64(buf[at + U4]) << U32)
        | (np.uint64(buf[at + U5]) << U40)
        | (np.uint64(buf[at + U6]) << U48)
        | (np.uint64(buf[at + U7]) << U56)
    )


@njit
def short_word(buf, at, length):
    """``length`` < 8 bytes from ``at`` (uint64) as a little-endian word, zero above."""
    if length == 0:
        return ZERO
    if at + U8 <= np.uint64(buf.size):
        return word(buf, at) & ((U1 << (np.uint64(length) << U3)) - U1)
    value = ZERO
    for i in range(length):
        value |= np.uint64(buf[at + np.uint64(i)]) << np.uint64(8 * i)
    return value


@njit
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


@njit
def sip(buf, start, length, k0, k1):
    """SipHash-1-3 of ``buf[start:start + length]`` under the key (k0, k1); never 0 (1 stands for it)."""
    v0, v1, v2, v3 = k0 ^ INIT0, k1 ^ INIT1, k0 ^ INIT2, k1 ^ INIT3
    at = np.uint64(start)
    for _ in range(length >> 3):
        block = word(buf, at)
        v3 ^= block
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= block
        at += U8
    block = short_word(buf, at, length & 7) | (np.uint64(length) << U56)
    v3 ^= block
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0 ^= block
    v2 ^= FF
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    value = v0 ^ v1 ^ v2 ^ v3
    return value if value != ZERO else U1


@njit
def permute(x):
    """MurmurHash3's 64-bit finaliser: a bijection in which every input bit reaches every output bit."""
    x = (x ^ (x >> U33)) * FMIX1
    x = (x ^ (x >> U33)) * FMIX2
    return x ^ (x >> U33)


@njit
def mix2(a, b, k0, k1):
    """Keyed hash of two words in their order; never 0."""
    value = permute(permute(a ^ k0) ^ b ^ k1) ^ k0
    return value if value != ZERO else U1


@njit
def mix3(a, b, c, k0, k1):
    """Keyed hash of three words in their order; never 0."""
    return mix2(permute(permute(a ^ k1) ^ b ^ k0), c, k0, k1)
