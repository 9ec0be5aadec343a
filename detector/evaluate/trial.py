"""One case of the suite: a fork of the warmed ground, the attack on it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from detector import clock
from detector.evaluate.cases import Case
from detector.evaluate.figures import Figures, first_actionable, judge, loud
from detector.evaluate.ground import Ground
from detector.evaluate.named import Census, Record
from detector.evaluate.observed import Observed
from detector.evaluate.survival import Peaks
from detector.incidents.incident import Incident
from detector.incidents.render import incidents
from detector.incidents.story import Story
from detector.pipeline import Pipeline
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import Rows
from detector.simulate.play import ROWS_A_BATCH, Labelled, Play

_LOOK_SECONDS = 60.0  # log time before an alert is looked at for the first time; doubled at each further look
_SAMPLED = 75.0  # ordinary requests a second kept for selectors: 270,000 an hour, of which 0.1 % are 270
_MOST_SAMPLED = 2_700_000  # of a case that lasts for days: 160 MB
_MADE_BY = {0: "people", 100: "machines", 200: "attack"}


class Rival(Protocol):
    """Somebody else's rule, fed with the same rows."""

    def take(self, part: Labelled) -> None:
        """Takes one batch in log order."""

    def result(self, observed: Observed) -> list[dict[str, Any]]:
        """What came of it."""


@dataclass
class Watch:
    """Keeps every revision of the incidents raised from a moment on, each with the moment it was told.

    Attributes:
        since_us: what was raised before belongs to the warm-up.
        told: moment and incident.
        now_us: end of the batch that is being judged.
    """

    since_us: int = 0
    told: list[tuple[int, Record]] = field(default_factory=list)
    now_us: int = 0
    _known: set[str] = field(default_factory=set)
    _joined: dict[str, int] = field(default_factory=dict)

    def news(self, incident: Incident, story: Story) -> None:
        """Hears of a revision: a first one at the moment it is raised, a further client at the moment it is convicted,
        other ones at the end of the batch."""
        if _micros(incident.raised_at) < self.since_us:
            return
        record = incident.record()
        first = incident.incident not in self._known
        self._known.add(incident.incident)
        raised = _micros(incident.raised_at)
        joined = story.joined_us > self._joined.get(incident.incident, 0)
        self._joined[incident.incident] = story.joined_us
        self.told.append((raised if first else story.joined_us if joined else max(raised, self.now_us), record))

    def finish(self, pipeline: Pipeline) -> None:
        """The last state of what is still open."""
        detector = {"version": "", "config": ""}
        for incident in incidents(pipeline.book, detector):
            if _micros(incident.raised_at) >= self.since_us:
                self.told.append((pipeline.last_us, incident.record()))


@dataclass
class Run:
    """What is under way in one case."""

    case: Case
    pipeline: Pipeline
    play: Play
    columns: Columns
    watch: Watch
    observed: Observed = field(default_factory=Observed)
    peaks: Peaks = field(default_factory=Peaks)

    def census(self) -> Census:
        """Who is who, as of now."""
        return Census(self.pipeline, self.columns, self.play.world.agents)

    def actionable(self) -> bool:
        """Whether an alert so far is actionable, as far as the rows so far can tell."""
        return first_actionable(self.watch.told, self.census(), self.observed.seen()) is not None


def start(case: Case, ground: Ground) -> Run:
    """A case at its first row."""
    watch = Watch(ground.begin_us)
    pipeline, resolver = ground.fork(watch.news)
    play = ground.play(case)
    kept = min(_SAMPLED, _MOST_SAMPLED / case.seconds)
    observed = Observed(max(1, round(ground.world.rate / kept)))
    return Run(case, pipeline, play, play.columns(resolver, listed=case.listed), watch, observed)


def run(case: Case, ground: Ground, rivals: Sequence[Rival] = ()) -> tuple[Run, dict[str, Any]]:
    """Plays a case to its end, or until a while after its first actionable alert; returns the run and its record."""
    began = clock.processor()
    running = start(case, ground)
    setting = ground.setting
    begin = ground.begin_us
    end = running.play.world.options.end_us
    attack = ground.attack_us(running.play.world.options)
    keep_on = attack + round(max(setting.compare_seconds if rivals else 0.0, case.least_seconds) * 1e6)
    look_us, stop_us = 0, end
    for whole, part in _parts(running, begin, end):
        running.watch.now_us = int(part.batch.time_us[-1])
        running.pipeline.take(part.batch)
        running.observed.add(part, whole)
        running.peaks.look(running.pipeline.state, running.watch.now_us)
        for rival in rivals:
            rival.take(part)
        now = running.watch.now_us
        if now >= stop_us:
            if running.actionable():
                break
            stop_us = end  # what covered half of the first few covers little of those that came after
        if (
            stop_us == end
            and case.pattern != "quiet"
            and now >= look_us
            and any(loud(r) for _, r in running.watch.told)
        ):
            if running.actionable():
                stop_us = min(end, max(now + round(setting.tail_seconds * 1e6), keep_on))
            look_us = now + max(round(_LOOK_SECONDS * 1e6), (now - attack) // 4)
    running.pipeline.finish()  # what waits for its tick counts too
    running.watch.finish(running.pipeline)
    record = {"case": case.key, "log_seconds": round((running.observed.last_us - begin) / 1e6)}
    figures = _quiet(running) if case.pattern == "quiet" else judged(running)
    record |= {"figures": figures, "rivals": [r for rival in rivals for r in rival.result(running.observed)]}
    return running, {**record, "processor_seconds": round(clock.processor() - began, 1)}


def _parts(running: Run, begin_us: int, end_us: int) -> Iterator[tuple[Rows, Labelled]]:
    """The rows of a run with those the log does not list, and what is judged of them."""
    for rows in running.play.rows(begin_us, end_us):
        for first in range(0, len(rows), ROWS_A_BATCH):
            whole = rows[first : first + ROWS_A_BATCH]
            shown = running.columns.shown(whole)
            if len(shown):
                yield whole, Labelled(running.columns.batch(shown), shown)


def judged(running: Run) -> dict[str, Any]:
    """The figures of a run with an attack."""
    figures: Figures = judge(running.watch.told, running.observed, running.census())
    return figures.record()


def _quiet(running: Run) -> dict[str, Any]:
    told = [record for _, record in running.watch.told]
    return accused(told, running.census(), running.observed)


def accused(told: Sequence[Record], census: Census, observed: Observed) -> dict[str, Any]:
    """Who was accused where nobody attacks: pattern, id, and what made most of the incident's requests.

    Args:
        told: incidents, the last state of each last.
        census: who is who.
        observed: who made how many requests.
    """
    counts, seen = observed.clients(), observed.seen()
    final = {record["incident"]: record for record in told if not record.get("merged_into")}
    found: dict[str, list[str]] = {"accused": [], "informational": []}
    for record in final.values():
        theirs = counts[np.isin(counts["client"], census.keys(record["clients"]))]
        if not len(theirs):
            chosen = np.unique(seen["client"][census.selected(record, seen)])
            theirs = counts[np.isin(counts["client"], chosen)]
        makers = np.bincount(theirs["made_by"], theirs["requests"], 256)
        maker = int(makers.argmax()) if makers.any() else 0
        who = _MADE_BY.get(maker, f"N{maker}")
        found["accused" if loud(record) else "informational"].append(f"{record['pattern']} {who} {record['incident']}")
    return found


def _micros(moment: str) -> int:
    from detector.config import parse_moment

    return parse_moment(moment, "raised_at")
