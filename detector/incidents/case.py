"""What stands behind an incident, as plain data: its case.

Texts of clients leave here masked; a request is told by its route and number, for a path may name a person and a query
string what nobody should see.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.book import Book
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.exposure import unsampled
from detector.incidents.limits import limits, ordinary_clients
from detector.incidents.moments import iso, isos
from detector.incidents.pseudonyms import shown_client, shown_network
from detector.incidents.records import first_readings
from detector.incidents.story import Member, Story
from detector.masking import MASK, is_secret, masked_text
from detector.packing import raw
from detector.records.batch import KINDS

SHARES = 20  # agents and networks told one by one
STEPS = 120  # of the curve of records exposed: more than a plot's width shows
POSITIONS = 1000  # of the first reads; more would be the log itself
LAYOUT = 2  # of a case; what has none was written by 0.1


def case(story: Story, book: Book, usual: npt.NDArray[np.float64] | None = None) -> dict[str, Any]:
    """What stands behind an incident (`--cases`), but for the manifest and the records one by one.

    Keys: ``minutes`` (moment, record reads), ``exposed`` (moment, distinct records by then), ``points`` (moment, id),
    ``hours`` (of the day, UTC), ``agents``, ``networks`` and ``routes`` (text, share), ``samples`` (masked requests),
    ``positions`` (source's number, place), ``records`` (how many are kept, whether that is all, and those of the named
    clients, see `_named`), ``ordinary`` (records a day of the median and of 99 in 100 other clients), ``limits`` (what
    would have stopped it).

    Args:
        story: the incident.
        book: the book it is in.
        usual: what `limits.ordinary_clients` gives, where many cases are made at once.
    """
    trail = story.settled().trail
    total = max(trail.reads, 1)
    first = first_readings(story.records.rows())
    usual = ordinary_clients(book) if usual is None else usual
    return {
        "layout": LAYOUT,
        "incident": story.identity,
        "revision": story.revision,
        "minutes": _by_moment(np.array(sorted(trail.minutes.items()), np.int64).reshape(-1, 2) * (60_000_000, 1)),
        "exposed": _curve(first, story.exposed().estimate, story.first_us),
        "points": _by_moment(np.stack([trail.points["time_us"], trail.points["number"]], axis=1)),
        "hours": [trail.hours.get(h, 0) for h in range(24)],
        "agents": [[_agent(book, a), round(n / total, 6)] for a, n in trail.agents.most_common(SHARES)],
        "networks": [[_network(book, a), round(n / total, 6)] for a, n in trail.networks.most_common(SHARES)],
        "routes": [
            [book.route_name(route), n, list(book.data_classes(route))]
            for route, n in sorted(story.routes.items(), key=lambda pair: (-pair[1], pair[0]))[:SHARES]
        ],
        "samples": [_sample(row, story, book) for row in np.sort(trail.samples, order=["time_us", "rank"])],
        "positions": [list(p) for p in trail.positions[:POSITIONS].tolist()],
        "records": {"kept": len(first), "complete": _complete(story), "named": _named(story)},
        "ordinary": {
            "clients": len(usual),
            "records_a_day": [round(_quantile(usual, q), 1) for q in (0.5, 0.99)] if len(usual) else None,
        },
        "limits": limits(story, book, usual, first),
    }


def records_of(story: Story, book: Book, secrets: bool = False) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The records one by one, as plain data and arrays for `state.archive`.

    ``rows`` is of dtype `records.RECORD` with ``client`` as an index into the names, and `routes` by number; clients
    that are not named have index -1 (all bits). ``texts`` has ids that are no numbers by their key, as far as they were
    looked up; those that look like secrets only where ``secrets`` asks for them.
    """
    rows = raw(story.settled().records.rows()).copy().view(story.records.rows().dtype)
    clients = np.fromiter(story.members, np.uint64, len(story.members))
    order = np.argsort(clients)
    if len(clients):
        at = np.minimum(np.searchsorted(clients[order], rows["client"]), len(clients) - 1)
        named = clients[order][at] == rows["client"]
        rows["client"] = np.where(named, order[at].astype(np.uint64), np.uint64((1 << 64) - 1))
    else:
        rows["client"] = np.uint64((1 << 64) - 1)
    meta = {
        "incident": story.identity,
        "revision": story.revision,
        "complete": _complete(story),
        "estimate": vars(story.exposed()),
        "named": _named(story),
        "clients": [_client(member, book) for member in story.members.values()],
        "routes": {str(route): book.route_name(route) for route in np.unique(rows["route"]).tolist()},
        "texts": {f"{key:016x}": text for key, text in story.records.texts.items() if secrets or not is_secret(text)},
    }
    return meta, {"rows": rows}


def _complete(story: Story) -> bool:
    """Whether every record counted is among those kept: none fell out of the ring before it was raised, none is left
    out for want of room, and none is the share of ordinary clients that a rule takes along."""
    seen = story.exposed()
    return bool(story.records.complete and not story.exposure.unseen and seen.low == seen.high)


def _named(story: Story) -> dict[str, Any]:
    """What the named clients have read: ``listed`` records of theirs, whether that is all (``complete``), else between
    which numbers the truth lies (``estimate``, ``low``, ``high``: a nominal interval of 99 %)."""
    records = story.settled().records
    rows = records.of(np.fromiter(story.members, np.uint64, len(story.members)))
    seen = records.estimate(rows)
    if isinstance(story, CampaignStory):
        seen = story.earlier.widen(seen)
    elif story.exposure.unseen:
        seen = replace(seen, estimate=seen.estimate + story.exposure.unseen, high=seen.high + story.exposure.unseen)
    sampled = story.omitted_reads > 0
    complete = records.complete and seen.low == seen.high and not sampled
    told = {"listed": len(np.unique(rows["key"])), "complete": bool(complete)}
    return told | vars(unsampled(seen, story.trail.reads, story.omitted_reads / 1000) if sampled else seen)


def _curve(first: npt.NDArray[Any], gone: int, begin_us: int) -> list[list[Any]]:
    """Distinct records by moment, at most `STEPS`; scaled to the estimate where not all are kept. What named clients
    read before it began has gone by its beginning."""
    if not len(first):
        return []
    first = raw(first)[np.argsort(first["time_us"], kind="stable")].view(first.dtype)
    so_far = np.cumsum(first["rows"].astype(np.int64))
    at = np.unique(np.linspace(0, len(first) - 1, STEPS).astype(np.int64))
    scale = gone / max(int(so_far[-1]), 1)
    return [
        [t, round(n * scale)]
        for t, n in zip(isos(np.maximum(first["time_us"][at], begin_us)), so_far[at].tolist(), strict=True)
    ]


def _by_moment(pairs: npt.NDArray[np.int64]) -> list[list[Any]]:
    """Log times and numbers (n, 2) as plain data."""
    return [list(pair) for pair in zip(isos(pairs[:, 0]), pairs[:, 1].tolist(), strict=True)]


def _quantile(ordered: npt.NDArray[np.float64], q: float) -> float:
    """As numpy's, of what is in order already."""
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def _sample(row: Any, story: Story, book: Book) -> dict[str, Any]:
    member = story.members.get(int(row["client"]))
    number = int(row["number"])
    endpoint = book.route_name(int(row["route"]))
    return {
        "time": iso(int(row["time_us"])),
        "client": _client(member, book) if member else None,
        "request": _filled(endpoint, number),
        "endpoint": endpoint,
        "status": int(row["status"]),
        "bytes_out": int(row["bytes_out"]),
        "agent": _agent(book, int(row["agent"])),
        "network": _network(book, int(row["network"])),
        "position": [int(row["origin"]), int(row["position"])],
    }


def _filled(endpoint: str, number: int) -> str:
    """The request as its route has it, with the last id where that is a number; other ids are left out."""
    before, brace, after = endpoint.rpartition("{")
    name, _, rest = after.partition("}")
    if not brace:
        return endpoint
    shown = str(number) if number >= 0 else MASK
    return f"{_emptied(before)}{shown}{rest}" if name else endpoint


def _emptied(text: str) -> str:
    parts = text.split("{")
    return parts[0] + "".join(MASK + part.partition("}")[2] for part in parts[1:])


def _agent(book: Book, value: int) -> str:
    return masked_text(book.agent_name(value)) if value else "-"


def _network(book: Book, value: int) -> str:
    return shown_network(book.veil, book.network_name(value)) if value else "-"


def _client(member: Member, book: Book) -> str:
    return shown_client(book.veil, KINDS[member.kind], member.name)
