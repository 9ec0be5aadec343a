"""What the live page says above its list: how much is gone, how fast it reads, how far behind it is; from the metrics.

Rates are made of what the counter said when somebody looked before, so nobody has to sample while nobody looks.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Protocol

from detector import clock

SPAN_S = 60.0  # a rate is of about the last minute
LEAST_S = 5.0  # between two samples kept

Fact = tuple[str, str]


class Shown(Protocol):
    """`sinks.prometheus.Metrics`, as far as this page looks."""

    def shown(self, name: str) -> Mapping[tuple[str, ...], float]:
        """The present series of a counter or gauge."""


class Live:
    """Reads a few metrics; any thread may ask.

    Args:
        metrics: of this process.
    """

    def __init__(self, metrics: Shown) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._seen: list[tuple[float, float]] = [(clock.monotonic(), self._sum("requests_total"))]

    def facts(self) -> list[Fact]:
        """Names and texts, in the order they are shown."""
        found = [
            ("open incidents", f"{self._sum('incidents_open'):,.0f}"),
            ("records exposed", f"{self._sum('records_exposed_estimate'):,.0f}"),
            ("requests", f"{self._sum('requests_total'):,.0f}"),
            ("a second", f"{self._rate():,.0f}"),
            ("not understood", f"{self._sum('requests_rejected_total'):,.0f}"),
            ("waiting in Kafka", f"{self._sum('kafka_consumer_lag'):,.0f}"),
            ("behind the clock", self._behind()),
        ]
        return [(name, text) for name, text in found if text]

    def _sum(self, name: str) -> float:
        return sum(value for value in self._metrics.shown(name).values() if not math.isnan(value))

    def _behind(self) -> str:
        seconds = self._sum("event_lag_seconds")
        return f"{seconds:,.0f} s" if self._sum("last_request_timestamp_seconds") else ""

    def _rate(self) -> float:
        now, total = clock.monotonic(), self._sum("requests_total")
        with self._lock:
            while len(self._seen) > 1 and now - self._seen[1][0] >= SPAN_S:
                del self._seen[0]
            since_s, before = self._seen[0]
            if now - self._seen[-1][0] >= LEAST_S:
                self._seen.append((now, total))
        return max(total - before, 0.0) / max(now - since_s, 1.0)
