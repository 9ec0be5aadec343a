"""The table of alerts, `alerts.yaml`, with everything filled in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).parent / "alerts.yaml"
PAGING = "low|medium|high|critical"  # informational is for the curious and never pages


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        name: in CamelCase, unique.
        group: the rules evaluated together.
        expr: PromQL; fires for each series it gives.
        wait: how long it must hold before it fires, as Prometheus writes durations.
        labels, annotations: as they are sent.
        dashboard: uid of the dashboard it is about.
    """

    name: str
    group: str
    expr: str
    wait: str
    labels: dict[str, str]
    annotations: dict[str, str]
    dashboard: str


@dataclass(frozen=True)
class Table:
    """All alerts, and how often they are looked at."""

    interval: str
    alerts: tuple[Alert, ...]

    @property
    def groups(self) -> dict[str, list[Alert]]:
        """The alerts of each group, in order."""
        names = dict.fromkeys(alert.group for alert in self.alerts)
        return {name: [alert for alert in self.alerts if alert.group == name] for name in names}


def read(path: Path = SOURCE) -> Table:
    """The table in a file."""
    document = yaml.safe_load(path.read_text())
    defaults = document["defaults"]
    alerts = [_alert(defaults, group, each) for group in document["groups"] for each in group["alerts"]]
    return Table(defaults["interval"], tuple(alerts))


def _alert(defaults: dict[str, str], group: dict[str, Any], each: dict[str, Any]) -> Alert:
    name, uid = each["alert"], group["dashboard"]
    patterns = "|".join(each.get("patterns", ()))
    labels = {} if patterns else {"severity": each["severity"]}
    shown = f"{defaults['grafana']}/d/{uid}"
    if patterns:
        shown += "?var-pattern={{ $labels.pattern }}"
    annotations = {
        "summary": each["summary"],
        "description": " ".join(each["description"].split()),
        "runbook_url": f"{defaults['runbook']}/{name}.md",
        "dashboard_url": shown,
    }
    if patterns:
        annotations["incident_url"] = f"{defaults['incidents']}/{{{{ $labels.pattern }}}}"
    expr = incidents_of(patterns) if patterns else " ".join(each["expr"].split())
    return Alert(name, group["name"], expr, each.get("for", "0s"), labels, annotations, uid)


def incidents_of(patterns: str) -> str:
    """Active incidents of some patterns by severity; how many were raised is a label, so one more is another alert.

    The counter has the severity of the moment of raising, at most three of them a pattern; the gauge the present one.
    Where one member judges all, who takes over counts on from where the one before was: the largest count is that of
    the stream. Members that share the partitions out count each their own.
    """
    chosen = f'pattern=~"{patterns}",severity=~"{PAGING}"'
    active = f"sum by (job, pattern, severity) (detector_incidents_active{{{chosen}}}) > 0"
    counter = f'detector_incidents_total{{pattern=~"{patterns}"}}'
    shares = f"sum by (job, pattern) ({counter}) and on (job) max by (job) (detector_sharing_partial) == 1"
    one = f"max by (job, pattern) (sum by (job, instance, pattern) ({counter}))"
    raised = f'count_values by (job, pattern) ("raised", {shares} or {one})'
    return f"({active}) * on (job, pattern) group_left (raised) {raised}"
