"""Incidents on their way out of the judging thread: first on disk, then told to cases, metrics and the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from detector.crash import crash_here
from detector.engines.spooling import LONG_SLICE_S, Spool
from detector.engines.telemetry import Telemetry
from detector.errors import SinkError
from detector.incidents.book import Book
from detector.incidents.incident import Incident
from detector.incidents.story import Story
from detector.sinks.jsonl import json_line

FACTS = ("incident", "revision", "state", "pattern", "severity")


@dataclass
class Telling:
    """Collects what the pipeline has to say and passes it on; used by the judging thread.

    Args:
        outbox: makes incidents durable.
        cases: keeps what stands behind them.
        telemetry: metrics.
        tell: the log.
    """

    outbox: Any
    cases: Any
    telemetry: Telemetry
    tell: Callable[..., None]
    _news: list[tuple[Incident, Story]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spool = Spool(self.cases, self.tell)

    @property
    def waits(self) -> bool:
        """Whether something could not be brought to the disk: no snapshot may be taken that lies behind it."""
        return bool(self._news)

    def note(self, incident: Incident, story: Story) -> None:
        """There is a new revision."""
        self._news.append((self.cases.journal.mark(incident), story))

    def publish(self, book: Book) -> None:
        """Makes what is new durable and tells of it; where the disk refuses, it is kept and tried again. Cases follow,
        a slice at a time."""
        if self._news:
            self._publish()
        else:
            self._tidy()
        self.spool.work(book)

    def settle(self, book: Book, last: bool) -> bool:
        """The same before a snapshot; returns whether one may be taken.

        Args:
            book: all stories.
            last: whether there is no later: everything is brought to the disk.
        """
        self.publish(book)
        if last:
            self.spool.flush(book)
        elif self.spool.owes:
            self.spool.work(book, LONG_SLICE_S)
        return not self.waits and not self.spool.owes

    def _publish(self) -> None:
        try:
            self.outbox.put([(i.incident, i.revision, json_line(i)) for i, _ in self._news])
        except SinkError as error:
            self.tell("outbox_failed", reason=str(error))
            return
        news, self._news = self._news, []
        crash_here("after_outbox")
        for incident, story in news:
            new = incident.revision == 1 and not self.cases.holds(incident.incident)
            self.telemetry.tell(incident, story, new)  # before its case: better counted twice than never
            self.spool.note(story)
            self.tell("incident", **{name: getattr(incident, name) for name in FACTS}, new=new)

    def _tidy(self) -> None:
        try:
            self.cases.tidy()
        except SinkError as error:
            self.tell("case_failed", reason=str(error))
