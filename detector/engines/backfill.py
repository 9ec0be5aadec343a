"""A replay as Prometheus would have scraped the sidecar: its metrics in log time (``replay --metrics``).

The same telemetry that serves a live scrape is driven by log time: rows are judged in slices that end where a scrape
would have come, at full steps since 1970, and what the metrics show there is a sample of that moment. So they depend
on the rows and the step alone. Beside them stand ``up`` and ``ALERTS``, as the shipped rules for incidents make it; the
rules on the health of the process have nothing to say of a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from detector import __version__
from detector.engines.coverage import Coverage
from detector.engines.order import Released
from detector.engines.telemetry import ACTIVE_S, Telemetry
from detector.health import METRICS, OF_A_STREAM, PATTERN, Metric
from detector.incidents.render import incident
from detector.incidents.story import Story
from detector.pipeline import Pipeline
from detector.records.batch import Batch
from detector.sinks.alert_names import PAGING, alert_of
from detector.sinks.openmetrics import Family, OpenMetricsFile
from detector.sinks.prometheus import Key, Metrics, cumulated
from detector.sinks.sampling import Samples

JOB = {"job": "detector", "instance": "replay"}  # the job is that of configs/prometheus/scrape.yaml
UP = Family("up", "gauge", "1: the log was being read.")
ALERTS = Family("ALERTS", "gauge", "Alerts as the rules for incidents would have made them; 0 where one has ended.")
REST_S = 3600  # after the newest request unchanged series are no longer repeated, unless an incident is open

_KINDS = {"info": "gauge"}
_FAMILIES = {
    metric.name: Family(metric.full_name.removesuffix("_total"), _KINDS.get(metric.kind, metric.kind), metric.help)
    for metric in METRICS
    if metric.name not in OF_A_STREAM
}


class Backfill:
    """Takes what a replay reads, has it judged slice by slice and writes the samples.

    Args:
        path: the file.
        step_s: seconds of log time between samples.
        pipeline: that judges; its book tells this object of every revision.
        detector: ``version`` and ``config`` for the incidents told.
        formats: of each file, by its number; None = not read.
        data_classes: declared ones.

    Raises:
        SinkError: the file cannot be written; so do `take` and `finish`.
    """

    def __init__(
        self,
        path: Path,
        step_s: int,
        pipeline: Pipeline,
        detector: dict[str, str],
        formats: Sequence[str | None],
        data_classes: Sequence[str],
    ) -> None:
        self._step_us = step_s * 1_000_000
        self._pipeline, self._detector, self._formats = pipeline, detector, formats
        self._file = OpenMetricsFile(path)
        self._samples = Samples(self._file, step_s)
        self._metrics = Metrics(__version__, {"sink": [], "data_class": data_classes}, process=False)
        self._telemetry = Telemetry(
            self._metrics, now_s=self._now_s, wall_s=self._now_s, data_classes=tuple(data_classes)
        )
        self._coverage = Coverage()
        self._step = 0  # of the sample to come
        self._last: dict[str, object] = {}
        self._firing: dict[Key, float] = {}
        pipeline.book.tell = self._tell

    def _now_s(self) -> float:
        return self._step * self._step_us / 1e6

    def _tell(self, story: Story) -> None:
        told = incident(story, self._pipeline.book, self._detector)
        self._telemetry.tell(told, story, told.revision == 1)

    def take(self, released: Released, rows: Batch, judge: Callable[[Batch], None]) -> None:
        """Has rows judged, cut where samples are due.

        Args:
            released: as it was read.
            rows: its rows, with the moments to judge them at.
            judge: judges rows in log order.
        """
        self._coverage.rejected = dict(released.rejected)
        first, n = 0, len(rows)
        while first < n:
            step = int(rows.time_us[first]) // self._step_us + 1
            if step > self._step:
                self._pass_to(step)
            last = int(np.searchsorted(rows.time_us, step * self._step_us, side="left"))
            judge(rows.take(slice(first, last)))
            self._count(released, slice(first, last))
            first = last

    def _count(self, released: Released, rows: slice) -> None:
        batch = released.batch.take(rows)
        first = batch.requests > 0
        self._coverage.count_requests(batch)
        self._coverage.count_objects(batch)
        self._coverage.late += int(np.count_nonzero(released.late[rows] & first))
        self._coverage.future += int(np.count_nonzero(released.future[rows] & first))
        for origin, count in enumerate(np.bincount(batch.origin[first]).tolist()):
            name = self._formats[origin] if count else None
            if name is not None:
                self._metrics.inc("requests_total", count, format=name)

    def _pass_to(self, step: int) -> None:
        """A row has come behind the present step: that one is sampled, and the rest until then."""
        if self._step:
            self._sample()
            self._idle(step)
        else:
            self._begin(step - 1)
        self._step = step

    def _begin(self, step: int) -> None:
        """All there is stands at its beginning one step before the first row."""
        self._step = step
        for name in self._formats:
            if name is not None:
                self._metrics.inc("requests_total", 0, format=name)
        self._samples.awake(step, step)
        self._samples.put(step, UP, JOB, 1.0)
        self._show()

    def _sample(self) -> None:
        self._telemetry.renew(self._pipeline, self._coverage, "")
        self._telemetry.rest(self._step * self._step_us)
        self._show()

    def _idle(self, until: int | None) -> None:
        """Incidents come to rest while no row comes, up to a step."""
        hours = self._pipeline.rules.close_after_us / 3.6e9 if self._pipeline.open_stories() else 0
        rest = self._step + int(max(REST_S, hours * 3600 if until is not None else ACTIVE_S) * 1e6) // self._step_us
        self._samples.awake(self._step, rest if until is None else min(rest, until))
        while (end_us := self._telemetry.rests_at_us) is not None:
            step = -(-end_us // self._step_us)
            if until is not None and step >= until:
                break
            self._step = max(step, self._step)
            self._telemetry.rest(self._step * self._step_us)
            self._show()

    def finish(self, rejected: Mapping[str, int]) -> None:
        """The input has ended and every story is told: what is active comes to rest, and the file is written.

        Args:
            rejected: lines of the whole input, by reason.
        """
        if self._step:
            self._coverage.rejected = dict(rejected)
            self._sample()
            self._idle(None)
            self._samples.close(self._step)
        self._file.close()

    def _show(self) -> None:
        for metric in METRICS:
            if metric.name in _FAMILIES:
                now = (
                    self._metrics.counted(metric.name)
                    if metric.kind == "histogram"
                    else self._metrics.shown(metric.name)
                )
                before = self._last.get(metric.name)
                if now != before:
                    self._last[metric.name] = now
                    self._put(metric, now, before)
        self._show_alerts()

    def _put(self, metric: Metric, now: object, before: object) -> None:
        """Hands on what has changed of a metric."""
        if isinstance(now, tuple):
            self._put_histogram(metric, *now)
            return
        assert isinstance(now, dict)
        old = before if isinstance(before, dict) else {}
        names = [label.name for label in metric.labels]
        for key, value in (dict.fromkeys(old, 0.0) | now).items():
            if key not in old or old[key] != value:
                labels = JOB | dict(zip(names, key, strict=True))
                self._samples.put(self._step, _FAMILIES[metric.name], labels, value)

    def _put_histogram(self, metric: Metric, counts: list[int], total: float) -> None:
        parts = {"_sum": total, "_count": float(sum(counts))}
        for end, value in parts.items():
            self._samples.put(self._step, Family(metric.full_name + end, "unknown", metric.help), JOB, value)
        buckets = Family(metric.full_name + "_bucket", "unknown", metric.help)
        for bound, count in cumulated(metric, counts):
            self._samples.put(self._step, buckets, {**JOB, "le": bound}, float(count))

    def _show_alerts(self) -> None:
        active, total = self._metrics.shown("incidents_active"), self._metrics.shown("incidents_total")
        raised = dict.fromkeys(PATTERN.values, 0)
        for (pattern, _), count in total.items():
            raised[pattern] += int(count)
        firing: dict[Key, float] = {
            (pattern, severity, str(raised[pattern])): 1.0
            for (pattern, severity), count in active.items()
            if count > 0 and severity in PAGING
        }
        if firing == self._firing:
            return
        for key, value in ({key: 0.0 for key in self._firing if key not in firing} | firing).items():
            pattern, severity, number = key
            labels = {
                "alertname": alert_of(pattern), "alertstate": "firing", "job": JOB["job"],
                "pattern": pattern, "severity": severity, "raised": number,
            }  # fmt: skip
            self._samples.put(self._step, ALERTS, labels, value)
        self._firing = firing
