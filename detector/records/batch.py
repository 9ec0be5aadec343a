"""Parsed requests as columns: the noun everything after the formats works on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

NAME_BYTES = 48  # longest printable client name kept; longer ones end in their hash
DEPTH = 8  # path segments told apart; what lies deeper belongs to the eighth

KINDS = ("none", "address", "account", "key", "session", "network", "certificate", "fingerprint", "bot")

STATIC = 1  # an asset by its suffix: style sheet, script, image, font
PAGED = 2  # the object is a page of a list, not a record
NAMED = 4  # the object's id is text: promoted slugs and opaque ids; `number` is -1
LATE = 32  # out of order by more than the lateness: judged, but says nothing about order
DECLARED = 16  # from a client declared as partner or crawler: counted, not judged
LEDGER = 64  # no request: a change of the consent ledger, see `records.ledger`
OUTSIDE = 128  # by the account of a declared party from outside of its networks
MISS = 8  # answered 400-499 other than 401, 403 (those still say the record exists) and 429


@dataclass
class Batch:
    """n requests as equal-length columns; a row is one object read: a request for several has as many rows, the first
    with its bytes and ``requests`` 1.

    Attributes:
        time_us: int64, log time in microseconds since 1970 UTC.
        client: uint64, keyed hash of who asks; never 0.
        source: uint64, keyed hash of the address (IPv6 by /64); 0 = no address.
        network: uint32, hash of the address's /24 (IPv6: /48); 0 = none.
        agent: uint64, keyed hash of the user agent; 0 = none.
        kind: uint8, index into KINDS: what ``client`` is.
        name: uint8 (n, NAME_BYTES), the client as the log prints it, zero padded.
        tokens: uint64 (n, DEPTH), the path's segments: below ``records.shape.CLASSES`` a class such as a number, else
            the keyed hash of a literal; 0 after the last.
        slug: uint64 (n, DEPTH), keyed hash of a literal segment without its suffix: its value, if it becomes an object.
        route: uint32, assigned in log order by ``records.routes``; 0 = not yet.
        method: uint8, index into ``records.shape.METHODS``.
        object: uint64, keyed hash of the ids in the request; 0 = no object known.
        number: int64, the last id as an integer, or -1.
        rows: int32, records in the response.
        status: uint16.
        bytes_out: int64.
        requests: uint8, 1 on the first row of a request, 0 on further objects of the same one.
        flags: uint8, STATIC | PAGED | NAMED | MISS | DECLARED | LATE | LEDGER | OUTSIDE.
        origin: uint16, file or partition.
        position: int64, where the line stands in its origin.
        partner: uint32, whose declared account, key or range it is (`records.declared.token`); 0 = nobody's. Without
            the flag DECLARED: a partner's account from outside of its ranges.
        subject: uint64, keyed hash of the person whose record was read, by the log or a map; 0 = not known.
        purpose: uint64, keyed hash of what the record was read for; 0 = not said.
        consent: uint64, keyed hash of the consent's id; 0 = not said.
        omitted: uint32, thousandths of a request the log's sampling left out for this one; 0 = none.
        twin: uint64, in a mesh: keyed hash of what both proxies of a hop log alike, the lowest bit 1 for the one that
            received the request; 0 = not said.
    """

    time_us: npt.NDArray[np.int64]
    client: npt.NDArray[np.uint64]
    source: npt.NDArray[np.uint64]
    network: npt.NDArray[np.uint32]
    agent: npt.NDArray[np.uint64]
    kind: npt.NDArray[np.uint8]
    name: npt.NDArray[np.uint8]
    tokens: npt.NDArray[np.uint64]
    slug: npt.NDArray[np.uint64]
    route: npt.NDArray[np.uint32]
    method: npt.NDArray[np.uint8]
    object: npt.NDArray[np.uint64]
    number: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint16]
    bytes_out: npt.NDArray[np.int64]
    requests: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]
    origin: npt.NDArray[np.uint16]
    position: npt.NDArray[np.int64]
    partner: npt.NDArray[np.uint32]
    subject: npt.NDArray[np.uint64]
    purpose: npt.NDArray[np.uint64]
    consent: npt.NDArray[np.uint64]
    omitted: npt.NDArray[np.uint32]
    twin: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.time_us)

    def columns(self) -> list[Any]:
        """The columns in the order of their declaration."""
        return [getattr(self, f.name) for f in fields(self)]

    def take(self, rows: npt.NDArray[np.int64] | slice) -> Batch:
        """The rows named by an index array (copied) or a slice (shared)."""
        return Batch(*(column[rows] for column in self.columns()))

    @classmethod
    def empty(cls, n: int) -> Batch:
        """Columns of zeros."""
        return cls(*(np.zeros((n, *shape), dtype) for dtype, shape in LAYOUT))

    @classmethod
    def concatenate(cls, parts: list[Batch]) -> Batch:
        """One batch of several, rows in the order given."""
        if len(parts) == 1:
            return parts[0]
        joined: list[Any] = [np.concatenate(c) for c in zip(*(p.columns() for p in parts), strict=True)]
        return cls(*joined)


LAYOUT: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("i8", ()),
    ("u8", ()),
    ("u8", ()),
    ("u4", ()),
    ("u8", ()),
    ("u1", ()),
    ("u1", (NAME_BYTES,)),
    ("u8", (DEPTH,)),
    ("u8", (DEPTH,)),
    ("u4", ()),
    ("u1", ()),
    ("u8", ()),
    ("i8", ()),
    ("i4", ()),
    ("u2", ()),
    ("i8", ()),
    ("u1", ()),
    ("u1", ()),
    ("u2", ()),
    ("i8", ()),
    ("u4", ()),
    ("u8", ()),
    ("u8", ()),
    ("u8", ()),
    ("u4", ()),
    ("u8", ()),
)
