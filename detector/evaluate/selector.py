"""A selector's conditions, applied to requests that were really made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.config import parse_moment
from detector.errors import DetectorError
from detector.evaluate.observed import Mask
from detector.incidents.front import Front
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import rows_of

Seen = npt.NDArray[Any]

LISTED = "listed_clients"  # only the clients the incident lists: for who knows them, see `named.Census.selected`
NEW_US = 86_400_000_000  # a client is new for a day of log time after it was first seen
_FIGURES = ("recall", "benign_share", "text", "precision", "actionable", LISTED)
_FIELDS = {  # by the singular of what a selector says
    "endpoint": "route",
    "new_client": "new",
    "cohort": "new",
    "entrie": "entry",
}


@dataclass(frozen=True)
class Conjunct:
    """One condition: a field of the request and the texts it may have, or fronts of ids."""

    field: str
    values: tuple[str, ...]
    fronts: tuple[Front, ...] = ()


def conjuncts(selector: dict[str, Any]) -> list[Conjunct]:
    """The conditions of a selector: keys with a text, a list of texts, fronts of ids or true; plural keys mean the
    same as singular ones. Its figures, empty lists, null and false restrict nothing and are left out.
    """
    return [
        _conjunct(_field(key), value)
        for key, value in selector.items()
        if key not in _FIGURES and value not in (None, False, "", [], ())
    ]


def _conjunct(field: str, value: Any) -> Conjunct:
    if field == "id":
        return Conjunct(field, (), tuple(_fronts(value)))
    return Conjunct(field, tuple(str(v) for v in value) if isinstance(value, list | tuple) else (str(value),))


def _fronts(ids: Any) -> Iterator[Front]:
    """The fronts of ids a selector tells; what cannot be read as one selects nothing."""
    for told in ids if isinstance(ids, list | tuple) else ():
        try:
            numbers = (int(told["number"]), float(told["per_second"]), int(told["within"]), float(told["widening"]))
            yield Front(parse_moment(told["at"], "ids"), *numbers)
        except (KeyError, TypeError, ValueError, DetectorError):
            continue


def _field(key: str) -> str:
    singular = key.removesuffix("s")
    return _FIELDS.get(singular, singular)


class Selecting:
    """Applies selectors to the requests of one run.

    Args:
        columns: what made the batches, for the hashes of agents and networks.
        agents: texts of the world's agents, in their order.
        routes: number of each route by its name.
        first_us: tells when clients (by hash) were first seen.
        entry: tells the routes of their first requests.
    """

    def __init__(
        self,
        columns: Columns,
        agents: list[str],
        routes: dict[str, int],
        first_us: Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.int64]],
        entry: Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.int64]] | None = None,
    ) -> None:
        self._columns = columns
        self._routes = routes
        self._first_us = first_us
        self._entry = entry
        asked = rows_of(np.zeros(len(agents), np.int64), agent=np.arange(len(agents)))
        self._agents = dict(zip(agents, columns.hashes(asked).agent.tolist(), strict=True))

    def mask(self, selector: dict[str, Any], endpoints: Sequence[str], seen: Seen) -> Mask:
        """Which requests (dtype SEEN) a selector selects; without a route it means its incident's ``endpoints``.

        A condition that cannot be looked at here selects nothing: no figure may look better than it is.
        """
        parts = conjuncts(selector)
        if not any(part.field == "route" for part in parts):
            parts = [*parts, Conjunct("route", tuple(endpoints))]
        mask = np.ones(len(seen), np.bool_)
        for part in parts:
            mask &= self._holds(part, seen)
        return mask

    def _holds(self, part: Conjunct, seen: Seen) -> Mask:
        if part.field == "route":
            return np.isin(seen["route"], [self._routes[name] for name in part.values if name in self._routes])
        if part.field == "entry" and self._entry is not None:
            return np.isin(self._entry(seen["client"]), [self._routes[n] for n in part.values if n in self._routes])
        if part.field == "over":
            return np.asarray(seen["nth"] > int(part.values[0]))
        if part.field == "agent":
            return np.isin(seen["agent"], _keys([_hash(self._agents, value) for value in part.values]))
        if part.field == "network":
            return np.isin(seen["network"], self._networks(part.values).astype(np.uint32))
        if part.field == "id" and part.fronts:
            at_one = [front.covers(seen["time_us"], seen["number"]) for front in part.fronts]
            return np.asarray(np.any(at_one, axis=0))
        if part.field == "new":
            return np.asarray(seen["time_us"] - self._first_us(seen["client"]) < NEW_US)
        return np.zeros(len(seen), np.bool_)

    def _networks(self, texts: Sequence[str]) -> npt.NDArray[np.uint64]:
        """Hashes of networks: as the log's addresses are hashed, or as hexadecimal digits where no text was known."""
        known: dict[str, int] = {}
        for text in texts:
            try:
                network = ip_network(text, strict=False)
            except ValueError:
                continue
            first = int(network.network_address)
            row = rows_of(np.zeros(1, np.int64), address=np.uint64(first if network.version == 4 else first >> 64))
            known[text] = int(self._columns.hashes(row).network[0])
        return _keys([_hash(known, text) for text in texts])


def _keys(values: list[int]) -> npt.NDArray[np.uint64]:
    return np.array(values, np.uint64)


def _hash(known: dict[str, int], text: str) -> int:
    """What a text stands for; where none was known, a selector says ``~`` and the hash in hexadecimal digits."""
    if text in known:
        return known[text]
    try:
        return int(text.removeprefix("~"), 16) % (1 << 64)
    except ValueError:
        return 0
