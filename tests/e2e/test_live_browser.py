"""The pages a sidecar serves, in a real browser: hostile texts stay texts, nothing else is asked for, all fits."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.incidents.incident import Incident
from detector.sinks.incident_pages import IncidentPages
from detector.sinks.jsonl import json_line
from detector.sinks.live import Live
from detector.sinks.prometheus import Metrics
from detector.sinks.web import serve
from tests.e2e.browser import look, measured, picture
from tests.report_lines import HOSTILE
from tests.unit.test_web import State

pytestmark = pytest.mark.e2e

ESCAPED = "\\u202e"  # how the pages write what turns the direction of text
DARK = "--blink-settings=preferredColorScheme=0"


@dataclass(frozen=True)
class Served:
    """Pages over HTTP and, for measuring, as files.

    Attributes:
        base: where they are served.
        incident: the path of the hostile incident.
        files: copies by name.
    """

    base: str
    incident: str
    files: dict[str, Path]


@pytest.fixture
def served(tmp_path: Path, make_incident: Callable[..., Incident]) -> Iterator[Served]:
    """A list of thirty incidents and the page of one, every text of which attacks."""
    pages = IncidentPages(tmp_path / "pages")
    metrics = Metrics("0.1.0")
    metrics.inc("requests_total", 123_456_789, format="combined")
    metrics.set("last_request_timestamp_seconds", 1.0)
    metrics.replace("incidents_open", {("walk", "high"): 30})
    metrics.replace("records_exposed_estimate", {("walk",): 34_720 * 30})
    pages.facts = Live(metrics).facts
    for number in range(30):
        told = make_incident(incident=f"{number:032x}", state="open" if number % 3 else "closed")
        record = json.loads(json_line(told))
        if number == 29:
            agent = "a" * 3000
            evidence = [{"name": one, "value": 1e300, "expected": 0, "weight": 3.5} for one in HOSTILE]
            record |= {"clients": [*HOSTILE, agent], "endpoints": list(HOSTILE), "data_classes": list(HOSTILE)}
            record |= {"partner": HOSTILE[0], "suppressed_by": HOSTILE[1], "client_count": 99, "evidence": evidence}
            record["selector"] = {"text": " and ".join(HOSTILE), "recall": 0.5, "benign_share": 0.1}
        pages.deliver(json.dumps(record), told.incident, told.revision)
    server = serve("127.0.0.1:0", metrics, State(), pages.pages(), pages.below())
    base = f"http://127.0.0.1:{server.port}"
    files = {}
    for name, path in (("list", "/incidents"), ("one", f"/incidents/{29:032x}")):
        files[name] = tmp_path / f"{name}.html"
        with urllib.request.urlopen(base + path, timeout=10) as answer:
            files[name].write_bytes(answer.read())
    yield Served(base, f"/incidents/{29:032x}", files)
    server.close()


def test_nothing_runs_and_nothing_else_is_asked_for(served: Served, tmp_path: Path) -> None:
    """No script of a log ran on either page, and the browser asked for nothing but the page and the icon of its tab."""
    for path in ("/incidents", served.incident):
        seen = look(served.base + path, tmp_path)
        assert "owned" not in seen.document.split("<title>")[1].split("</title>")[0]
        assert {url for url in seen.urls if not url.startswith(served.base)} <= {"127.0.0.1"}, seen.urls
        assert "</html>" in seen.document
    assert ESCAPED in seen.document
    assert not re.search("[\u202e\u2066\u200b\x1b]", seen.document)


@pytest.mark.parametrize("name", ["list", "one"])
@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_sticks_out(served: Served, tmp_path: Path, name: str, width: int) -> None:
    """Neither a word of five thousand letters nor an agent of three thousand makes a page wider than its window; with
    its policy taken off there is still no script, picture, frame or handler in it but the probe."""
    found = measured(served.files[name], tmp_path, width)
    assert found["wide"] == []
    assert found["scroll"] <= found["width"] == width
    assert (found["scripts"], found["images"], found["frames"], found["handlers"]) == (1, 0, 0, 0)


@pytest.mark.parametrize(("name", "width", "more"), [("list", 1400, ()), ("one", 390, ()), ("list", 390, (DARK,))])
def test_they_can_be_drawn(served: Served, tmp_path: Path, name: str, width: int, more: tuple[str, ...]) -> None:
    """Screenshots are made; they were looked at when the pages were built."""
    out = picture(served.files[name], tmp_path / "page.png", width, 1600, *more)
    assert out.stat().st_size > 15_000


def test_the_list_says_how_it_stands_and_comes_again(served: Served) -> None:
    """Open incidents stand first, above them what is gone and how fast it reads, and the page asks for itself anew."""
    text = served.files["list"].read_text("utf-8")
    for told in ("1,041,600", "123,456,789", "open incidents"):
        assert told in text
    assert '<meta http-equiv="refresh" content="15">' in text
    states = re.findall(r'data-name="state">(\w+)', text)
    assert states == sorted(states, reverse=True)
    assert states.count("open") == 20


def test_the_style_reaches_the_browser_unchanged(served: Served) -> None:
    """Its quotes are quotes: written as entities they would end the rule, and the digest in the policy would differ."""
    style = served.files["list"].read_text("utf-8").split("<style>")[1].split("</style>")[0]
    assert 'content: attr(data-name) " "' in style
    assert "&#" not in style
