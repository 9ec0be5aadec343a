"""Many accounts in few hands as one incident: forged tokens, accounts made or taken over to harvest.

The tally says that there are too many such accounts; which of them belong to it follows from how many there usually
are: who has no more in common with them than the count itself is named only where one in a hundred of them, at most,
is to be expected anyway.
"""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.accounts import NEAR_NATS
from detector.detectors.signal import Finding, Signal
from detector.detectors.tallies import TallyAlarm
from detector.evidence.client import ClientEvidence, Null
from detector.incidents.account_rule import AccountRule, choose, newcomers
from detector.incidents.campaign_story import GROWN, MOST_NAMED
from detector.incidents.incident import Estimate
from detector.incidents.naming import SURE
from detector.incidents.recent import Recent
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Member, printable
from detector.state.accounts import HARVESTER, STUB
from detector.state.layout import COUNTER, State

MINUTE_US = 60_000_000
FAN_OUT, ACCOUNTS = "fan_out", "accounts"


class AccountStory(SharedStory):
    """An incident of very many accounts used once (`detectors.fan_out`), or of accounts that harvest a route
    (`detectors.accounts`).

    Attributes:
        which: STUB or HARVESTER: the accounts it is about.
        since_us: log time at which the tally began to rise.
        followed_us: log time up to which suspects are looked at.
        rule: what selects them.
        suspects: accounts that belong to it, ordinary ones among them as far as those are expected.
        sources: hashes of the addresses that stand out, sorted.
        rate: of suspects an account looked at, before; ``upto``: accounts looked at when the tally began to rise.
        usual: suspects expected since then without it.
        fitted: suspects at the last choice of a rule.
    """

    def __init__(self, number: int, identity: str, signal: Signal) -> None:
        super().__init__(number, identity, signal)
        self.which = HARVESTER
        self.since_us = self.followed_us = signal.time_us
        self.rule = AccountRule()
        self.suspects: set[int] = set()
        self.sources: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.rate = self.upto = self.usual = 0.0
        self.fitted = 0

    @property
    def is_fan_out(self) -> bool:
        """Whether it is about accounts used once, whatever they read."""
        return self.which == STUB

    @property
    def detector(self) -> str:
        """Whose it is."""
        return FAN_OUT if self.is_fan_out else ACCOUNTS

    def concerns(self, routes: npt.NDArray[np.uint32], incidents: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Rows of accounts whose slots are marked."""
        return np.asarray(incidents == self.number)

    def begin(self, alarm: TallyAlarm, state: State, recent: Recent, null: Null) -> None:
        """Looks back to where the tally began to rise."""
        self.which = STUB if alarm.detector == FAN_OUT else HARVESTER
        self.since_us = alarm.since_minute * MINUTE_US
        self.followed_us = self.since_us - MINUTE_US  # an account near conviction counts within the minute before
        self.rate, self.upto = alarm.rate, alarm.upto
        self.follow(state, recent, null, self.raised_us)

    def follow(self, state: State, recent: Recent, null: Null, now_us: int) -> list[int]:
        """Takes in the suspects up to a tick; returns the clients named now for the first time."""
        events = state.last_suspects()
        new = self._mine(events, state)
        self.followed_us = max(self.followed_us, now_us)
        if len(new):
            self.last_us = max(self.last_us, int(new["time_us"].max()))
            self._enter(new, state, recent)
        every = events[np.isin(events["client"], np.fromiter(self.suspects, np.uint64, len(self.suspects)))]
        if len(every) and len(self.suspects) >= GROWN * self.fitted:
            self._choose(every, state, now_us)
        looked = float(state.counters[COUNTER["accounts"]]) - self.upto
        self.usual = self._expected(events, looked)
        named = self._convict(every, state, null)
        self._tell(state)
        return named

    def _mine(self, events: npt.NDArray[Any], state: State) -> npt.NDArray[Any]:
        """Suspects that are not known yet, each once."""
        if self.is_fan_out:
            told = state.sources["key"][state.sources["told"] > 0]
            self.sources = np.union1d(self.sources, told)
            mine = (events["which"] == STUB) & np.isin(events["source"], self.sources)
        else:
            mine = (events["which"] == HARVESTER) & (events["route"] == self.route)
            mine &= events["time_us"] >= self.followed_us
        events = events[mine]
        new = ~np.isin(events["client"], np.fromiter(self.suspects, np.uint64, len(self.suspects)))
        _, first = np.unique(events["client"][new], return_index=True)
        return np.asarray(events[new][np.sort(first)])

    def _enter(self, new: npt.NDArray[Any], state: State, recent: Recent) -> None:
        """Takes suspects in: their slots are marked, and what they have read counts; of what is no longer held as
        reads, their slots know how much it was."""
        clients = new["client"]
        self.suspects.update(clients.tolist())
        reads = recent.of_clients(clients)
        reads = reads[~reads["own"]]
        fresh_reads = reads[self._new(reads)]
        held = state.clients["key"][new["slot"]] == clients
        slots = new["slot"][held]
        found, count = np.unique(reads["client"], return_counts=True)
        at = np.minimum(np.searchsorted(found, clients[held]), max(len(found) - 1, 0))
        known = np.where(found[at] == clients[held], count[at], 0) if len(found) else np.zeros(len(slots), np.int64)
        missing = np.maximum(state.clients["fresh"][slots].sum(axis=1).astype(np.int64) - known, 0)
        if not self.resume_us:
            self.exposure.unseen += int(missing.sum())
            for route, n in zip(new["route"][held].tolist(), missing.tolist(), strict=True):
                self.routes[route] += n
        free = slots[state.clients["incident"][slots] == 0]
        state.clients["incident"][free] = self.number
        self._take(fresh_reads)
        self._tally(fresh_reads)

    def _choose(self, suspects: npt.NDArray[Any], state: State, now_us: int) -> None:
        """The rule anew: what suspects share and others do not."""
        ordinary, slots = newcomers(state, now_us)
        self.rule = choose(suspects, ordinary, slots, state, 0 if self.is_fan_out else self.route)
        self.fitted = len(self.suspects)

    def _expected(self, events: npt.NDArray[Any], looked: float) -> float:
        """Suspects that would be there without it: at the rate of before; behind addresses that stand out, as many
        ordinary ones as other addresses with any have."""
        if not self.is_fan_out:
            return self.rate * looked
        others = events[(events["which"] == STUB) & ~np.isin(events["source"], self.sources)]
        each = len(others) / max(len(np.unique(others["source"])), 1)
        return len(self.sources) * max(each, 1.0) * self.rule.inside

    def _convict(self, events: npt.NDArray[Any], state: State, null: Null) -> list[int]:
        """Names suspects whose odds are high enough."""
        inside = events[self.rule.covers(events)] if self.is_fan_out else events
        caught = float(len(np.unique(inside["client"])))
        odds = log(max(caught - self.usual, 0.0) / max(self.usual, 1e-9) + 1e-9)
        named: list[int] = []
        if self.is_fan_out and odds < log(SURE):
            return named
        rows = state.clients[inside["slot"]]
        for at in np.flatnonzero(rows["key"] == inside["client"]).tolist():
            client, row = int(inside["client"][at]), rows[at]
            if client in self.members or len(self.members) >= MOST_NAMED:
                continue
            if odds + self._further(row, null) < log(SURE):
                continue
            name = printable(state.names[int(inside["slot"][at])])
            self.members[client] = Member(name, int(row["kind"]), int(row["reads"].sum()))
            named.append(client)
        return named

    def _further(self, row: Any, null: Null) -> float:
        """Nats an account's own evidence adds to those for which it counted."""
        if self.is_fan_out:
            return 0.0
        evidence = ClientEvidence(row, null)
        return max(evidence.cold + evidence.volume - NEAR_NATS, 0.0)

    def adopt(self, client: int, slot: int, state: State) -> None:
        """Takes in an account that was convicted alone of the same."""
        row = state.clients[slot]
        self.suspects.add(client)
        self.members[client] = Member(printable(state.names[slot]), int(row["kind"]), int(row["reads"].sum()))
        state.clients["incident"][slot] = self.number

    def _tell(self, state: State) -> None:
        if self.is_fan_out:
            name = "addresses_of_accounts_that_do_next_to_nothing"
            known = self.evidence.get(name)
            if known is not None and len(self.sources) > known.value:
                self.evidence[name] = replace(known, value=len(self.sources))
        found = Finding("accounts_that_belong_to_it", self.count(), round(self.usual, 2), 0.0)
        self.evidence[found.name] = found
        if self.rule.literals:
            share = Finding("share_of_them_the_selector_covers", round(self.rule.recall, 4), 0.0, 0.0)
            self.evidence[share.name] = replace(share, expected=float(f"{self.rule.benign_share:.2g}"))

    def settle(self, state: State, now_us: int) -> None:
        """Counts in what marked accounts have read since."""
        waiting = self.waiting()
        self.undecided = []
        reads = waiting[~waiting["own"]]
        reads = reads[self._new(reads)]
        last_us = self.last_us
        self._take(reads)
        self._tally(reads)
        named = reads["time_us"][np.isin(reads["client"], np.fromiter(self.members, np.uint64, len(self.members)))]
        self.last_us = max(
            last_us, int(named.max(initial=0))
        )  # others of them are ordinary ones: they keep nothing open
        self._catch_up(waiting, now_us)

    def _tally(self, reads: npt.NDArray[Any]) -> None:
        for client, n in zip(*(part.tolist() for part in np.unique(reads["client"], return_counts=True)), strict=True):
            if client in self.members:
                self.members[client].reads += n

    def owns(self, client: int) -> bool:
        """Whether an account belongs to it."""
        return client in self.suspects or client in self.absorbed

    def name(self) -> None:
        """Who is named is decided as suspects come."""

    def count(self) -> int:
        """How many accounts belong to it: those found, less those to be expected anyway."""
        return max(len(self.members), round(len(self.suspects) - self.usual))

    def exposed(self) -> Estimate:
        """Distinct records of its accounts, less the share that ordinary ones among them have read."""
        every = self.settled().exposure.estimate()
        own = self.count() / max(len(self.suspects), 1)
        low = min(round(every.low * own), every.estimate)
        return Estimate(round(every.estimate * own), low, every.high)

    @property
    def actionable(self) -> bool:
        """Whether somebody could act on it."""
        return self.rule.actionable or 2 * len(self.members) >= self.count() > 0

    def rename_routes(self, numbers: npt.NDArray[Any]) -> None:
        """Routes have got other numbers: by old number, the new one."""
        super().rename_routes(numbers)
        entries = np.sort(numbers[self.rule.entries.astype(np.int64)]).astype(np.uint64)
        self.rule = replace(self.rule, entries=entries, route=int(numbers[self.rule.route]) if self.rule.route else 0)


def signal_of(alarm: TallyAlarm, route: int, now_us: int) -> Signal:
    """An alarm as a signal about many: what was counted, what was expected, and who that is."""
    fan_out = alarm.detector == FAN_OUT
    name = "addresses_of_accounts_that_do_next_to_nothing" if fan_out else "accounts_that_take_what_nobody_else_reads"
    findings = [
        Finding(name, round(alarm.counted), round(alarm.expected, 2), round(alarm.nats, 1)),
        Finding("accounts_when_raised", round(alarm.accounts), 0.0, 0.0),
    ]
    return Signal(alarm.pattern, route, 0, now_us, alarm.nats, alarm.threshold, findings)
