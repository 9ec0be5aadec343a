"""What really happened in a simulated log: written beside it, read back to judge what was found.

The attacker's requests are kept one by one, as columns, so that whoever judges can say exactly how many records were
gone at any second. A column is the base64 of the zlib of its little-endian int64 differences.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from detector.errors import InputError
from detector.simulate.site import RETURNED
from detector.simulate.traffic import Actors, Ints, Traffic

VERSION = 1
_PAGES = 100_000  # more pages than any list here has: number * _PAGES + page tells records apart
_MAX_RANGES = 1000  # ranges of ids written for people; the columns hold them all
_CURVE_POINTS = 100


@dataclass(frozen=True)
class Attack:
    """The attacker's requests in log order, n rows.

    Attributes:
        route: method and path template of what was read.
        clients: the identities as the log names them, most requests first.
        second: int64 (n,), log stamps, seconds since 1970 UTC.
        client: int64 (n,), index into ``clients``.
        record: int64 (n,), the id read (on a list route id * 100,000 + page; where several routes are read, anything
            that tells records apart), -1 where nothing was returned.
        routes: templates of all that was read, where that is more than ``route``.
        count: int64 (n,), how many records each ``record`` stands for (a page of many); None = one.
    """

    route: str
    clients: list[str]
    second: Ints
    client: Ints
    record: Ints
    routes: tuple[str, ...] = ()
    count: Ints | None = None

    def records_by(self, second: int) -> int:
        """Distinct records returned by the end of that second (a whole second: stamps are no finer)."""
        return self._distinct(int(np.searchsorted(self.second, second, "right")))

    @property
    def records(self) -> int:
        """Distinct records returned in all."""
        return self._distinct(len(self.record))

    def _distinct(self, rows: int) -> int:
        found, first = np.unique(self.record[:rows], return_index=True)
        first = first[found >= 0]
        return len(first) if self.count is None else int(self.count[first].sum())


@dataclass(frozen=True)
class Truth:
    """One log's truth.

    Attributes:
        pattern, form, seed, command: how the log was made.
        start, end: first moment of the log, and the first after it, ISO 8601 UTC.
        ordinary: requests of everybody else by client name.
        declared: partners and crawlers their owner knows of.
        attack: what the attacker did; None = nobody attacks.
        breaches: of P14, what each party did that nobody agreed to: party, class, findings, reads, persons, when.
        honest: of P14, the parties that kept to what was agreed, and what they read.
    """

    pattern: str
    form: str
    seed: int
    command: str
    start: str
    end: str
    ordinary: dict[str, int]
    declared: list[dict[str, Any]] = field(default_factory=list)
    attack: Attack | None = None
    breaches: list[dict[str, Any]] = field(default_factory=list)
    honest: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The truth as plain data, ready for JSON."""
        return {
            "version": VERSION,
            "pattern": self.pattern,
            "form": self.form,
            "seed": self.seed,
            "command": self.command,
            "log": {"start": self.start, "end": self.end},
            "ordinary": {
                "requests": sum(self.ordinary.values()),
                "clients": len(self.ordinary),
                "requests_by_client": _pack_names(self.ordinary),
            },
            "declared": self.declared,
            "attack": None if self.attack is None else _attack_document(self.attack),
            **({"breaches": self.breaches} if self.breaches else {}),
            **({"honest": self.honest} if self.honest else {}),
        }

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Truth:
        """The truth of a parsed document.

        Raises:
            InputError: it is no truth of this version, or damaged.
        """
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise InputError(f"not a truth of `detector simulate` (its version must be {VERSION})")
        try:
            return cls(
                pattern=document["pattern"],
                form=document["form"],
                seed=document["seed"],
                command=document["command"],
                start=document["log"]["start"],
                end=document["log"]["end"],
                ordinary=_unpack_names(document["ordinary"]["requests_by_client"]),
                declared=document["declared"],
                attack=_parse_attack(document["attack"]),
                breaches=list(document.get("breaches", ())),
                honest=list(document.get("honest", ())),
            )
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise InputError(f"the truth is damaged: {type(error).__name__} {error}") from error

    def write(self, path: Path) -> None:
        """Writes it as JSON, one key a line at the top level."""
        path.write_text(json.dumps(self.document(), indent=1, ensure_ascii=True) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Reads what `write` wrote.

        Raises:
            InputError: no such file, not JSON, or no truth.
        """
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{path}: not JSON: {error}") from error
        return cls.parse(document)


def observe(traffic: Traffic, actors: Actors, routes: list[str]) -> tuple[dict[str, int], Attack | None]:
    """Requests of the ordinary clients by name, and the attack, of a traffic in log order.

    Args:
        traffic: ordered by time.
        actors: who its rows speak of.
        routes: template of each form.
    """
    counts = np.bincount(traffic.actor[~traffic.attack], minlength=len(actors))
    ordinary: dict[str, int] = {}
    for row in np.flatnonzero(counts).tolist():
        name = actors.name(row)
        ordinary[name] = ordinary.get(name, 0) + int(counts[row])
    theirs = traffic.take(traffic.attack)
    if not len(theirs):
        return ordinary, None
    rows, first, requests = np.unique(theirs.actor, return_inverse=True, return_counts=True)
    order = np.argsort(-requests, kind="stable")
    rank = np.argsort(order)
    key = np.where(theirs.page < 0, theirs.number, theirs.number * _PAGES + theirs.page)
    attack = Attack(
        routes[int(theirs.form[0])],
        [actors.name(row) for row in rows[order].tolist()],
        theirs.time_us // 1_000_000,
        rank[first].astype(np.int64),
        np.where(theirs.status == RETURNED, key, -1),
    )
    return ordinary, attack


def iso(second: float) -> str:
    """Seconds since 1970 as ISO 8601 UTC."""
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


def _attack_document(attack: Attack) -> dict[str, Any]:
    _, first = np.unique(attack.record, return_index=True)
    fresh = np.zeros(len(attack.record), np.int64)
    fresh[first] = 1 if attack.count is None else attack.count[first]
    fresh[attack.record < 0] = 0
    gone = np.cumsum(fresh)
    shown = np.unique(np.linspace(0, len(gone) - 1, _CURVE_POINTS).astype(np.int64))
    return {
        "route": attack.route,
        "start": iso(int(attack.second[0])),
        "end": iso(int(attack.second[-1])),
        "requests": len(attack.second),
        "records": attack.records,
        "clients": attack.clients,
        "records_by_seconds_since_start": [
            [int(attack.second[i] - attack.second[0]), int(gone[i])] for i in shown.tolist()
        ],
        "record_ranges": _ranges(attack.record),
        **({"routes": list(attack.routes)} if len(attack.routes) > 1 else {}),
        "columns": {
            "second": _pack(attack.second),
            "client": _pack(attack.client),
            "record": _pack(attack.record),
            **({} if attack.count is None else {"count": _pack(attack.count)}),
        },
    }


def _parse_attack(document: dict[str, Any] | None) -> Attack | None:
    if document is None:
        return None
    columns = [_unpack(document["columns"][name]) for name in ("second", "client", "record")]
    if len({len(column) for column in columns}) != 1 or len(columns[0]) == 0:
        raise ValueError("columns of different lengths, or empty")
    many = document["columns"].get("count")
    count = None if many is None else _unpack(many)
    second, client, record = columns
    routes = tuple(document.get("routes", ()))
    return Attack(document["route"], list(document["clients"]), second, client, record, routes, count)


def _ranges(record: Ints) -> list[list[int]]:
    """First and last of the runs of consecutive records, at most 1,000 of them, lowest first."""
    ids = np.unique(record[record >= 0])
    if not len(ids):
        return []
    breaks = np.flatnonzero(np.diff(ids) != 1)
    firsts = np.concatenate([[0], breaks + 1])[:_MAX_RANGES]
    lasts = np.concatenate([breaks, [len(ids) - 1]])[:_MAX_RANGES]
    return np.stack([ids[firsts], ids[lasts]], axis=1).tolist()  # type: ignore[no-any-return]


def _pack(column: Ints) -> str:
    steps = np.diff(column, prepend=np.int64(0)).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")


def _unpack(text: str) -> Ints:
    return np.cumsum(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8"))


def _pack_names(counts: dict[str, int]) -> str:
    lines = "".join(f"{name} {count}\n" for name, count in sorted(counts.items()))
    return base64.b64encode(zlib.compress(lines.encode("ascii"), 9)).decode("ascii")


def _unpack_names(text: str) -> dict[str, int]:
    lines = zlib.decompress(base64.b64decode(text)).decode("ascii").split("\n")
    pairs = (line.rsplit(" ", 1) for line in lines if line)
    return {name: int(count) for name, count in pairs}
