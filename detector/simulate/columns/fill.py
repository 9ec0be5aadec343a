"""Rows as a `Batch`: what formats and the resolver would give for the same log, without writing and reading text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.formats.fields import FIELD, Fields
from detector.records.batch import DECLARED, NAME_BYTES, Batch
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.resolve import Resolver
from detector.records.shape import NUMBER
from detector.simulate.columns.rows import NAMED_ACCOUNTS, ROW, Rows, rows_of
from detector.simulate.site import CODE, FORMS, TEXTS, Form

READS = ("none", "number", "listed", "page", "email", "tag")
"""What the object of a form is: nothing, its number, number and page, its page alone, an e-mail address, a tag."""

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TEXTS = np.frombuffer(_ALPHABET + b"userapp" + b"@mail.example", np.uint8).copy()

_U1, _U2, _U4, _U8, _I4, _I8 = (Array(code) for code in ("u1", "u2", "u4", "u8", "i4", "i8"))
FILL = Kernel(
    "detector.simulate.columns.fill_kernel:fill",
    [
        *(Array(ROW), _U8, _I8, _U1, _U1, Array("u8", 2), Array("u8", 2), _I8, _U8, _U1, Array("u1", 2), _U1),
        *(Scalar("i8"), _I8, _U8, _U8, _U4, _U8, _U1, _U1, _U8, _U8, _U1, _U8, _I8, _I4),
        *(_U2, _I8, _U1, _U1),
    ],
)


@dataclass
class _Line:
    """What the resolver reads of a chunk."""

    buffer: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.int64]
    origin: int = 0


class Columns:
    """Turns rows into batches.

    Args:
        agents: texts of the user agents the rows' ``agent`` names (`World.agents`).
        resolver: the one whose ``texts`` and key `Routes` shares; each form is resolved through it once, so that
            routes have names. Default: a new one. Whom it declares is declared here; without, the rows' own mark
            counts, which says nothing of partners.
        key: the resolver's.
        with_rows: whether the log says how many records an answer holds; without, every row counts one.
        listed: whether the log lists the objects of a batched request; without, such a request is one row without
            object.
    """

    def __init__(
        self,
        agents: list[str],
        resolver: Resolver | None = None,
        key: HashKey = REPLAY_KEY,
        with_rows: bool = True,
        listed: bool = True,
    ) -> None:
        self.resolver = resolver or Resolver(key=key)
        self._key = key.words()
        self._with_rows = with_rows
        self._listed = listed
        self._position = 0
        self._agents = np.array([_of_agent(self.resolver, agent) for agent in agents], np.uint64)
        named = [np.frombuffer(name.encode().ljust(NAME_BYTES, b"\0"), np.uint8) for name in NAMED_ACCOUNTS]
        self._texts = (_TEXTS, np.array(named, np.uint8), np.zeros(64, np.uint8))
        self._forms = _tables(self.resolver)

    def load(self) -> None:
        """Loads or compiles the kernel ahead of the first batch."""
        FILL.load()

    def shown(self, rows: Rows) -> Rows:
        """The rows of which the log has a line: all, or one a request where it does not list what a batch asks for."""
        return rows if self._listed else as_counted(rows)

    def batch(self, rows: Rows) -> Batch:
        """Rows that were `shown` as they would be resolved; ``route`` is left 0, positions count on."""
        rows = np.ascontiguousarray(rows)
        b = Batch.empty(len(rows))
        FILL(
            *(rows, self._key, *self._forms, self._agents, *self._texts, int(self._with_rows)),
            *(b.time_us, b.client, b.source, b.network, b.agent, b.kind, b.name.reshape(-1)),
            *(b.tokens.reshape(-1), b.slug.reshape(-1), b.method, b.object, b.number, b.rows),
            *(b.status, b.bytes_out, b.requests, b.flags),
        )
        b.position[:] = np.arange(self._position, self._position + len(rows))
        self._position += len(rows)
        if self.resolver.declared.partners:
            b.flags &= ~np.uint8(DECLARED)
            self.resolver.declared.mark(b, self.resolver.declared.places(rows["address"]))
        return b

    def hashes(self, rows: Rows) -> Batch:
        """The same without counting positions on: for looking up what somebody's hash is."""
        position = self._position
        batch = self.batch(rows)
        self._position = position
        return batch

    def clients(
        self, address: npt.NDArray[np.uint64], who: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint64], list[str]]:
        """Client hashes and printable names of identities, in their order."""
        batch = self.hashes(rows_of(np.zeros(len(who), np.int64), address=address, who=who))
        return batch.client, [bytes(name).rstrip(b"\0").decode("ascii") for name in batch.name]


def as_counted(rows: Rows) -> Rows:
    """The rows of a log that does not list the objects of batched requests: one a request, its object unknown."""
    whole = rows["requests"] == 1
    kept = rows if whole.all() else rows[whole]
    many = kept["batch"] > 1
    if many.any():
        kept = kept.copy()
        kept["number"][many] = -1
        kept["form"][many] = CODE["discover_batch"]
        kept["status"][many] = 200
        kept["batch"][many] = 1
    return kept


def _of_agent(resolver: Resolver, agent: str) -> int:
    return int(_resolved(resolver, {"agent": agent.encode("ascii"), "target": b"/"}).agent[0])


def _tables(resolver: Resolver) -> tuple[npt.NDArray[Any], ...]:
    """What depends on the form alone: object, flags, method, tokens, slugs, and where the number stands in the path."""
    count = len(FORMS)
    reads, places = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    flags, methods = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    tokens, slugs = np.zeros((count, 8), np.uint64), np.zeros((count, 8), np.uint64)
    for code, form in enumerate(FORMS.values()):
        seen = _resolved(resolver, {"method": form.method.encode(), "target": _example(form).encode()})
        reads[code] = READS.index(form.reads)
        flags[code], methods[code] = seen.flags[0], seen.method[0]
        tokens[code], slugs[code] = seen.tokens[0], seen.slug[0]
        place = np.flatnonzero(tokens[code] == NUMBER)
        places[code] = place[0] if len(place) else -1
    return reads, flags, methods, tokens, slugs, places


def _example(form: Form) -> str:
    number = {"none": "7" if form.after or form.before.endswith("+") else "", **TEXTS_OF_SEVEN}.get(form.reads, "7")
    page = "3" if form.between else ""
    return f"{form.before}{number}{form.between}{page}{form.after}"


TEXTS_OF_SEVEN = {kind: make(7) for kind, make in TEXTS.items()}


def _resolved(resolver: Resolver, request: dict[str, bytes]) -> Batch:
    """One request through the resolver."""
    text = b"".join(request.values())
    fields = Fields.empty(1)
    place = 0
    for name, value in request.items():
        fields.span[0, FIELD[name]] = place, len(value)
        place += len(value)
    fields.status[0] = 200
    line = _Line(np.frombuffer(text.ljust(32, b"\0"), np.uint8).copy(), np.zeros(1, np.int64))
    return resolver.resolve(line, fields)
