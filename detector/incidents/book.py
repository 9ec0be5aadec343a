"""The book of incidents: signals grown into stories with a stable id and a life."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from detector.detectors import CLIENT_DETECTORS, Signal
from detector.evidence.judge import READ, Judged
from detector.incidents.identity import incident_id
from detector.incidents.recent import Recent, reads_of
from detector.incidents.story import Story
from detector.incidents.sweep_story import SweepStory
from detector.records.batch import Batch
from detector.state.layout import State

DAY_US = 86_400_000_000
FEWEST_WORKERS = 2  # a queue worked through by one client is a walk
GROWTH = 1.1  # a story is told again when its record reads have grown by a tenth: 97 times from 100 to a million
LOOK_BACK_US = 600_000_000  # a queue's first, half-read block is a neighbour of the one that gives it away


@dataclass
class Book:
    """All stories of a run.

    Args:
        state: the tables; stories mark their clients' slots.
        recent: the last record reads, to look back on.
        route_name: the printable template of a route id.
        close_after_us: log time without news after which a story ends.
    """

    state: State
    recent: Recent
    route_name: Callable[[int], str]
    close_after_us: int
    stories: list[Story] = field(default_factory=list)
    _open: int = 0

    def observe(self, batch: Batch, judged: Judged) -> None:
        """Counts the rows just judged into the stories they belong to."""
        first, last = judged.first, judged.last
        sweeps = [s for s in self.stories if isinstance(s, SweepStory) and not s.closed]
        belongs = (judged.incident[first:last] > 0) & ((judged.flags[first:last] & READ) != 0)
        rows = np.flatnonzero(belongs) + first
        for number in np.unique(judged.incident[rows]).tolist():
            story = self.stories[number - 1]
            if not isinstance(story, SweepStory):
                story.add(reads_of(batch, judged, rows[judged.incident[rows] == number]))
        for sweep in sweeps:
            on_route = (batch.route[first:last] == sweep.route) & ((judged.flags[first:last] & READ) != 0)
            sweep.wait(reads_of(batch, judged, np.flatnonzero(on_route) + first))

    def raise_client(self, signal: Signal, slot: int) -> None:
        """A signal about one client: a new story, or more about the one it is in."""
        client = self.state.clients[slot]
        bit = CLIENT_DETECTORS[signal.pattern][0]
        client["raised"] = int(client["raised"]) | bit
        if client["incident"]:
            story = self.stories[int(client["incident"]) - 1]
            if not isinstance(story, SweepStory):
                story.support(signal)
            return
        identity = incident_id(signal.pattern, self.route_name(signal.route), self.state.name(slot), signal.time_us)
        story = Story(len(self.stories) + 1, identity, signal)
        self.stories.append(story)
        self._open += 1
        client["incident"] = story.number
        before = self.recent.of_client(signal.client, signal.time_us - DAY_US)
        story.add(before)
        fresh = int(client["fresh"].sum())
        story.exposure.unseen = max(0, fresh - int(np.count_nonzero(~before["own"])))
        story.at_alert = story.settled().exposure.estimate().estimate

    def raise_sweep(self, signal: Signal) -> None:
        """A signal about a block of ids: a new story, or one more block of the sweep on the same route."""
        for story in self.stories:
            if isinstance(story, SweepStory) and not story.closed and story.route == signal.route:
                story.support(signal)
                return
        identity = incident_id("sweep", self.route_name(signal.route), "many", signal.time_us)
        sweep = SweepStory(len(self.stories) + 1, identity, signal)
        sweep.wait(self.recent.of_route(signal.route, int(signal.block["begin_us"]) - LOOK_BACK_US))
        sweep.settle(self.state, signal.time_us)
        sweep.name()
        if len(sweep.members) < FEWEST_WORKERS:
            sweep.unmark(self.state)
            return
        self.stories.append(sweep)
        self._open += 1
        self._absorb(sweep)
        sweep.at_alert = max(sweep.settled().exposure.estimate().estimate, int(signal.block["hits"]))

    def _absorb(self, sweep: SweepStory) -> None:
        """Ends the stories of single clients that turn out to be workers of the sweep: the wider story goes on."""
        for story in self.stories:
            if story.closed or isinstance(story, SweepStory) or story.route != sweep.route:
                continue
            if any(client in sweep.members for client in story.settled().members):
                story.merged_into = sweep.identity
                self._close(story)
                sweep.mark(self.state, story.members)

    def tick(self, now_us: int) -> None:
        """Log time has reached a tick: settles sweeps, closes what has been quiet, counts revisions."""
        for story in self.stories:
            if story.closed:
                continue
            if isinstance(story, SweepStory):
                story.settle(self.state, now_us)
            if now_us - story.last_us > self.close_after_us:
                self._close(story)
            if story.reads > GROWTH * story.told or story.closed:
                story.revision += story.told > 0
                story.told = story.reads

    def _close(self, story: Story) -> None:
        story.closed = True
        self._open -= 1
        clients = self.state.in_use
        mine = clients["incident"] == story.number
        clients["raised"][mine] = 0
        clients["run"][mine] = 0
        clients["incident"][mine] = 0

    @property
    def is_open(self) -> bool:
        """Whether any story may still grow or end."""
        return self._open > 0
