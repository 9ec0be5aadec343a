"""Metrics from the table of ``detector.health``: closed labels, bounded series, counters that are there from the start.

Every combination of closed or declared label values of a counter exists from the first scrape on, at 0: a rate over a
counter that appears with its first event misses that event.

**Three severities a pattern.** There are five, and at most three series a pattern are shown. ``incidents_total`` counts
at the moment of raising, when little is gone yet: it knows ``low`` (with ``informational``), ``medium`` and ``high``
(with ``critical``). The gauges show the three most severe that are not zero; a fourth is counted one step up, so that a
rule written for a severity or anything above it never misses one.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import nan

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from detector.health import METRICS, SEVERITY, SHOWN, WHEN_RAISED, Label, Metric

Key = tuple[str, ...]  # label values, in the order of the table
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

OTHER = "other"  # what is beyond a limit is counted here
OPEN = ("format", "topic", "partition")  # labels whose values need not be declared
LONGEST_VALUE = 80  # of a label: formats may be written out in the configuration
UNKNOWN_AT_FIRST = "_ratio"  # a share is NaN until it is first set: 0 would be a statement


class Metrics:
    """All metrics of the process. Every method may be called from any thread and never blocks for long.

    Args:
        version: the program's, for ``build_info``.
        declared: values of the labels that the configuration declares: ``sink``, ``data_class``, and ``format`` where
            it is known.
        process: memory, processor time and file descriptors of the process as well.
    """

    def __init__(
        self, version: str, declared: Mapping[str, Sequence[str]] | None = None, *, process: bool = True
    ) -> None:
        self._declared = {**(declared or {}), "version": (version,)}
        self._metrics = {metric.name: metric for metric in METRICS}
        self._lock = threading.Lock()
        self._values = {m.name: dict.fromkeys(self._first(m), _start(m)) for m in METRICS if m.kind != "histogram"}
        self._histograms = {m.name: [0] * (len(m.buckets) + 1) for m in METRICS if m.kind == "histogram"}
        self._sums = dict.fromkeys(self._histograms, 0.0)
        self.registry = CollectorRegistry()
        self.registry.register(_Shown(self))
        if process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)

    def inc(self, name: str, by: float = 1, **labels: str) -> None:
        """Adds to a counter.

        Raises:
            ValueError: there is no such counter or label value, or ``by`` is negative: a fault of the program.
        """
        if by < 0:
            raise ValueError(f"{name}: a counter cannot fall")
        metric = self._known(name, "counter")
        with self._lock:
            key = self._key(metric, labels)
            self._values[name][key] = self._values[name].get(key, 0.0) + by

    def reach(self, name: str, total: float, **labels: str) -> None:
        """Lifts a counter to a total that is kept elsewhere; a lower one changes nothing.

        Raises:
            ValueError: there is no such counter or label value.
        """
        metric = self._known(name, "counter")
        with self._lock:
            key = self._key(metric, labels)
            self._values[name][key] = max(self._values[name].get(key, 0.0), total)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge.

        Raises:
            ValueError: there is no such gauge or label value.
        """
        metric = self._known(name, "gauge")
        with self._lock:
            self._values[name][self._key(metric, labels)] = value

    def replace(self, name: str, values: Mapping[Key, float]) -> None:
        """Sets all of a gauge at once, by its label values in the table's order; those not named go back to the start
        (0), or away where they come from what is held: partitions that went to another member.

        Raises:
            ValueError: there is no such gauge or label value.
        """
        metric = self._known(name, "gauge")
        names = [label.name for label in metric.labels]
        with self._lock:
            self._values[name] = fresh = dict.fromkeys(self._first(metric), _start(metric))
            for given, value in values.items():
                fresh[self._key(metric, dict(zip(names, map(str, given), strict=True)))] = value

    def observe(self, name: str, value: float, count: int = 1) -> None:
        """Adds ``count`` times the same value, in seconds, to a histogram.

        Raises:
            ValueError: there is no such histogram.
        """
        metric = self._known(name, "histogram")
        with self._lock:
            self._histograms[name][bisect_left(metric.buckets, value)] += count
            self._sums[name] += value * count

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """What a scrape gets, and its content type: OpenMetrics where ``accept`` (the header) asks for it."""
        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def families(self) -> Iterator[Family]:
        """Every metric with its present values."""
        for metric in METRICS:
            if metric.kind == "histogram":
                yield _histogram(metric, *self.counted(metric.name))
            else:
                yield _family(metric, self.shown(metric.name))

    def shown(self, name: str) -> Mapping[Key, float]:
        """The present series of a counter or gauge, by its label values in the table's order."""
        with self._lock:
            values = dict(self._values[name])
        return _bounded(self._metrics[name], values)

    def counted(self, name: str) -> tuple[list[int], float]:
        """What a histogram has observed: how many in each bucket, the last one ``+Inf``, and their sum."""
        with self._lock:
            return list(self._histograms[name]), self._sums[name]

    def _known(self, name: str, kind: str) -> Metric:
        metric = self._metrics.get(name)
        if metric is None or metric.kind != kind:
            raise ValueError(f"there is no {kind} {name}")
        return metric

    def _first(self, metric: Metric) -> list[Key]:
        """The combinations that are there from the start: all, but of what is not known before it is seen."""
        keys: list[Key] = [()]
        for label in metric.labels:
            values = SHOWN if label is SEVERITY else label.values or self._declared.get(label.name, ())
            keys = [(*key, value) for key in keys for value in values]
        return keys

    def _key(self, metric: Metric, labels: Mapping[str, str]) -> Key:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {', '.join(label.name for label in metric.labels)}")
        return tuple(self._value(metric, label, labels) for label in metric.labels)

    def _value(self, metric: Metric, label: Label, labels: Mapping[str, str]) -> str:
        value = labels.get(label.name)
        if value is None:
            raise ValueError(f"{metric.name} has a label {label.name}")
        if label is SEVERITY and metric.kind == "counter":
            value = WHEN_RAISED.get(value, value)
        if value in (label.values or self._declared.get(label.name, ())):
            return value
        if label.name not in OPEN:
            raise ValueError(f"{metric.name}: {label.name} is never {value!r}")
        value = "".join(c if " " <= c <= "~" else "?" for c in value[:LONGEST_VALUE])
        if len(metric.labels) == 1:
            held = self._values[metric.name]
            if (value,) not in held and len(held) >= label.most - 1:
                return OTHER
        return value


class _Shown(Collector):
    """The view of :class:`Metrics` that prometheus_client renders."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Family]:
        """Every metric, in the order of the table."""
        return self._metrics.families()


def _start(metric: Metric) -> float:
    if metric.kind == "info":
        return 1.0
    return nan if metric.name.endswith(UNKNOWN_AT_FIRST) else 0.0


def _family(metric: Metric, values: Mapping[Key, float]) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.full_name, metric.help, labels=[label.name for label in metric.labels])
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(metric: Metric, counts: Sequence[int], total: float) -> Family:
    return HistogramMetricFamily(metric.full_name, metric.help, buckets=cumulated(metric, counts), sum_value=total)


def cumulated(metric: Metric, counts: Sequence[int]) -> list[tuple[str, int]]:
    """A histogram's bounds as they are written, each with how many were at most that."""
    bounds = [*map(str, map(float, metric.buckets)), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))


def _bounded(metric: Metric, values: Mapping[Key, float]) -> Mapping[Key, float]:
    names = [label.name for label in metric.labels]
    if "partition" in names:
        return _few_partitions(values, metric.labels[names.index("partition")].most)
    if "severity" in names and metric.kind == "gauge":
        return _three_severities(values)
    return values


def _few_partitions(values: Mapping[Key, float], most: int) -> Mapping[Key, float]:
    """The first partitions by topic and number, and the sum of all others as one."""
    if len(values) <= most:
        return values
    in_order = sorted(values, key=lambda key: (key[0], len(key[1]), key[1]))
    shown = {key: values[key] for key in in_order[: most - 1]}
    rest = in_order[most - 1 :]
    topics = {topic for topic, _ in rest}
    shown[topics.pop() if len(topics) == 1 else OTHER, OTHER] = sum(values[key] for key in rest)
    return shown


def _three_severities(values: Mapping[Key, float]) -> Mapping[Key, float]:
    """Of each pattern the three most severe that are not zero; lesser ones count one step up."""
    shown: dict[Key, float] = {}
    for pattern in dict.fromkeys(key[0] for key in values):
        of = {severity: values.get((pattern, severity), 0.0) for severity in SEVERITY.values}
        there = [severity for severity in SEVERITY.values if of[severity]]
        while len(there) > len(SHOWN):
            of[there[1]] += of[there[0]]
            del there[0]
        there += [severity for severity in SHOWN if severity not in there][: len(SHOWN) - len(there)]
        shown.update({(pattern, severity): of[severity] for severity in SEVERITY.values if severity in there})
    return shown
