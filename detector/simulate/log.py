"""A streamed log as text, written tile by tile, with the same truth as a small one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.simulate.catalogue import DECLARED
from detector.simulate.columns.fill import as_counted
from detector.simulate.columns.rows import KEYS, NAMED_ACCOUNTS, Ints, Rows
from detector.simulate.ledger import Ledger
from detector.simulate.play import Play
from detector.simulate.site import FORMS
from detector.simulate.text import Writer, write
from detector.simulate.traffic import Actors, Traffic
from detector.simulate.truth import Attack, Truth, iso

_TEXT_ROWS = 65_536
_LISTED = np.array([bool(form.between) for form in FORMS.values()])


@dataclass
class StreamedLog:
    """A log whose traffic is made while it is written; its truth is known afterwards.

    Attributes:
        play: what happens.
        pattern: for the truth.
        layout: the log format to write.
        requests: lines written so far.
    """

    play: Play
    pattern: str
    layout: str
    requests: int = 0
    _ordinary: Counter[str] = field(default_factory=Counter)
    _ledgers: list[Ledger] = field(default_factory=list)

    def blocks(self) -> Iterator[bytes]:
        """The lines in log order; can be read once where somebody attacks."""
        yield Writer(Actors(), self.layout).heading
        for tile in self.play.rows():
            self._ledgers.append(Ledger.of(tile))
            rows = as_counted(tile)
            for first in range(0, len(rows), _TEXT_ROWS):
                part = rows[first : first + _TEXT_ROWS]
                traffic, actors, who = as_traffic(part, self.play.world.agents)
                self._count(actors, who[part["actor"] < 0])
                self.requests += len(part)
                yield Writer(actors, self.layout).text(traffic)

    def _count(self, actors: Actors, who: Ints) -> None:
        counts = np.bincount(who, minlength=len(actors))
        for row in np.flatnonzero(counts).tolist():
            self._ordinary[actors.name(row)] += int(counts[row])

    def text(self) -> bytes:
        """The log as bytes."""
        return b"".join(self.blocks())

    def write(self, path: Path) -> int:
        """Writes the log (compressed where the name ends in ``.gz``); returns the bytes of text.

        Raises:
            OSError: the file cannot be written.
        """
        return write(path, self.blocks())

    @property
    def truth(self) -> Truth:
        """What really happened in the lines written so far."""
        o = self.play.world.options
        return Truth(
            self.pattern,
            o.form,
            o.seed,
            o.command,
            iso(o.start_us / 1e6),
            iso(o.end_us / 1e6),
            dict(self._ordinary),
            list(DECLARED),
            self._attack(),
        )

    def _attack(self) -> Attack | None:
        ledger = Ledger.joined(self._ledgers)
        if self.play.scene is None or not len(ledger):
            return None
        cast = self.play.scene.cast
        actors, row_of = _identities(cast.address, cast.who, cast.agent, self.play.world.agents)
        names = [actors.name(row) for row in row_of.tolist()]
        known: dict[str, int] = {}
        index = np.array([known.setdefault(name, len(known)) for name in names], np.int64)
        client = index[ledger.actor]
        counts = np.bincount(client, minlength=len(known))
        order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        rank = np.empty(len(known), np.int64)
        rank[order] = np.arange(len(order))
        clients = list(known)
        record = np.where(ledger.decoy, -1, ledger.record)
        routes = ledger.routes or [FORMS[self.play.scene.variant.form].route]
        second = ledger.time_us // 1_000_000
        count = ledger.count if (ledger.count > 1).any() else None
        return Attack(
            routes[0], [clients[k] for k in order.tolist()], second, rank[client], record, tuple(routes), count
        )


def as_traffic(rows: Rows, agents: list[str]) -> tuple[Traffic, Actors, Ints]:
    """Rows as what `text.Writer` takes: traffic, who makes it, and the row of `Actors` of each."""
    actors, who = _identities(rows["address"], rows["who"], rows["agent"].astype(np.int64), agents)
    page = np.where(_LISTED[rows["form"]], rows["page"], -1)
    traffic = Traffic.of(
        rows["time_us"],
        actor=who,
        form=rows["form"],
        number=rows["number"],
        page=page,
        status=rows["status"],
        size=rows["size"],
        referer=rows["referer"],
        attack=rows["actor"] >= 0,
    )
    return traffic, actors, who


def _identities(address: npt.NDArray[np.uint64], who: Ints, agent: Ints, agents: list[str]) -> tuple[Actors, Ints]:
    """Everybody once, as text, and the row of each identity given."""
    key = np.empty(len(who), [("address", "u8"), ("who", "i8"), ("agent", "i8")])
    key["address"], key["who"], key["agent"] = address, who, agent
    found, row = np.unique(key, return_inverse=True)
    actors = Actors()
    actors.add(
        [address_text(a) for a in found["address"].tolist()],
        [_account(w) for w in found["who"].tolist()],
        [agents[a] for a in found["agent"].tolist()],
    )
    return actors, row.astype(np.int64)


def address_text(address: int) -> str:
    """An address of `columns.rows.ROW` as a log writes it."""
    if address < 1 << 32:
        return str(IPv4Address(address))
    host = (address * 0x9E3779B97F4A7C15 % (1 << 64)) | 0x1000_1000_1000_1000  # no zeros for short text to leave out
    return str(IPv6Address(address << 64 | host))


def _account(who: int) -> str:
    if who == 0:
        return "-"
    if who < 0:
        return NAMED_ACCOUNTS[-who - 1]
    return f"user{who}" if who < KEYS else f"app{who - KEYS}"
