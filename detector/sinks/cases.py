"""The folder of cases: what stands behind each incident, written as the incident grows.

::

    ID.json       what people are told (`incidents.case`), and a manifest
    ID.records    the records exposed, one by one (`state.archive`)
    ID.names      who is behind the pseudonyms in it, encrypted under their key (`incidents.pseudonyms`)
    ID.hold       kept whatever its age, while this file is there (legal hold): `retention.hold`
    journal.jsonl what people have decided (`journal`)
    custody.jsonl what was held, deleted and looked up (`custody`)

All but the journals are encrypted where there is a key for it (`sealing`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from detector import clock
from detector.crash import crash_here
from detector.errors import SealError, SinkError
from detector.incidents.book import Book
from detector.incidents.case import case, records_of
from detector.incidents.limits import ordinary_clients
from detector.incidents.render import incident
from detector.incidents.story import Story
from detector.sealing import Seal, sealed
from detector.sinks.case_files import read_case
from detector.sinks.journal import FILE, Journal
from detector.sinks.retention import delete, due, is_open_on_disk
from detector.state.archive import pack

MOST_CASES = 1_000  # the oldest go first; at less than one false incident a day that is years
EVERY_S = 5.0  # an incident that grows quickly is written so often at most, and when it ends
KEEP_DAYS = 400.0  # privacy.case_days
LOOK_S = 3600.0  # between two looks for old ones
RENEW_S = 60.0  # what ordinary clients are like is computed anew

Told = dict[str, Any]


def _nothing() -> Told:
    return {}


class CaseFolder:
    """Cases in files named by incident.

    Args:
        folder: made if it is not there.
        manifest: what every case says beside its own: version, configuration; when it was noticed is added.
        most: cases kept; a twentieth more before the oldest go, for finding them takes as long as writing ten.
        keep_days: how long the case of an incident that has ended is kept.
        seal: encrypts them; None = they lie as they are.

    Attributes:
        journal: what people have decided about them.
        covered: called for what was read so far, which the manifest says as ``coverage``, and ``sources``, the names
            of what positions count in.
        forgotten: called with the id of an incident whose case has been deleted.

    Raises:
        SinkError: the folder cannot be made.
        SealError: the cases there are encrypted with another key.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Told,
        most: int = MOST_CASES,
        keep_days: float = KEEP_DAYS,
        seal: Seal | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.journal = Journal(folder / FILE)
        self.covered: Callable[[], Told] = _nothing
        self.forgotten: Callable[[str], None] = lambda _: None
        self._most = most
        self._keep_days = keep_days
        self._seal = seal
        self._looked_s = float("-inf")
        self._usual: tuple[float, Any] = (float("-inf"), None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._known = {path.stem: float("-inf") for path in folder.glob("*.json")}
        except OSError as error:
            raise SinkError(f"{folder}: cases cannot be kept: {error.strerror}") from error
        if newest := max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, default=None):
            read_case(folder, newest.stem, seal)  # with another key nothing could be told of what was kept before

    def holds(self, incident: str) -> bool:
        """Whether there is a case of this incident: it has been told before."""
        return incident in self._known

    def noticed_at(self, incident: str) -> str | None:
        """The wall-clock moment an incident was first told, as its case has it."""
        try:
            return str((read_case(self.folder, incident, self._seal) or {})["manifest"]["noticed_at"])
        except (SealError, KeyError, TypeError):
            return None

    def write(self, story: Story, book: Book, noticed_at: str, last: bool = False) -> bool:
        """Writes or replaces the case of a story, unless that was done just now and there is a later; the moment it was
        first noticed stays. Returns whether it was written.

        Raises:
            SinkError: it cannot be written.
        """
        since_s = clock.monotonic() - self._known.get(story.identity, float("-inf"))
        if since_s < EVERY_S and not story.closed and not last:
            return False
        first = (self.noticed_at(story.identity) if self.holds(story.identity) else None) or noticed_at
        about = {name: str(self.manifest.get(name, "")) for name in ("version", "config")}
        with book.veil.noting() if book.veil else nullcontext({}) as names:
            record = self.journal.mark(incident(story, book, about)).record()
            told = {"record": record, **case(story, book, self._usual_of(book))}
            rows = pack(*records_of(story, book))
        manifest = {**self.manifest, **self.covered(), "noticed_at": first, "pseudonyms": book.veil is not None}
        try:
            if book.veil:
                self._put(f"{story.identity}.names", book.veil.seal_names(names, story.identity))
            self._put(f"{story.identity}.records", sealed(rows, f"{story.identity}.records", self._seal))
            text = json.dumps({**told, "manifest": manifest}, ensure_ascii=True).replace("\x7f", "\\u007f")
            self._put(
                f"{story.identity}.json", sealed(f"{text}\n".encode("ascii"), f"{story.identity}.json", self._seal)
            )
            self._known[story.identity] = clock.monotonic()
            self._forget_oldest()
        except OSError as error:
            raise SinkError(f"{self.folder}: a case cannot be written: {error.strerror}") from error
        return True

    def _usual_of(self, book: Book) -> Any:
        since, usual = self._usual
        if clock.monotonic() - since >= RENEW_S:
            usual = ordinary_clients(book)
            self._usual = clock.monotonic(), usual
        return usual

    def _put(self, name: str, data: bytes) -> None:
        scratch = self.folder / f".{name}.{os.getpid()}"
        try:
            scratch.write_bytes(data)
            crash_here("inside_case")
            scratch.replace(self.folder / name)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise

    def tidy(self) -> None:
        """Deletes what has been kept for long enough; looks once an hour.

        Raises:
            SinkError: it cannot be written down, or not be deleted.
        """
        try:
            self._forget_oldest()
        except OSError as error:
            raise SinkError(f"{self.folder}: cases cannot be looked through: {error.strerror}") from error

    def _forget_oldest(self) -> None:
        now = clock.monotonic()
        if len(self._known) <= self._most + self._most // 20 and now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        for one, why in due(self.folder, self._keep_days, self._most, is_open_on_disk(self.folder, self._seal)):
            delete(self.folder, one, why)
            self._known.pop(one, None)
            self.forgotten(one)
