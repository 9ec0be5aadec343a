"""A crowd, a crawl by many identities hidden in it, and what the pipeline makes of them, from columns to incident."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from detector import learnt
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.incident import Incident
from detector.incidents.render import incident
from detector.packing import Saved
from detector.pipeline import Pipeline, Rules
from detector.records.batch import Batch
from detector.records.routes import Routes
from detector.records.texts import Texts
from detector.simulate.options import Options
from detector.simulate.play import Play
from detector.state.archive import pack, unpack
from detector.state.layout import Sizes

HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000
WARM_HOURS, MINUTES = 6.5, 6  # cells are judged from the sixth hour of their route on
SIZES = Sizes(clients=1 << 17, objects=1 << 20, cells=1 << 14, crossings=1 << 14, maturity=1 << 14)


@cache
def made() -> tuple[list[Batch], list[Batch], Texts, frozenset[int], int]:
    """Ordinary traffic of 60 requests a second; the minutes with the crawl (P4, a thousand identities that share an
    agent and twenty networks, 20 requests a second); texts; who crawls, and how many records they got."""
    options = Options(
        seed=3,
        rate=50,
        duration_seconds=7 * 3600,
        identities=1000,
        attack_rate=20,
        attack_seconds=600,
        variant="shared",
    )
    begin = options.start_us + int(WARM_HOURS * HOUR_US) // MINUTE_US * MINUTE_US
    play = Play.of(options, "P4", begin, begin + MINUTES * MINUTE_US)
    columns = play.columns()
    warm = [lab.batch for lab in play.batches(columns, options.start_us, begin)]
    labelled = list(play.batches(columns, begin, begin + (MINUTES + 2) * MINUTE_US))
    crew = np.concatenate([lab.batch.client[lab.attack] for lab in labelled])
    got = np.concatenate([lab.batch.object[lab.attack & (lab.batch.status == 200)] for lab in labelled])
    return warm, [lab.batch for lab in labelled], columns.resolver.texts, frozenset(crew.tolist()), len(np.unique(got))


class Line:
    """A pipeline and the incidents it tells."""

    def __init__(self, kept: Saved | None = None) -> None:
        self.told: list[Incident] = []
        self.stories: dict[int, Any] = {}
        self.pipeline = Pipeline(Rules(), SIZES, Routes(made()[2]), self._tell, {"version": "1", "config": "a"})
        if kept is not None:
            self.pipeline.load(*kept)

    def _tell(self, told: Incident, story: Any) -> None:
        self.told.append(told)
        self.stories[story.number] = story


@cache
def warmed() -> bytes:
    """What a process keeps after six hours in which nothing happened."""
    line = Line()
    for batch in made()[0]:
        line.pipeline.take(batch)
    assert line.told == []
    return pack(*line.pipeline.save())


@cache
def caught() -> Line:
    """The crawl, in one go."""
    line = Line(unpack(warmed()))
    for batch in made()[1]:
        line.pipeline.take(batch)
    return line


def test_a_thousand_identities_from_a_list_are_one_incident() -> None:
    """Within three minutes there is one incident; its rule is the agent they share, in words; those it names are
    theirs, and what it says has gone has gone."""
    line = caught()
    _, _, _, crew, records = made()
    assert len({told.incident for told in line.told}) == 1
    (story,) = line.stories.values()
    last = line.told[-1]
    assert isinstance(story, CampaignStory)
    assert (last.pattern, last.selector is not None and last.selector["actionable"]) == ("campaign", True)
    assert story.raised_us - story.since_us <= 3 * MINUTE_US
    assert last.selector is not None
    assert last.selector["benign_share"] <= 1e-3
    assert last.selector["recall"] >= 0.8
    assert all(not text.startswith("~") for text in last.selector["agents"])
    named = set(story.members)
    assert len(named & crew) >= 0.98 * len(named)
    assert len(named & crew) >= 0.8 * len(crew)
    assert abs(last.client_count - len(crew)) <= 0.1 * len(crew)
    assert last.records_exposed.low * 0.98 <= records <= last.records_exposed.high * 1.02
    assert len(last.evidence) >= 3


def test_an_ordinary_day_tells_nothing_and_the_crawl_is_the_same_however_it_is_cut() -> None:
    """Batches cut anywhere and a process that ends in the middle tell the same revisions to the byte."""
    line = Line(unpack(warmed()))
    rng = np.random.default_rng(9)
    told: list[Incident] = []
    for batch in made()[1]:
        middle = int(rng.integers(0, len(batch)))
        line.pipeline.take(batch.take(slice(0, middle)))
        told += line.told
        line = Line(unpack(pack(*line.pipeline.save())))
        line.pipeline.take(batch.take(slice(middle, len(batch))))
        told += line.told
        line.told = []
    assert [i.record() for i in told] == [i.record() for i in caught().told]


def test_a_campaign_outlives_a_rewind() -> None:
    """What was learnt takes the open campaign along: the log read again adds nothing to it, and names nobody anew."""
    line, again = caught(), Line()
    learnt.apply(again.pipeline, *unpack(pack(*learnt.of(line.pipeline))))
    (story,) = again.pipeline.open_stories()
    assert story.resume_us == line.pipeline.last_us
    for batch in made()[1]:
        again.pipeline.take(batch)
    before, after = line.told[-1], incident(story, again.pipeline.book, {"version": "1", "config": "a"})
    assert again.told == []
    assert (after.incident, after.clients) == (before.incident, before.clients)
    assert before.requests <= after.requests <= line.stories[story.number].requests
