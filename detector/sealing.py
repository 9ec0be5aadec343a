"""Encryption of what lies on disk: cases, their names behind pseudonyms, snapshots, pages.

::

    magic 8 | key's mark 8 | salt 16 | pieces of at most 64 MiB, each with its tag of 16

Each file has a key of its own, HMAC-SHA-256 of its salt under the secret (a pseudorandom function as in NIST SP
800-108r1), so the nonces of AES-256-GCM can count pieces. The last nonce says that it is the last, as in the STREAM
construction (Hoang et al., CRYPTO 2015), and the name is authenticated: no piece can be cut off, moved or exchanged for
another file's. The mark tells another key from a damaged file.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from detector.errors import SealError, UsageError

MAGIC = b"\x93SEALED\n"  # no JSON and no snapshot begins so
LEAST_BYTES = 16  # of a secret: 128 bits, as of the key of hashes
PIECE = 1 << 26  # AES-GCM is handed at most 2 GiB at a time; a piece more or less does not show
_MARK, _SALT, _TAG = 8, 16, 16
_HEAD = len(MAGIC) + _MARK + _SALT


def read_secret(path: Path, what: str) -> bytes:
    """A secret from a file, white space at its ends aside.

    Args:
        path: the file.
        what: the setting or option that names it, for messages.

    Raises:
        UsageError: it cannot be read, or is shorter than `LEAST_BYTES`.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"{what}: {path}: cannot be read: {error.strerror}") from error
    if len(secret) < LEAST_BYTES:
        raise UsageError(f"{what}: {path}: {len(secret)} bytes, at least {LEAST_BYTES} are needed")
    return secret


class Seal:
    """Encrypts and opens under one secret.

    Args:
        secret: at least `LEAST_BYTES`.
        purpose: keeps keys apart that come from one secret.
    """

    def __init__(self, secret: bytes, purpose: str = "cases") -> None:
        self._key = hmac.digest(secret, b"detector seal 1 " + purpose.encode(), "sha256")
        self._mark = hmac.digest(self._key, b"mark", "sha256")[:_MARK]

    def seal(self, data: bytes, name: str) -> bytes:
        """The data encrypted; it can only be opened under the same name."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt = secrets.token_bytes(_SALT)
        cipher = AESGCM(hmac.digest(self._key, b"file" + salt, "sha256"))
        pieces = [MAGIC, self._mark, salt]
        starts = range(0, max(len(data), 1), PIECE)
        for number, start in enumerate(starts):
            nonce = _nonce(number, number == len(starts) - 1)
            pieces.append(cipher.encrypt(nonce, data[start : start + PIECE], name.encode()))
        return b"".join(pieces)

    def open(self, data: bytes, name: str) -> bytes:
        """What `seal` was given.

        Raises:
            SealError: it was encrypted with another key, or is not what was written under that name.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        mark, salt = data[len(MAGIC) : len(MAGIC) + _MARK], data[_HEAD - _SALT : _HEAD]
        if not is_sealed(data) or len(data) < _HEAD + _TAG:
            raise SealError(f"{name}: damaged: cut short")
        if not hmac.compare_digest(mark, self._mark):
            raise SealError(f"{name}: is encrypted with another key than the one given")
        cipher = AESGCM(hmac.digest(self._key, b"file" + salt, "sha256"))
        starts = range(_HEAD, len(data), PIECE + _TAG)
        try:
            return b"".join(
                cipher.decrypt(_nonce(number, number == len(starts) - 1), data[at : at + PIECE + _TAG], name.encode())
                for number, at in enumerate(starts)
            )
        except (InvalidTag, ValueError) as error:
            raise SealError(f"{name}: damaged, or another file's content: it does not open") from error


def is_sealed(data: bytes) -> bool:
    """Whether it begins as what `Seal.seal` gives."""
    return data[: len(MAGIC)] == MAGIC


def opened(data: bytes, name: str, seal: Seal | None) -> bytes:
    """The data as it is, or opened where it is encrypted.

    Raises:
        SealError: it is and there is no key, or another one.
    """
    if not is_sealed(data):
        return data
    if seal is None:
        raise SealError(f"{name}: is encrypted; --key-file or privacy.encryption_key_file names the key")
    return seal.open(data, name)


def sealed(data: bytes, name: str, seal: Seal | None) -> bytes:
    """The data encrypted where there is a key, else as it is."""
    return data if seal is None else seal.seal(data, name)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
