"""How many incidents were ever raised, kept over restarts: the alert rules make one more of them another alert.

The counts lie in a file beside the state and in every snapshot (the window's and what was learnt). The file is this
process's own and always as new as what was told; the snapshot is for a member on another machine that takes over. Each
count only rises, so the larger of the two is right.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from detector.health import PATTERN, SHOWN, WHEN_RAISED

FILE = "raised.json"
Said = list[list[Any]]  # [pattern, severity, count], as JSON keeps it


class Raised:
    """Counts by pattern and by the severity that the counter shows; used by the judging thread.

    Args:
        path: where they are kept; None = in memory alone.
        say: told as an event of a file that cannot be read or written; counting goes on without it.
    """

    def __init__(self, path: Path | None = None, say: Callable[..., None] = lambda *_, **__: None) -> None:
        self._path, self._say = path, say
        self._counts: Counter[tuple[str, str]] = Counter()
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            self.merge(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._say("raised_unusable", reason=f"{path.name}: {error}")

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Pattern, severity shown, count."""
        return ((pattern, severity, count) for (pattern, severity), count in sorted(self._counts.items()))

    def add(self, pattern: str, severity: str) -> None:
        """One more was raised: on disk on return, though not through a loss of power."""
        self._counts[pattern, WHEN_RAISED.get(severity, severity)] += 1
        if self._path is None:
            return
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            scratch.write_text(json.dumps(self.save()), encoding="ascii")
            scratch.replace(self._path)
        except OSError as error:
            self._say("raised_unusable", reason=f"{self._path.name}: {error}")

    def save(self) -> Said:
        """The counts as plain data."""
        return [list(one) for one in self]

    def merge(self, said: Iterable[Any]) -> None:
        """Takes over counts that `save` gave, here or elsewhere, where they are higher; what is none is left out."""
        for one in said:
            if isinstance(one, list) and len(one) == 3 and one[0] in PATTERN.values and one[1] in SHOWN:
                pattern, severity, count = one
                if type(count) is int:
                    self._counts[pattern, severity] = max(self._counts[pattern, severity], count)
