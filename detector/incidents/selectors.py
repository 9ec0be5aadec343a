"""The rule that selects what an incident is about, as plain data: for campaigns, sweeps and accounts.

Keys that restrict nothing are empty, null or false; the others all hold at once.
"""

from __future__ import annotations

from typing import Any

from detector.incidents.account_story import AccountStory
from detector.incidents.book import Book
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.front import Front
from detector.incidents.moments import iso
from detector.incidents.pseudonyms import shown_network
from detector.incidents.story import Story
from detector.incidents.sweep_story import SweepStory
from detector.masking import masked_text

MOST_VALUES = 4096  # agents or networks of a selector told one by one


def selector(story: Story, book: Book) -> dict[str, Any] | None:
    """The rule that selects a story; None where it is told by names alone."""
    if isinstance(story, CampaignStory):
        return _of_campaign(story, book)
    if isinstance(story, AccountStory):
        return _of_accounts(story, book)
    return _of_sweep(story, book) if isinstance(story, SweepStory) else None


def _of_campaign(story: CampaignStory, book: Book) -> dict[str, Any]:
    """Agents and networks are told by their texts as far as those are known, else by ``~`` and their keyed hash."""
    rule = story.rule
    agents = [masked_text(book.agent_name(value)) for value in rule.agents.tolist()]
    networks = [shown_network(book.veil, book.network_name(value)) for value in rule.networks.tolist()]
    route = book.route_name(story.route)
    parts = [route, *_set("agent", agents), *_set("network", networks)]
    parts += ["first seen within a day"] if rule.only_new else []
    return {
        "text": " AND ".join([*parts, *(["one of the clients listed"] if rule.listed else [])]),
        "route": route,
        "agents": agents[:MOST_VALUES],
        "networks": networks[:MOST_VALUES],
        "new_clients": rule.only_new,
        "listed_clients": rule.listed,
        "ids": [],
        "recall": round(rule.recall, 4),
        "benign_share": float(f"{rule.benign_share:.3g}"),
        "precision": round(rule.precision, 4),
        "actionable": story.actionable,
    }


def _of_sweep(story: SweepStory, book: Book) -> dict[str, Any] | None:
    rule = story.rule()
    if rule is None:
        return None
    route = book.route_name(story.route)
    return {
        "text": " AND ".join([route, *([" OR ".join(map(_front, rule.fronts))] if rule.fronts else [])]),
        "route": route,
        "agents": [],
        "networks": [],
        "new_clients": False,
        "listed_clients": False,
        "ids": [_ids(front) for front in rule.fronts],
        "recall": round(rule.recall, 4),
        "benign_share": float(f"{rule.benign_share:.3g}"),
        "precision": round(story.precision(rule, book.ordinary), 4),
        "actionable": rule.actionable,
    }


def _of_accounts(story: AccountStory, book: Book) -> dict[str, Any] | None:
    """The rule that selects accounts as plain data; without a route it speaks of the incident's endpoints.

    ``entries`` are the routes of an account's first request; ``over`` is how many records a day of the route an account
    may have read before it is selected.
    """
    rule = story.rule
    if not rule.literals:
        return None
    agents = [masked_text(book.agent_name(value)) for value in rule.agents.tolist()]
    networks = [shown_network(book.veil, book.network_name(value)) for value in rule.networks.tolist()]
    entries = [book.route_name(value) for value in rule.entries.tolist()]
    route = book.route_name(rule.route) if rule.route else None
    parts = [route] if route else ["accounts"]
    parts += [*_set("first request", entries), *_set("agent", agents), *_set("network", networks)]
    return {
        "text": " AND ".join([*parts, *([f"more than {rule.over:,} records a day"] if rule.over else [])]),
        "route": route,
        "entries": entries[:MOST_VALUES],
        "agents": agents[:MOST_VALUES],
        "networks": networks[:MOST_VALUES],
        "over": rule.over or None,
        "recall": round(rule.recall, 4),
        "benign_share": float(f"{rule.benign_share:.3g}"),
        "actionable": story.actionable,
    }


def _ids(front: Front) -> dict[str, Any]:
    """At ``at`` the ids ``number`` +- ``within``; each second before or after moves the middle by ``per_second`` and
    adds ``widening`` to either side."""
    return {
        "at": iso(front.at_us),
        "number": front.number,
        "per_second": front.per_second,
        "within": front.within,
        "widening": front.widening,
    }


def _front(front: Front) -> str:
    return (
        f"id within {front.within:,} of {front.number:,} {front.per_second:+,.3g} a second since {iso(front.at_us)} "
        f"(and {front.widening:.3g} more a second)"
    )


def _set(name: str, values: list[str]) -> list[str]:
    if not values:
        return []
    return [f"{name} = {values[0]}" if len(values) == 1 else f"{name} in {len(values):,} values"]
