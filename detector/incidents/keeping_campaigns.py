"""Campaigns as arrays: what a snapshot keeps of them beside what it keeps of every story (`keeping`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.attribution import Selector
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.earlier import Earlier
from detector.incidents.ordinary import ORDINARY
from detector.incidents.story import Story
from detector.packing import Arrays, adopted, joined, parted
from detector.state.cells import CROSSING

_PLAIN: tuple[tuple[str, str], ...] = (
    ("channel", "i8"),
    ("since_us", "i8"),
    ("followed_us", "i8"),
    ("counted_us", "i8"),
    ("evident_us", "i8"),
    ("before_us", "i8"),
    ("before_requests", "i8"),
    ("sampled", "f8"),
    ("fitted", "i8"),
    ("crossed", "i8"),
    ("crossed_usual", "f8"),
    ("taken", "i8"),
    ("taken_usual", "f8"),
    ("doubt", "f8"),
    ("sure", "f8"),
)
_RULE: tuple[tuple[str, str], ...] = (
    ("only_new", "?"),
    ("recall", "f8"),
    ("benign_share", "f8"),
    ("precision", "f8"),
    ("inside", "f8"),
)
_EARLIER: tuple[tuple[str, str], ...] = (("most", "i8"), ("likely", "f8"))
CAMPAIGN = np.dtype([*_PLAIN, *_RULE, *_EARLIER])
AMOUNT = np.dtype([("key", "u8"), ("since", "i8"), ("amount", "f8")])
NO_AMOUNT: npt.NDArray[Any] = np.zeros(0, AMOUNT)
CROSSERS = (("crossers", "u8"), ("crossers_new", "u8"), ("crossers_registers", "u1"))


def save(stories: Sequence[Story]) -> dict[str, npt.NDArray[Any]]:
    """What there is beside `keeping.save`; empty columns for stories that are no campaigns."""
    found = [s if isinstance(s, CampaignStory) else None for s in stories]
    arrays = joined("campaigns", [_row(s) if s else np.zeros(0, CAMPAIGN) for s in found], CAMPAIGN)
    arrays |= joined("rule_agents", [s.selector.agents if s else np.zeros(0, np.uint64) for s in found], "u8")
    arrays |= joined("rule_networks", [s.selector.networks if s else np.zeros(0, np.uint32) for s in found], "u4")
    arrays |= joined(
        "odds", [_amounts((k, 0, o) for k, o in s.odds.items()) if s else NO_AMOUNT for s in found], AMOUNT
    )
    arrays |= joined(
        "excess", [_amounts((*cell, n) for cell, n in s.excess.items()) if s else NO_AMOUNT for s in found], AMOUNT
    )
    arrays |= joined("before", [s.before if s else np.zeros(0, CROSSING) for s in found], CROSSING)
    arrays |= joined("usual", [s.usual if s else np.zeros(0, ORDINARY) for s in found], ORDINARY)
    nobody: tuple[npt.NDArray[Any], ...] = tuple(np.zeros(0, code) for _, code in CROSSERS)
    crossers = [s.crossers.save() if s else nobody for s in found]
    for place, (name, code) in enumerate(CROSSERS):
        arrays |= joined(name, [parts[place] for parts in crossers], code)
    return arrays


def load(stories: Sequence[Story], arrays: Arrays) -> None:
    """Gives campaigns back what `save` kept of them."""
    names = ("campaigns", "rule_agents", "rule_networks", "odds", "excess", "before", "usual")
    columns = (parted(name, arrays, len(stories)) for name in (*names, *(name for name, _ in CROSSERS)))
    for story, rows, agents, networks, odds, excess, before, usual, *crossers in zip(stories, *columns, strict=True):
        if not isinstance(story, CampaignStory) or not len(rows):
            continue
        row = adopted(rows, CAMPAIGN)[0]
        for name, _ in _PLAIN:
            setattr(story, name, row[name].item())
        rule = {name: row[name].item() for name, _ in _RULE}
        story.selector = Selector(agents.astype(np.uint64), networks.astype(np.uint32), **rule)
        story.earlier = Earlier(*(row[name].item() for name, _ in _EARLIER))
        story.odds = {key: amount for key, _, amount in adopted(odds, AMOUNT).tolist()}
        story.excess = {(key, since): amount for key, since, amount in adopted(excess, AMOUNT).tolist()}
        story.before, story.usual = adopted(before, CROSSING).copy(), adopted(usual, ORDINARY).copy()
        story.crossers.load(*crossers)


def _row(story: CampaignStory) -> npt.NDArray[Any]:
    plain = [getattr(story, name) for name, _ in _PLAIN]
    rule = [getattr(story.selector, name) for name, _ in _RULE]
    return np.array([(*plain, *rule, story.earlier.most, story.earlier.likely)], CAMPAIGN)


def _amounts(amounts: Iterable[tuple[int, int, float]]) -> npt.NDArray[Any]:
    return np.array(list(amounts), AMOUNT)
