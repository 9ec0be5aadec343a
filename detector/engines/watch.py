"""How the process is: what health asks for, and whether everything moves that should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from detector import clock
from detector.engines.intake import Partition, Source

STALLED_S = 60.0
"""Records wait, none is read and nobody has paused: the client is stuck. Twice the 30 s that a client takes by default
to give up a broker and find the new leader (`request_timeout_ms`)."""

TROUBLE_S = 10.0  # without an answer; a broker that is restarted or a leader that is elected takes a few seconds


@dataclass
class Status:
    """What health asks for.

    Attributes:
        joined: whether the group has spoken, or there is none.
        reading: partitions held.
        fault: why the process cannot go on, empty while it can.
        warming: whether a rewound stream is being read again.
        stalled: whether records wait and none is read.
        reached: whether the last word from the source is recent.
    """

    joined: bool = False
    reading: int = 0
    fault: str = ""
    warming: bool = False
    stalled: bool = False
    reached: bool = True
    outbox_full: bool = False

    def ready(self) -> list[str]:
        """Why not; empty = ready."""
        reasons = {
            "no partition is assigned yet": not self.joined,
            "the source does not answer": not self.reached,
            "records wait and none is read": self.stalled,
            "the outbox is full: no sink takes incidents": self.outbox_full,
            self.fault: bool(self.fault),
        }
        return [reason for reason, holds in reasons.items() if holds]

    def healthy(self) -> bool:
        """Whether the process can do anything at all."""
        return not self.fault


@dataclass
class Watch:
    """Compares, turn by turn, where reading is with where the source ends.

    Args:
        status: told what is found.
        exporter: metrics.
        tell: the log.

    Attributes:
        position: the offsets of the last look.
    """

    status: Status
    exporter: Any
    tell: Callable[..., None]
    position: dict[Partition, int] = field(default_factory=dict)
    _moved_s: float = field(default_factory=clock.monotonic)
    _answered_s: float = field(default_factory=clock.monotonic)
    _looked_s: float = 0.0

    def begin(self) -> None:
        """Reading begins anew: nothing has moved yet, and that is no fault."""
        self._moved_s = clock.monotonic()

    def look(self, source: Source, outbox: Any) -> None:
        """Looks at the source and at the outbox."""
        now = clock.monotonic()
        position, lag = source.position(), source.lag()
        self.status.outbox_full = bool(outbox.full)
        if position != self.position or not any(lag.values()) or self.status.outbox_full:
            self._moved_s = now
        self.position = position
        self._say_stalled(now - self._moved_s, sum(lag.values()))
        trouble = str(getattr(source, "trouble", ""))
        if not trouble:
            self._answered_s = now
        reached = now - self._answered_s <= TROUBLE_S
        if self.status.reached and not reached:
            self.tell("unreachable", reason=trouble)
        self.status.reached = reached
        self.status.joined |= source.generation > 0  # who stands by is told of no partition
        self.status.reading = len(source.assignment)
        if now - self._looked_s >= 1.0:
            self._looked_s = now
            self._export(source, lag, outbox)

    def _say_stalled(self, seconds: float, waiting: int) -> None:
        stalled = seconds > STALLED_S
        if stalled and not self.status.stalled:
            self.tell("stalled", seconds=round(seconds), waiting=waiting)
        self.status.stalled = stalled

    def _export(self, source: Source, lag: dict[Partition, int], outbox: Any) -> None:
        export = self.exporter
        export.set("source_stalled", self.status.stalled)
        export.set("partitions_assigned", self.status.reading)
        export.replace("kafka_consumer_lag", {(topic, str(number)): behind for (topic, number), behind in lag.items()})
        export.replace("outbox_pending", {(sink,): waiting for sink, waiting in outbox.pending().items()})
        export.set("outbox_bytes", outbox.bytes)
        export.set("fast_decode", bool(getattr(source, "fast_decode", False)))
        export.reach("records_lost_total", sum(getattr(source, "lost", {}).values()))
        counts = getattr(source, "counts", None)
        if counts is not None:
            export.reach("tombstones_total", counts.tombstones)
