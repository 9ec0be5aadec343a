"""The files read once more, for what the first reading could not keep: what named clients read before they were named.

A campaign's clients are named late, and what they read before that is counted only where the rule covers it; of one
client the ring of recent reads may have let the beginning go. With the names known the files say it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.engines.reading import Reader, ReadSettings
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.earlier import Earlier
from detector.incidents.recent import READS
from detector.incidents.records import Records
from detector.incidents.story import Story
from detector.pipeline import Pipeline
from detector.records.batch import DECLARED, MISS, PAGED, STATIC, Batch
from detector.records.resolve import Resolver

BEFORE_US = 86_400_000_000  # looked back before the first signal: a client's memory is of a day
ANSWERED = ((0, 1), (200, 300), (304, 305))  # not logged, carries a record, says that it is still the same


def wanted(pipeline: Pipeline) -> list[Story]:
    """The incidents of whose named clients more can be known: campaigns, and those that began before what was held."""
    stories = [story for story in pipeline.book.stories if story.members and not story.merged_into]
    return [story for story in stories if isinstance(story, CampaignStory) or story.exposure.unseen]


def complete(paths: Sequence[str | Path], settings: ReadSettings, resolver: Resolver, pipeline: Pipeline) -> int:
    """Reads the files again and puts what the named clients have read in place of what was kept of it; returns for how
    many incidents. To be called when the first reading has ended; standard input cannot be read again.

    Raises:
        InputError: a file is no longer there.
    """
    stories = wanted(pipeline)
    if not stories or "-" in map(str, paths):
        return 0
    named = {story.number: np.sort(np.fromiter(story.members, np.uint64, len(story.members))) for story in stories}
    every = np.unique(np.concatenate(list(named.values())))
    found: dict[int, list[npt.NDArray[Any]]] = {story.number: [] for story in stories}
    for released in Reader(paths, settings, resolver):
        batch = replace(released.batch, time_us=released.moment_us)
        pipeline.routes.assign(batch)
        batch = batch.take(np.flatnonzero(_reads(batch) & np.isin(batch.client, every)))
        for story in stories:
            mine = np.isin(batch.client, named[story.number]) & np.isin(batch.route, list(story.routes))
            mine &= (batch.time_us >= _since_us(story)) & (batch.time_us <= story.last_us)
            if mine.any():
                found[story.number].append(_as_reads(batch, np.flatnonzero(mine)))
    for story in stories:
        _replace(story, named[story.number], found[story.number])
    return len(stories)


def _since_us(story: Story) -> int:
    began = min(story.first_us, story.since_us) if isinstance(story, CampaignStory) else story.first_us
    return began - BEFORE_US


def _reads(batch: Batch) -> npt.NDArray[np.bool_]:
    """Rows by which a record went out, as the judging kernel sees them."""
    answered = np.zeros(len(batch), np.bool_)
    for low, high in ANSWERED:
        answered |= (batch.status >= low) & (batch.status < high)
    return np.asarray(answered & (batch.object != 0) & (batch.flags & (STATIC | PAGED | MISS | DECLARED) == 0))


def _as_reads(batch: Batch, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    reads = np.zeros(len(rows), READS)
    for field in ("object", "client", "number", "time_us", "route", "rows"):
        reads[field] = getattr(batch, field)[rows]
    return reads


def _replace(story: Story, named: npt.NDArray[np.uint64], parts: list[npt.NDArray[Any]]) -> None:
    kept = story.settled().records.rows()
    others = kept[~np.isin(kept["client"], named)]
    listed = kept[(kept["rows"] > 1) & np.isin(kept["client"], named)]  # of lists the kernel alone knows which count
    records = Records()
    records.load(np.concatenate([others, listed]), story.records.bound)
    for reads in parts:
        records.add(reads)
    story.records = records
    if isinstance(story, CampaignStory):
        story.earlier = Earlier()
    if not isinstance(story, CampaignStory) and records.complete and not len(listed):
        story.exposure.unseen = 0
        story.exposure.add(records.rows()["key"])
