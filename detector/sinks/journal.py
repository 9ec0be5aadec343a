"""What people have decided about incidents: an append-only journal beside the cases, one JSON object a line.

A command appends, never the network; a running sidecar looks at the file's size and time and reads it anew. An
incident's id is the same in a stream, after a restart and in a replay, so a decision stays with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.errors import InputError, SinkError
from detector.incidents.incident import NEW, Incident
from detector.sinks.appending import append_line

FILE = "journal.jsonl"
ACTIONS = {"ack": "acknowledged", "close": "closed", "reopen": NEW}
VERDICTS = ("true_positive", "benign_positive", "false_positive", "duplicate")
"""Those of OCSF's incident profile that end an investigation (`incidents.schemas`)."""


@dataclass(frozen=True)
class Decision:
    """What holds of one incident after all that was said.

    Attributes:
        status: `NEW`, ``acknowledged`` or ``closed``.
        verdict: of `VERDICTS`; None = none given.
        assignee: who takes care of it.
        note: the newest.
        at: wall-clock moment of the newest line.
        by: who wrote it.
    """

    status: str = NEW
    verdict: str | None = None
    assignee: str | None = None
    note: str = ""
    at: str = ""
    by: str = ""


class Journal:
    """The journal of one folder of cases. Any number of processes may append; any thread may read.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, int, int], dict[str, Decision]] = ((-1, -1, -1), {})

    def append(self, incident: str, action: str, **said: str | None) -> Decision:
        """Adds a line and waits until it is on the disk; returns what holds now.

        Args:
            incident: its whole id.
            action: of `ACTIONS`.
            said: ``verdict``, ``assignee``, ``note``; what is None stays as it was.

        Raises:
            SinkError: it cannot be written.
        """
        told = {name: text for name, text in said.items() if text is not None}
        try:
            append_line(self.path, {"incident": incident, "action": action, **told})
        except OSError as error:
            raise SinkError(f"{self.path}: the decision cannot be written: {error.strerror}") from error
        return self.decisions()[incident]

    def lines(self) -> list[dict[str, Any]]:
        """Every line that can be read, oldest first.

        Raises:
            InputError: the file is there and cannot be read.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from error
        return [line for line in map(_parsed, text.split(b"\n")) if line is not None]

    def decisions(self) -> dict[str, Decision]:
        """What holds, by incident; read anew only where the file has changed."""
        try:
            stat = self.path.stat()
        except OSError:
            return {}
        mark = stat.st_ino, stat.st_size, stat.st_mtime_ns
        known, found = self._known
        if mark != known:
            found = {}
            for line in self.lines():
                found[line["incident"]] = _after(found.get(line["incident"], Decision()), line)
            self._known = mark, found
        return found

    def mark(self, incident: Incident) -> Incident:
        """Writes what holds into an incident, and returns it."""
        decision = self.decisions().get(incident.incident)
        if decision is not None:
            incident.status, incident.verdict = decision.status, decision.verdict
            incident.assignee = decision.assignee
        return incident

    def quiet(self, incident: str) -> bool:
        """Whether somebody takes care of it, so that it pages nobody."""
        decision = self.decisions().get(incident)
        return decision is not None and decision.status != NEW


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        return found if found["action"] in ACTIONS and isinstance(found["incident"], str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # a line that a crash has cut short, or that somebody has spoilt


def _after(before: Decision, line: dict[str, Any]) -> Decision:
    def said(name: str, otherwise: str | None) -> str | None:
        return str(line[name]) if line.get(name) is not None else otherwise

    verdict = None if line["action"] == "reopen" else before.verdict
    return Decision(
        status=ACTIONS[line["action"]],
        verdict=said("verdict", verdict),
        assignee=said("assignee", before.assignee),
        note=said("note", before.note) or "",
        at=str(line.get("at", "")),
        by=str(line.get("by", "")),
    )
