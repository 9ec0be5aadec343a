"""The count of incidents goes on over restarts: one more is another page, a restart is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector.engines.raised import Raised
from detector.engines.telemetry import Telemetry
from detector.sinks.prometheus import Metrics
from tests.unit.test_suppression import walked

NAMED = {"sink": [], "data_class": ["none", "phone", "other"]}


def shown(metrics: Metrics, pattern: str) -> float:
    """Incidents of a pattern in the counter."""
    return sum(count for (of, _), count in metrics.shown("incidents_total").items() if of == pattern)


def test_counts_survive_in_their_file(tmp_path: Path) -> None:
    """Each life of the process begins where the one before ended, by the severity that is shown."""
    path = tmp_path / "raised.json"
    for life in range(1, 4):
        raised = Raised(path)
        raised.add("walk", "critical")
        assert list(raised) == [("walk", "high", life)]
    raised.add("walk", "informational")
    assert list(Raised(path)) == [("walk", "high", 3), ("walk", "low", 1)]
    assert [one.name for one in tmp_path.iterdir()] == ["raised.json"]


def test_the_larger_count_is_right() -> None:
    """A snapshot older than the file, or newer on another machine, never lowers a count; what is none is left out."""
    raised = Raised()
    raised.merge([["walk", "high", 3], ["bulk", "low", 1]])
    raised.merge([["walk", "high", 2], ["bulk", "low", 5], ["walk", "grave", 9], ["x"], 4, ["sweep", "low", "many"]])
    assert raised.save() == [["bulk", "low", 5], ["walk", "high", 3]]


@pytest.mark.parametrize("content", ["{", "[[1, 2]]", '{"a": 1}'])
def test_a_damaged_file_stops_nothing(tmp_path: Path, content: str) -> None:
    """It is said where it cannot be read at all, and counting begins anew."""
    said: list[dict[str, Any]] = []
    path = tmp_path / "raised.json"
    path.write_text(content)
    raised = Raised(path, lambda event, **facts: said.append({"event": event, **facts}))
    raised.add("walk", "low")
    assert json.loads(path.read_text()) == [["walk", "low", 1]]
    assert [one["event"] for one in said] == ["raised_unusable"] * (content == "{")


def test_a_folder_that_is_full_stops_nothing(tmp_path: Path) -> None:
    """The counter goes on in memory, and the log says why it is not kept."""
    said: list[str] = []
    raised = Raised(tmp_path / "none" / "raised.json", lambda event, **_: said.append(event))
    raised.add("walk", "low")
    assert list(raised) == [("walk", "low", 1)]
    assert said == ["raised_unusable"]


def test_the_counter_begins_where_it_was(tmp_path: Path) -> None:
    """A new process shows the old count at its first scrape, and more only for an incident nobody was told of."""
    news = walked()
    path = tmp_path / "raised.json"
    first = Telemetry(Metrics("1", NAMED, process=False), raised=Raised(path))
    for told, story in news:
        first.tell(told, story, told.revision == 1)
    metrics = Metrics("1", NAMED, process=False)
    second = Telemetry(metrics, raised=Raised(path))
    assert shown(metrics, "walk") == 1
    for told, story in news:
        second.tell(told, story, False)
    assert shown(metrics, "walk") == 1
    second.tell(*news[0], True)
    assert shown(metrics, "walk") == 2


def test_declared_data_classes_are_counted() -> None:
    """By the first that is shown; one that is not shown counts as other, a route without any as none."""
    for classes, due in (([], "none"), (["name", "phone"], "phone"), (["name"], "other")):
        metrics = Metrics("1", NAMED, process=False)
        telemetry = Telemetry(metrics, data_classes=NAMED["data_class"])
        told, story = walked()[0]
        told.data_classes = classes
        telemetry.tell(told, story, True)
        counted = {key for key, count in metrics.shown("records_exposed_total").items() if count}
        assert counted == {("walk", due)}
