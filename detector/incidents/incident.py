"""An incident as the outside sees it: one record of the contract, a JSON object a line."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from detector.detectors.signal import Finding

SEVERITIES = ("informational", "low", "medium", "high", "critical")

NEW = "new"  # nobody has looked at it yet
MOST_CLIENTS = 10_000  # listed, largest first

PATTERNS = (
    "walk",  # one client reads ids in order
    "sweep",  # many clients work through one queue of ids in order
    "bulk",  # one client carries away far more records than others do, and others' records at that
    "guessing",  # one client tries ids that mostly do not exist
    "campaign",
    "fan_out",
    "lookup",
    "over_fetch",
    "metronome",
    "contract",
    "consent",
    "tripwire",
    "custom",
)


@dataclass(frozen=True)
class Estimate:
    """A count with the interval it lies in (nominal 99 %)."""

    estimate: int
    low: int
    high: int


@dataclass
class Incident:
    """One story of extraction; the fields and their meaning are those of the README's table."""

    incident: str
    revision: int
    state: str
    pattern: str
    detector: dict[str, str]
    severity: str
    confidence: float
    raised_at: str
    first_seen: str
    last_seen: str
    endpoints: list[str]
    clients: list[str]
    client_count: int
    client_kind: str
    selector: dict[str, Any] | None
    requests: int
    bytes_out: int
    records_exposed: Estimate
    persons_exposed: Estimate | None
    data_classes: list[str]
    evidence: list[Finding]
    records_at_alert: int  # how much was gone when enough had been seen to raise it
    suppressed_by: str | None = None
    merged_into: str | None = None
    warming: bool = False  # raised while the process was still reading again what it had lost
    tags: dict[str, list[str]] = field(default_factory=dict)
    partner: str | None = None  # whose contract was broken, as the configuration names it
    status: str = NEW  # what people have decided (`sinks.journal`): acknowledged, closed
    verdict: str | None = None
    assignee: str | None = None

    def record(self) -> dict[str, Any]:
        """The incident as plain data, in the order of the contract."""
        return asdict(self)


__all__ = ["MOST_CLIENTS", "NEW", "PATTERNS", "SEVERITIES", "Estimate", "Finding", "Incident"]
