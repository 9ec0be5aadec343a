"""The alerts as Prometheus reads them, and as Grafana does."""

from __future__ import annotations

from typing import Any

from configs.source.alerts import Alert, Table

FOLDER = "Detector"
DATA_SOURCE = "detector-prometheus"  # uid, as in configs/grafana/provisioning/datasources
RECORDED = {
    "job:detector_requests:rate5m": "sum by (job) (rate(detector_requests_total[5m]))",
    "job_pattern:detector_records_exposed:increase1h": (
        "sum by (job, pattern) (increase(detector_records_exposed_total[1h]))"
    ),
    "job:detector_requests_rejected:ratio_rate15m": (
        "sum by (job) (rate(detector_requests_rejected_total[15m]))"
        " / (sum by (job) (rate(detector_requests_rejected_total[15m]))"
        " + sum by (job) (rate(detector_requests_total[15m])))"
    ),
}


def prometheus(table: Table) -> dict[str, Any]:
    """A rules file: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/"""
    recorded = {
        "name": "detector-recorded",
        "interval": table.interval,
        "rules": [{"record": name, "expr": expr} for name, expr in RECORDED.items()],
    }
    groups = [
        {"name": name, "interval": table.interval, "rules": [_prometheus(alert) for alert in alerts]}
        for name, alerts in table.groups.items()
    ]
    return {"groups": [recorded, *groups]}


def _prometheus(alert: Alert) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.wait != "0s":
        rule["for"] = alert.wait
    if alert.labels:
        rule["labels"] = alert.labels
    return rule | {"annotations": alert.annotations}


def operator(table: Table) -> dict[str, Any]:
    """The same for prometheus-operator: a PrometheusRule."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "detector", "labels": {"app.kubernetes.io/name": "detector"}},
        "spec": prometheus(table),
    }


def grafana(table: Table) -> dict[str, Any]:
    """Grafana-managed rules, for file provisioning: those of Prometheus are the default, use one of both."""
    groups = [
        {
            "orgId": 1,
            "name": name,
            "folder": FOLDER,
            "interval": table.interval,
            "rules": [_grafana(alert) for alert in alerts],
        }
        for name, alerts in table.groups.items()
    ]
    return {"apiVersion": 1, "groups": groups}


def _grafana(alert: Alert) -> dict[str, Any]:
    return {
        "uid": alert.name.lower()[:40],
        "title": alert.name,
        "condition": "fires",
        "data": [
            {
                "refId": "value",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": DATA_SOURCE,
                "model": {"refId": "value", "expr": alert.expr, "instant": True, "range": False},
            },
            {
                "refId": "fires",
                "relativeTimeRange": {"from": 600, "to": 0},
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "fires",
                    "type": "math",
                    "datasource": {"type": "__expr__", "uid": "__expr__"},
                    # A comparison in PromQL leaves out what does not hold, and zeros may hold: any value fires.
                    "expression": "is_number($value)",
                },
            },
        ],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.wait,
        "labels": alert.labels,
        "annotations": alert.annotations | {"__dashboardUid__": alert.dashboard},
    }
