"""A broken sidecar, for the test that must notice it: it commits what it has read before it has told of it.

That is what a consumer does that leaves commits to its client: after a crash it goes on behind what it had read, with
no state. Run in place of ``detector`` (``python -m tests.e2e.commits_first run …``).
"""

from __future__ import annotations

from typing import Any

from detector.cli.main import main
from detector.engines import sidecar


class CommitsFirst(sidecar.Sidecar):
    """Commits at once; keeps no snapshot."""

    def _checkpoint(self) -> None:
        self.source.commit(self.source.position())

    def _save_now(self, timeout_s: float) -> None:
        self.source.commit(self.source.position())

    def _restored(self) -> Any:
        return None

    def _rewind(self) -> None:
        self._side = self._new_side()


if __name__ == "__main__":
    sidecar.Sidecar = CommitsFirst  # type: ignore[misc]
    main()
