"""Partners and crawlers that read in bulk by agreement: how their rows are recognised, and whose they are.

Identity is verified, or it is none: an address out of a declared range, an account or an API key; a user agent is what
anybody may write. Who names both ranges and accounts means both: the account from elsewhere is judged like anybody, and
the row still says whose account it was (a contract broken); the range alone is judged like anybody, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from detector.records.batch import DECLARED, KINDS, OUTSIDE, Batch
from detector.records.identity import network_words
from detector.records.keys import HashKey

_ACCOUNT, _BOT = KINDS.index("account"), KINDS.index("bot")
KEY_NAME = "key~"  # as names of API keys begin; what follows is the client's hash
MAPPED = 0xFFFF << 32  # IPv4 inside ::ffff:0:0/96


def token(name: str) -> int:
    """What a partner's rows carry: 32 bits of its name's BLAKE2b, never 0; the same whatever else is declared."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little") or 1


@dataclass(frozen=True)
class Partner:
    """One declared client.

    Attributes:
        name: of the agreement.
        accounts: as the log names them.
        keys: API keys as incidents name them, ``key~`` and 16 hexadecimal digits.
        networks: CIDR or single addresses.
        bots: as the edge verified them and the log says so.
        prefixes: beginnings of account names.
        is_quiet: whether its requests are counted and not judged; a party of the policy is judged like anybody.
    """

    name: str = ""
    accounts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    is_quiet: bool = True

    def clients(self, key: HashKey) -> list[int]:
        """Client hashes of its accounts, keys and bots."""
        texts = [(_ACCOUNT, name) for name in self.accounts] + [(_BOT, name) for name in self.bots]
        named = [key.of_words(kind, key.of_text(text.encode())) for kind, text in texts]
        return named + [int(name.removeprefix(KEY_NAME), 16) for name in self.keys]


class Declared:
    """Who is declared.

    Args:
        partners: in the order in which they are asked where networks overlap.

    Attributes:
        networks: uint64 (n, 4), network and mask, two words each, the narrowest first, for the kernel.
    """

    def __init__(self, partners: Sequence[Partner] = ()) -> None:
        self.partners = tuple(partners)
        texts = {ipaddress.ip_network(text, strict=False) for p in self.partners for text in p.networks}
        found = sorted(((network_words(n), n) for n in texts), key=lambda row: (row[0][2:], row[0][:2]), reverse=True)
        self.networks: npt.NDArray[np.uint64] = np.array([w for w, _ in found], np.uint64).reshape(len(found), 4)
        self._tokens = np.array([0, *(token(p.name) for p in self.partners)], np.uint32)
        self._inside = np.zeros((len(found) + 1, len(self.partners) + 1), np.bool_)
        self._owner = np.zeros(len(found) + 1, np.int64)
        for number, partner in enumerate(self.partners, 1):
            self._place(number, partner, [words for words, _ in found])
        self._clients: list[tuple[np.uint64, int]] = []
        self._prefixes = [(p.encode(), n) for n, partner in enumerate(self.partners, 1) for p in partner.prefixes]
        self._quiet = np.array([False, *(p.is_quiet for p in self.partners)], np.bool_)

    def _place(self, number: int, partner: Partner, found: list[tuple[int, int, int, int]]) -> None:
        """Which of the networks found lie inside this partner's; those are its own where no account is asked for."""
        if not partner.networks:
            self._inside[:, number] = True
            return
        own = [network_words(ipaddress.ip_network(text, strict=False)) for text in partner.networks]
        for place, (hi, lo, mask_hi, mask_lo) in enumerate(found, 1):
            self._inside[place, number] = any(
                mask_hi & m_hi == m_hi and mask_lo & m_lo == m_lo and hi & m_hi == o_hi and lo & m_lo == o_lo
                for o_hi, o_lo, m_hi, m_lo in own
            )
            alone = not (partner.accounts or partner.keys or partner.bots or partner.prefixes)
            if self._inside[place, number] and alone and not self._owner[place]:
                self._owner[place] = number

    def bind(self, key: HashKey) -> Declared:
        """Hashes accounts under the resolver's key."""
        self._clients = [(np.uint64(c), n) for n, p in enumerate(self.partners, 1) for c in p.clients(key)]
        return self

    def places(self, address: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint16]:
        """What the kernel finds, for addresses as numbers: below 2^32 IPv4, else the first 64 bits of IPv6."""
        v4 = address < np.uint64(1 << 32)
        hi = np.where(v4, np.uint64(0), address)
        lo = np.where(v4, address | np.uint64(MAPPED), np.uint64(0))
        found = np.zeros(len(address), np.uint16)
        for place in range(len(self.networks), 0, -1):
            net_hi, net_lo, mask_hi, mask_lo = self.networks[place - 1]
            found[(hi & mask_hi == net_hi) & (lo & mask_lo == net_lo)] = place
        return found

    def mark(self, batch: Batch, by_network: npt.NDArray[np.uint16]) -> None:
        """Sets DECLARED, OUTSIDE and ``partner``.

        Args:
            batch: rows whose clients are known.
            by_network: of each row, 1 + the first of `networks` its address lies in; 0 = none.
        """
        if not self.partners:
            return
        whose = self._owner[by_network]
        declared = whose > 0
        for prefix, number in self._prefixes:
            own = (batch.name[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all(axis=1)
            rows = np.flatnonzero(own & (batch.kind == _ACCOUNT))
            whose[rows] = number
            declared[rows] = self._inside[by_network[rows], number]
        for client, number in self._clients:
            rows = np.flatnonzero(batch.client == client)
            whose[rows] = number
            declared[rows] = self._inside[by_network[rows], number]
        batch.partner[:] = self._tokens[whose]
        batch.flags |= (declared & self._quiet[whose]) * np.uint8(DECLARED)
        batch.flags |= ((whose > 0) & ~declared) * np.uint8(OUTSIDE)
