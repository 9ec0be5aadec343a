"""The sidecar's own log: one JSON object a line on standard error, with no log line, path or client in it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from detector import clock

EVERY_S = 10.0  # the same event is said once in this time, with how often it was held back: <= 10 kB/s whatever comes
MOST_EVENTS = 200

LEVELS = {
    "stalled": logging.ERROR,
    "snapshot_failed": logging.ERROR,
    "snapshot_unusable": logging.ERROR,
    "fault": logging.ERROR,
    "outbox_failed": logging.ERROR,
    "case_failed": logging.ERROR,
    "reload_failed": logging.ERROR,
    "commit_refused": logging.WARNING,
    "lost": logging.WARNING,
    "mixed": logging.WARNING,
    "rewound": logging.WARNING,
    "plain_decode": logging.WARNING,
    "sharing_partial": logging.WARNING,
    "clients_on_several_partitions": logging.WARNING,
}
SAID_EACH_TIME = frozenset({"incident", "started", "stopped", "reloaded", "restored", "fault"})


class _JsonLines(logging.Formatter):
    """A record as one ASCII line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        facts: dict[str, Any] = getattr(record, "facts", {})
        said = {"at": moment, "level": record.levelname.lower(), "from": record.name, "event": record.getMessage()}
        text = json.dumps({**said, **facts}, ensure_ascii=True, default=str)
        return text.replace("\x7f", "\\u007f")


class _Sparing(logging.Filter):
    """Lets the same event through once in `EVERY_S`; the next one says how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        event = str(record.msg)
        if event in SAID_EACH_TIME:
            return True
        now = clock.monotonic()
        last, held = self._said.get(event, (-EVERY_S, 0))
        if now - last < EVERY_S:
            self._said[event] = last, held + 1
            return False
        if len(self._said) > MOST_EVENTS:
            self._said.clear()
        self._said[event] = now, 0
        if held:
            record.facts = {**getattr(record, "facts", {}), "held_back": held}
        return True


def set_up(level: int = logging.INFO) -> None:
    """Sends everything, the Kafka client's warnings included, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    handler.addFilter(_Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(logging.WARNING)


def tell(event: str, **facts: Any) -> None:
    """One event and its facts."""
    logging.getLogger("detector").log(LEVELS.get(event, logging.INFO), event, extra={"facts": facts})
