"""Incidents between judging and the world: on disk before anybody relies on them, and until every sink has taken them.

::

    judging thread: put ──► a file for each sink ──► returns: no crash loses it any more
                                   └──► a thread for each sink: deliver ──► the file is removed

Each sink has its own files, thread and backoff: one that is dead delays no other. Of an incident only the newest
revision waits; a receiver that was away learns the present state and not the way there. Nothing is dropped: where the
files have grown to ``max_bytes``, :attr:`Outbox.full` asks the caller to pause reading.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from detector.clock import monotonic
from detector.errors import SinkError
from detector.sinks.backoff import Backoff
from detector.sinks.courier import Courier, Outcome
from detector.sinks.sink import Sink
from detector.sinks.spool import Entry, Spool

MAX_BYTES = 64 << 20  # 16,000 incidents for one sink: far more than a person reads in the hours a sink may be away
_NAME = re.compile(r"[a-z0-9_-]{1,32}")

News = tuple[str, int, str]  # incident id, revision, its JSON line


class Outbox:
    """The outbox of one process. ``put`` is called by one thread; everything else by any.

    Args:
        folder: made where it does not exist; belongs to this process alone while it is open.
        sinks: with names that differ. Their ``deliver`` is called on a thread of their own from now on.
        max_bytes: size on disk, over all sinks, from which on the outbox is full.
        told: called with the outcome of every attempt, on the sink's thread; must not block.
        seed: of the random part of waits between attempts.

    Raises:
        SinkError: the folder cannot be used, or another process has it.

    Attributes:
        orphans: how many incidents lie there for sinks that are no longer configured; they are left alone.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        *,
        max_bytes: int = MAX_BYTES,
        told: Callable[[Outcome], None] = lambda outcome: None,
        seed: int | None = None,
    ) -> None:
        names = [sink.name for sink in sinks]
        if len(set(names)) < len(names) or not all(_NAME.fullmatch(name) for name in names):
            raise ValueError(f"sinks need names that differ, of a-z, 0-9, _ and -: {names}")
        self.folder = folder
        self.max_bytes = max_bytes
        self._couriers: list[Courier] = []
        self._lock = -1
        self._closed = False
        with self._said():
            folder.mkdir(parents=True, exist_ok=True)
            self._take_folder()
            spools = [Spool(folder / name) for name in names]
            others = {path.name: len(list(path.glob("*.json"))) for path in folder.iterdir() if path.name not in names}
        self.orphans = {name: count for name, count in others.items() if count}
        for number, (sink, spool) in enumerate(zip(sinks, spools, strict=True)):
            for name in spool.damaged:
                told(Outcome(sink.name, "refused", name.removesuffix(".json"), 0, "its file in the outbox is damaged"))
            backoff = Backoff(None if seed is None else seed + number)
            self._couriers.append(Courier(sink, spool, backoff, told))

    def put(self, news: Sequence[News]) -> None:
        """Takes incidents for all sinks; when this returns they survive a crash and a loss of power.

        Revisions that a sink has taken already, or that are older than what waits for it, are left out: after a
        restart the same news may be put again.

        Raises:
            SinkError: the disk is full or refuses. Nothing that was put before is lost; put the same again later.
        """
        if self._closed:
            raise ValueError("the outbox is closed")
        newest: dict[str, News] = {}
        for one in news:
            if one[0] not in newest or newest[one[0]][1] < one[1]:
                newest[one[0]] = one
        for courier in self._couriers:
            if courier.fault is not None:
                raise courier.fault
            with self._said():
                self._put(courier, list(newest.values()))

    def _put(self, courier: Courier, news: Sequence[News]) -> None:
        spool = courier.spool
        prepared: list[tuple[Path, Entry]] = []
        try:
            for incident, revision, line in news:
                with courier.changed:
                    wanted = spool.wants(incident, revision)
                if wanted:
                    prepared.append(spool.prepare(incident, revision, line))
        except OSError:
            for scratch, _ in prepared:
                scratch.unlink(missing_ok=True)
            raise
        if not prepared:
            return
        with courier.changed:
            for scratch, entry in prepared:
                if spool.store(scratch, entry):
                    courier.wake(entry)
        spool.keep()

    @property
    def full(self) -> bool:
        """Whether the caller is to pause reading until it is no longer."""
        return self.bytes >= self.max_bytes

    @property
    def bytes(self) -> int:
        """Size on disk of what waits, over all sinks."""
        return sum(courier.spool.size for courier in self._couriers)

    def pending(self) -> dict[str, int]:
        """How many incidents wait, by sink."""
        return {courier.sink.name: len(courier.spool.entries) for courier in self._couriers}

    def undelivered(self) -> list[str]:
        """The lines of all incidents that any sink has yet to take, each in its newest revision, oldest first: what a
        snapshot that another machine may have to go on from keeps, to be :meth:`put` there."""
        found: dict[str, tuple[int, int, str]] = {}
        for courier in self._couriers:
            with courier.changed:
                for incident, entry in courier.spool.entries.items():
                    if incident in found and found[incident][0] >= entry.revision:
                        continue
                    try:
                        found[incident] = (entry.revision, entry.since, courier.spool.line(incident))
                    except (OSError, ValueError):
                        continue  # the courier finds the same when its turn comes, and says it
        return [line for _, _, line in sorted(found.values(), key=lambda one: one[1])]

    def readmit(self) -> int:
        """Lets what sinks have refused wait again, as when their configuration was mended; returns how many.

        Raises:
            SinkError: the folder cannot be used.
        """
        again = 0
        for courier in self._couriers:
            with courier.changed, self._said():
                entries = courier.spool.readmit()
                for entry in entries:
                    courier.wake(entry)
                again += len(entries)
        return again

    def flush(self, timeout_s: float) -> bool:
        """Tries everything now, whatever failed before, and waits; whether the sinks have taken all of it."""
        deadline = monotonic() + timeout_s
        for courier in self._couriers:
            courier.hurry()
        return all(courier.emptied(deadline) for courier in self._couriers)

    def close(self, timeout_s: float = 5.0) -> None:
        """Ends the threads after the delivery each is at, or leaves them behind after the time; what is left waits on
        disk. Closes the sinks. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        deadline = monotonic() + timeout_s
        for courier in self._couriers:
            courier.stop()
        for courier in self._couriers:
            if courier.join(deadline - monotonic()):
                courier.spool.close()
                courier.sink.close()
        os.close(self._lock)

    def _take_folder(self) -> None:
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SinkError(f"{self.folder}: another detector delivers from this outbox; give each its own") from None

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.folder}: the outbox cannot be used: {error.strerror}") from error
