"""A campaign as it grows: many clients that read from a list, told by a rule that selects them and by names.

Which of a route's clients belong to it nobody can tell one by one: each has done little. The cells' alarms say that
there are too many of them, `attribution` what they share, and Bayes' rule who is named: at odds of 99 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.campaign import CellAlarm
from detector.detectors.signal import Finding, Signal
from detector.incidents.attribution import MOST_EVENTS, NAMING, NONE_SEEN, Selector, attribute, odds, telling
from detector.incidents.cell_alarms import hash_of
from detector.incidents.earlier import Earlier
from detector.incidents.exposure import SIGMAS_99, Exposure
from detector.incidents.incident import MOST_CLIENTS, Estimate
from detector.incidents.naming import SURE, bar, nats, some
from detector.incidents.ordinary import MINUTE_US, ORDINARY, Ordinary
from detector.incidents.recent import Recent
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Member, printable
from detector.incidents.sweep_story import SweepStory
from detector.state.cells import CROSSING
from detector.state.layout import State

CHANNELS = {"lookup": 1}  # by pattern: its crossings are those of misses; of all others those of cold reads

ALONE = "bulk"
"""What clients of a campaign of cold reads are found out as one by one, when they have done enough for that. Whoever
walks, over-fetches or breaks a contract beside it is another matter; those of look-ups are named long before."""

HEAVY = 0.1  # of a campaign's reads by one client: whoever makes more is told for himself

MOST_NAMED = 1 << 16  # clients named; of further ones it is only known how many there are
MOST_ORDINARY = 1 << 14  # ordinary reads of its route kept: the share inside a rule is then known to .4 % of them
DAY_US = 86_400_000_000

LINGER_US = 3_600_000_000
"""Log time after the newest evidence during which reads of clients it cannot name are still put down to it. A campaign
of .58 requests a second that shares nothing adds to an alarm for 95 minutes at most (measured), a brisk one for one."""

GROWN = 1.5  # events since it began, against those of the last attribution, at which it is made again ...
ANEW_US = 600_000_000  # ... or with every ten minutes of log while it lasts: who has read on says more (1 s of work)
WANDER = 0.15  # by which the level of a cell was measured to wander from hour to hour, as a share of it

AT_SIGHT = 0.9
"""Precision of a rule from which clients are named as they cross. Of those who cross a line of coldness the ordinary
ones are those who read nothing but rarities, so that their first reads say more than they should: under a rule that
selects three of them for one of the campaign's, 7 of 72 named at sight were ordinary (simulation). One that selects one
in ten leaves a tenth of that at most; elsewhere all are asked once they have read on, as those from before are."""

LEAST_COLD = 0.85  # of an extractor's reads, on average, by the less cold half of `likelihood.EXTRACTOR`


@dataclass(frozen=True)
class Around:
    """What a campaign is seen against.

    Attributes:
        state: the tables, as of the tick.
        crossings: the ring of crossings (dtype CROSSING), in log order.
    """

    state: State
    crossings: npt.NDArray[Any]

    @property
    def since_us(self) -> int:
        """Log time back to which every crossing is known."""
        return int(self.crossings["time_us"][0]) if len(self.crossings) else 0


class CampaignStory(SharedStory):
    """A campaign on one route.

    Attributes:
        channel: of the crossings it is told by, an index into `state.cells.CHANNELS`.
        since_us: log time at which its cells began to rise.
        selector: the rule that selects it.
        odds: that an event inside the rule is the campaign's, by kind of event.
        sure: logarithm of the odds at which a client is named (`naming.bar`).
        before: crossings of the route from before it (dtype CROSSING), and ``before_us`` how long they took.
        before_requests: ordinary requests meanwhile.
        usual: ordinary reads of the route (fields of `ordinary.ORDINARY`) from a sample of ``sampled`` requests.
        fitted: events since it began at the last attribution.
        followed_us, counted_us: log time up to which crossings, and reads, are counted.
        evident_us: log time of the newest evidence for it.
        crossers: distinct clients with a crossing inside the rule; ``crossed`` counts the crossings and
            ``crossed_usual`` those that ordinary clients were expected to have.
        excess: clients more than usual, by cell and the minute in which its score left zero.
        ordinary: the book's sample of ordinary requests, and their number by the minute.
        recent: the book's ring of recent reads; None until it is in a book.
        earlier: what is not known of what its clients read before they were named.
        taken, taken_usual, doubt: reads counted, those among them that were to be expected of ordinary clients, and
            half the width of what that number may be off (99 %).
    """

    def __init__(self, number: int, identity: str, signal: Signal) -> None:
        super().__init__(number, identity, signal)
        self.channel = CHANNELS.get(signal.pattern, 0)
        self.since_us = self.followed_us = self.counted_us = self.evident_us = signal.time_us
        self.ordinary = Ordinary()
        self.recent: Recent | None = None
        self.earlier = Earlier()
        self.selector = Selector()
        self.odds: dict[int, float] = {}
        self.sure = log(SURE)
        self.before: npt.NDArray[Any] = np.zeros(0, CROSSING)
        self.before_us = self.before_requests = 0
        self.usual: npt.NDArray[Any] = np.zeros(0, ORDINARY)
        self.sampled = 0.0
        self.fitted = 0
        self.crossers = Exposure()
        self.crossed, self.crossed_usual = 0, 0.0
        self.excess: dict[tuple[int, int], float] = {}
        self.taken, self.taken_usual, self.doubt = 0, 0.0, 0.0

    def begin(self, alarms: Sequence[CellAlarm], around: Around, reads: npt.NDArray[Any], held_us: int) -> None:
        """Looks back to where the cells began to rise, attributes and counts.

        Args:
            alarms: of its route, at this tick.
            around: what it is seen against.
            reads: the last reads of its route (dtype READS), in log order.
            held_us: log time back to which those are all.
        """
        now_us = self.raised_us
        self.since_us = self.followed_us = self.counted_us = min(a.since_minute for a in alarms) * MINUTE_US
        self.first_us = self.evident_us = now_us
        self._remember(around)
        self.follow(alarms, around, now_us)
        self.wait(reads[(reads["time_us"] >= self.since_us) & (reads["time_us"] < now_us)])
        self.counted_us = max(self.since_us, held_us)
        self.settle(around.state, now_us)
        lost = max(0, held_us - self.since_us) / max(now_us - held_us, MINUTE_US)
        self.exposure.unseen = round(lost * self.taken)

    def _remember(self, around: Around) -> None:
        """Keeps what the route was like before: in an hour it will have left the ring and the sample."""
        events = self._events(around.crossings)
        before = events[events["time_us"] < self.since_us]
        before = before[before["time_us"] >= self.since_us - DAY_US]
        self.before = before[-MOST_EVENTS:].copy()
        begin = max(around.since_us, self.ordinary.since_us(), self.since_us - DAY_US)
        if len(before) > MOST_EVENTS:
            begin = int(self.before["time_us"][0])
        self.before_us = max(self.since_us - begin, MINUTE_US)
        self.before_requests = self.ordinary.requests(begin, self.since_us)
        sample = self.ordinary.rows(self.since_us)
        reads = sample[sample["read"] & (sample["route"] == self.route)]
        self.usual = reads[:MOST_ORDINARY].copy()  # by rank: as even a sample as the whole
        self.sampled = len(sample) * len(self.usual) / len(reads) if len(reads) else float(len(sample))

    def follow(self, alarms: Sequence[CellAlarm], around: Around, now_us: int) -> list[int]:
        """Takes in alarms and crossings up to a tick; returns the clients that are named now for the first time."""
        for alarm in alarms:
            cell = hash_of(alarm), alarm.since_minute
            self.excess[cell] = max(self.excess.get(cell, 0.0), alarm.excess_clients)
        if alarms:
            self.evident_us = self.last_us = now_us
        events = self._events(around.crossings)
        events = events[(events["time_us"] >= self.since_us) & (events["time_us"] < now_us)]
        lasts = now_us - self.evident_us <= LINGER_US
        anew = lasts and self.fitted and now_us // ANEW_US > self.followed_us // ANEW_US
        attributes = (anew or len(events) >= GROWN * self.fitted) and (alarms or self.fitted)
        if attributes:
            self._attribute(events, around.state, now_us)
        new = events[events["time_us"] >= self.followed_us]
        new = new[self.selector.covers(new)]
        if len(new) and lasts:
            self.crossers.add(new["client"])
            self.crossed += len(new)
            self.crossed_usual += self.selector.inside * len(self.before) * self._scale(self.followed_us, now_us)
        self.followed_us = max(self.followed_us, now_us)
        if attributes:
            named = self._convict(events[self.selector.covers(events)], around.state)
        else:
            named = self._convict(new, around.state) if self.selector.precision >= AT_SIGHT else []
        self.evidence["clients_named"] = Finding("clients_named", len(self.members), 0, 0.0)
        return named

    def _events(self, crossings: npt.NDArray[Any]) -> npt.NDArray[Any]:
        mine = (crossings["route"] == self.route) & (crossings["channel"] == self.channel)
        return np.asarray(crossings[mine])

    def _scale(self, since_us: int, until_us: int) -> float:
        """How many events there were to be in a span for each from before: by the requests of ordinary clients, as far
        as they are known, else by time."""
        requests = self.ordinary.requests(since_us, until_us)
        if requests and self.before_requests:
            return requests / self.before_requests
        return max(until_us - since_us, MINUTE_US) / max(self.before_us, MINUTE_US)

    def _attribute(self, events: npt.NDArray[Any], state: State, now_us: int) -> None:
        scale = self._scale(self.since_us, now_us)
        kinds = telling(events, self.before, scale)
        told, before = (part[part["which"] & sum(kinds) != 0] for part in (events, self.before))
        self.selector = attribute(told, before, scale, self.usual, round(self.sampled))[0]
        self.odds = odds(told, before, scale, self.selector, kinds)
        self.sure = self._bar(told, before, scale, state)
        self.fitted = len(events)
        if self.selector.literals:
            found = Finding("share_of_them_the_selector_covers", round(self.selector.recall, 4), 0.0, 0.0)
            self.evidence[found.name] = replace(found, expected=float(f"{self.selector.benign_share:.2g}"))

    def _bar(self, told: npt.NDArray[Any], before: npt.NDArray[Any], scale: float, state: State) -> float:
        """Nats at which clients are named, by what those who crossed before would be named for."""
        mine = told[self.selector.covers(told)]
        others = before[~np.isin(before["client"], np.fromiter(self.members, np.uint64, len(self.members)))]
        asked, inside = some(mine), some(others)
        if not len(asked):
            return log(SURE)
        scale *= self.selector.inside * max(len(others), 1) / max(len(inside), 1) * len(asked) / len(mine)
        now, then = (nats(part, state, self.odds, bool(self.channel)) for part in (asked, inside))
        if len(asked) < len(mine) and not np.any(now >= log(SURE)):
            return inf  # among many more somebody would pass, and nothing is known of who
        return bar(now, then, scale)

    def _convict(self, events: npt.NDArray[Any], state: State) -> list[int]:
        """Names clients of events inside the rule whose odds are high enough, and marks their slots: from now on they
        teach nobody what is usual."""
        events = events[~np.isin(events["client"], np.fromiter(self.members, np.uint64, len(self.members)))]
        named: list[int] = []
        slots: list[int] = []
        for at in np.flatnonzero(nats(events, state, self.odds, bool(self.channel)) >= self.sure).tolist():
            client, slot = int(events["client"][at]), int(events["slot"][at])
            if client in self.members or len(self.members) >= MOST_NAMED:
                continue
            self.members[client] = Member(printable(state.names[slot]), int(state.clients["kind"][slot]))
            named.append(client)
            slots.append(slot)
            if not state.clients["incident"][slot]:
                state.clients["incident"][slot] = self.number
        self._look_back(state, slots)
        return named

    def _look_back(self, state: State, slots: list[int]) -> None:
        """Lists what those who are named now have read before."""
        if not slots or self.recent is None:
            return
        rows = state.clients[slots]
        clients, fresh = rows["key"].astype(np.uint64), rows["fresh"].sum(axis=1, dtype=np.int64)
        reads = self.recent.of_clients(clients)
        self.earlier.look_back(self.settled().records, self.route, clients, fresh, reads, self.recent.since_us)

    def claims(self, signal: Signal, reads: npt.NDArray[Any]) -> bool:
        """Whether a client that has been found out by itself is one of its own: by what campaigns of its kind are made
        of, with most of its reads inside the rule and since it began, and not so many that it is a case for itself.

        Args:
            signal: about the client.
            reads: the client's last ones (dtype READS), in log order.
        """
        if self.channel or signal.pattern != ALONE or signal.route != self.route:
            return False
        own = (reads["route"] == self.route) & (reads["time_us"] >= self.since_us) & self.selector.covers(reads)
        n = int(np.count_nonzero(own))
        return 2 * n > len(reads) and n <= HEAVY * self.taken

    def enlist(self, state: State, slot: int) -> None:
        """Names a client it claims, and marks its slot."""
        row = state.clients[slot]
        if len(self.members) < MOST_NAMED and int(row["key"]) not in self.members:
            self.members[int(row["key"])] = Member(printable(state.names[slot]), int(row["kind"]))
            self._look_back(state, [slot])
        row["incident"] = self.number

    def settle(self, state: State, now_us: int) -> None:
        """Counts in the reads of those who are named and, while it lasts, those the rule selects; of those a part is
        ordinary, which is kept account of."""
        waiting = self.waiting()
        self.undecided = []
        reads = waiting[~waiting["own"]]
        member = np.isin(reads["client"], np.fromiter(self.members, np.uint64, len(self.members)))
        taken = member.copy()
        if now_us - self.evident_us <= LINGER_US:
            taken |= self._ruled(reads)
            share, doubt = self._share()
            span = self.ordinary.requests(self.counted_us, now_us)
            self.taken_usual += share * span
            self.doubt += doubt * span
        taken &= self._new(reads)
        counted = reads[taken]
        self.taken += len(counted)
        self._tally(reads[member & taken])
        self._take(counted)
        self._mark(state, reads[member])
        self._catch_up(waiting, now_us)
        self.counted_us = max(self.counted_us, now_us)

    def _ruled(self, reads: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Reads the rule selects. Where it selects much else too, only those count that nobody else made: what ordinary
        clients read is mostly what others read as well."""
        inside = self.selector.covers(reads)
        return inside if self.selector.actionable else inside & reads["cold"]

    def _share(self) -> tuple[float, float]:
        """Share of ordinary requests that are such reads, and by how much that may be wrong (99 %)."""
        if not self.sampled:
            return 0.0, 0.0
        hits = int(np.count_nonzero(self._ruled(self.usual)))
        share = hits / self.sampled
        doubt = (SIGMAS_99 * sqrt(hits) if hits else NONE_SEEN) / self.sampled
        return share, doubt + WANDER * share

    def _tally(self, reads: npt.NDArray[Any]) -> None:
        if not len(reads):
            return
        for client, n in zip(*(part.tolist() for part in np.unique(reads["client"], return_counts=True)), strict=True):
            self.members[client].reads += n
        self.evident_us = max(self.evident_us, int(reads["time_us"][-1]))

    def _take(self, reads: npt.NDArray[Any]) -> None:
        """Reads of others than the named do not keep it open: some of them are ordinary ones."""
        last_us = self.last_us
        super()._take(reads)
        self.last_us = max(last_us, self.evident_us)

    def _mark(self, state: State, reads: npt.NDArray[Any]) -> None:
        """Marks slots of named clients that are not: the log is read again, or the slot had been given away."""
        rows = state.clients
        slots = np.unique(reads["slot"][rows["key"][reads["slot"]] == reads["client"]])
        free = slots[rows["incident"][slots] == 0]
        rows["incident"][free] = self.number

    def owns(self, client: int) -> bool:
        """Whether a client is named, or its story was merged."""
        return client in self.members or client in self.absorbed

    def name(self) -> None:
        """Who is named is decided as crossings come."""

    def seen(self) -> Estimate:
        """Distinct records: those read inside the rule, less the share of them that ordinary clients read."""
        every = self.settled().exposure.estimate()
        least, likely, most = (max(self.taken - usual, 0.0) / max(self.taken, 1) for usual in self._usual())
        low, estimate, high = round(every.low * least), round(every.estimate * likely), round(every.high * most)
        if not self.selector.actionable:  # only reads that nobody else made were counted
            high = round(high / LEAST_COLD)
        return Estimate(max(estimate, low), low, max(high, estimate))

    def _usual(self) -> tuple[float, float, float]:
        return self.taken_usual + self.doubt, self.taken_usual, max(self.taken_usual - self.doubt, 0.0)

    def count(self) -> int:
        """How many clients belong to it: by the crossings inside an actionable rule, else by the cells' excess."""
        cells: Counter[int] = Counter()
        for (cell, _), clients in self.excess.items():
            cells[cell] += round(clients)
        named, most = len(self.members), float(max(cells.values(), default=0))
        if self.selector.actionable and self.crossed:
            own = max(self.crossed - self.crossed_usual, 0.0) / self.crossed
            most = self.crossers.estimate().estimate * own / self.selector.recall
        return max(named, round(most))

    @property
    def actionable(self) -> bool:
        """Whether somebody could act on it, by the rule or by the names: those of half of its clients are enough."""
        return self.selector.actionable or 2 * len(self.members) >= self.count() > 0

    @property
    def rule(self) -> Selector:
        """The rule to tell: where it would hit others too, it is for those clients only that are listed, if that
        makes it one to act on. What it costs others then is what those share with the campaign: an address."""
        rule = self.selector
        if rule.actionable or not self.members:
            return rule
        before = self.before["client"][rule.covers(self.before)]
        theirs = np.isin(before, np.fromiter(self.members, np.uint64, len(self.members)))
        shared = (np.count_nonzero(theirs) or NONE_SEEN) / max(len(before), 1)
        listed = replace(
            rule,
            listed=True,
            recall=rule.recall * min(len(self.members), MOST_CLIENTS) / max(self.count(), 1),
            benign_share=rule.benign_share * min(shared, 1.0),
            precision=max(rule.precision, NAMING),
        )
        return listed if listed.actionable else rule

    def rename_routes(self, numbers: npt.NDArray[Any]) -> None:
        """Routes have got other numbers: by old number, the new one."""
        super().rename_routes(numbers)
        self.before["route"] = self.usual["route"] = self.route


def swept(sweep: SweepStory, alarms: Sequence[CellAlarm], crossings: npt.NDArray[Any]) -> bool:
    """Whether most clients that raised a route's cells work for a sweep that is open there: of one request each, they
    cross before anybody can mark their slots."""
    since_us = min(alarm.since_minute for alarm in alarms) * MINUTE_US
    clients = crossings["client"][(crossings["route"] == sweep.route) & (crossings["time_us"] >= since_us)]
    return 2 * sum(client in sweep.hits for client in clients.tolist()) >= len(clients)
