"""Breaches that break no rule: grants that are valid, used while nobody looks, of those who have gone, for other ends.

Each party behaves for most of the log as everybody would have it, and then otherwise; it takes a day and a half until
there is anything to hold it against, so these are for logs of two days.
"""

from __future__ import annotations

import numpy as np

from detector.simulate.consent.changes import ANNUAL_BILL
from detector.simulate.consent.parties import BROKER, REUNION, WALLET, Party
from detector.simulate.consent.stage import AFTER_US, Granted, Stage
from detector.simulate.consent.stories import Made, Story
from detector.simulate.site import PURPOSES
from detector.simulate.traffic import Ints, Traffic
from detector.simulate.world import DAY_US

_ASKED_DAYS = 60  # before the log: whoever uses a service has agreed to it earlier (judgement)
_A_DAY = 0.08  # share of those who granted that is read on an ordinary day (judgement)
_SPREE_US = 8 * 3_600_000_000  # how long it takes to read them all: a night
_SOME_GONE = 0.05  # of all accounts have not been there for months (judgement; as ordinary parties read them, too)
_GONE_DAYS = (120, 700)  # well beyond the ninety that count as dormant
_STAYS_US = 40_000_000  # an app reads what is shown within so long of the person's own request


def _agreed(stage: Stage, party: Party, days_ago: int = 1) -> Granted:
    """People who were asked so long before the log, or longer, and said yes; nobody takes it back."""
    n = stage.usual(party.asked)
    before = ((days_ago + stage.rng.random(n) * _ASKED_DAYS) * DAY_US).astype(np.int64)
    return stage.ask(party, stage.persons(n), np.sort(stage.start_us - before), ANNUAL_BILL - 1)


def _ordinary(stage: Stage, party: Party, granted: Granted) -> tuple[Ints, Ints]:
    """Reads as everybody would have them, up to the breach: moments and places in ``granted``, with the persons there;
    a moment's read comes within seconds of the person's own."""
    days = (stage.end_us - stage.start_us) / DAY_US
    at = stage.moments(max(round(len(granted.person) * _A_DAY * days), 10))
    at = at[at < stage.breach_us]
    who = stage.rng.integers(0, len(granted.person), len(at))
    stage.own(granted.person[who], at, party.form)
    return at + AFTER_US + (stage.rng.random(len(at)) * _STAYS_US).astype(np.int64), who


def _spree(stage: Stage, persons: Ints) -> Ints:
    """When each of some persons is read from the breach on."""
    end = min(stage.breach_us + _SPREE_US, stage.end_us)
    return stage.breach_us + (stage.rng.random(len(persons)) * (end - stage.breach_us)).astype(np.int64)


def _both(stage: Stage, party: Party, granted: Granted, purpose: int) -> Traffic:
    """What a party does before, and everybody who granted after, as one."""
    at, who = _ordinary(stage, party, granted)
    every = np.arange(len(granted.person))
    later = _spree(stage, granted.person)
    time_us, whom = np.concatenate([at, later]), np.concatenate([who, every])
    attack = np.arange(len(time_us)) >= len(at)
    said = np.where(attack, purpose, PURPOSES.index(party.purpose))
    return stage.read(party, time_us, granted.person[whom], consent=granted.consent[whom], attack=attack, purpose=said)


def _away(stage: Stage, party: Party, admits: bool) -> Made:
    """An app that reads its users' bills while they look at them, and one night all of them."""
    made = _both(stage, party, _agreed(stage, party), PURPOSES.index(party.purpose))
    return made, {"findings": ["share_read_while_away", "reads_while_away"]}


def _gone(stage: Stage, party: Party, admits: bool) -> Made:
    """An app goes on to read those who have forgotten that they ever agreed."""
    busy = np.concatenate([*(c.subject for c in stage.changes), *(part.number for part in stage.parts)])
    granted = _agreed(stage, party, _GONE_DAYS[0])
    days = stage.rng.integers(0, 30, stage.world.ids)
    long_ago = stage.rng.integers(*_GONE_DAYS, stage.world.ids)
    gone = stage.rng.random(stage.world.ids) < _SOME_GONE
    half = len(granted.person) // 2
    lost = half + np.flatnonzero(~np.isin(granted.person[half:], busy))  # who deals with others is not gone
    gone[busy[busy > 0] - 1], gone[granted.person - 1], gone[granted.person[lost] - 1] = False, False, True
    stage.last_seen = np.where(gone, long_ago, days)
    here = Granted(*(column[:half] for column in vars(granted).values()))
    at, who = _ordinary(stage, party, here)
    later = _spree(stage, granted.person[lost])
    time_us = np.concatenate([at, later])
    whom = np.concatenate([who, lost])
    attack = np.arange(len(time_us)) >= len(at)
    made = stage.read(party, time_us, granted.person[whom], consent=granted.consent[whom], attack=attack)
    return made, {"findings": ["share_of_dormant_persons", "reads_of_dormant_persons"]}


def _drift(stage: Stage, party: Party, admits: bool) -> Made:
    """A broker that may advertise, too, lends until it only advertises."""
    made = _both(stage, party, _agreed(stage, party), PURPOSES.index(party.also))
    return made, {"findings": ["purpose_drift_bits", "reads_for_drifted_purposes"]}


USES: dict[str, Story] = {
    story.name: story
    for story in (
        Story("away", WALLET, "tokens used at night", _away),
        Story("dormant", REUNION, "accounts that are forgotten", _gone),
        Story("drift", BROKER, "agreed for one thing, used for another", _drift),
    )
}
"""By variant."""
