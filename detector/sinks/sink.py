"""What a sink is, and how it says that it could not take an incident."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from detector.errors import SinkError

REMEMBERED = 100_000  # incidents whose delivered revision is kept; one takes 0.2 kB


class Sink(Protocol):
    """Takes incidents, one at a time, always from the same thread; may block for as long as the world outside does.

    Attributes:
        name: what the configuration calls it, ``[a-z0-9_-]+``: a folder of the outbox and a label of metrics.
    """

    name: str

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Hands over one revision of an incident; when this returns, it survives a loss of power.

        May be called again with what it has taken before, and after a crash with what it took last; a revision that is
        not above the last one taken changes nothing.

        Args:
            incident_json: one line of ASCII without its line end.
            incident: the id in it.
            revision: the revision in it.

        Raises:
            Refused: it will never be taken.
            SinkError: it could not be taken now; to be tried again.
        """

    def close(self) -> None:
        """Lets go of files and connections. Not guaranteed to be called."""


class Busy(SinkError):
    """Could not be taken now, and the other side said when to come again.

    Args:
        message: what happened.
        wait_s: seconds until the next attempt makes sense.
    """

    def __init__(self, message: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(message)


class Refused(SinkError):
    """Will never be taken as it is: another attempt would be answered in the same way."""


class Revisions:
    """The highest revision of each incident seen, of the newest ``most`` incidents."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._highest: OrderedDict[str, int] = OrderedDict()

    def add(self, incident: str, revision: int) -> None:
        """Remembers a revision, unless a higher one is known."""
        self._highest[incident] = max(revision, self._highest.get(incident, 0))
        self._highest.move_to_end(incident)
        if len(self._highest) > self._most:
            self._highest.popitem(last=False)

    def forget(self, incident: str) -> None:
        """Behaves from now on as if nothing of it had been seen."""
        self._highest.pop(incident, None)

    def has(self, incident: str, revision: int) -> bool:
        """Whether this revision or a higher one has been added."""
        return self._highest.get(incident, 0) >= revision

    def items(self) -> list[tuple[str, int]]:
        """What is remembered, the longest unchanged first."""
        return list(self._highest.items())
