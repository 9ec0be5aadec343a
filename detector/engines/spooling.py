"""Cases on their way to the disk: in slices between two portions of rows, so that a burst holds up no alert.

A case takes milliseconds to make, for it tells an incident in full, and only the judging thread may look at stories. An
incident that nobody could tell after a crash is owed: no snapshot is taken that lies behind it, so the rows are judged
again. Of one that is still open the case may be older than the story, for whoever takes the snapshot up writes it anew.
A case the disk refuses stays due, and is owed as before: one is tried every few seconds until it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from detector import clock
from detector.errors import SinkError
from detector.incidents.book import Book
from detector.incidents.story import Story

SLICE_S = 0.05  # between two portions of rows: what the judging of one takes anyway
LONG_SLICE_S = 0.5  # when a snapshot waits for what is owed
LAST_S = 3.0  # when the process ends; a supervisor grants thirty seconds for everything (`sidecar.DRAIN_S`)
RENEW_S = 60.0
"""How far the case of an open incident may lag behind its records. An incident is told anew when it has grown by a
tenth (`book.GROWTH`); what was read since must be on the disk too, for the topic may be gone tomorrow."""
LOOK_S = 5.0  # between two looks for open incidents that have grown
RETRY_S = 5.0  # after a refusal, before the folder is tried again: as often as one case is written (`cases.EVERY_S`)


@dataclass
class Spool:
    """Used by the judging thread alone.

    Args:
        cases: the folder (`sinks.cases.CaseFolder`).
        tell: the log.
    """

    cases: Any
    tell: Callable[..., None]
    _due: dict[str, tuple[Story, str]] = field(default_factory=dict)
    _kept: dict[str, tuple[int, float]] = field(default_factory=dict)  # record reads in the case, and when: open ones
    _look_due_s: float = 0.0
    _refused: dict[str, tuple[str, int]] = field(default_factory=dict)  # why the last time, and how often
    _again_s: float = float("-inf")  # when a folder that refuses is tried again
    _last_s: float = float("-inf")  # when the last flush had to end

    @property
    def owes(self) -> bool:
        """Whether there is an incident without any case, or one that has ended and whose case does not say so."""
        return any(story.closed or not self.cases.holds(identity) for identity, (story, _) in self._due.items())

    def note(self, story: Story) -> None:
        """There is a new revision; the moment it is noticed is now, whenever its case is written."""
        known = self._due.get(story.identity)
        self._due[story.identity] = story, known[1] if known else clock.wall().isoformat()

    def work(self, book: Book, slice_s: float = SLICE_S) -> None:
        """Writes what is due, the longest waiting first, for about so many seconds."""
        now = clock.monotonic()
        if now >= self._look_due_s:
            self._look_due_s = now + LOOK_S
            self._look(book, now - RENEW_S)
        if now >= self._again_s:
            self._write(book, now + slice_s)

    def flush(self, book: Book) -> None:
        """The process ends: what is due, and what open incidents have grown by; `LAST_S` at most, also when asked twice
        on the way out."""
        now = clock.monotonic()
        if now >= self._last_s + LAST_S:
            self._last_s = now + LAST_S
        elif now >= self._last_s:
            return
        self._look(book, now)
        self._write(book, self._last_s, last=True)
        if not self._due:
            self._last_s = float("-inf")

    def _look(self, book: Book, before_s: float) -> None:
        for story in book.open_stories:
            reads, written_s = self._kept.get(story.identity, (-1, float("-inf")))
            if story.reads > reads and written_s <= before_s and story.identity not in self._due:
                self.note(story)

    def _write(self, book: Book, end_s: float, last: bool = False) -> None:
        for identity, (story, noticed_at) in list(self._due.items()):
            try:
                if not self.cases.write(story, book, noticed_at, last):
                    continue  # it was written just now
            except SinkError as error:
                self._refuse(identity, str(error))
                if last and clock.monotonic() < end_s:
                    continue  # there is no later; another one may be smaller
                return
            self._take(story)
            if clock.monotonic() >= end_s:
                return

    def _refuse(self, identity: str, reason: str) -> None:
        """It waits behind the others, so that one the disk never takes holds back none; what is told of it again is
        only another reason."""
        self._due[identity] = self._due.pop(identity)
        said, times = self._refused.get(identity, ("", 0))
        self._refused[identity] = reason, times + 1
        self._again_s = clock.monotonic() + RETRY_S
        if said != reason:
            self.tell("case_failed", reason=reason, incident=identity, refused=times + 1, due=len(self._due))

    def _take(self, story: Story) -> None:
        del self._due[story.identity]
        self._again_s = float("-inf")
        self._kept[story.identity] = story.reads, clock.monotonic()
        if story.closed:
            del self._kept[story.identity]
        if refused := self._refused.pop(story.identity, None):
            self.tell("case_kept", incident=story.identity, refused=refused[1])
