"""Whom an incident speaks of: its list of names or its selector, on the requests that were really made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evaluate.observed import Mask
from detector.evaluate.selector import LISTED, Seen, Selecting
from detector.pipeline import Pipeline
from detector.records.batch import NAME_BYTES
from detector.simulate import DECLARED
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import NAMED_ACCOUNTS

Keys = npt.NDArray[np.uint64]
Record = dict[str, Any]

_BY_SOURCE = ("address", "network")  # kinds of names that may stand for accounts behind them


class Census:
    """Knows every client of a run by name.

    Args:
        pipeline: at the end of the run.
        columns: what made the batches.
        agents: texts of the world's agents.
    """

    def __init__(self, pipeline: Pipeline, columns: Columns, agents: list[str]) -> None:
        state = pipeline.state
        keys = state.in_use["key"]
        order = np.argsort(keys)
        self._keys: Keys = keys[order]
        self._first_us = state.in_use["first_us"][order]
        self._entry = state.in_use["entry"][order]
        names = np.ascontiguousarray(state.names[: len(keys)]).view(f"S{NAME_BYTES}")[:, 0]
        by_name = np.argsort(names)
        self._names, self._named = names[by_name], keys[by_name]
        self._partners = _partners(columns)
        routes = {pipeline.routes.name(route): route for route in range(1, len(pipeline.routes) + 1)}
        self._selecting = Selecting(columns, agents, routes, self.first_us, self.entry)

    def first_us(self, keys: Keys) -> npt.NDArray[np.int64]:
        """When clients were first seen; never (the far future) where they are not among those held."""
        if not len(self._keys):
            return np.full(len(keys), np.iinfo(np.int64).max)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._first_us[at], np.iinfo(np.int64).max)

    def entry(self, keys: Keys) -> npt.NDArray[np.int64]:
        """The routes of clients' first requests; 0 where they are not among those held."""
        if not len(self._keys):
            return np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._entry[at], 0).astype(np.int64)

    def keys(self, names: list[str]) -> Keys:
        """Hashes of clients by their printable names; a partner goes by its accounts."""
        partners = [key for name in names for key in self._partners.get(name, ())]
        wanted = np.array([name.encode("ascii", "backslashreplace") for name in names], f"S{NAME_BYTES}")
        if not len(self._names):
            return np.array(partners, np.uint64)
        at = np.minimum(np.searchsorted(self._names, wanted), len(self._names) - 1)
        return np.concatenate([self._named[at[self._names[at] == wanted]], np.array(partners, np.uint64)])

    def listed(self, incident: Record, seen: Seen) -> Mask:
        """Which requests the clients an incident lists have made.

        An address that is named is a client, and what accounts do behind it is not its doing; but where the attacker
        is signed in behind the addresses named (forged tokens), they stand for all that comes from there.
        """
        keys = self.keys(incident["clients"])
        mask = np.isin(seen["client"], keys)
        theirs = seen["actor"] >= 0
        if incident["client_kind"] in _BY_SOURCE and theirs.any() and not mask[theirs].any():
            mask |= np.isin(seen["source"], keys)
        return mask

    def selected(self, incident: Record, seen: Seen) -> Mask:
        """Which requests its selector selects; none without one."""
        if not incident["selector"]:
            return np.zeros(len(seen), np.bool_)
        mask = self._selecting.mask(incident["selector"], incident["endpoints"], seen)
        return mask & self.listed(incident, seen) if incident["selector"].get(LISTED) else mask


def _partners(columns: Columns) -> dict[str, list[int]]:
    """Client hashes of the declared partners' accounts, by the partner's name and by the account's."""
    found: dict[str, list[int]] = {}
    for partner in DECLARED:
        accounts = [a for a in partner["match"].get("accounts", ()) if a in NAMED_ACCOUNTS]
        who = np.array([-1 - NAMED_ACCOUNTS.index(a) for a in accounts], np.int64)
        keys, _ = columns.clients(np.zeros(len(who), np.uint64), who)
        found.update({str(name): keys.tolist() for name in (partner["name"], *accounts)})
    return found
