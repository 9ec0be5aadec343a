"""An incident while it grows: who, where, how much, and what a case needs to tell it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Finding, Signal
from detector.incidents.exposure import Exposure, unsampled
from detector.incidents.incident import Estimate
from detector.incidents.records import Records
from detector.incidents.trail import Trail
from detector.packing import raw
from detector.records.batch import KINDS
from detector.state.sketch import mix_each

MOST_ROWS = 1 << 17  # rows of one answer counted: a megabyte of hashes at a time
PORTION = 1 << 14  # reads counted at once: thousands, so that the cost of a call does not show


@dataclass
class Member:
    """One client of an incident: its printable name, what kind of identity that is, and its record reads."""

    name: str
    kind: int
    reads: int = 0


class Story:
    """One open incident.

    Attributes:
        number: its place in the book, from 1; what client slots refer to.
        pattern: what it is called now; a walk that turns out to be one of many workers becomes a sweep.
        client: hash of the client it was raised about; 0 = many.
        many: whether it is told by its members (a sweep) or by one client.
        members: by client hash.
        routes: record reads by route id.
        records: which records, one by one.
        persons: whose records were read, where the log or a map tells.
        told: record reads at the last revision.
        warming: whether it was raised while the process was still reading again what it had lost.
        resume_us: log time up to which reads are counted already, where the log is read again; 0 = it is not.
        over_us: of a story that was told to its end before the log was read again, when that was; else 0.
        omitted_requests, omitted_bytes, omitted_reads: thousandths of requests, bytes and record reads without a line,
            because the log is a sample.
        joined_us: log time of the last signal about a further client; what is told of it is told at that moment.
        partner: name of the agreement, where a contract is broken.
        suppressed: name of the suppression that keeps it quiet, as it was told last.
    """

    def __init__(self, number: int, identity: str, signal: Signal) -> None:
        self.number = number
        self.identity = identity
        self.pattern = signal.pattern
        self.route = signal.route
        self.raised_us = signal.time_us
        self.first_us = signal.time_us
        self.last_us = signal.time_us
        self.nats = signal.nats
        self.threshold = signal.threshold
        self.evidence: dict[str, Finding] = {}
        self.client = signal.client
        self.many = signal.client == 0
        self.members: dict[int, Member] = {}
        self.routes: Counter[int] = Counter()
        self.exposure = Exposure()
        self.records = Records()
        self.persons = Exposure()
        self.trail = Trail()
        self.requests = 0
        self.bytes_out = 0
        self.omitted_requests = self.omitted_bytes = self.omitted_reads = 0
        self.at_alert = 0
        self.closed = False
        self.merged_into: str | None = None
        self.revision = 1
        self.reads = 0
        self.told = 0
        self.warming = False
        self.resume_us = 0
        self.over_us = 0
        self.joined_us = 0
        self.partner = ""
        self.suppressed = ""
        self._taken: list[npt.NDArray[Any]] = []
        self._waiting_rows = 0
        self.support(signal)

    def support(self, signal: Signal) -> None:
        """Takes in a further signal of the same story: the stronger number of each kind is kept."""
        self.nats, self.threshold = max(
            (self.nats, self.threshold), (signal.nats, signal.threshold), key=lambda pair: pair[0] - pair[1]
        )
        for finding in signal.evidence:
            known = self.evidence.get(finding.name)
            if known is None or finding.weight >= known.weight:
                self.evidence[finding.name] = finding

    def add(self, reads: npt.NDArray[Any], is_new: bool = False) -> None:
        """Takes record reads (dtype READS, in log order) as part of it, but for those it has counted before the log was
        read again; of a client that is new to it none has been. They are counted in portions, see `settled`."""
        self._take(reads[reads["time_us"] > self.resume_us] if self.resume_us and not is_new else reads)

    def _take(self, reads: npt.NDArray[Any]) -> None:
        if not len(reads):
            return
        self.reads += len(reads)
        self.first_us = min(self.first_us, int(reads["time_us"][0]))
        self.last_us = max(self.last_us, int(reads["time_us"][-1]))
        self._taken.append(reads)
        self._waiting_rows += len(reads)
        if self._waiting_rows >= PORTION:
            self.settled()

    def settled(self) -> Story:
        """The story with everything taken so far counted in."""
        if self._taken:
            reads = np.concatenate([raw(part) for part in self._taken]).view(self._taken[0].dtype)
            self._taken, self._waiting_rows = [], 0
            self._count(reads)
        return self

    def _count(self, reads: npt.NDArray[Any]) -> None:
        self.requests += int(reads["requests"].sum())
        self.bytes_out += int(reads["bytes_out"].sum())
        omitted = reads["omitted"].astype(np.int64)
        if omitted.any():
            self.omitted_requests += int((omitted * reads["requests"]).sum())
            self.omitted_bytes += int((omitted * reads["bytes_out"]).sum())
            self.omitted_reads += int(omitted.sum())
        self.exposure.add(keys_of(reads))
        self.records.add(reads)
        subjects = reads["subject"]
        if subjects.any():
            self.persons.add(subjects[subjects > 0])
        route, count = np.unique(reads["route"], return_counts=True)
        self.routes.update(dict(zip(route.tolist(), count.tolist(), strict=True)))
        self.trail.add(reads)
        if not self.many:
            self._name(reads)

    def _name(self, reads: npt.NDArray[Any]) -> None:
        clients, first, count = np.unique(reads["client"], return_index=True, return_counts=True)
        for client, at, n in zip(clients.tolist(), first.tolist(), count.tolist(), strict=True):
            member = self.members.get(client)
            if member is None:
                row = reads[at]
                member = self.members[client] = Member(printable(row["name"]), int(row["kind"]))
            member.reads += n

    def seen(self) -> Estimate:
        """Distinct records that have gone, by the lines of the log."""
        return self.settled().exposure.estimate()

    def exposed(self) -> Estimate:
        """Distinct records that have gone; where the log is a sample, in all requests."""
        return self.whole(self.seen())

    def whole(self, seen: Estimate) -> Estimate:
        """A count of distinct things in the lines of the log, as of all requests the lines stand for."""
        return unsampled(seen, self.trail.reads, self.omitted_reads / 1000)

    def count(self) -> int:
        """How many clients it is about."""
        return len(self.members)

    def routes_named(self) -> set[int]:
        """Every route it speaks of."""
        return {self.route, *self.routes, *self.trail.samples["route"].tolist()}

    def rename_routes(self, numbers: npt.NDArray[Any]) -> None:
        """Routes have got other numbers: by old number, the new one."""
        self.route = int(numbers[self.route])
        routes, self.routes = self.routes, Counter()
        for route, n in routes.items():
            self.routes[int(numbers[route])] += n
        self.trail.samples["route"] = numbers[self.trail.samples["route"]]
        self.records.rename_routes(numbers)

    def kind(self) -> str:
        """What most members are: the kind of identity the incident is told by."""
        kinds = Counter(m.kind for m in self.members.values())
        return KINDS[kinds.most_common(1)[0][0]] if kinds else KINDS[0]


def keys_of(reads: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The objects of reads as one hash each, route included, as in the table of objects; of a list one each row.

    A list names no objects, so what it shows is counted as distinct (route, key, page) times rows: a lower bound
    wherever its filter is not part of the key. What is asked for in a body is counted each time (`recent.reads_of`): an
    upper bound where the same is asked again. Of one answer at most `MOST_ROWS` are counted.
    """
    plain = mix_each(reads["object"], reads["route"].astype(np.uint64))
    lists = np.flatnonzero(reads["listed"])
    if not len(lists):
        return plain
    rows = np.clip(reads["rows"][lists], 1, MOST_ROWS).astype(np.int64)
    place = np.arange(int(rows.sum())) - np.repeat(np.cumsum(rows) - rows, rows)
    shown = mix_each(np.repeat(plain[lists], rows), place.astype(np.uint64) + np.uint64(1))
    return np.concatenate([plain[~reads["listed"]], shown])


def printable(name: npt.NDArray[np.uint8]) -> str:
    """A client's name column as text; the records room has made it printable ASCII."""
    return bytes(name).rstrip(b"\0").decode("ascii")
