"""Simulated requests as columns, and the table of those who make them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from ipaddress import IPv6Network

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass
class Traffic:
    """n requests as equal-length columns.

    Attributes:
        time_us: int64, microseconds since 1970 UTC.
        actor: int32, row in Actors.
        form: int16, row in `site.FORMS`: method and path.
        number: int64, the first number of the path; -1 = the form has none.
        page: int32, the second one; -1 = none.
        status: uint16.
        size: int32, bytes of the response's body.
        referer: int8, row in `site.REFERERS`.
        attack: bool, whether the attacker made it.
        purpose: int8, row in `site.PURPOSES`: what for, as the client says; 0 = not said.
        consent: int64, number of the consent the client names; -1 = none.
    """

    time_us: npt.NDArray[np.int64]
    actor: npt.NDArray[np.int32]
    form: npt.NDArray[np.int16]
    number: npt.NDArray[np.int64]
    page: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint16]
    size: npt.NDArray[np.int32]
    referer: npt.NDArray[np.int8]
    attack: npt.NDArray[np.bool_]
    purpose: npt.NDArray[np.int8]
    consent: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_us)

    def take(self, rows: npt.NDArray[np.generic] | slice) -> Traffic:
        """The rows named by an index array, a mask or a slice."""
        return Traffic(*(getattr(self, f.name)[rows] for f in fields(self)))

    def between(self, start_us: int, end_us: int) -> Traffic:
        """The requests of [start_us, end_us)."""
        return self.take((self.time_us >= start_us) & (self.time_us < end_us))

    def ordered(self) -> Traffic:
        """The same requests by time; those of one moment keep their order."""
        return self.take(np.argsort(self.time_us, kind="stable"))

    @classmethod
    def of(cls, time_us: npt.ArrayLike, **columns: npt.ArrayLike) -> Traffic:
        """Requests at these moments; a column may be one value for all, what is missing gets its default."""
        n = len(np.asarray(time_us))
        given = {"time_us": time_us, **columns}
        filled = (
            np.broadcast_to(np.asarray(given.get(name, default), dtype), (n,)).copy()
            for name, dtype, default in _LAYOUT
        )
        return cls(*filled)

    @classmethod
    def concatenate(cls, parts: list[Traffic]) -> Traffic:
        """One traffic of several, unordered."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


_LAYOUT = (
    ("time_us", np.int64, 0),
    ("actor", np.int32, 0),
    ("form", np.int16, 0),
    ("number", np.int64, -1),
    ("page", np.int32, -1),
    ("status", np.uint16, 200),
    ("size", np.int32, 512),
    ("referer", np.int8, 0),
    ("attack", np.bool_, False),
    ("purpose", np.int8, 0),
    ("consent", np.int64, -1),
)


class Actors:
    """Who may ask: an address, an account ("-" = none) and a user agent, a row each."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.accounts: list[str] = []
        self.agents: list[str] = []

    def __len__(self) -> int:
        return len(self.addresses)

    def add(self, addresses: list[str], accounts: list[str], agents: list[str]) -> Ints:
        """Appends rows of equal length and returns their numbers, int64 (n,)."""
        first = len(self)
        self.addresses += addresses
        self.accounts += accounts
        self.agents += agents
        return np.arange(first, len(self), dtype=np.int64)

    def name(self, row: int) -> str:
        """The client as a detector should name it: the account, else the address (IPv6 by its /64)."""
        account, address = self.accounts[row], self.addresses[row]
        if account != "-":
            return account
        return str(IPv6Network((address, 64), strict=False)) if ":" in address else address
