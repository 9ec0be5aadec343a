"""The folder of cases: what stands behind each incident, written as the incident grows.

::

    ID.json       what people are told (`incidents.case`), and a manifest
    ID.records    the records exposed, one by one (`state.archive`)
    ID.hold       kept whatever its age, while this file is there (legal hold); made and removed by people
    journal.jsonl what people have decided (`journal`)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector import clock
from detector.errors import SinkError
from detector.incidents.book import Book
from detector.incidents.case import case, records_of
from detector.incidents.limits import ordinary_clients
from detector.incidents.render import incident
from detector.incidents.story import Story
from detector.sinks.journal import FILE, Journal
from detector.state.archive import pack

MOST_CASES = 1_000  # the oldest go first; at less than one false incident a day that is years
EVERY_S = 5.0  # an incident that grows quickly is written so often at most, and when it ends
KEEP_DAYS = 400.0  # untouched for so long, a case goes: a year and the time to notice that it was one (judgement)
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
        most: cases kept.
        keep_days: how long an untouched case is kept.

    Attributes:
        journal: what people have decided about them.
        covered: called for what was read so far, which the manifest says as ``coverage``, and ``sources``, the names
            of what positions count in.

    Raises:
        SinkError: the folder cannot be made.
    """

    def __init__(self, folder: Path, manifest: Told, most: int = MOST_CASES, keep_days: float = KEEP_DAYS) -> None:
        self.folder = folder
        self.manifest = manifest
        self.journal = Journal(folder / FILE)
        self.covered: Callable[[], Told] = _nothing
        self._most = most
        self._keep_s = keep_days * 86_400.0
        self._looked_s = float("-inf")
        self._usual: tuple[float, Any] = (float("-inf"), None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._known = {path.stem: float("-inf") for path in folder.glob("*.json")}
        except OSError as error:
            raise SinkError(f"{folder}: cases cannot be kept: {error.strerror}") from error

    def holds(self, incident: str) -> bool:
        """Whether there is a case of this incident: it has been told before."""
        return incident in self._known

    def noticed_at(self, incident: str) -> str | None:
        """The wall-clock moment an incident was first told, as its case has it."""
        try:
            return str(json.loads((self.folder / f"{incident}.json").read_bytes())["manifest"]["noticed_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, story: Story, book: Book, noticed_at: str) -> None:
        """Writes or replaces the case of a story, unless that was done just now; the moment it was first noticed stays.

        Raises:
            SinkError: it cannot be written.
        """
        if not story.closed and clock.monotonic() - self._known.get(story.identity, float("-inf")) < EVERY_S:
            return
        first = (self.noticed_at(story.identity) if self.holds(story.identity) else None) or noticed_at
        about = {name: str(self.manifest.get(name, "")) for name in ("version", "config")}
        record = self.journal.mark(incident(story, book, about)).record()
        told = {"record": record, **case(story, book, self._usual_of(book))}
        manifest = {**self.manifest, **self.covered(), "noticed_at": first}
        try:
            self._put(f"{story.identity}.records", pack(*records_of(story, book)))
            text = json.dumps({**told, "manifest": manifest}, ensure_ascii=True).replace("\x7f", "\\u007f")
            self._put(f"{story.identity}.json", f"{text}\n".encode("ascii"))
            self._known[story.identity] = clock.monotonic()
            self._forget_oldest()
        except OSError as error:
            raise SinkError(f"{self.folder}: a case cannot be written: {error.strerror}") from error

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
            scratch.replace(self.folder / name)
        except OSError:
            scratch.unlink(missing_ok=True)
            raise

    def _forget_oldest(self) -> None:
        now = clock.monotonic()
        if len(self._known) <= self._most and now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        by_age = sorted((path.stat().st_mtime, path) for path in self.folder.glob("*.json"))
        old_s = clock.wall().timestamp() - self._keep_s
        spare = len(by_age) - self._most
        for place, (touched_s, path) in enumerate(by_age):
            if (place < spare or touched_s < old_s) and not path.with_suffix(".hold").exists():
                path.unlink(missing_ok=True)
                path.with_suffix(".records").unlink(missing_ok=True)
                self._known.pop(path.stem, None)
