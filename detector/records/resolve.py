"""Fields of lines into rows of a batch: who asks, what is asked, which object. A pure function of each line.

**Client.** The first rung of the ladder that the line has (`identity`). Addresses: IPv4, IPv6 by /64, IPv4-mapped ones
folded to IPv4, ports and zones dropped, host names in small letters. Keys and sessions are secrets: their printable
name is ``key~`` or ``sid~`` and the keyed hash, never a part of them.

**Path.** Without scheme and authority, fragment, path parameters (``;jsessionid=``), empty and ``.`` segments,
percent-decoded but for delimiters: what a server takes for the same path must give the same tokens (`shape`).

A word behind ``operationName=`` in the query is a literal more: GraphQL has one path for all it does.

**Object.** The keyed hash of the ids in the request: segments of a class, and the values of query keys that name one
(``id``, ``phone``, ``orderId``). One id alone gives the same object wherever it stands: ``/users/7``, ``/users/007``
and ``/users?id=7`` name `HashKey.of_number(7)`. Several are folded: those of the path in their order, those of the
query in any order, the number of a page last. ``number`` is the last numeric id, the page's only where there is no id
at all; a phone number counts as its digits, a payment card's has none. `NAMED` says that no id was a number. A request
for several (``/users/1,2,3``, ``?ids=1,2,3``, ``?id=1&id=2``) has a row for each, at most `what_kernel.MAX_PARTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.records.batch import KINDS, NAMED, Batch
from detector.records.declared import Declared
from detector.records.identity import Identity, IdentityCounts
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.mesh import twins
from detector.records.persons import Persons
from detector.records.places import Places
from detector.records.routes import PLAIN_FACTOR, SLUG_AFTER
from detector.records.sampling import omitted, omitted_by
from detector.records.shape import byte_classes, hex_values, key_table, method_words, small_letters, static_table
from detector.records.texts import Texts

SCRATCH_BYTES = 131_072  # a path and a query, decoded: a line is at most 64 KiB
PRIVATE_ADDRESSES = 64
MEMO_WORDS = 1_280  # 512 words below eight bytes and their hashes, 128 query keys and their classes
WORK_WORDS = 96  # 8 segments and as many ids of six numbers each

_U1, _U8, _I4, _I8 = Array("u1"), Array("u8"), Array("i4"), Array("i8")
_LINES: list[Array | Scalar] = [_U1, _I4, Scalar("i8"), _I8]  # buffer, spans, numbers a line, lines
WHO = Kernel(
    "detector.records.who_kernel:who",
    [
        *_LINES,
        *(_U8, _U1, Array("u8", 2)),  # key, ladder, proxies
        *(Array("u2"), _U1, _U1, _U1),  # tables of `shape`, scratch
        *(_I8, _U8, _I8),  # tallies
        *(_U8, _U8, Array("u4"), _U8, _U1, _U1),  # client, source, network, agent, kind, name
        *(Array("u8", 2), Array("u2"), Array("u8", 2)),  # declared networks, found in them, addresses
        *(_U8, _U1, _U8, _U1, _I8),  # looks
    ],
)
WHAT = Kernel(
    "detector.records.what_kernel:what",
    [
        *_LINES,
        *(Array("u2"), _U8),  # status, key
        *(Array("u2"), _U1, _U1, _U8, _U8, _U8, _U8, _U1, _I8),  # tables of `shape`, memo, scratch, work
        *(_U8, _U1, _U1, _U8, _I4, _I8),  # texts
        *(_U8, _U8, _U1, _U8, _I8, _U1),  # tokens, slug, method, object, number, flags
        *(_I4, _U8, _I8, _I8),  # further objects: row, object, number; how many
    ],
)
WHOSE = Kernel("detector.records.whose_kernel:whose", [*_LINES, _U8, Scalar("i8"), Array("u8", 2)])
METHOD, TARGET, REQUEST_ID, SUBJECT, UPSTREAM, SAMPLE_RATE = 5, 6, 11, 12, 18, 19
"""Of `formats.fields.FIELDS`; after the subject purpose and consent."""
WIDTH = 9  # fields a line that the kernels read of: up to the agent


class Further(NamedTuple):
    """Objects of requests beyond each one's first: int32 row, uint64 object, int64 number, and how many, int64 (1,)."""

    row: npt.NDArray[np.int32]
    object: npt.NDArray[np.uint64]
    number: npt.NDArray[np.int64]
    made: npt.NDArray[np.int64]

    @classmethod
    def of(cls, room: int) -> Further:
        """Room for so many."""
        return cls(np.empty(room, np.int32), np.empty(room, np.uint64), np.empty(room, np.int64), np.zeros(1, np.int64))


class Lines(Protocol):
    """What is read of a `sources.Chunk`."""

    buffer: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.int64]
    origin: int


class Scanned(Protocol):
    """What is read of `formats.Fields`; of its spans ``address`` to ``agent``, and from ``subject`` on."""

    reason: npt.NDArray[np.uint8]
    time_us: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint16]
    bytes_out: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    span: npt.NDArray[np.int32]


class Resolver:
    """Resolves the accepted lines of chunks, in their order.

    Args:
        identity: how clients are told apart.
        key: under which identities and ids are hashed.
        slug_after: as in `Routes`, which must be given the same; it bounds the texts kept.
        declared: partners and crawlers whose rows get the flag DECLARED and their partner's token.
        persons: whose records are whose, where the log does not say it.
        places: networks told by a database instead of by /24.
        sample_rate: share of the requests that get a line, where lines do not say it themselves.

    Attributes:
        texts: what the literals in tokens are called; `Routes` names routes with it.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        key: HashKey = REPLAY_KEY,
        slug_after: int = SLUG_AFTER,
        declared: Declared | None = None,
        persons: Persons | None = None,
        places: Places | None = None,
        sample_rate: float = 1.0,
    ) -> None:
        self._omitted = omitted_by(sample_rate)
        identity = identity or Identity()
        self._persons = persons
        self._places = places
        self._declared = (declared or Declared()).bind(key)
        self._hash_key = key
        self.texts = Texts(PLAIN_FACTOR * slug_after)
        self._key = key.words()
        self._identity = (identity.rungs(), identity.networks())
        self._glyphs = (byte_classes(), small_letters(), hex_values())
        self._words = (key_table(), static_table(), method_words(), np.zeros(MEMO_WORDS, np.uint64))
        self._scratch = np.zeros(SCRATCH_BYTES, np.uint8)
        self._work = np.zeros(WORK_WORDS, np.int64)
        self._counters = np.zeros(16, np.int64)
        self._private = (np.zeros(2 * PRIVATE_ADDRESSES, np.uint64), np.zeros(PRIVATE_ADDRESSES, np.int64))

    def declare(self, declared: Declared) -> None:
        """Other partners and crawlers from the next chunk on."""
        self._declared = declared.bind(self._hash_key)

    @property
    def declared(self) -> Declared:
        """Who is declared at present."""
        return self._declared

    def load(self) -> None:
        """Loads or compiles the kernels ahead of the first chunk."""
        WHO.load()
        WHAT.load()
        WHOSE.load()

    def resolve(self, chunk: Lines, fields: Scanned) -> Batch:
        """One row for each line with reason 0, in line order; `route` is left 0."""
        rows = np.flatnonzero(fields.reason == 0)
        batch = Batch.empty(len(rows))
        every = len(rows) == len(fields.reason)
        pick: Any = slice(None) if every else rows
        batch.time_us[:] = fields.time_us[pick]
        batch.status[:] = fields.status[pick]
        batch.bytes_out[:] = fields.bytes_out[pick]
        batch.rows[:] = fields.rows[pick]
        batch.position[:] = chunk.positions[pick]
        batch.origin[:] = chunk.origin
        batch.requests[:] = 1
        by_network = np.zeros(len(rows), np.uint16)
        addresses = np.zeros((len(rows) if self._places is not None else 0, 2), np.uint64)
        lines = (chunk.buffer, fields.span.reshape(-1), 2 * fields.span.shape[1], rows)
        # As many as there could be; of what is not written to, the machine gives no memory.
        further = Further.of(chunk.buffer.size // 2 + 1)
        with self.texts.lock:  # the judging thread copies them for snapshots
            WHO(
                *(*lines, self._key, *self._identity, *self._glyphs, self._scratch, self._counters, *self._private),
                *(batch.client, batch.source, batch.network, batch.agent, batch.kind, batch.name.reshape(-1)),
                *(self._declared.networks, by_network, addresses, *self.texts.looks.arrays()),
            )
            self._what(lines, batch, further)
        self._note_whose(lines, batch)
        self._note_log(chunk.buffer, fields.span, rows, batch)
        self._declared.mark(batch, by_network)
        if self._places is not None:
            self._places.mark(batch, addresses)
        if further.made[0]:
            batch = _with_further(batch, further)
        if self._persons is not None:
            self._persons.mark(batch)
        return batch

    def _what(self, lines: tuple[Any, ...], batch: Batch, further: Further) -> None:
        """Fills what was asked for; whoever calls holds the lock of the texts."""
        WHAT(
            *(*lines, batch.status, self._key, *self._glyphs, *self._words, self._scratch, self._work),
            *self.texts.arrays(),
            *(batch.tokens.reshape(-1), batch.slug.reshape(-1)),
            *(batch.method, batch.object, batch.number, batch.flags, *further),
        )

    def _note_whose(self, lines: tuple[Any, ...], batch: Batch) -> None:
        """Subject, purpose and consent, where any line has one: few logs do."""
        _, span, width, rows = lines
        lengths = span.reshape(-1, width)[:, 2 * SUBJECT + 1 : 2 * SUBJECT + 6 : 2]
        if not (lengths > 0).any():
            return
        found = np.zeros((3, len(rows)), np.uint64)
        WHOSE(*lines, self._key, SUBJECT, found)
        batch.subject[:], batch.purpose[:], batch.consent[:] = found

    def _note_log(
        self, buffer: npt.NDArray[np.uint8], span: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], batch: Batch
    ) -> None:
        """What lines say of the log itself: how it is sampled, and which of a hop's two proxies wrote them."""
        if (span[:, SAMPLE_RATE, 1] > 0).any():
            batch.omitted[:] = omitted(buffer, span[rows, SAMPLE_RATE], self._omitted)
        else:
            batch.omitted[:] = self._omitted
        if not (span[:, UPSTREAM, 1] > 0).any():
            return
        found = np.zeros((3, len(rows)), np.uint64)
        for place, code in enumerate((REQUEST_ID, METHOD, TARGET)):
            WHOSE(buffer, span.reshape(-1), 2 * span.shape[1], rows, self._key, code, found[place : place + 1])
        batch.twin[:] = twins(buffer, span[rows, UPSTREAM], found)

    def tokens(self, paths: Sequence[str]) -> npt.NDArray[np.uint64]:
        """uint64 (n, DEPTH): the tokens of some paths, as of requests that were answered; their texts are kept."""
        data = [path.encode() for path in paths]
        ends = np.cumsum([len(path) for path in data], dtype=np.int64)
        span = np.zeros((len(data), WIDTH, 2), np.int32)
        span[:, TARGET, 0], span[:, TARGET, 1] = ends - [len(path) for path in data], [len(path) for path in data]
        buffer = np.frombuffer(b"".join(data) + bytes(16), np.uint8).copy()
        batch = Batch.empty(len(data))
        batch.status[:] = 200
        lines = (buffer, span.reshape(-1), 2 * WIDTH, np.arange(len(data)))
        with self.texts.lock:
            self._what(lines, batch, Further.of(0))
        return batch.tokens

    def counts(self) -> IdentityCounts:
        """What was seen of identities so far."""
        words, rows = self._private
        seen = {_address(int(words[2 * i]), int(words[2 * i + 1])): int(n) for i, n in enumerate(rows) if n}
        kinds = [int(n) for n in self._counters[: len(KINDS)]]
        private, forwarded, invalid = (int(n) for n in self._counters[12:15])
        return IdentityCounts(kinds, private, forwarded, invalid, seen)


def _with_further(batch: Batch, found: Further) -> Batch:
    """The batch with a row more for each further object of a request, right behind the first."""
    rows, objects, numbers = (column[: found.made[0]] for column in (found.row, found.object, found.number))
    further = np.bincount(rows, minlength=len(batch))
    whole = batch.take(np.repeat(np.arange(len(batch)), 1 + further))
    first = np.cumsum(1 + further) - 1 - further
    extra = np.ones(len(whole), np.bool_)
    extra[first] = False
    whole.rows[extra | np.isin(np.arange(len(whole)), first[further > 0])] = 1
    whole.object[extra], whole.number[extra] = objects, numbers
    whole.requests[extra], whole.bytes_out[extra] = 0, 0
    named = np.where(numbers < 0, np.uint8(NAMED), np.uint8(0))
    whole.flags[extra] = (whole.flags[extra] & ~np.uint8(NAMED)) | named
    return whole


def _address(hi: int, lo: int) -> str:
    import ipaddress  # 10 ms, at the end of a run

    whole = ipaddress.IPv6Address(hi << 64 | lo)
    return str(whole.ipv4_mapped or ipaddress.IPv6Network((hi << 64, 64)))
