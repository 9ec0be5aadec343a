"""The cases of a replay: made when they are asked for, in memory or as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy.typing as npt

from detector.engines.coverage import Coverage
from detector.incidents.case import case, records_of
from detector.incidents.limits import ordinary_clients
from detector.pipeline import Pipeline
from detector.sealing import Seal
from detector.sinks.cases import CaseFolder

MOST = 1_000_000  # a replay writes all it found: its number is bounded by the log
FOREVER_DAYS = 36_500.0


@dataclass(frozen=True)
class Cases:
    """What stands behind the incidents of one replay.

    Args:
        pipeline: at its end.
        names: the files read; positions count in this list.
        coverage: what was read of them.
        floor: what would not have been seen.
        about: version, configuration, command.
        noticed_at: wall-clock moment of the replay.
        seal: encrypts them where they are written; None = as they are.
    """

    pipeline: Pipeline
    names: Sequence[str]
    coverage: Coverage
    floor: Sequence[str]
    about: dict[str, str]
    noticed_at: str
    seal: Seal | None = None

    def told(self, incidents: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The cases of some incidents by id; without digests of the files, which take as long as reading them."""
        book, wanted = self.pipeline.book, set(incidents)
        usual = ordinary_clients(book)
        manifest = {**self._manifest(), "noticed_at": self.noticed_at}
        stories = [story for story in book.stories if story.identity in wanted]
        return {s.identity: {**case(s, book, usual), "manifest": manifest} for s in stories}

    def records(self, incident: str) -> tuple[dict[str, Any], npt.NDArray[Any]] | None:
        """The records an incident exposed, see `incidents.case.records_of`; for the list that was asked for alone."""
        for story in self.pipeline.book.stories:
            if story.identity == incident:
                meta, arrays = records_of(story, self.pipeline.book, secrets=True)
                return meta, arrays["rows"]
        return None

    def write(self, folder: Path) -> None:
        """Writes all of them as files.

        Raises:
            SinkError: the folder cannot be written.
        """
        kept = CaseFolder(folder, {**self._manifest(), "read": digests(self.names)}, MOST, FOREVER_DAYS, self.seal)
        for story in self.pipeline.book.stories:
            kept.write(story, self.pipeline.book, self.noticed_at)

    def _manifest(self) -> dict[str, Any]:
        covered = {**self.coverage.told(), "floor": list(self.floor)}
        return {**self.about, "sources": list(self.names), "coverage": covered}


def digests(names: Sequence[str]) -> list[dict[str, Any]]:
    """Name, size and BLAKE2b-128 of the files read, so that a case can be told from a changed log."""
    found = []
    for name in names:
        path = Path(name)
        if not path.is_file():
            continue
        digest = blake2b(digest_size=16)
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        found.append({"name": name, "bytes": path.stat().st_size, "blake2b": digest.hexdigest()})
    return found
