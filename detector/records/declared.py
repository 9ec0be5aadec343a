"""Clients that read in bulk by agreement: how their rows are recognised."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.records.batch import DECLARED, KINDS, NAME_BYTES, Batch
from detector.records.identity import network_words

_ACCOUNT = KINDS.index("account")


class Declared:
    """Accounts and networks of declared partners and crawlers.

    Args:
        accounts: as the log names them, printable ASCII, at most 48 bytes.
        networks: CIDR or single addresses.

    Attributes:
        networks: uint64 (n, 4), network and mask, two words each, for the kernel.
    """

    def __init__(self, accounts: Sequence[str] = (), networks: Sequence[str] = ()) -> None:
        self._names = [np.frombuffer(a.encode().ljust(NAME_BYTES, b"\0"), np.uint8) for a in accounts]
        rows = [network_words(ipaddress.ip_network(text, strict=False)) for text in networks]
        self.networks: npt.NDArray[np.uint64] = np.array(rows, np.uint64).reshape(len(rows), 4)

    def mark(self, batch: Batch, by_network: npt.NDArray[np.uint8]) -> None:
        """Sets DECLARED on the rows of the accounts and on those the kernel found in the networks."""
        if len(self.networks):
            batch.flags |= by_network * np.uint8(DECLARED)
        for name in self._names:
            rows = np.flatnonzero(batch.kind == _ACCOUNT)
            same = (batch.name[rows] == name).all(axis=1)
            batch.flags[rows[same]] |= DECLARED
