"""A configuration tried before it is relied upon: what has expired, and how much of a log suppressions would match."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector import clock
from detector.config import Config, ReplaySettings
from detector.config_checks import expiry_us
from detector.engines.declaring import hash_key, suppressions
from detector.engines.local import make_resolver, read_settings
from detector.engines.reading import Reader
from detector.incidents.suppression import Suppression
from detector.records.batch import KINDS, Batch
from detector.records.declared import Declared, Partner
from detector.records.keys import HashKey
from detector.records.route_names import names_route
from detector.records.routes import MAX_ROUTES, Routes

WIDE = 0.01
"""Share of the traffic beyond which a suppression hides more than an agreement (issue: warned of above 1 %)."""

MOST_REQUESTS = 2_000_000  # of a sample: three minutes of a busy site; a share of 1 % is known to 0.01 % by then

ADDRESS, ACCOUNT = KINDS.index("address"), KINDS.index("account")


@dataclass(frozen=True)
class Share:
    """How many of the requests of a sample a suppression matches."""

    name: str
    matched: int
    requests: int

    @property
    def is_wide(self) -> bool:
        """Whether it should be warned of."""
        return self.matched > WIDE * self.requests


def expired(config: Config) -> list[str]:
    """What to say of suppressions that no longer hold, by the clock on the wall; a line each."""
    now_us = clock.wall().timestamp() * 1e6
    return [
        f"suppressions[{number}]: expired on {said.expires}: what it kept quiet pages again; renew or delete it"
        for number, said in enumerate(config.suppressions)
        if expiry_us(said.expires) <= now_us
    ]


def shares(config: Config, paths: Sequence[str | Path]) -> list[Share]:
    """How much of a sample log each suppression matches, whatever its pattern: one that names patterns alone matches
    all.

    Raises:
        InputError: the log cannot be read.
    """
    quiet = suppressions(config)
    networks = _Networks(quiet)
    resolver, routes = make_resolver(replace(config, partners=()))
    resolver.declare(networks)
    matchers = [_Matcher(said, number, hash_key(config)) for number, said in enumerate(quiet, 1)]
    matched, total = np.zeros(len(quiet), np.int64), 0
    for released in Reader(paths, read_settings(ReplaySettings(config)), resolver):
        batch = released.batch
        routes.assign(batch)
        total += int(batch.requests.sum())
        for place, matcher in enumerate(matchers):
            matched[place] += int(batch.requests[matcher.rows(batch, networks, routes)].sum())
        if total >= MOST_REQUESTS:
            break
    return [Share(said.name, int(n), total) for said, n in zip(quiet, matched, strict=True)]


class _Networks(Declared):
    """Marks nobody as declared, but says in ``partner`` in which network a row's address lies."""

    def __init__(self, quiet: Sequence[Suppression]) -> None:
        super().__init__([Partner(str(n), networks=_addresses(said)) for n, said in enumerate(quiet)])

    def mark(self, batch: Batch, by_network: npt.NDArray[np.uint16]) -> None:
        """Keeps the place of the network."""
        batch.partner[:] = by_network

    def holds(self, batch: Batch, number: int) -> npt.NDArray[np.bool_]:
        """Rows of clients told by their address that lie in the networks of one suppression, counted from 1."""
        found: npt.NDArray[np.bool_] = self._inside[batch.partner, number] & (batch.kind == ADDRESS)
        return found


def _addresses(said: Suppression) -> tuple[str, ...]:
    """Networks, and clients that are addresses; where it names none, none."""
    return (*said.networks, *(name for name in sorted(said.clients) if _is_network(name))) or ("255.255.255.255/32",)


def _is_network(name: str) -> bool:
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
    return True


class _Matcher:
    """One suppression against rows."""

    def __init__(self, said: Suppression, number: int, key: HashKey) -> None:
        self.said, self.number = said, number
        account = Partner(accounts=tuple(said.accounts)).clients(key)
        named = [name for name in said.clients if not _is_network(name)]
        hidden = [name for name in named if name[:4] in ("key~", "sid~")]
        clients = Partner(accounts=tuple(n for n in named if n not in hidden)).clients(key)
        clients += [int(name[4:], 16) for name in hidden if set(name[4:]) <= set("0123456789abcdef") and name[4:]]
        self._accounts, self._clients = np.array(account, np.uint64), np.array(clients, np.uint64)
        self._agents = np.array(sorted(said.agents), np.uint64)
        self._routes = np.zeros(MAX_ROUTES + 1, np.bool_)
        self._known = 0

    def rows(self, batch: Batch, networks: _Networks, routes: Routes) -> npt.NDArray[np.bool_]:
        """Which rows it matches."""
        said = self.said
        found = np.ones(len(batch), np.bool_)
        if said.clients:
            found &= np.isin(batch.client, self._clients) | networks.holds(batch, self.number)
        if said.accounts:
            found &= np.isin(batch.client, self._accounts)
        if said.networks:
            found &= networks.holds(batch, self.number)
        if said.agents:
            found &= np.isin(batch.agent, self._agents)
        if said.routes:
            for route in range(self._known + 1, len(routes) + 1):
                self._routes[route] = any(names_route(text, routes.name(route)) for text in said.routes)
            self._known = len(routes)
            found &= self._routes[batch.route]
        return found
