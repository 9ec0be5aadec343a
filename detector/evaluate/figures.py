"""Alerts of a run by columns against what really happened: when the first one was actionable, and how right it was.

An alert is actionable when what was named until then, by name or by selector, makes at least half of the attacker's
later requests and at most 0.1 % of everybody else's. Names in several incidents count together, as five guessing
accounts may be five incidents; how many incidents there were is a figure of its own. Every revision counts from the
moment it was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evaluate.named import Census, Record
from detector.evaluate.observed import Mask, Observed
from detector.evaluate.score import COVERS_ATTACKER, COVERS_OTHERS
from detector.evaluate.selector import Seen

_NEVER = np.iinfo(np.int64).max
_MOMENTS = 200  # looked at, where thousands of clients are named one by one

Told = Sequence[tuple[int, Record]]  # revisions: the moment each was told (microseconds), and the incident's record


@dataclass(frozen=True)
class Figures:
    """What one run was worth; None where there is nothing to say.

    Attributes:
        first_seconds: from the attacker's first request to the first word about him, actionable or not, loud or not.
        seconds: the same to the first actionable alert.
        records: distinct records exposed by then, of ``records_taken`` in the run.
        leak_share: the former as a share of the latter; 1 where nothing was actionable.
        requests: the most that any client of the attacker had made when it was named, of those named by then.
        pattern, severity: of the first word about him.
        incidents: loud ones about him; one is right.
        informational: quiet ones about him.
        listed_precision, listed_recall: of the clients named above informational, at the end.
        selector_precision, selector_recall: of requests selected by the selectors of such incidents, at the end.
        counted: records the first of these incidents counted in the end; ``clients_counted`` the clients.
        attackers: clients the attacker used.
        false: ids of loud incidents about nobody of the attacker's, with their patterns.
    """

    first_seconds: float | None
    seconds: float | None
    records: int | None
    records_taken: int
    leak_share: float
    requests: int | None
    pattern: str
    severity: str
    incidents: int
    informational: int
    listed_precision: float | None
    listed_recall: float | None
    selector_precision: float | None
    selector_recall: float | None
    counted: int | None
    clients_counted: int | None
    attackers: int
    false: list[str]

    def record(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def loud(incident: Record) -> bool:
    """Whether it may page anybody."""
    return incident["severity"] != "informational" and not incident["suppressed_by"]


def judge(told: Told, observed: Observed, census: Census) -> Figures:
    """The figures of a run in which somebody attacked.

    Args:
        told: revisions in the order they were told, the last state of each incident among them.
        observed: the run.
        census: who is who in it.
    """
    seen, ledger = observed.seen(), observed.ledger()
    theirs = seen["actor"] >= 0
    final = {record["incident"]: record for _, record in told if not record.get("merged_into")}
    about = {name: record for name, record in final.items() if (_covered(record, census, seen) & theirs).any()}
    ours = [record for record in about.values() if loud(record)]
    begin = int(ledger.time_us[0])
    moment = first_actionable(told, census, seen)
    alerts = [(at, record["incident"]) for at, record in told if record["incident"] in about]
    first = min(alerts, default=None)
    lead = about[first[1]] if first else None
    by_then = None if moment is None else ledger.exposed_by(moment)
    taken = ledger.records
    listed, recall = _listed(ours, census, seen)
    return Figures(
        first_seconds=None if first is None else max(first[0] - begin, 0) / 1e6,
        seconds=None if moment is None else max(moment - begin, 0) / 1e6,
        records=by_then,
        records_taken=taken,
        leak_share=1.0 if by_then is None else by_then / max(taken, 1),
        requests=None if moment is None else _requests(seen[theirs], named_at(told, census, seen)[theirs], moment),
        pattern=lead["pattern"] if lead else "",
        severity=lead["severity"] if lead else "",
        incidents=len(ours),
        informational=len(about) - len(ours),
        listed_precision=listed,
        listed_recall=recall,
        **_selected(ours, census, seen),
        counted=lead["records_exposed"]["estimate"] if lead else None,
        clients_counted=lead["client_count"] if lead else None,
        attackers=len(np.unique(seen["client"][theirs])),
        false=[f"{r['incident']} {r['pattern']}" for n, r in final.items() if loud(r) and n not in about],
    )


def first_actionable(told: Told, census: Census, seen: Seen) -> int | None:
    """The first moment (microseconds) at which what was named until then was actionable; None = never."""
    theirs = seen["actor"] >= 0
    if not theirs.any():
        return None
    at = named_at(told, census, seen)
    moments = np.unique(at[theirs])
    moments = moments[moments < _NEVER]
    if len(moments) > _MOMENTS:
        moments = moments[np.linspace(0, len(moments) - 1, _MOMENTS).astype(np.int64)]
    time_us, attack_at = seen["time_us"][theirs], at[theirs]
    other_at, weight = at[~theirs], seen["weight"][~theirs].astype(np.float64)
    for moment in moments.tolist():
        later = time_us > moment
        covered = (attack_at[later if later.any() else slice(None)] <= moment).mean()
        if covered >= COVERS_ATTACKER and _share(weight, other_at <= moment) <= COVERS_OTHERS:
            return int(moment)
    return None


def named_at(told: Told, census: Census, seen: Seen) -> npt.NDArray[np.int64]:
    """When the client or the kind of each request was first named above informational; far future = never.

    Selectors and lists that take in more than 0.1 % of everybody else's requests name nobody.
    """
    at = np.full(len(seen), _NEVER, np.int64)
    others = seen["actor"] < 0
    weight = seen["weight"][others].astype(np.float64)
    known: dict[str, tuple[Any, Any]] = {}
    for moment, record in told:
        what = (tuple(record["clients"]), str(record["selector"]))
        if not loud(record) or known.get(record["incident"]) == what:
            continue
        known[record["incident"]] = what
        for mask in (census.listed(record, seen), census.selected(record, seen)):
            if mask.any() and _share(weight, mask[others]) <= COVERS_OTHERS:
                np.minimum(at, moment, out=at, where=mask)
    return at


def _covered(record: Record, census: Census, seen: Seen) -> Mask:
    return census.listed(record, seen) | census.selected(record, seen)


def _share(weight: npt.NDArray[np.float64], mask: Mask) -> float:
    total = float(weight.sum())
    return float(weight[mask].sum()) / total if total else 0.0


def _requests(theirs: Seen, at: npt.NDArray[np.int64], moment: int) -> int:
    """The most requests of one client up to the moment it was first named, of the clients named up to ``moment``."""
    clients, place = np.unique(theirs["client"], return_inverse=True)
    named = np.full(len(clients), _NEVER, np.int64)
    np.minimum.at(named, place, at)
    before = np.bincount(place, theirs["time_us"] <= named[place], len(clients))
    return int(before[named <= moment].max(initial=0))


def _listed(ours: list[Record], census: Census, seen: Seen) -> tuple[float | None, float | None]:
    """Precision and recall of the names, as clients."""
    names = sorted({name for record in ours for name in record["clients"]})
    keys = np.unique(census.keys(names))
    if not len(keys):
        return None, None
    theirs = seen[seen["actor"] >= 0]
    clients = np.unique(theirs["client"])
    by_source = np.unique(theirs["source"]) if any(r["client_kind"] == "address" for r in ours) else clients
    right = np.isin(keys, clients) | np.isin(keys, by_source)
    reached = np.unique(theirs["client"][np.isin(theirs["client"], keys) | np.isin(theirs["source"], keys)])
    return float(right.mean()), len(reached) / max(len(clients), 1)


def _selected(ours: list[Record], census: Census, seen: Seen) -> dict[str, float | None]:
    """Precision and recall of the selectors, as requests since each incident's first signal was raised."""
    mask = np.zeros(len(seen), np.bool_)
    for record in ours:
        mask |= census.selected(record, seen)
    if not mask.any():
        return {"selector_precision": None, "selector_recall": None}
    weight, theirs = seen["weight"].astype(np.float64), seen["actor"] >= 0
    hit = float(weight[mask & theirs].sum())
    return {
        "selector_precision": hit / float(weight[mask].sum()),
        "selector_recall": hit / max(float(weight[theirs].sum()), 1.0),
    }
