"""agent-census, where it is installed: the first lines of a case as a combined log, its census of them, and the truth.

It reads a log that is over and says of each client, an address and its agent, what kind it is. No moment and no record
is in its answer, so it is judged by names alone. Network look-ups (its verification of crawlers, the lists of ranges it
would fetch) are off; all other settings are its own, but that no client's row is dropped (``--max-per-kind 0``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from detector import clock
from detector.evaluate.observed import Mask, Observed
from detector.records.batch import DECLARED
from detector.simulate.columns.fill import as_counted
from detector.simulate.columns.rows import PEOPLE
from detector.simulate.log import address_text, as_traffic
from detector.simulate.play import Labelled
from detector.simulate.text import Writer

NAME = "agent-census"

# Its report's bands "Harvesters" and "Suspicious", and the machine of no known purpose. What it calls a browser, an
# app, a feed reader or a service (search engine, monitor …) it excuses, and ``unknown`` is no answer.
NAMED = frozenset(
    {
        *("ai_crawler", "seo_marketing", "data_harvester", "crawler", "scraper"),
        *("spam_bot", "vuln_scanner", "spoofed_browser", "impersonator"),
        "automation",
    }
)
_UNREAD = "not in the census"

_WHO = np.dtype([("address", "u8"), ("agent", "u2"), ("attack", "?"), ("declared", "?"), ("people", "?")])


def installed() -> str:
    """Its version; empty where it is not installed."""
    try:
        return version(NAME) if find_spec("agent_census") else ""
    except PackageNotFoundError:
        return ""


@dataclass
class AgentCensus:
    """agent-census in one case.

    Attributes:
        agents: texts of the world's agents.
        lines: the log ends after so many.
    """

    agents: list[str]
    lines: int
    _blocks: list[bytes] = field(default_factory=list)
    _who: list[npt.NDArray[Any]] = field(default_factory=list)
    _span_us: list[int] = field(default_factory=list)
    _written: int = 0

    def take(self, part: Labelled) -> None:
        """Writes the lines of one batch, a line a request, until the log is full."""
        left = self.lines - self._written
        asked = part.rows["requests"] == 1
        rows = as_counted(part.rows)[:left]
        if not len(rows):
            return
        traffic, actors, _ = as_traffic(rows, self.agents)
        self._blocks.append(Writer(actors).text(traffic))
        who = np.zeros(len(rows), _WHO)
        who["address"], who["agent"], who["attack"] = rows["address"], rows["agent"], rows["actor"] >= 0
        who["declared"] = (part.batch.flags[asked][:left] & DECLARED) > 0
        who["people"] = rows["source"] == PEOPLE
        self._who.append(np.unique(who))
        self._span_us += [int(rows["time_us"][0]), int(rows["time_us"][-1])]
        self._written += len(rows)

    def result(self, observed: Observed) -> list[dict[str, Any]]:
        """One record: of the attacker's clients and of everybody else's, how many are of which kind."""
        if not self._written:
            return []
        kinds, skipped, seconds = self._census()
        clients = _merged(np.concatenate(self._who))
        found = np.array([kinds.get(name, _UNREAD) for name in self._names(clients)], object)
        theirs, others = clients["attack"], ~clients["attack"] & ~clients["declared"]
        return [
            {"rival": f"{NAME} {installed()}", "as": "census", "lines": self._written, "unread": skipped}
            | {"seconds": round((self._span_us[-1] - self._span_us[0]) / 1e6), "processor_seconds": round(seconds, 1)}
            | {"attackers": _tally(found[theirs]), "others": _tally(found[others])}
            | {"people": _tally(found[others & clients["people"]])}
        ]

    def _names(self, clients: npt.NDArray[Any]) -> list[tuple[str, str]]:
        pairs = zip(clients["address"].tolist(), clients["agent"].tolist(), strict=True)
        return [(address_text(address), self.agents[agent]) for address, agent in pairs]

    def _census(self) -> tuple[dict[tuple[str, str], str], int, float]:
        """The kind of each client, lines it could not read, and seconds of processor time."""
        from agent_census.identity import get_strategy
        from agent_census.parsing import resolve
        from agent_census.parsing.apache import PRESETS
        from agent_census.pipeline import analyze

        with TemporaryDirectory() as folder:
            log = Path(folder) / "access.log"
            with log.open("wb") as out:
                out.writelines(self._blocks)
            self._blocks = []
            began = clock.processor()
            parser = resolve("apache", {"format": PRESETS["combined"]})
            result = analyze(log, parser, get_strategy("ip_ua"), keep_signals=False, max_per_kind=0)
            seconds = clock.processor() - began
        kinds: dict[tuple[str, str], str] = {}
        for profile in result.profiles:
            agent, kind = profile.client_id.user_agent or "-", profile.classification.primary.value
            # a client folded with its neighbours goes by all their addresses
            for address in profile.member_ips or (profile.client_id.ip,):
                kinds[address, agent] = kind
        return kinds, result.skips.skipped, seconds


def _merged(who: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each client once: the attacker's where any request is; declared, and people, where all are."""
    order = np.lexsort((who["agent"], who["address"]))
    who = who[order]
    first: Mask = np.ones(len(who), np.bool_)
    first[1:] = (who["address"][1:] != who["address"][:-1]) | (who["agent"][1:] != who["agent"][:-1])
    starts = np.flatnonzero(first)
    clients = who[starts]
    clients["attack"] = np.logical_or.reduceat(who["attack"], starts)
    for name in ("declared", "people"):
        clients[name] = np.logical_and.reduceat(who[name], starts)
    return clients


def _tally(kinds: npt.NDArray[np.object_]) -> dict[str, int]:
    """How many of each kind, the commonest first."""
    return dict(sorted(Counter(kinds.tolist()).items(), key=lambda item: (-item[1], item[0])))
