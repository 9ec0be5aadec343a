"""The four breaches: what a party with valid access reads that nobody agreed to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detector.simulate.consent.changes import ANNUAL_BILL, NOT_SAID, TICKED
from detector.simulate.consent.honest import granted_reads, keep_to_it, question
from detector.simulate.consent.parties import CHAT, COACH, QUIZ, REACH, SESAME, Party
from detector.simulate.consent.stage import AFTER_US, Stage
from detector.simulate.traffic import Traffic

BILLS = 500e6  # viewed within hours on 3 January 2018
TICK_KEPT = 0.99  # of a box ticked by default in tiny type
APP_GRANTS = 270_000  # of the quiz behind Cambridge Analytica, which read 87 M persons
PERSONS_A_GRANT = 322
_REACH = 2000  # how far away in the graph's own numbering a friend is (`patterns.stolen`)
_GAP_US = 9_000_000  # median between two profiles, as everybody's
_CHATS = 4000  # read by the advertiser (judgement)

Made = tuple[Traffic, dict[str, Any]]


@dataclass(frozen=True)
class Story:
    """A breach.

    Attributes:
        name: the variant.
        party: who commits it.
        model: the case it is drawn after.
        play: makes it: the party's requests, ``attack`` where they are the breach, and what more to say of it; the
            last argument is whether the ledger admits how consent was given.
    """

    name: str
    party: Party
    model: str
    play: Callable[[Stage, Party, bool], Made]


def _sesame(stage: Stage, party: Party, admits: bool) -> Made:
    """People view their annual bill; the box below it is ticked; from the breach's start on the partner reads them."""
    n = stage.scaled(BILLS)
    person, viewed = stage.persons(n), stage.moments(n)
    stage.own(person, viewed, "bill")
    at_once = stage.rng.integers(50_000, 900_000, n)
    kept = replace(party, grant_rate=TICK_KEPT)
    granted = stage.ask(kept, person, viewed, ANNUAL_BILL, TICKED if admits else NOT_SAID, at_once)
    late = granted.had_us + AFTER_US + stage.rng.exponential(600e6, len(granted.had_us)).astype(np.int64)
    planned = stage.moments(len(late), stage.breach_us)[stage.rng.permutation(len(late))]
    made = stage.read(party, np.maximum(planned, late), granted.person, consent=granted.consent, attack=True)
    finding = "reads_on_ticked_grant" if admits else "reads_on_smelling_grant"
    smell = {"views": n, "grants": len(granted.person), "first_view_us": int(viewed[0])}
    return made, {"findings": [finding], "smell": smell}


def _amplification(stage: Stage, party: Party, admits: bool) -> Made:
    """An app reads who granted, and all their friends on the same grant."""
    asked = round(stage.scaled(APP_GRANTS) / party.grant_rate)
    viewed = stage.moments(asked)
    granted = stage.ask(party, stage.persons(asked), viewed, stage.rng.integers(0, ANNUAL_BILL, asked))
    n = len(granted.person)
    friend = np.repeat(np.arange(n), PERSONS_A_GRANT)
    steps = np.stack([stage.rng.permutation(_REACH)[: PERSONS_A_GRANT - 1] + 1 for _ in range(n)]) if n else np.zeros(0)
    near = np.concatenate([np.zeros((n, 1), np.int64), steps.reshape(n, -1)], axis=1).ravel()
    person = np.where(near == 0, granted.person[friend], stage.world.spread(granted.person[friend] + near))
    gaps = stage.rng.lognormal(np.log(_GAP_US), 1, len(friend)).clip(max=600e6).astype(np.int64)
    begin = np.maximum(granted.had_us + AFTER_US, stage.breach_us)
    at = begin[friend] + np.cumsum(gaps.reshape(n, -1), axis=1).ravel()
    order = np.argsort(granted.person)
    own = order[np.searchsorted(granted.person, person, sorter=order).clip(max=n - 1)]
    agreed = (granted.person[own] == person) & (granted.had_us[own] <= at)  # a friend may have granted, too, or later
    made = stage.read(party, at, person, consent=granted.consent[friend], attack=~agreed)
    return made, {"findings": ["persons_per_grant", "reads_without_grant"], "grants": n}


def _revoked(stage: Stage, party: Party, admits: bool) -> Made:
    """A partner that asks as it should, and goes on reading those who took it back."""
    granted = question(stage, party)
    at, who = granted_reads(stage, party, granted)
    broken = at // 1_000_000 * 1_000_000 > granted.revocation_had_us[who]  # as the log says it: in whole seconds
    made = stage.read(party, at, granted.person[who], consent=granted.consent[who], attack=broken)
    return made, {"findings": ["reads_after_revocation"], "longest_lag_seconds": stage.lag_us / 1e6}


def _advertiser(stage: Stage, party: Party, admits: bool) -> Made:
    """An advertiser reads what it may, and then what people write to one another."""
    keep_to_it(stage, party)
    n = stage.usual(_CHATS)
    made = stage.read(party, stage.moments(n, stage.breach_us), stage.persons(n), "chat", attack=True)
    return made, {"findings": ["reads_of_other_classes"], "class": CHAT}


STORIES: dict[str, Story] = {
    story.name: story
    for story in (
        Story("sesame", SESAME, "Sesame Credit", _sesame),
        Story("amplification", QUIZ, "Cambridge Analytica", _amplification),
        Story("revoked", COACH, "apps that keep their tokens", _revoked),
        Story("advertiser", REACH, "the WeChat question", _advertiser),
    )
}
"""By variant, the default first."""
