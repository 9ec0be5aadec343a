"""Incidents somebody has looked into and answers for: judged and counted as ever, told as suppressed, never paged."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.incidents.story import Story
from detector.records.batch import KINDS
from detector.records.route_names import names_route

ACCOUNT, ADDRESS = KINDS.index("account"), KINDS.index("address")
NAME_BYTES = 64  # of `Suppression.name` kept in snapshots


@dataclass(frozen=True)
class Suppression:
    """What is kept quiet, until when. Every kind of match that is named must hold, by any of its values.

    Attributes:
        name: what incidents say in ``suppressed_by``, printable ASCII, at most 64 bytes.
        until_us: log time from which it no longer holds.
        clients: as incidents name them, whatever kind they are; ``accounts``: accounts alone.
        networks: CIDR or addresses; of clients that are told by their address.
        agents: keyed hashes of user agents.
        routes: templates (`records.templates`).
        patterns: of the closed list.
    """

    name: str
    until_us: int
    clients: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    agents: frozenset[int] = frozenset()
    routes: tuple[str, ...] = ()
    patterns: frozenset[str] = frozenset()

    def holds(self, story: Story, route_name: Callable[[int], str]) -> bool:
        """Whether it speaks of all of a story: each of its clients, agents and routes, and its newest evidence."""
        if story.last_us >= self.until_us or (self.patterns and story.pattern not in self.patterns):
            return False
        if self.routes and not self._all_routes(story, route_name):
            return False
        story.settled()
        if self.agents and not (story.trail.agents and set(story.trail.agents) <= self.agents):
            return False
        return not (self.clients or self.accounts or self.networks) or self._all_members(story)

    def _all_routes(self, story: Story, route_name: Callable[[int], str]) -> bool:
        names = {route_name(route) for route in {story.route, *story.routes}}
        return all(any(names_route(said, name) for said in self.routes) for name in names)

    def _all_members(self, story: Story) -> bool:
        members = story.members.values()
        networks = [ipaddress.ip_network(text, strict=False) for text in self.networks]
        return bool(members) and all(
            (not self.clients or m.name in self.clients)
            and (not self.accounts or (m.kind == ACCOUNT and m.name in self.accounts))
            and (not networks or (m.kind == ADDRESS and _lies_in(m.name, networks)))
            for m in members
        )


def _lies_in(name: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address, or the /64 an IPv6 client is told by, lies in one of the networks."""
    try:
        inside = ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False  # a host name
    return any(n.version == inside.version and inside.subnet_of(n) for n in networks)  # type: ignore[arg-type]


def suppressed_by(story: Story, suppressions: Sequence[Suppression], route_name: Callable[[int], str]) -> str:
    """The name of the first suppression that holds; empty = none does."""
    return next((s.name for s in suppressions if s.holds(story, route_name)), "")
