"""Guessing, over-fetch and metronome in simulated traffic: who is named, when, and who is not."""

from __future__ import annotations

from functools import cache

import pytest

from detector.incidents.incident import Incident
from detector.incidents.render import incidents
from detector.packing import Saved
from detector.pipeline import Pipeline, Rules
from detector.records.routes import Routes
from detector.simulate import CONFUSERS, Options, Play
from detector.simulate.columns.fill import Columns
from detector.state.layout import Sizes

HOURS = 7  # a quarter of a day settles what ordinary clients are like; an hour more
SMALL = Sizes(clients=1 << 15, objects=1 << 19, blocks=1 << 12)
OFFICE = 12 * 3600.0  # customer service, analysts and the partner have come by then
CALM = Options(rate=10, ids=200_000, duration_seconds=HOURS * 3600.0 + 8000)


def pipeline(columns: Columns) -> Pipeline:
    """A pipeline for simulated columns."""
    return Pipeline(Rules(), SMALL, Routes(columns.resolver.texts))


@cache
def morning(listed: bool = True, with_rows: bool = True) -> tuple[Columns, Saved]:
    """Seven hours of ordinary traffic, judged."""
    play = Play.of(CALM)
    columns = play.columns(listed=listed, with_rows=with_rows)
    line = pipeline(columns)
    for part in play.batches(columns, CALM.start_us, CALM.start_us + HOURS * 3_600_000_000):
        line.take(part.batch)
    assert incidents(line.book, {}) == []
    return columns, line.save()


def raised(pattern: str, variant: str = "", form: str = "plain", listed: bool = True, with_rows: bool = True) -> Raised:
    """What an attack after that morning raises."""
    columns, saved = morning(listed, with_rows)
    options = Options(rate=CALM.rate, ids=CALM.ids, duration_seconds=CALM.duration_seconds, variant=variant, form=form)
    begin = CALM.start_us + HOURS * 3_600_000_000
    play = Play.of(options, pattern, begin)
    assert play.scene is not None
    line = pipeline(columns)
    line.load(saved.meta, saved.arrays)
    for part in play.batches(columns, begin, play.scene.end_us):
        line.take(part.batch)
    line.finish()
    names = set(columns.clients(play.scene.cast.address, play.scene.cast.who)[1])
    return Raised(begin, names, incidents(line.book, {}), {s.identity: s.raised_us for s in line.book.stories})


class Raised:
    """Incidents after an attack began, and who attacked."""

    def __init__(self, begin_us: int, names: set[str], found: list[Incident], at_us: dict[str, int]) -> None:
        self.names, self.found = names, found
        self.seconds = [(at_us[i.incident] - begin_us) / 1e6 for i in found]

    @property
    def innocent(self) -> list[Incident]:
        """Incidents that name anybody else."""
        return [i for i in self.found if not set(i.clients) <= self.names]


@pytest.mark.parametrize("form", ["plain", "e1"])
def test_guessing_accounts_are_named_within_a_minute(form: str) -> None:
    """Five accounts that miss two times in three are five incidents of guessing within a minute, and no others."""
    seen = raised("P5", form=form)
    assert {i.pattern for i in seen.found} == {"guessing"}
    assert {name for i in seen.found for name in i.clients} == seen.names
    assert max(seen.seconds) < 60
    assert not seen.innocent


@pytest.mark.parametrize(("variant", "form"), [("fast", "plain"), ("fast", "e2"), ("slow", "plain")])
def test_batched_look_ups_are_named_by_the_second_batch(variant: str, form: str) -> None:
    """Ranges of numbers in batches, in order or shuffled, are named before a client's third batch is over."""
    seen = raised("P7", variant, form)
    assert seen.found
    assert max(i.records_at_alert for i in seen.found) < 300
    assert not seen.innocent


@pytest.mark.parametrize(
    ("variant", "form", "rows"),
    [
        *(("limit", form, True) for form in ("plain", "e2", "e4", "e7")),
        *(("limit", "plain", False), ("wildcard", "plain", True), ("wildcard", "plain", False)),
    ],
)
def test_over_fetch_is_named_by_the_tenth_large_answer(variant: str, form: str, rows: bool) -> None:
    """Few requests of very many rows each are over-fetch, by their rows or, where those are not logged, their bytes."""
    seen = raised("P12", variant, form, with_rows=rows)
    (one,) = seen.found
    assert one.pattern == "over_fetch"
    assert set(one.clients) == seen.names
    assert {f.name: f.value for f in one.evidence}["large_answers"] <= 10
    each = (1000 if variant == "limit" else 5000) if rows else 1
    assert each * 3 <= one.records_at_alert <= each * 10 + 500
    assert one.records_exposed.estimate >= one.records_at_alert


def test_very_deep_pages_are_over_fetch() -> None:
    """Page after page of the ordinary twenty, of a list nobody else opens, is over-fetch by the tenth request."""
    (one,) = raised("P12", "deep").found
    assert one.pattern == "over_fetch"
    assert one.records_at_alert <= 200


@pytest.mark.parametrize("form", ["plain", "e4"])
def test_a_metronome_is_informational(form: str) -> None:
    """Ten addresses that poll a feed to the second, or with a person's gaps but nothing else, are named for the curious
    only."""
    seen = raised("P13", form=form)
    assert {(i.pattern, i.severity) for i in seen.found} == {("metronome", "informational")}
    assert {name for i in seen.found for name in i.clients} == seen.names


def test_who_only_looks_like_them_is_left_alone() -> None:
    """Half a day with all confusers raises nothing above informational."""
    options = Options(rate=10, ids=200_000, duration_seconds=OFFICE, confusers=tuple(CONFUSERS))
    play = Play.of(options)
    columns = play.columns()
    line = pipeline(columns)
    for part in play.batches(columns):
        line.take(part.batch)
    line.finish()
    assert [(i.pattern, i.clients) for i in incidents(line.book, {}) if i.severity != "informational"] == []
