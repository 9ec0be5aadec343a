"""Names of clients and networks as keyed pseudonyms, where the configuration has a key for them.

A pseudonym is ``pn-``, the kind of identity and 130 bits of HMAC-SHA-256 (RFC 2104) over kind and name in base32: the
same for the same client under one key, so that two incidents of one client join, and nothing to whoever lacks the key.
A plain hash would not do: all addresses can be tried in minutes. Under a key they can be tried again only by whoever
holds it, which is what `detector unmask` does with a list of names; of a case the names lie beside it, encrypted.

User agents stay as they are, secrets masked: many share one. So do autonomous systems and countries, and what the
configuration itself calls somebody (partners, suppressions).
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from detector.errors import SealError
from detector.sealing import Seal, read_secret

PREFIX = "pn-"
LETTERS = 26  # 130 bits: two of 2^48 names meet with a chance of 2^-35
NETWORK = "network"
REMEMBERED = 1 << 16  # names whose pseudonym is kept: 10,000 clients are told anew with each revision

Names = dict[str, tuple[str, str]]
"""Kind and name by pseudonym."""


class Pseudonyms:
    """Makes pseudonyms under one key, and keeps what is behind them where only the key opens it.

    Args:
        secret: the key, at least 16 bytes.

    Used by one thread at a time.
    """

    def __init__(self, secret: bytes) -> None:
        self._seal = Seal(secret, "names")
        self._key = hmac.digest(secret, b"detector pseudonyms 1", "sha256")
        self._of = lru_cache(REMEMBERED)(self._made)
        self._noted: Names | None = None

    @classmethod
    def from_file(cls, path: Path, what: str = "privacy.pseudonym_key_file") -> Pseudonyms:
        """With the key in a file. Raises ``UsageError`` where it cannot be read or is too short."""
        return cls(read_secret(path, what))

    def of(self, kind: str, name: str) -> str:
        """The pseudonym of a client of a kind (`records.batch.KINDS`), or of a network."""
        found = self._of(kind, name)
        if self._noted is not None:
            self._noted[found] = kind, name
        return found

    def of_network(self, text: str) -> str:
        """The pseudonym of a network told by its addresses; a text that is none, such as a country, as it is."""
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            return text
        return self.of(NETWORK, text)

    @contextmanager
    def noting(self) -> Iterator[Names]:
        """Collects what is hidden meanwhile."""
        noted: Names = {}
        self._noted = noted
        try:
            yield noted
        finally:
            self._noted = None

    def seal_names(self, names: Names, incident: str) -> bytes:
        """What is behind the pseudonyms of a case, encrypted."""
        return self._seal.seal(json.dumps(names, ensure_ascii=True).encode("ascii"), f"{incident}.names")

    def open_names(self, data: bytes, incident: str) -> Names:
        """What `seal_names` was given.

        Raises:
            SealError: it was made with another key, or is damaged.
        """
        try:
            found = json.loads(self._seal.open(data, f"{incident}.names"))
            return {str(pseudonym): (str(kind), str(name)) for pseudonym, (kind, name) in found.items()}
        except (ValueError, AttributeError) as error:
            raise SealError(f"{incident}.names: damaged: {error}") from error

    def _made(self, kind: str, name: str) -> str:
        digest = hmac.digest(self._key, f"{kind}\0{name}".encode(), "sha256")
        return f"{PREFIX}{kind}-{base64.b32encode(digest).decode('ascii').lower()[:LETTERS]}"


def is_pseudonym(text: str) -> bool:
    """Whether a text of an incident stands for somebody who is not named."""
    return text.startswith(PREFIX)


def shown_client(veil: Pseudonyms | None, kind: str, name: str) -> str:
    """A client's name as it may leave."""
    return name if veil is None else veil.of(kind, name)


def shown_network(veil: Pseudonyms | None, text: str) -> str:
    """A network's name as it may leave."""
    return text if veil is None else veil.of_network(text)
