"""Metrics: there from the start, closed, bounded, and quick to scrape."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from math import isnan

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from detector.clock import monotonic
from detector.health import MAX_PARTITIONS, MAX_SERIES, METRICS, PATTERN, SEVERITY
from detector.sinks.prometheus import Metrics

DECLARED = {"sink": ["jsonl", "kafka", "webhook"], "data_class": ["none", "phone", "chat"]}

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def metrics() -> Metrics:
    """All metrics, without those of the process."""
    return Metrics("0.1.0", DECLARED, process=False)


def scraped(metrics: Metrics) -> dict[Sample, float]:
    """What a scrape gives, name and labels to value."""
    text = metrics.render()[0].decode("ascii")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in classic(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """One sample of a scrape."""
    return scraped(metrics)["detector_" + name, frozenset(labels.items())]


def shown(metrics: Metrics, name: str) -> dict[frozenset[tuple[str, str]], float]:
    """All samples of a metric."""
    return {labels: number for (full, labels), number in scraped(metrics).items() if full == "detector_" + name}


def test_counters_are_there_from_the_start(metrics: Metrics) -> None:
    """Every combination of closed and declared values is 0 before anything has happened."""
    names = {name for name, _ in scraped(metrics)}
    open_from_the_start = {"detector_requests_total", "detector_kafka_consumer_lag"}
    for metric in METRICS:
        if metric.kind != "histogram" and metric.full_name not in open_from_the_start:
            assert metric.full_name in names
    for pattern in PATTERN.values:
        for severity in ("low", "medium", "high"):
            assert value(metrics, "incidents_total", pattern=pattern, severity=severity) == 0
        for data_class in DECLARED["data_class"]:
            assert value(metrics, "records_exposed_total", pattern=pattern, data_class=data_class) == 0
    assert value(metrics, "requests_rejected_total", reason="time") == 0
    assert value(metrics, "records_reread_total") == 0
    assert value(metrics, "sink_failures_total", sink="webhook") == 0
    assert value(metrics, "build_info", version="0.1.0") == 1
    assert isnan(value(metrics, "object_known_ratio"))


def test_counters_never_fall(metrics: Metrics) -> None:
    """They are added to, or lifted to a total kept elsewhere, and never lowered."""
    metrics.inc("requests_total", 5, format="combined")
    metrics.inc("requests_total", format="combined")
    assert value(metrics, "requests_total", format="combined") == 6
    metrics.reach("tombstones_total", 7)
    metrics.reach("tombstones_total", 3)
    assert value(metrics, "tombstones_total") == 7
    with pytest.raises(ValueError, match="cannot fall"):
        metrics.inc("tombstones_total", -1)


def test_what_is_not_in_the_table_is_a_fault(metrics: Metrics) -> None:
    """Unknown names, kinds, labels and values of closed lists are refused."""
    faults: list[Callable[[], None]] = [
        lambda: metrics.inc("request_total"),
        lambda: metrics.inc("state_bytes"),
        lambda: metrics.set("requests_late_total", 1),
        lambda: metrics.observe("state_bytes", 1),
        lambda: metrics.inc("requests_late_total", reason="x"),
        lambda: metrics.inc("requests_rejected_total"),
        lambda: metrics.inc("requests_rejected_total", why="time"),
        lambda: metrics.inc("requests_rejected_total", reason="203.0.113.9"),
        lambda: metrics.inc("sink_failures_total", sink="alertmanager"),
        lambda: metrics.inc("records_exposed_total", pattern="walk", data_class="other"),
        lambda: metrics.replace("incidents_open", {("walk", "grave"): 1}),
        lambda: metrics.replace("incidents_open", {("walk",): 1}),
    ]
    for wrong in faults:
        before = scraped(metrics)
        with pytest.raises(ValueError, match=r"."):
            wrong()
        assert set(scraped(metrics)) == set(before)


def test_three_severities_a_pattern(metrics: Metrics) -> None:
    """Counters know three; gauges show the three most severe that are not zero, lesser ones one step up."""
    metrics.inc("incidents_total", pattern="walk", severity="informational")
    metrics.inc("incidents_total", pattern="walk", severity="critical")
    assert value(metrics, "incidents_total", pattern="walk", severity="low") == 1
    assert value(metrics, "incidents_total", pattern="walk", severity="high") == 1
    metrics.replace("incidents_open", {("walk", "critical"): 2, ("bulk", "medium"): 1})
    assert value(metrics, "incidents_open", pattern="walk", severity="critical") == 2
    assert value(metrics, "incidents_open", pattern="bulk", severity="medium") == 1
    metrics.replace("incidents_open", {("walk", severity): n for n, severity in enumerate(SEVERITY.values, 1)})
    walk = {k: v for k, v in shown(metrics, "incidents_open").items() if ("pattern", "walk") in k}
    assert {dict(labels)["severity"]: number for labels, number in walk.items()} == {
        "medium": 1 + 2 + 3,
        "high": 4,
        "critical": 5,
    }
    for name in ("incidents_total", "incidents_open", "incidents_active"):
        of = [dict(labels)["pattern"] for labels in shown(metrics, name)]
        assert {of.count(pattern) for pattern in PATTERN.values} == {3}
    metrics.replace("incidents_open", {})
    assert set(shown(metrics, "incidents_open").values()) == {0}


def test_gauges_follow_what_is_held(metrics: Metrics) -> None:
    """Partitions that went to another member are no longer shown."""
    metrics.replace("kafka_consumer_lag", {("logs", 0): 5, ("logs", 1): 6})  # type: ignore[dict-item]
    assert value(metrics, "kafka_consumer_lag", topic="logs", partition="1") == 6
    metrics.replace("kafka_consumer_lag", {("logs", "0"): 4})
    assert shown(metrics, "kafka_consumer_lag") == {frozenset({("topic", "logs"), ("partition", "0")}): 4}


def test_many_partitions_are_summed(metrics: Metrics) -> None:
    """Beyond two hundred, the rest is one series."""
    metrics.replace("kafka_consumer_lag", {("logs", f"{n}"): n for n in range(1000)})
    lag = shown(metrics, "kafka_consumer_lag")
    assert len(lag) == MAX_PARTITIONS
    assert lag[frozenset({("topic", "logs"), ("partition", "other")})] == sum(range(199, 1000))
    assert sum(lag.values()) == sum(range(1000))
    metrics.replace("kafka_consumer_lag", {(f"t{n}", "0"): 1 for n in range(300)})
    assert shown(metrics, "kafka_consumer_lag")[frozenset({("topic", "other"), ("partition", "other")})] == 101


def test_series_are_bounded_whatever_is_told(metrics: Metrics) -> None:
    """Formats beyond forty, and text that no label should hold, open no more series and break no line."""
    metrics = Metrics("0.1.0", {"sink": [f"s{n}" for n in range(8)], "data_class": [f"d{n}" for n in range(8)]})
    for n in range(500):
        metrics.inc("requests_total", format=f"format {n}\n\x1b[31m\u202e" + "x" * 500)
        metrics.set("kafka_consumer_lag", n, topic="t\n", partition=f"{n}")
    for pattern in PATTERN.values:
        for severity in SEVERITY.values:
            metrics.inc("incidents_total", pattern=pattern, severity=severity)
            metrics.set("incidents_open", 1, pattern=pattern, severity=severity)
            metrics.set("incidents_active", 1, pattern=pattern, severity=severity)
    for n in range(100):
        metrics.observe("batch_duration_seconds", n)
    text, _ = metrics.render()
    assert set(text) <= {10, *range(32, 127)}
    series = [line for line in text.split(b"\n") if line and not line.startswith(b"#")]
    partitions = [line for line in series if line.startswith(b"detector_kafka_consumer_lag")]
    assert len(partitions) == MAX_PARTITIONS
    assert len(series) - len(partitions) <= MAX_SERIES
    assert sum(shown(metrics, "requests_total").values()) == 500
    assert len(text) < 100_000


def test_histograms(metrics: Metrics) -> None:
    """Each value falls into the first bucket that is not below it, and into all above."""
    for seconds in (0.0, 0.001, 0.0011, 3, 100):
        metrics.observe("batch_duration_seconds", seconds)
    metrics.observe("alert_delay_seconds", 20, 3)
    assert value(metrics, "batch_duration_seconds_bucket", le="0.001") == 2
    assert value(metrics, "batch_duration_seconds_bucket", le="0.002") == 3
    assert value(metrics, "batch_duration_seconds_bucket", le="10.0") == 4
    assert value(metrics, "batch_duration_seconds_bucket", le="+Inf") == 5
    assert value(metrics, "batch_duration_seconds_count") == 5
    assert value(metrics, "batch_duration_seconds_sum") == pytest.approx(103.0021)
    assert value(metrics, "alert_delay_seconds_bucket", le="60.0") == 3


def test_both_formats_of_a_scrape(metrics: Metrics) -> None:
    """Plain text, and OpenMetrics where it is asked for; a strange request gets the first."""
    metrics.inc("requests_total", 3, format="combined")
    for accept in ("", "text/html", "application/openmetrics", "x" * 5000, "application/json;version=zz"):
        assert metrics.render(accept)[1].startswith("text/plain")
    text, content_type = metrics.render("application/openmetrics-text;version=zz,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    parsed = openmetrics.text_string_to_metric_families(text.decode("ascii"))  # type: ignore[no-untyped-call]
    families = {family.name: family for family in parsed}
    assert families["detector_requests"].samples[0].value == 3
    assert families["detector_batch_duration_seconds"].type == "histogram"


def test_the_process_is_told() -> None:
    """Memory and descriptors of the process stand beside."""
    names = {name for name, _ in scraped(Metrics("0.1.0"))}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


def test_a_scrape_is_quick(metrics: Metrics) -> None:
    """With every series open it takes under 50 ms; the best of five, for other work runs beside."""
    metrics.replace("kafka_consumer_lag", {("logs", f"{n}"): n for n in range(1000)})
    times = []
    for _ in range(5):
        begin = monotonic()
        metrics.render()
        times.append(monotonic() - begin)
    assert min(times) < 0.05


def test_threads_lose_nothing(metrics: Metrics) -> None:
    """Four threads count while another scrapes; every count is there."""

    def count() -> None:
        for _ in range(2000):
            metrics.inc("requests_late_total")
            metrics.observe("batch_duration_seconds", 0.5)

    def scrapes() -> Iterator[float]:
        while any(thread.is_alive() for thread in threads):
            yield value(metrics, "requests_late_total")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = list(scrapes())
    for thread in threads:
        thread.join()
    assert seen == sorted(seen)
    assert value(metrics, "requests_late_total") == 8000
    assert value(metrics, "batch_duration_seconds_count") == 8000
