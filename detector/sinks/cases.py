"""The folder of cases: what stands behind each incident, a file each, written as the incident grows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from detector import clock
from detector.errors import SinkError
from detector.incidents.book import Book
from detector.incidents.render import case
from detector.incidents.story import Story

MOST_CASES = 1_000  # the oldest go first; at less than one false incident a day that is years
EVERY_S = 5.0  # an incident that grows quickly is written so often at most, and when it ends
MOST_RECORDS = 100_000  # ids of records a case lists while it grows (2 MB); the count is exact beyond


class CaseFolder:
    """Cases in files named by incident.

    Args:
        folder: made if it is not there.
        manifest: what every case says beside its own: version, configuration, when it was noticed is added.

    Raises:
        SinkError: the folder cannot be made.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
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
        except (OSError, ValueError, KeyError):
            return None

    def write(self, story: Story, book: Book, noticed_at: str) -> None:
        """Writes or replaces the case of a story, unless that was done just now; the moment it was first noticed stays.

        Raises:
            SinkError: it cannot be written.
        """
        if not story.closed and clock.monotonic() - self._known.get(story.identity, float("-inf")) < EVERY_S:
            return
        first = (self.noticed_at(story.identity) if self.holds(story.identity) else None) or noticed_at
        told = case(story, book)
        if told["records"] is not None and len(told["records"]) > MOST_RECORDS:
            told["records"] = None
        text = json.dumps({**told, "manifest": {**self.manifest, "noticed_at": first}}, ensure_ascii=True)
        place = self.folder / f"{story.identity}.json"
        scratch = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            scratch.write_text(text + "\n", encoding="ascii")
            scratch.replace(place)
            self._known[story.identity] = clock.monotonic()
            self._forget_oldest()
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise SinkError(f"{place}: a case cannot be written: {error.strerror}") from error

    def _forget_oldest(self) -> None:
        if len(self._known) <= MOST_CASES:
            return
        by_age = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in by_age[: len(by_age) - MOST_CASES]:
            path.unlink(missing_ok=True)
            self._known.pop(path.stem, None)
