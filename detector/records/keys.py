"""The secret under which identities and ids are hashed, and the two hashes as plain Python.

Ids and names written by strangers enter tables only as keyed 64-bit hashes: who does not know the key can neither aim
at one slot of a table nor steer a sketch. A replay uses one fixed, documented key, so that its results can be compared;
the sidecar makes its own. The kernels hash with `hash_kernel`; what is here is the same arithmetic, slow and readable,
for single values and for the tests.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError

KEY_BYTES = 16  # SipHash takes 128 bits
_MASK = (1 << 64) - 1
NUMBER_TAG = 0x6E756D626572  # "number": keeps ids apart from whatever else is mixed


@dataclass(frozen=True)
class HashKey:
    """128 secret bits as two words of 64."""

    k0: int
    k1: int

    @classmethod
    def from_bytes(cls, secret: bytes) -> HashKey:
        """A key from 16 bytes as they are, or from a longer secret by BLAKE2b. Raises ``UsageError`` under 16."""
        if len(secret) < KEY_BYTES:
            raise UsageError(f"hash key: {len(secret)} bytes, at least {KEY_BYTES} are needed")
        raw = secret if len(secret) == KEY_BYTES else hashlib.blake2b(secret, digest_size=KEY_BYTES).digest()
        return cls(int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little"))

    @classmethod
    def from_file(cls, path: Path) -> HashKey:
        """A key from a file's bytes, white space at its ends aside. Raises ``UsageError`` where it cannot be read."""
        try:
            secret = path.read_bytes().strip()
        except OSError as fault:
            raise UsageError(f"hash key file {path}: {fault.strerror}") from fault
        if len(secret) < KEY_BYTES:
            raise UsageError(f"hash key file {path}: {len(secret)} bytes, at least {KEY_BYTES} are needed")
        return cls.from_bytes(secret)

    def words(self) -> npt.NDArray[np.uint64]:
        """uint64 (2,), as the kernels take it."""
        return np.array([self.k0, self.k1], np.uint64)

    def of_number(self, number: int) -> int:
        """The object of a request whose only id is this number."""
        return self.of_words(NUMBER_TAG, number & _MASK)

    def of_words(self, a: int, b: int) -> int:
        """Keyed hash of two words: what ``hash_kernel.mix2`` computes."""
        return (_permute(_permute(a ^ self.k0) ^ b ^ self.k1) ^ self.k0) or 1

    def of_text(self, text: bytes) -> int:
        """SipHash-1-3 of bytes: the object of a request whose only id is this text."""
        return siphash(text, self, 1, 3) or 1


REPLAY_KEY = HashKey.from_bytes(b"detector/replay!")


def _permute(x: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # MurmurHash3 fmix64
        x = ((x ^ (x >> 33)) * factor) & _MASK
    return x ^ (x >> 33)


def siphash(text: bytes, key: HashKey, rounds: int, final: int) -> int:
    """SipHash with the given numbers of rounds (Aumasson, Bernstein 2012; the paper's own test uses 2 and 4)."""
    state = [
        key.k0 ^ 0x736F6D6570736575,
        key.k1 ^ 0x646F72616E646F6D,
        key.k0 ^ 0x6C7967656E657261,
        key.k1 ^ 0x7465646279746573,
    ]
    padded = text + b"\0" * (7 - len(text) % 8) + bytes([len(text) & 0xFF])
    for at in range(0, len(padded), 8):
        block = int.from_bytes(padded[at : at + 8], "little")
        state[3] ^= block
        for _ in range(rounds):
            _sip_round(state)
        state[0] ^= block
    state[2] ^= 0xFF
    for _ in range(final):
        _sip_round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_round(v: list[int]) -> None:
    for a, b, c, d, s, t in ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)):
        v[a] = (v[a] + v[b]) & _MASK
        v[c] = (v[c] + v[d]) & _MASK
        v[b] = _rotate(v[b], s) ^ v[a]
        v[d] = _rotate(v[d], t) ^ v[c]
        v[a] = _rotate(v[a], 32)


def _rotate(x: int, by: int) -> int:
    return ((x << by) | (x >> (64 - by))) & _MASK
