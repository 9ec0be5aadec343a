"""A dashboard's panels as rows of a table, and how a row becomes a panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SELECT = 'job=~"$job",instance=~"$instance"'
"""In each expression as ``@``: which Detectors are shown."""


@dataclass(frozen=True)
class Row:
    """One panel.

    Attributes:
        title, description: what it shows, and how to read it.
        queries: legend → PromQL; ``@`` stands for the selection.
        unit: of Grafana's list; ``short`` is a plain number.
        kind: ``stat`` for one number now, ``lines`` for its course, ``bars`` where each interval counts by itself.
        width: of 24 columns.
        height: in rows of 30 pixels.
    """

    title: str
    description: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "lines"
    width: int = 12
    height: int = 8


def panel(row: Row) -> Any:
    """The panel's builder."""
    made: Any = stat.Panel() if row.kind == "stat" else timeseries.Panel()
    made = made.title(row.title).description(row.description).unit(row.unit).span(row.width).height(row.height)
    made = made.datasource(DataSourceRef(type_val="prometheus", uid="${datasource}"))
    for place, (legend, expr) in enumerate(row.queries.items()):
        made = made.with_target(_query(expr, legend, chr(ord("A") + place), now=row.kind == "stat"))
    if row.kind == "bars":
        from grafana_foundation_sdk.models.common import GraphDrawStyle

        made = made.draw_style(GraphDrawStyle.BARS).fill_opacity(60)
    elif row.kind == "lines":
        made = made.fill_opacity(10)
    if row.kind != "stat":
        made = made.min(0)
    return made


def _query(expr: str, legend: str, ref: str, now: bool) -> Any:
    query = prometheus.Dataquery().expr(expr.replace("@", SELECT)).legend_format(legend).ref_id(ref)
    return query.instant() if now else query.range()
