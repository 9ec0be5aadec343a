"""Scenarios played: the log they describe, and what of their expectations was not met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv6Network
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.incident import Incident
from detector.simulate import addresses, agents
from detector.simulate.site import Popularity, scatter
from tests.scenarios.language import Action, Expectation, Scenario, Target

START_S = 1_772_532_000  # 2026-03-03T10:00:00Z
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
PAGE_SECONDS = 2  # within which a page's pictures are fetched
HOSTS = 1 << 20  # addresses of a /64 that are used

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Log:
    """A log in combined format, and the clients behind each name of the scenario."""

    text: bytes
    names: dict[str, set[str]]


class Cast:
    """Who takes part in one action.

    Attributes:
        people: (address, account, agent) of each reader.
        names: what a detector should call them.
    """

    def __init__(self, action: Action, rng: np.random.Generator) -> None:
        who = action.who
        count = action.reads if who.kind == "new" else who.count
        browsers = agents.draw(rng, count)
        if who.kind == "client":
            places, accounts, self.names = [who.name], ["-"], {who.name}
        elif who.kind == "account":
            places, accounts, self.names = addresses.distinct_ipv4(rng, count), [who.name] * count, {who.name}
        elif who.kind == "network":
            hosts = rng.integers(1, HOSTS, action.reads).tolist()
            places = [str(IPv6Network(who.name)[host]) for host in hosts]
            accounts, self.names = ["-"] * len(places), {who.name}
            browsers = [BROWSER] * len(places)
        elif who.kind == "people":
            places, accounts, self.names = [who.name] * count, ["-"] * count, {who.name}
        elif who.kind == "accounts":
            places = addresses.distinct_ipv4(rng, count)
            accounts = [f"{who.name or 'account'}{number}" for number in range(count)]
            self.names = set(accounts)
        else:
            places, accounts = addresses.distinct_ipv4(rng, count), ["-"] * count
            self.names = set(places)
        self.people = list(zip(places, accounts, browsers, strict=True))
        self.in_turn = who.kind in ("new", "network")

    def readers(self, n: int, each: bool, rng: np.random.Generator) -> Ints:
        """Who makes each of ``n`` reads."""
        if self.in_turn or each:
            return np.arange(n) % len(self.people)
        return rng.integers(0, len(self.people), n)


def play(scenario: Scenario, seed: int) -> Log:
    """The log a scenario describes."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, str]] = []
    casts: dict[str, Cast] = {}
    for number, action in enumerate(scenario.actions):
        name = action.who.name or f"those of action {number}"
        if action.who.kind != "again":
            casts[name] = Cast(action, rng)
        rows += _act(action, casts[name], rng)
    rows.sort(key=lambda row: row[0])
    names = {name: cast.names for name, cast in casts.items()}
    return Log("".join(line for _, line in rows).encode("ascii"), names)


def _act(action: Action, cast: Cast, rng: np.random.Generator) -> list[tuple[float, str]]:
    n = action.reads * len(cast.people) if action.each else action.reads
    moment = _moments(action, n, rng)
    reader = cast.readers(n, action.each, rng)
    which = rng.choice(len(action.targets), n, p=[target.share for target in action.targets])
    rows: list[tuple[float, str]] = []
    for index, target in enumerate(action.targets):
        mine = np.flatnonzero(which == index)
        when, who, number = _ids(target, moment[mine], reader[mine], rng)
        status = np.where(rng.random(len(when)) < action.found, 200, 404)
        size = rng.integers(200, 9000, len(when))
        columns = (when, who, number, status, size)
        for at, person, chosen, answer, size_ in zip(*(c.tolist() for c in columns), strict=True):
            path = f"{target.before}{chosen}{target.after}" if target.kind else target.before
            request = f'"{target.method} {path} HTTP/1.1" {answer} {size_}'
            address, account, browser = cast.people[person]
            rows.append((at, f'{address} - {account} {_stamp(START_S + int(at))} {request} "-" "{browser}"\n'))
    return rows


def _moments(action: Action, n: int, rng: np.random.Generator) -> Floats:
    """Seconds from the start, rising."""
    if action.at is None:
        return np.sort(rng.uniform(0, action.span, n))
    return action.at + np.arange(n) * action.span / n


def _ids(target: Target, moment: Floats, reader: Ints, rng: np.random.Generator) -> tuple[Floats, Ints, Ints]:
    """When, who and which id, for each line."""
    n = len(moment)
    if target.kind == "all":
        page = np.arange(target.low, target.high + 1)
        when = moment[:, None] + np.sort(rng.uniform(0, PAGE_SECONDS, (n, len(page))), axis=1)
        return when.ravel(), np.repeat(reader, len(page)), np.tile(page, n)
    if target.kind == "next":
        number = target.low + np.arange(n)
    elif target.kind == "own":
        each = max(target.high, 1)
        which = rng.integers(0, each, n) if each > 1 else 0
        number = scatter((reader * each + which) % target.low, target.low)
    elif target.kind == "zipf":
        number = Popularity(target.low, 1.0).draw(rng, n)
    else:
        number = rng.integers(1, max(target.low, 1) + 1, n)
    return moment, reader, number


@cache
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("[%d/%b/%Y:%H:%M:%S +0000]")


def unmet(scenario: Scenario, log: Log, incidents: Sequence[Incident]) -> list[str]:
    """What was expected and did not come, and what came and was not expected, a line each."""
    left = [i for i in incidents if i.severity != "informational" and not i.suppressed_by]
    problems = []
    for expected in scenario.expected:
        clients = log.names[expected.name]
        found = next((i for i in left if i.pattern == expected.pattern and set(i.clients) == clients), None)
        if found is None:
            problems.append(f"not raised: {expected}")
            continue
        left.remove(found)
        problems += _wrong(expected, found)
    return problems + [f"not expected: {_in_words(i)}" for i in left]


def _wrong(expected: Expectation, found: Incident) -> list[str]:
    """What of an incident is not as expected."""
    problems = []
    records = found.records_exposed.estimate
    if abs(records - expected.records) > expected.off * expected.records:
        problems.append(f"{expected}: {records} records instead of {expected.records} +-{expected.off:.0%}")
    raised = datetime.fromisoformat(found.raised_at).timestamp() - START_S
    if expected.before is not None and raised >= expected.before:
        problems.append(f"{expected}: raised after {raised:.0f} s instead of {expected.before} s")
    return problems


def _in_words(incident: Incident) -> str:
    facts: dict[str, Any] = {
        "naming": ", ".join(incident.clients[:3]),
        "of": incident.client_count,
        "records": incident.records_exposed.estimate,
        "on": ", ".join(incident.endpoints[:3]),
        "raised": incident.raised_at,
    }
    return f"{incident.pattern} " + " ".join(f"{word} {fact}" for word, fact in facts.items())
