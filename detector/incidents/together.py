"""Clients convicted one by one of the same on the same route: one incident that names them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors import Signal
from detector.incidents.story import Member, Story

TOGETHER = frozenset({"walk", "bulk", "guessing", "over_fetch"})
"""Patterns whose clients are told together. A tripwire names each reader, and a metronome accuses nobody."""

WITHIN_US = 3_600_000_000
"""How fresh an incident must be for a further client to be part of it. By chance at most .3 clients a day are convicted
(`Budget.CLIENTS`), so a second one of the same, on the same route and within the hour, is chance once in eighty."""

AT_ONCE = 32
"""Clients up to which each further one is told at once; later ones when the incident has grown (`book.GROWTH`). The
catalogue's groups of accounts that share one task are three to twenty-five."""


def together(stories: Iterable[Story], signal: Signal) -> Story | None:
    """The open story a signal about another client belongs to; None = it is a story of its own."""
    if signal.pattern not in TOGETHER:
        return None
    for story in stories:
        if story.pattern != signal.pattern or story.route != signal.route or story.many or story.partner:
            continue
        if signal.time_us - story.last_us <= WITHIN_US:
            return story
    return None


def look_back(story: Story, reads: npt.NDArray[Any], fresh: int, client: int, member: Member) -> None:
    """Takes in what a client has read before it was convicted; who has read nothing, for all it tried is missing, is
    named as well.

    Args:
        reads: dtype READS, as far as they are held.
        fresh: how many fresh reads there were.
        client: its hash.
        member: its name, without reads.
    """
    story.add(reads, is_new=client not in story.settled().members)
    story.exposure.unseen += max(0, fresh - int(np.count_nonzero(~reads["own"] & ~reads["listed"])))
    story.settled().members.setdefault(client, member)


def join(story: Story, signal: Signal) -> bool:
    """A further client is convicted of the same. Returns whether it is to be told at once."""
    story.support(signal)
    story.last_us = max(story.last_us, signal.time_us)
    story.joined_us = signal.time_us
    return story.count() <= AT_ONCE


def promote(story: Story, signal: Signal) -> None:
    """What was of interest to the curious turns out to be an extraction: it is raised now, under the same id."""
    story.pattern, story.route, story.raised_us = signal.pattern, signal.route, signal.time_us
    story.nats, story.threshold = signal.nats, signal.threshold
    story.at_alert = story.exposed().estimate


def named(story: Story) -> tuple[int, ...]:
    """The clients a story of single ones is about: where a contract is broken, the one it was raised about."""
    return (story.client,) if story.partner else tuple({story.client: None, **dict.fromkeys(story.members)})
