"""The dashboards: what is leaking now, one pattern's incidents over time, how the detector is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from configs.source.panels import Row, panel

ALL = ".+"

SOURCE = Path(__file__).parent / "dashboards.yaml"


def read(path: Path = SOURCE) -> dict[str, dict[str, Any]]:
    """Each dashboard by its name, as Grafana's JSON model."""
    return {one["name"]: _made(one) for one in yaml.safe_load(path.read_text())}


def _made(one: dict[str, Any]) -> dict[str, Any]:
    made = (
        dashboard.Dashboard(one["title"])
        .uid(f"detector-{one['name']}")
        .description(one["description"])
        .tags(["detector"])
        .readonly()
        .timezone("utc")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("job", "detector_build_info"))
        .with_variable(_variable("instance", 'detector_build_info{job=~"$job"}'))
    )
    for name in one.get("variables", ()):
        made = made.with_variable(_variable(name, 'detector_incidents_total{job=~"$job"}'))
    for row in one["panels"]:
        made = made.with_panel(panel(Row(**row)))
    document: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    return document


def _variable(name: str, metric: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .query(f"label_values({metric}, {name})")
        .datasource(DataSourceRef(type_val="prometheus", uid="${datasource}"))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(VariableOption(text="All", value="$__all", selected=True))
    )
