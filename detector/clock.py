"""The only reader of time. Log time comes from the records; everything here is about the machine's own clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def wall() -> datetime:
    """The machine's clock, for what people are told about the run itself (`noticed_at`), never for judging."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never run backwards, for durations and rates of progress."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Waits; only threads that have nothing else to do may."""
    time.sleep(seconds)


def processor() -> float:
    """Seconds of processor time this process has used, all threads together."""
    return time.process_time()
