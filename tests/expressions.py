"""Every expression that configs/ hands to Prometheus, and the selectors in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import promql_parser

from configs.source.alerts import read
from configs.source.rules import RECORDED
from detector.health import METRICS, OF_A_STREAM
from tests.conftest import ROOT

BOARDS = ROOT / "configs" / "grafana" / "dashboards"
VARIABLES = {
    "$job": ".+", "$instance": ".+", "$pattern": ".+", "$__rate_interval": "5m", "$__range": "24h",
}  # fmt: skip
NOT_DETECTOR = {"up": "both", "process_resident_memory_bytes": "live"}


def where_from() -> dict[str, str]:
    """Each metric by its full name, and which of the two gives its samples: ``both`` or ``live`` (a running sidecar);
    a replay writes nothing that the sidecar does not."""
    found = dict(NOT_DETECTOR)
    for metric in METRICS:
        names = [metric.full_name]
        if metric.kind == "histogram":
            names = [metric.full_name + end for end in ("_bucket", "_sum", "_count")]
        found |= dict.fromkeys(names, "live" if metric.name in OF_A_STREAM else "both")
    return found


def panels() -> Iterator[tuple[str, str]]:
    """Where each panel's expression stands, and the expression with its variables filled in."""
    for path in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", filled(target["expr"])


def rules() -> Iterator[tuple[str, str]]:
    """The same of alerts and recording rules."""
    yield from ((alert.name, alert.expr) for alert in read().alerts)
    yield from RECORDED.items()


def filled(expression: str) -> str:
    """An expression as Grafana sends it where everything is chosen."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def selectors(expression: str) -> set[str]:
    """The selectors of an expression, without functions, ranges and comparisons."""
    found: set[str] = set()
    _collect(promql_parser.parse(expression), found)
    return found


def metric_of(selector: str) -> str:
    """The metric a selector asks for."""
    name: str = promql_parser.parse(selector).name
    return name


def _collect(node: Any, found: set[str]) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        found.add(node.prettify())
        return
    if isinstance(node, promql_parser.MatrixSelector):
        _collect(node.vector_selector, found)
        return
    for name in ("expr", "lhs", "rhs", "param"):
        if hasattr(node, name):
            _collect(getattr(node, name), found)
    for argument in getattr(node, "args", ()):
        _collect(argument, found)


def asked() -> dict[str, set[str]]:
    """Every selector, and where it stands."""
    found: dict[str, set[str]] = {}
    for place, expression in (*panels(), *rules()):
        for selector in selectors(expression):
            found.setdefault(selector, set()).add(place)
    return found
