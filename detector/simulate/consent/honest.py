"""What parties do that keep to what was agreed; breaches use the same steps, so nothing else tells them apart."""

from __future__ import annotations

import numpy as np

from detector.simulate.consent.changes import ANNUAL_BILL
from detector.simulate.consent.parties import HONEST, INTEREST, Party
from detector.simulate.consent.stage import AFTER_US, Granted, Stage
from detector.simulate.traffic import Ints, Traffic

_OWN_BILLS, _OWN_CHATS = 2000, 1500  # people who look at what is theirs, beside everything else (judgement)


def granted_reads(stage: Stage, party: Party, granted: Granted) -> tuple[Ints, Ints]:
    """When a party means to read those who granted, while it may: moments and places in ``granted``."""
    times = 1 + stage.rng.poisson(party.reads - 1, len(granted.person))
    who = np.repeat(np.arange(len(granted.person)), times)
    begin = granted.had_us[who] + AFTER_US
    left = np.maximum(stage.end_us - begin, 1)
    return begin + (left * stage.rng.random(len(who)) ** 2).astype(np.int64), who


def heed(granted: Granted, time_us: Ints, who: Ints) -> tuple[Ints, Ints]:
    """Those of the reads that come before the ledger had the revocation."""
    kept = time_us < granted.revocation_had_us[who]
    return time_us[kept], who[kept]


def question(stage: Stage, party: Party) -> Granted:
    """A party asks its persons over the log, on the pages that have such questions."""
    n = stage.usual(party.asked)
    page = stage.rng.integers(0, ANNUAL_BILL, n)
    return stage.ask(party, stage.persons(n), stage.moments(n), page)


def keep_to_it(stage: Stage, party: Party) -> Traffic:
    """One party that asks, reads those who said yes, and stops when they take it back; or reads what needs no grant."""
    if party.asked:
        granted = question(stage, party)
        time_us, who = heed(granted, *granted_reads(stage, party, granted))
        return stage.read(party, time_us, granted.person[who], consent=granted.consent[who])
    n = stage.usual(party.reads)
    if party.data_class == INTEREST:
        return stage.read(party, stage.moments(n), stage.persons(n))
    tickets = max(n // 8, 1)  # a person who complains is read several times
    return stage.read(party, stage.moments(n), stage.persons(tickets)[stage.rng.integers(0, tickets, n)])


def honest(stage: Stage) -> list[tuple[Party, Traffic]]:
    """All of `HONEST`, and people who read their own."""
    for form, usual in (("bill", _OWN_BILLS), ("chat", _OWN_CHATS)):
        n = stage.usual(usual)
        stage.own(stage.persons(n), stage.moments(n), form)
    return [(party, keep_to_it(stage, party)) for party in HONEST]
