"""From tallies of accounts to incidents: hears their alarms, raises and follows stories."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from detector.detectors import TALLY_DETECTORS, Budget, Signal, accounts, tallies
from detector.detectors.tallies import TallyAlarm
from detector.evidence.client import ClientEvidence, Null
from detector.incidents.account_story import ACCOUNTS, FAN_OUT, AccountStory, signal_of
from detector.incidents.book import Book
from detector.incidents.identity import incident_id
from detector.records.batch import Batch
from detector.state.accounts import HARVESTER, STUB
from detector.state.layout import COUNTER, HARVESTS, State

MINUTE_US = 60_000_000
KINDS = (2, 3, 4)  # account, key, session: see `records.batch.KINDS`


class AccountWatch:
    """What is known of accounts together.

    Args:
        state: the tables.
        book: the stories.
    """

    def __init__(self, state: State, book: Book) -> None:
        self._state = state
        self._book = book

    def limit(self, budget: Budget) -> None:
        """When tallies alarm, by the budget."""
        tallies.limit(self._state, budget, TALLY_DETECTORS)

    def hear(self, null: Null, patterns: Collection[str]) -> None:
        """What tallies said at the end of a minute of log time; open stories are followed also where they said
        nothing."""
        alarms = [a for a in tallies.read(self._state, TALLY_DETECTORS) if a.pattern in patterns]
        stories = self._stories()
        if not alarms and not stories:
            return
        now_us = int(self._state.counters[COUNTER["minute"]]) * MINUTE_US
        for alarm in alarms:
            story = self._story(alarm.detector, alarm.route)
            if story is None:
                self._raise(alarm, null, now_us)
            else:
                story.support(signal_of(alarm, story.route, now_us))
        for story in stories:
            named = story.follow(self._state, self._book.recent, null, now_us)
            self._book.absorb(story, named, now_us)

    def weigh(self, evidence: ClientEvidence, slot: int, batch: Batch, row: int) -> None:
        """Counts an account that is nearly convicted alone.

        Args:
            evidence: of the account.
            slot: its place.
            batch, row: where its last request is.
        """
        client = self._state.clients[slot]
        seen = int(client["crossed"])
        if int(client["kind"]) not in KINDS or client["incident"] or seen & HARVESTS or not accounts.is_near(evidence):
            return
        counters, route = self._state.counters, int(client["lead"])
        client["crossed"] = seen | HARVESTS
        at = int(counters[COUNTER["suspects"]]) % len(self._state.suspects)
        counters[COUNTER["suspects"]] += 1
        entry, requests = int(client["entry"]), int(client["requests"].sum())
        self._state.suspects[at] = (
            *(batch.time_us[row], client["key"], batch.agent[row], batch.source[row], batch.network[row]),
            *(slot, route, entry, HARVESTER, requests),
        )
        tally = self._state.tallies[route]
        tally["minute"] += 1
        tally["minute_accounts"] += 1
        counters[COUNTER["tallied"]] = 1

    def takes(self, signal: Signal, slot: int) -> bool:
        """Whether a client convicted alone belongs to an open incident of many accounts."""
        if signal.pattern != "bulk" or int(self._state.clients[slot]["kind"]) not in KINDS:
            return False
        story = self._story(ACCOUNTS, signal.route)
        if story is None:
            return False
        story.adopt(signal.client, slot, self._state)
        return True

    def _stories(self) -> list[AccountStory]:
        return [s for s in self._book.open_stories if isinstance(s, AccountStory)]

    def _story(self, detector: str, route: int) -> AccountStory | None:
        fan_out = detector == FAN_OUT
        mine = (s for s in self._stories() if s.detector == detector and (fan_out or s.route == route))
        return next(mine, None)

    def _raise(self, alarm: TallyAlarm, null: Null, now_us: int) -> None:
        route = alarm.route or self._lead()
        signal = signal_of(alarm, route, now_us)
        if self._book.past.until(0, route, now_us):
            return
        identity = incident_id(alarm.pattern, self._book.route_name(route), "many", now_us)
        story = AccountStory(self._book.next_number, identity, signal)
        story.begin(alarm, self._state, self._book.recent, null)
        self._book.absorb(story, story.members, now_us)
        self._book.begin(story)

    def _lead(self) -> int:
        """The route that most accounts used once have read."""
        events = self._state.last_suspects()
        told = self._state.sources["key"][self._state.sources["told"] > 0]
        mine = events["route"][(events["which"] == STUB) & np.isin(events["source"], told)]
        return int(np.bincount(mine).argmax()) if len(mine) else 0
