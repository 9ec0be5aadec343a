"""The thread that brings what waits to one sink: the most severe first, then the oldest."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from typing import Literal, NamedTuple

from detector.clock import monotonic
from detector.crash import crash_here
from detector.errors import SinkError
from detector.sinks.backoff import Backoff
from detector.sinks.sink import Busy, Refused, Sink
from detector.sinks.spool import Entry, Spool

PATIENT_TRIES = 3  # failures after which an incident lets others go first: it may be the one that the sink cannot bear
LONGEST_REST_S = 300.0  # that another side may ask for


class Outcome(NamedTuple):
    """What became of one attempt; ``reason`` is empty where the sink has taken it."""

    sink: str
    what: Literal["delivered", "failed", "refused"]
    incident: str
    revision: int
    reason: str = ""


class Turns:
    """Whose turn it is, of the incidents that wait. Not safe for several threads."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, str]] = []
        self._later: list[tuple[float, str]] = []
        self._place: dict[str, tuple[int, int, str]] = {}  # of those that are due: all else in the heap is stale
        self._not_before: dict[str, float] = {}

    def add(self, entry: Entry) -> None:
        """A new incident, or a new revision: at once, or when its older one would have been tried again."""
        if entry.incident in self._not_before:
            return
        place = (-entry.rank, entry.since, entry.incident)
        if self._place.get(entry.incident) != place:
            self._place[entry.incident] = place
            heapq.heappush(self._due, place)

    def put_off(self, entry: Entry, until: float) -> None:
        """Not before ``until``, on the clock of :func:`detector.clock.monotonic`."""
        self._place.pop(entry.incident, None)
        self._not_before[entry.incident] = until
        heapq.heappush(self._later, (until, entry.incident))

    def take(self, now: float, entries: dict[str, Entry]) -> Entry | None:
        """Takes the next one out, or none where all have to wait."""
        while self._later and self._later[0][0] <= now:
            until, incident = heapq.heappop(self._later)
            if self._not_before.get(incident) == until:
                del self._not_before[incident]
                if incident in entries:
                    self.add(entries[incident])
        while self._due:
            place = heapq.heappop(self._due)
            if self._place.get(place[2]) == place:
                del self._place[place[2]]
                if place[2] in entries:
                    return entries[place[2]]
        return None

    def next_s(self, now: float) -> float | None:
        """Seconds until something is due that is not due now."""
        return max(0.0, self._later[0][0] - now) if self._later else None

    def all_now(self, entries: dict[str, Entry]) -> None:
        """Nobody waits any longer."""
        waiting = list(self._not_before)
        self._not_before.clear()
        self._later.clear()
        for incident in waiting:
            if incident in entries:
                self.add(entries[incident])


class Courier:
    """Brings a spool's incidents to its sink, on a thread of its own.

    Args:
        sink: called on that thread alone, until it has ended.
        spool: its files; used under ``changed``.
        backoff: between attempts.
        told: called on that thread with every outcome; must not block.

    Attributes:
        changed: guards the spool and tells of anything new in it.
        fault: what ended the thread, if it was not :meth:`stop`.
    """

    def __init__(self, sink: Sink, spool: Spool, backoff: Backoff, told: Callable[[Outcome], None]) -> None:
        self.sink = sink
        self.spool = spool
        self.changed = threading.Condition()
        self.fault: BaseException | None = None
        self._turns = Turns()
        self._backoff = backoff
        self._told = told
        self._failures = 0  # of the sink, in a row, whatever the incident
        self._rest_until = 0.0
        self._stopping = False
        for entry in spool.entries.values():
            self._turns.add(entry)
        self._thread = threading.Thread(target=self._run, name=f"deliver to {sink.name}", daemon=True)
        self._thread.start()

    def wake(self, entry: Entry) -> None:
        """Something waits in the spool. Called with ``changed`` held."""
        self._turns.add(entry)
        self.changed.notify_all()

    def hurry(self) -> None:
        """Tries what waits now, whatever failed before."""
        with self.changed:
            self._rest_until = 0.0
            self._turns.all_now(self.spool.entries)
            self.changed.notify_all()

    def emptied(self, deadline: float) -> bool:
        """Waits until nothing waits any longer; False when the time has come first, or the thread has ended."""
        with self.changed:
            while self.spool.entries and self.fault is None and (left := deadline - monotonic()) > 0:
                self.changed.wait(left)
            return not self.spool.entries

    def stop(self) -> None:
        """Asks the thread to end after the delivery it is at."""
        with self.changed:
            self._stopping = True
            self.changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (taken := self._next()) is not None:
                outcome, asked_s = self._attempt(*taken)
                self._settle(taken[0], outcome, asked_s)
                self._told(outcome)
        except BaseException as fault:  # noqa: BLE001  a fault of the program: it crosses to the thread that puts
            with self.changed:
                self.fault = fault
                self.changed.notify_all()

    def _next(self) -> tuple[Entry, str] | None:
        """Waits for the next incident and reads it; None when the thread is to end."""
        with self.changed:
            while not self._stopping:
                now = monotonic()
                wait_s: float | None = self._rest_until - now
                if wait_s is not None and wait_s <= 0:
                    entry = self._turns.take(now, self.spool.entries)
                    if entry is not None:
                        return entry, self._read(entry)
                    wait_s = self._turns.next_s(now)
                self.changed.wait(wait_s)
            return None

    def _read(self, entry: Entry) -> str:
        """The line, or nothing where the file cannot be read."""
        try:
            return self.spool.line(entry.incident)
        except (OSError, ValueError):
            return ""

    def _attempt(self, entry: Entry, line: str) -> tuple[Outcome, float]:
        """Delivers; returns what came of it and how long the other side asks to wait."""
        incident, revision, name = entry.incident, entry.revision, self.sink.name
        if not line:
            return Outcome(name, "refused", incident, revision, "its file in the outbox is damaged or gone"), 0.0
        try:
            crash_here("before_delivery")
            self.sink.deliver(line, incident, revision)
            crash_here("after_delivery")
        except Refused as error:
            return Outcome(name, "refused", incident, revision, str(error)), 0.0
        except Busy as error:
            return Outcome(name, "failed", incident, revision, str(error)), min(error.wait_s, LONGEST_REST_S)
        except SinkError as error:
            return Outcome(name, "failed", incident, revision, str(error)), 0.0
        except Exception as error:  # noqa: BLE001  a fault of one sink must not end the others: said, and tried again
            reason = f"a fault of the program: {type(error).__name__}: {error}"
            return Outcome(name, "failed", incident, revision, reason), 0.0
        return Outcome(name, "delivered", incident, revision), 0.0

    def _settle(self, entry: Entry, outcome: Outcome, asked_s: float) -> None:
        with self.changed:
            if outcome.what == "failed":
                self._failed(entry, asked_s)
            else:
                self._settled(entry, outcome.what == "delivered")
            waiting = self.spool.entries.get(entry.incident)
            if waiting is not None:
                self._turns.add(waiting)
            self.changed.notify_all()

    def _settled(self, entry: Entry, delivered: bool) -> None:
        try:
            if delivered:
                self.spool.taken(entry.incident, entry.revision)
            else:
                self.spool.refuse(entry.incident, entry.revision)
        except OSError:
            pass  # a disk that refuses: the file stays, is forgotten here, and delivered again after a restart
        if delivered and self._failures >= PATIENT_TRIES:  # the sink is back
            self._turns.all_now(self.spool.entries)
        self._failures = 0

    def _failed(self, entry: Entry, asked_s: float) -> None:
        self._failures += 1
        now = monotonic()
        self._rest_until = now + max(self._backoff.wait_s(self._failures), asked_s)
        waiting = self.spool.entries.get(entry.incident)
        if waiting is None:
            return
        waiting.tries = entry.tries + 1
        if waiting.tries >= PATIENT_TRIES:
            self._turns.put_off(waiting, max(self._rest_until, now + self._backoff.wait_s(waiting.tries)))
