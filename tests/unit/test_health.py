"""The table of metrics: complete, closed, bounded."""

from __future__ import annotations

import re

from detector import health
from detector.formats.fields import REASONS
from detector.incidents.incident import PATTERNS, SEVERITIES
from detector.records.batch import KINDS

# The interface, as agreed with those who watch it: name and labels.
CONTRACT = """
requests_total{format} requests_rejected_total{reason} requests_late_total object_known_ratio
identity_known_ratio{kind} incidents_total{pattern,severity} incidents_open{pattern,severity}
incidents_active{pattern,severity} incidents_suppressed_total{pattern} records_exposed_total{pattern,data_class}
records_exposed_estimate{pattern} clients_tracked clients_evicted_total{reason} state_bytes event_lag_seconds
kafka_consumer_lag{topic,partition} batch_duration_seconds alert_delay_seconds sink_failures_total{sink}
snapshot_last_success_timestamp_seconds last_request_timestamp_seconds warming config_last_reload_successful
fast_decode build_info{version}
"""

# What was added since; the README documents them.
ADDED = """
requests_future_total partitions_assigned source_stalled records_lost_total records_reread_total tombstones_total
requests_doubled_total
sharing_partial clients_on_several_partitions_total sink_deliveries_total{sink} sink_refused_total{sink}
outbox_pending{sink} outbox_bytes snapshot_failures_total floor_records consent_changes_total
consent_ledger_lag_seconds consent_reads_unjudged_total
"""


def test_metrics_are_those_of_the_interface() -> None:
    """Every promised name with its labels, and no other."""
    promised = {
        name: tuple(labels.split(",")) if labels else ()
        for name, labels in re.findall(r"(\w+)(?:\{([\w,]+)\})?", CONTRACT + ADDED)
    }
    assert {m.name: tuple(label.name for label in m.labels) for m in health.METRICS} == promised


def test_closed_lists_repeat_those_of_the_rooms() -> None:
    """Label values are the very lists of formats, incidents and records."""
    assert health.REASON.values == REASONS[1:]
    assert health.PATTERN.values == PATTERNS
    assert health.SEVERITY.values == SEVERITIES
    assert health.IDENTITY.values == KINDS[1:]


def test_series_are_bounded() -> None:
    """At most 500 series, and one a partition, whatever the input."""
    lag = next(m for m in health.METRICS if m.name == "kafka_consumer_lag")
    assert lag.most_series == health.MAX_PARTITIONS
    assert sum(m.most_series for m in health.METRICS if m is not lag) <= health.MAX_SERIES


def test_names_follow_the_customs() -> None:
    """Counters end in _total, times in _seconds, and everyone says what it is."""
    for metric in health.METRICS:
        assert metric.full_name.startswith("detector_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.help.endswith(".")
        assert list(metric.buckets) == sorted(metric.buckets)
        assert all(label.most > 0 for label in metric.labels)
