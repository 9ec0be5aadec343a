"""Incidents of many accounts as arrays: what a snapshot keeps of them beside what `keeping` does of every story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.incidents.account_rule import AccountRule
from detector.incidents.account_story import AccountStory
from detector.incidents.story import Story
from detector.packing import Arrays, adopted, joined, parted

_PLAIN: tuple[tuple[str, str], ...] = (
    ("which", "i8"),
    ("since_us", "i8"),
    ("followed_us", "i8"),
    ("rate", "f8"),
    ("upto", "f8"),
    ("usual", "f8"),
    ("fitted", "i8"),
)
_RULE: tuple[tuple[str, str], ...] = (
    ("route", "i8"),
    ("over", "i8"),
    ("recall", "f8"),
    ("benign_share", "f8"),
    ("inside", "f8"),
)
ACCOUNT = np.dtype([*_PLAIN, *((f"rule_{name}", code) for name, code in _RULE)])
_SETS = ("entries", "agents", "networks")
NOBODY: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)


def save(stories: Sequence[Story]) -> dict[str, npt.NDArray[Any]]:
    """What there is beside `keeping.save`; empty columns for other stories."""
    found = [s if isinstance(s, AccountStory) else None for s in stories]
    arrays = joined("account_stories", [_row(s) if s else np.zeros(0, ACCOUNT) for s in found], ACCOUNT)
    arrays |= joined("suspects", [np.array(sorted(s.suspects), np.uint64) if s else NOBODY for s in found], "u8")
    arrays |= joined("sources", [s.sources if s else NOBODY for s in found], "u8")
    for name in _SETS:
        arrays |= joined(f"account_{name}", [getattr(s.rule, name) if s else NOBODY for s in found], "u8")
    return arrays


def load(stories: Sequence[Story], arrays: Arrays) -> None:
    """Gives such incidents back what `save` kept of them; an earlier version knew none."""
    if "account_stories" not in arrays:
        return
    names = ("account_stories", "suspects", "sources", *(f"account_{name}" for name in _SETS))
    columns = (parted(name, arrays, len(stories)) for name in names)
    for story, rows, suspects, sources, *sets in zip(stories, *columns, strict=True):
        if not isinstance(story, AccountStory) or not len(rows):
            continue
        row = adopted(rows, ACCOUNT)[0]
        for name, _ in _PLAIN:
            setattr(story, name, row[name].item())
        rule = {name: row[f"rule_{name}"].item() for name, _ in _RULE}
        story.rule = AccountRule(*(values.astype(np.uint64) for values in sets), **rule)
        story.suspects, story.sources = set(suspects.tolist()), sources.astype(np.uint64)


def _row(story: AccountStory) -> npt.NDArray[Any]:
    plain = [getattr(story, name) for name, _ in _PLAIN]
    return np.array([(*plain, *(getattr(story.rule, name) for name, _ in _RULE))], ACCOUNT)
