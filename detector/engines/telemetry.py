"""What a stream tells of itself: its counters and gauges, kept by the threads that do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from detector import clock
from detector.engines.coverage import Coverage
from detector.engines.floor import floor_records
from detector.engines.growth import growth_lines
from detector.engines.raised import Raised
from detector.incidents.incident import Incident
from detector.incidents.render import incident as incident_of
from detector.incidents.story import Story
from detector.pipeline import Pipeline
from detector.state.layout import COUNTER

ACTIVE_S = 600.0  # contract.md: an open incident is active while its newest evidence is younger than ten minutes
FEW = 100  # open incidents whose sums are made anew with each telling; with 10,000 that took 6 ms a telling (measured)
NO_CLASS, OTHER_CLASS = "none", "other"  # of a record on a route without a declared one; of one too many to be shown
EVERY_S = 1.0  # gauges are renewed; a scrape is rarely more frequent than every five seconds


class Exporter(Protocol):
    """What is used of `sinks.prometheus`."""

    def inc(self, name: str, by: float = 1, **labels: str) -> None:
        """Adds to a counter."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge."""

    def observe(self, name: str, value: float) -> None:
        """Adds to a histogram."""

    def replace(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets a whole gauge, by label values."""

    def reach(self, name: str, total: float, **labels: str) -> None:
        """Lifts a counter to a total kept elsewhere."""


def _silent(event: str, **facts: Any) -> None: ...


def _wall_s() -> float:
    return clock.wall().timestamp()


def _loud(incident: str) -> bool:
    return False


@dataclass
class _Told:
    """What was last told of one open incident."""

    incident: Incident
    counted: int = 0  # records exposed that are in the counter
    last_us: int = 0
    moved_s: float = 0.0  # monotonic time at which its evidence last grew


@dataclass
class Telemetry:
    """Metrics of one process.

    Args:
        exporter: where they go.
        say: writes an event to the log.
        now_s: the time that passes; a replay gives log time.
        wall_s: what event lag is measured against, seconds since 1970.
        raised: how many incidents there were before this process.
        data_classes: the declared ones that are shown, the first to count first; others count as ``other``.

    Attributes:
        quiet: whether somebody takes care of an incident, by id, so that it is no longer active; asked again each time.
    """

    exporter: Exporter
    say: Callable[..., None] = _silent
    now_s: Callable[[], float] = clock.monotonic
    wall_s: Callable[[], float] = _wall_s
    data_classes: Sequence[str] = ()
    raised: Raised = field(default_factory=Raised)
    quiet: Callable[[str], bool] = _loud
    _before: Coverage = field(default_factory=Coverage)
    _mixed: set[str] = field(default_factory=set)  # formats beside the stream's own that were named
    _held: set[tuple[int, str]] = field(default_factory=set)  # what learning was held back in, by route
    _open: dict[str, _Told] = field(default_factory=dict)
    _suppressed: dict[str, int] = field(default_factory=dict)  # open ones, and the revision that was counted
    _counters: Counter[str] = field(default_factory=Counter)
    _renewed_s: float = 0.0
    _log_now_us: int = 0
    _summed_s: float = 0.0

    def __post_init__(self) -> None:
        self.exporter.set("config_last_reload_successful", 1)
        self._go_on_counting(())

    def tell(self, incident: Incident, story: Story, new: bool) -> None:
        """An incident was raised, grew or ended; ``new``: nobody has been told of it before."""
        told = self._open.get(incident.incident)
        counted = told.counted if told else 0 if new else incident.records_exposed.low
        if incident.suppressed_by:
            self._tell_suppressed(incident)
            return
        if self._suppressed.pop(incident.incident, 0) or new:
            self.raised.add(incident.pattern, incident.severity)
            self.exporter.inc("incidents_total", pattern=incident.pattern, severity=incident.severity)
            self.exporter.observe("alert_delay_seconds", max(story.raised_us - story.first_us, 0) / 1e6)
        grown = incident.records_exposed.low - counted
        if grown > 0:
            data_class = self._data_class(incident)
            self.exporter.inc("records_exposed_total", grown, pattern=incident.pattern, data_class=data_class)
            counted += grown
        if incident.state == "closed":
            self._open.pop(incident.incident, None)
        else:
            self._open[incident.incident] = _Told(incident, counted, story.last_us, self.now_s())
        self._log_now_us = story.last_us
        if len(self._open) <= FEW or self.now_s() - self._summed_s >= EVERY_S:  # else `renew` does, within the second
            self._renew_incidents(story.last_us)

    def _data_class(self, incident: Incident) -> str:
        if not incident.data_classes:
            return NO_CLASS
        return next((name for name in self.data_classes if name in incident.data_classes), OTHER_CLASS)

    def _tell_suppressed(self, incident: Incident) -> None:
        """Counted once, apart from everything that pages; a restart may count one that is open once more."""
        self._open.pop(incident.incident, None)
        if self._suppressed.setdefault(incident.incident, incident.revision) == incident.revision:
            self.exporter.inc("incidents_suppressed_total", pattern=incident.pattern)
        if incident.state == "closed":
            self._suppressed.pop(incident.incident)

    def delivered(self, outcome: Any) -> None:
        """What became of one attempt of a sink (`sinks.courier.Outcome`); called on the sink's thread."""
        metric = {"failed": "sink_failures_total", "refused": "sink_refused_total"}
        self.exporter.inc(metric.get(outcome.what, "sink_deliveries_total"), sink=outcome.sink)
        if outcome.what != "delivered":
            self.say(f"delivery_{outcome.what}", sink=outcome.sink, incident=outcome.incident, reason=outcome.reason)

    def snapshot_trouble(self, event: str, **facts: Any) -> None:
        """A snapshot could not be written, or not be used."""
        self.exporter.inc("snapshot_failures_total")
        self.say(event, **facts)

    def renew(self, pipeline: Pipeline, coverage: Coverage, format_name: str) -> None:
        """Brings gauges and counters up to date, at most every `EVERY_S`; called by the judging thread."""
        now = self.now_s()
        if now - self._renewed_s < EVERY_S:
            return
        self._renewed_s = now
        self._renew_reading(coverage, format_name)
        self._renew_state(pipeline)
        for story in pipeline.open_stories():
            told = self._open.get(story.identity)
            if told and story.last_us > told.last_us:
                told.last_us, told.moved_s = story.last_us, now
        self._renew_incidents(pipeline.last_us)

    def _renew_reading(self, coverage: Coverage, format_name: str) -> None:
        before = self._before
        if format_name:
            self.exporter.inc("requests_total", coverage.parsed - before.parsed, format=format_name)
        for reason, count in list(coverage.rejected.items()):
            self.exporter.inc("requests_rejected_total", count - before.rejected.get(reason, 0), reason=reason)
        mixed = coverage.mixed.get("source", {})
        if not self._mixed.issuperset(mixed):
            self._mixed |= set(mixed)
            self.say("mixed", rejected=mixed, read_as=format_name)
        self.exporter.inc("requests_late_total", coverage.late - before.late)
        self.exporter.inc("requests_doubled_total", coverage.doubled - before.doubled)
        self.exporter.inc("requests_future_total", coverage.future - before.future)
        self.exporter.inc("consent_changes_total", coverage.changes - before.changes)
        requests = max(coverage.requests, 1)
        self.exporter.set("object_known_ratio", coverage.with_object / requests)
        for kind, count in list(coverage.by_kind.items()):
            if kind != "none":
                self.exporter.set("identity_known_ratio", count / requests, kind=kind)
        self._before = Coverage(
            parsed=coverage.parsed,
            rejected=dict(coverage.rejected),
            doubled=coverage.doubled,
            late=coverage.late,
            future=coverage.future,
            changes=coverage.changes,
        )

    def _renew_state(self, pipeline: Pipeline) -> None:
        counters = pipeline.state.counters
        self.exporter.set("clients_tracked", int(counters[COUNTER["clients"]]))
        for name, metric, labels in (
            ("clients_evicted", "clients_evicted_total", {"reason": "full"}),
            ("strayed", "clients_on_several_partitions_total", {}),
        ):
            value = int(counters[COUNTER[name]])
            self.exporter.inc(metric, max(value - self._counters[name], 0), **labels)
            self._counters[name] = value
        self.exporter.set("state_bytes", pipeline.state.nbytes)
        self.exporter.set("consent_ledger_lag_seconds", pipeline.consents.ledger.lag_us / 1e6)
        unjudged = pipeline.consents.unjudged
        self.exporter.inc("consent_reads_unjudged_total", max(unjudged - self._counters["unjudged"], 0))
        self._counters["unjudged"] = unjudged
        self.exporter.set("floor_records", floor_records(pipeline))
        held = {(one.route, one.number) for one in pipeline.reference.held}
        if not held <= self._held:
            self.say("held", learning=growth_lines(pipeline))
        self._held = held
        if pipeline.last_us > 0:
            self.exporter.set("last_request_timestamp_seconds", pipeline.last_us / 1e6)
            self.exporter.set("event_lag_seconds", max(self.wall_s() - pipeline.last_us / 1e6, 0.0))

    def active(self) -> list[dict[str, Any]]:
        """The records of the incidents that are active; any thread may ask."""
        now = self.now_s()
        told = list(self._open.values())
        return [one.incident.record() for one in told if self._is_active(one, now)]

    @property
    def rests_at_us(self) -> int | None:
        """Log time at which the next active incident comes to rest if no evidence comes; None: none is active."""
        now = self.now_s()
        ends = [told.last_us + round(ACTIVE_S * 1e6) for told in self._open.values() if self._is_active(told, now)]
        return min(ends, default=None)

    def rest(self, log_now_us: int) -> None:
        """Log time has passed without a record."""
        self._renew_incidents(log_now_us)

    def _is_active(self, told: _Told, now: float) -> bool:
        if self.quiet(told.incident.incident):
            return False
        return self._log_now_us - told.last_us < ACTIVE_S * 1e6 and now - told.moved_s < ACTIVE_S

    def _renew_incidents(self, log_now_us: int) -> None:
        now, self._log_now_us = self.now_s(), log_now_us
        self._summed_s = now
        opened: Counter[tuple[str, ...]] = Counter()
        active: Counter[tuple[str, ...]] = Counter()
        exposed: Counter[tuple[str, ...]] = Counter()
        for told in self._open.values():
            incident = told.incident
            key = incident.pattern, incident.severity
            opened[key] += 1
            active[key] += self._is_active(told, now)
            exposed[incident.pattern,] += incident.records_exposed.estimate
        self.exporter.replace("incidents_open", opened)
        self.exporter.replace("incidents_active", active)
        self.exporter.replace("records_exposed_estimate", exposed)

    def restart(self, pipeline: Pipeline, raised: Iterable[Any]) -> None:
        """The state is another one now: what it holds open was told by whoever held it before.

        Args:
            pipeline: the state.
            raised: counts of incidents by whoever held it (`Raised.save`): the counter goes on from there.
        """
        self._go_on_counting(raised)
        self._open, self._suppressed = {}, {}
        for story in pipeline.open_stories():
            self.tell(incident_of(story, pipeline.book, pipeline.detector), story, new=False)
        self._renew_incidents(pipeline.last_us)
        for name in ("clients_evicted", "strayed"):
            self._counters[name] = int(pipeline.state.counters[COUNTER[name]])
        self._counters["unjudged"] = pipeline.consents.unjudged

    def _go_on_counting(self, raised: Iterable[Any]) -> None:
        self.raised.merge(raised)
        for pattern, severity, count in self.raised:
            self.exporter.reach("incidents_total", count, pattern=pattern, severity=severity)
