"""The book of incidents: signals grown into stories with a stable id and a life."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from detector.detectors import CLIENT_DETECTORS, Signal
from detector.detectors.campaign import CellAlarm
from detector.evidence.judge import LISTED, READ, Judged
from detector.incidents import keeping
from detector.incidents.campaign_story import Around, CampaignStory, swept
from detector.incidents.cell_alarms import signal_of
from detector.incidents.identity import incident_id
from detector.incidents.ordinary import MINUTE_US, Ordinary
from detector.incidents.past import Past
from detector.incidents.recent import Recent, reads_of
from detector.incidents.severity import INFORMATIONAL
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Member, Story
from detector.incidents.suppression import Suppression, suppressed_by
from detector.incidents.sweep_rule import Usual
from detector.incidents.sweep_story import FEWEST_WORKERS, LOOK_BACK_US, SweepStory
from detector.incidents.together import join, look_back, named, promote, together
from detector.packing import Arrays
from detector.records.batch import Batch
from detector.state.layout import State

DAY_US = 86_400_000_000
GROWTH = 1.1  # a story is told again when its record reads have grown by a tenth: 97 times from 100 to a million

Shared = TypeVar("Shared", bound=SharedStory)


@dataclass
class Book:
    """All stories of a run.

    A story is told when it is raised, at ticks at which it has grown by `GROWTH`, and when it has ended; each telling
    is a revision. Log time and rows alone decide when.

    Args:
        state: the tables; stories mark their clients' slots.
        recent: the last record reads, to look back on.
        route_name: the printable template of a route id.
        close_after_us: log time without news after which a story ends.
        agent_name, network_name: the printable texts of a user agent's and of a network's hash.
        tell: called with a story for each revision.
        data_classes: the declared classes of what a route id hands out.
        keep_closed: keeps stories that have ended, to be told at the end of a replay; a stream lets them go once told.

    Attributes:
        past: clients of stories that have ended.
        ordinary: a sample of ordinary requests; whoever feeds the book fills it before each tick and each sweep.
        warming: whether stories raised now are marked as raised while lost state is being rebuilt.
        suppressions, veil: what is kept quiet; what hides names in whatever is told (`Pseudonyms`), or None.
    """

    state: State
    recent: Recent
    route_name: Callable[[int], str]
    close_after_us: int
    tell: Callable[[Story], None] = lambda _: None
    agent_name: Callable[[int], str] = "~{:016x}".format
    network_name: Callable[[int], str] = "~{:08x}".format
    data_classes: Callable[[int], tuple[str, ...]] = lambda _: ()
    keep_closed: bool = True
    past: Past = field(default_factory=Past)
    warming: bool = False
    suppressions: tuple[Suppression, ...] = ()
    veil: Any = None
    ordinary: Ordinary = field(default_factory=Ordinary)
    _open: dict[int, Story] = field(default_factory=dict)
    _shared: dict[int, SharedStory] = field(default_factory=dict)
    _of_client: dict[int, Story] = field(default_factory=dict)
    _merged: list[Story] = field(default_factory=list)  # ended between two ticks, to be told at the next
    _closed: list[Story] = field(default_factory=list)
    _last: int = 0  # the number given last

    @property
    def stories(self) -> list[Story]:
        """Every story kept, in the order in which they were raised."""
        return sorted([*self._open.values(), *self._merged, *self._closed], key=lambda story: story.number)

    @property
    def open_stories(self) -> list[Story]:
        """Every story that may still grow or end."""
        return [story for story in self._open.values() if not story.over_us]

    @property
    def follows(self) -> bool:
        """Whether `raise_campaign` has something to do at a tick without alarms."""
        return any(isinstance(story, CampaignStory) for story in self._shared.values())

    @property
    def next_number(self) -> int:
        """The number the next story gets."""
        return self._last + 1

    @property
    def is_open(self) -> bool:
        """Whether ticks have anything to do."""
        return bool(self._open or self._merged)

    def story(self, number: int) -> Story | None:
        """The open story client slots refer to by this number."""
        return self._open.get(number)

    def observe(self, batch: Batch, judged: Judged) -> None:
        """Counts the rows just judged into the stories they belong to."""
        first, last = judged.first, judged.last
        reads = (judged.flags[first:last] & READ) != 0
        taken = (judged.flags[first:last] & (READ | LISTED)) != 0
        rows = np.flatnonzero(taken & (judged.incident[first:last] > 0)) + first
        for number in np.unique(judged.incident[rows]).tolist() if len(rows) else ():
            single = self._open.get(number)
            if single is not None and number not in self._shared:
                single.add(reads_of(batch, judged, rows[judged.incident[rows] == number]))
        for story in self._shared.values():
            mine = np.flatnonzero(story.concerns(batch.route[first:last], judged.incident[first:last]) & reads) + first
            story.wait(reads_of(batch, judged, mine) if len(mine) else keeping.NOTHING)

    def raise_client(self, signal: Signal, slot: int) -> None:
        """A signal about one client: a new story, or more about the one it is in."""
        client = self.state.clients[slot]
        bit, _ = CLIENT_DETECTORS.get(signal.pattern, (0, None))
        raised = client["raised"] = int(client["raised"]) | bit
        story = self._open.get(int(client["incident"])) or self._resumed(signal.client)
        known = together(self.open_stories, signal)
        if story is not None and (known is None or story.pattern not in INFORMATIONAL):
            self._continue(story, signal, client)
            return
        if story is None and self._is_told(signal, slot):
            return
        if story is not None and known is not None:
            self._merge(story, known, signal.time_us)
            client["raised"] = raised
        reads = self.recent.of_client(signal.client, signal.time_us - DAY_US)
        name, route = self.state.name(slot), self.route_name(signal.route)
        story = known or Story(self._last + 1, incident_id(signal.pattern, route, name, signal.time_us), signal)
        client["incident"] = story.number
        look_back(story, reads, int(client["fresh"].sum()), signal.client, Member(name, int(client["kind"])))
        self._of_client[signal.client] = story
        if known is not None:
            if join(known, signal):
                self.revise(known)
            return
        story.at_alert = story.exposed().estimate
        self._begin(story)

    def _is_told(self, signal: Signal, slot: int) -> bool:
        """Whether a signal about a client without a story needs none: it was told before the log was read again, or
        belongs to a campaign."""
        if over_us := self.past.until(signal.client, signal.route, signal.time_us):
            self._haunt(signal, self.state.clients[slot], over_us)
            return True
        campaign = self._of_route(CampaignStory, signal.route)
        if campaign is None:
            return False
        if signal.pattern in INFORMATIONAL:
            return True  # beside it that is no news, and who has a story of its own cannot be enlisted when convicted
        claimed = campaign.claims(signal, self.recent.of_client(signal.client, signal.time_us - DAY_US))
        if claimed:
            campaign.enlist(self.state, slot)
        return claimed

    def _resumed(self, client: int) -> Story | None:
        """The open story of a client whose slot does not say so: the slot is new, because the log is read again or
        because it had been given away."""
        found = self._of_client.get(client)
        shared = (story for story in self._shared.values() if story.resume_us and story.owns(client))
        return found or next(shared, None)

    def _continue(self, story: Story, signal: Signal, client: Any) -> None:
        is_news = signal.pattern == "tripwire" and signal.evidence[0].name not in story.evidence
        if is_news or not isinstance(story, SharedStory):
            if story.pattern in INFORMATIONAL and signal.pattern not in INFORMATIONAL:
                promote(story, signal)
                self.revise(story)
            story.support(signal)
        if not isinstance(story, SweepStory) and not client["incident"]:
            since = max(signal.time_us - DAY_US, story.last_us + 1)
            story.add(self.recent.of_client(signal.client, since))
        client["incident"] = story.number
        if is_news and not story.over_us:
            self.revise(story)

    def _haunt(self, signal: Signal, client: Any, over_us: int) -> None:
        """A signal from before the end of a story that was told to its end, in a log that is read again: until that
        moment has come the client's slot is as it was then, and nothing is told."""
        ghost = Story(self._last + 1, "", signal)
        ghost.over_us = ghost.resume_us = over_us
        self._last = client["incident"] = ghost.number
        self._enter(ghost)

    def new(self, pattern: str, lead: str, signal: Signal) -> Story | None:
        """A story of another kind, not yet in the book; None where it was told to its end before the log was read
        again. To be followed by `begin`."""
        if self.past.until(signal.client, signal.route, signal.time_us):
            return None
        identity = incident_id(pattern, self.route_name(signal.route), lead, signal.time_us)
        return Story(self._last + 1, identity, signal)

    def begin(self, story: Story) -> None:
        """Takes in what `new` gave, and tells it."""
        story.at_alert = story.exposed().estimate
        self._begin(story)

    def raise_sweep(self, signal: Signal) -> None:
        """A signal about a block of ids: a new story, or one more block of the sweep on the same route."""
        known = self._of_route(SweepStory, signal.route)
        if known is not None:
            known.support(signal)
            return
        if self.past.until(0, signal.route, signal.time_us):
            return
        identity = incident_id("sweep", self.route_name(signal.route), "many", signal.time_us)
        sweep = SweepStory(self._last + 1, identity, signal)
        sweep.wait(self.recent.of_route(signal.route, int(signal.block["begin_us"]) - LOOK_BACK_US))
        sweep.settle(self.state, signal.time_us)
        sweep.name()
        if len(sweep.members) < FEWEST_WORKERS:
            sweep.unmark(self.state)
            return
        sweep.usual = Usual.before(self.ordinary, signal.route, sweep.first_us)
        self.absorb(sweep, sweep.members, signal.time_us)
        sweep.at_alert = max(sweep.exposed().estimate, int(signal.block["hits"]))
        self._begin(sweep)

    def raise_campaign(self, alarms: Sequence[CellAlarm], crossings: npt.NDArray[Any], now_us: int) -> None:
        """The cells' alarms of a tick, to be called before `tick`, also without any while a campaign is open: for each
        route a new story, or more of the one that is open.

        Args:
            alarms: of whatever routes and cells.
            crossings: the ring of crossings (dtype CROSSING), in log order.
            now_us: log time of the tick.
        """
        around = Around(self.state, crossings)
        campaigns = {s.route: s for s in self._shared.values() if isinstance(s, CampaignStory)}
        for route in sorted({*campaigns, *(alarm.route for alarm in alarms)}):
            raised = [alarm for alarm in alarms if alarm.route == route]
            story = campaigns.get(route)
            if story is None:
                self._begin_campaign(raised, around, now_us)
                continue
            own = [alarm for alarm in raised if alarm.pattern == story.pattern]
            if own:
                story.support(signal_of(own, now_us))
            self.absorb(story, story.follow(own, around, now_us), now_us)

    def _begin_campaign(self, alarms: Sequence[CellAlarm], around: Around, now_us: int) -> None:
        signal = signal_of(alarms, now_us)
        sweep = self._of_route(SweepStory, signal.route)
        if self.past.until(0, signal.route, now_us) or (sweep and swept(sweep, alarms, around.crossings)):
            return
        identity = incident_id(signal.pattern, self.route_name(signal.route), "many", now_us)
        story = CampaignStory(self._last + 1, identity, signal)
        story.ordinary, story.recent = self.ordinary, self.recent
        own = [alarm for alarm in alarms if alarm.pattern == signal.pattern]
        reads = self.recent.of_route(signal.route, min(alarm.since_minute for alarm in own) * MINUTE_US)
        story.begin(own, around, reads, self.recent.since_us)
        self.absorb(story, story.members, now_us)
        story.at_alert = story.exposed().estimate
        self._begin(story)

    def _of_route(self, kind: type[Shared], route: int) -> Shared | None:
        return next((s for s in self._shared.values() if isinstance(s, kind) and s.route == route), None)

    def _begin(self, story: Story) -> None:
        story.warming = self.warming
        self._last = story.number
        self._enter(story)
        story.suppressed = self._suppressed(story)
        story.told = story.reads
        self.tell(story)

    def _enter(self, story: Story) -> None:
        self._open[story.number] = story
        if isinstance(story, SharedStory):
            self._shared[story.number] = story
            if isinstance(story, CampaignStory):
                story.ordinary, story.recent = self.ordinary, self.recent
        else:
            self._of_client.update(dict.fromkeys(named(story), story))

    def absorb(self, shared: SharedStory, members: Collection[int], now_us: int) -> None:
        """Ends the stories of single clients that turn out to work for a shared one: the wider story goes on."""
        for story in self.open_stories if members else ():
            if isinstance(story, SharedStory) or story.partner or story.route != shared.route:
                continue  # a broken agreement stays one, whoever else is at it
            if any(client in members for client in story.settled().members):
                self._merge(story, shared, now_us)
                shared.absorb(self.state, story.members)

    def _merge(self, story: Story, wider: Story, now_us: int) -> None:
        """A story ends because a wider one goes on."""
        story.merged_into = wider.identity
        self._close(story, now_us)
        self._merged.append(story)

    def tick(self, now_us: int) -> None:
        """Log time has reached a tick: settles sweeps, closes what has been quiet, makes and tells revisions."""
        merged, self._merged = self._merged, []
        for story in merged:
            self.revise(story)
        for story in list(self._open.values()):
            if story.over_us:
                if now_us >= story.over_us:
                    self._free(story)
                continue
            if isinstance(story, SharedStory):
                story.settle(self.state, now_us)
            if now_us - story.last_us > self.close_after_us:
                self._close(story, now_us)
            grown = story.reads > GROWTH * story.told and now_us > story.resume_us
            if story.closed or grown or self._suppressed(story) != story.suppressed:
                self.revise(story)

    def _suppressed(self, story: Story) -> str:
        return suppressed_by(story, self.suppressions, self.route_name) if self.suppressions else ""

    def revise(self, story: Story) -> None:
        """Tells a story anew."""
        story.suppressed = self._suppressed(story)
        story.revision += 1
        story.told = story.reads
        self.tell(story)
        if story.closed and self.keep_closed:
            self._closed.append(story)

    def _close(self, story: Story, now_us: int) -> None:
        story.closed = True
        if isinstance(story, SharedStory):
            story.name()
        self.past.add(story.settled(), now_us)
        self._free(story)

    def _free(self, story: Story) -> None:
        del self._open[story.number]
        self._shared.pop(story.number, None)
        for client in named(story):
            if self._of_client.get(client) is story:
                del self._of_client[client]
        clients = self.state.in_use
        mine = clients["incident"] == story.number
        clients["raised"][mine] = 0
        clients["run"][mine] = 0
        clients["incident"][mine] = 0

    def save(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """All stories kept and what is remembered of those that are not, as plain data and arrays."""
        meta = {"last": self._last, "merged": [story.number for story in self._merged]}
        return meta, {**keeping.save(self.stories), "past": self.past.rows}

    def carry(self, kept: Arrays, last_us: int) -> dict[str, npt.NDArray[Any]]:
        """What `save` has just given, for a process that will read the log again from before ``last_us``."""
        return keeping.carried(self.stories, kept, last_us)

    def load(self, meta: dict[str, Any], arrays: Arrays) -> None:
        """Takes back what `save` gave, into a book without stories.

        Raises:
            SnapshotDamaged: it cannot be read.
        """
        self.past.load(arrays["past"])
        merged = set(meta["merged"])
        for story in keeping.load(arrays):
            if not story.closed:
                self._enter(story)
            elif story.number in merged:
                self._merged.append(story)
            else:
                self._closed.append(story)
        self._last = int(meta["last"])

    def move(self, slots: npt.NDArray[np.int64]) -> None:
        """Client slots have got other numbers: by old number, the new one."""
        for story in self._shared.values():
            story.move(slots)

    def take_out(self, clients: npt.NDArray[np.uint64]) -> list[Story]:
        """Lets go of the open stories about single clients among these; the slots are the caller's matter."""
        found = [s for client in clients.tolist() if (s := self._of_client.get(client)) and s.client == client]
        for story in found:
            self._free(story)  # others it names stay, to be judged anew
        return found

    def put_in(self, stories: Iterable[Story]) -> dict[int, int]:
        """Takes open stories in under new numbers; returns the new number by the old."""
        numbers = {}
        for story in stories:
            self._last += 1
            numbers[story.number] = story.number = self._last
            self._enter(story)
        return numbers
