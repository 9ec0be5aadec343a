"""The report in a real browser: hostile texts stay texts, nothing is asked of the network, nothing sticks out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.cli.report import write_page
from detector.config import Config, ReplaySettings
from detector.engines.local import replay
from tests.e2e.browser import look, measured, picture
from tests.report_lines import ESCAPES, HOSTILE, hostile_log, hostile_record

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a log whose requests, accounts and agents attack whoever reads it."""
    folder = tmp_path_factory.mktemp("hostile")
    log, page = folder / "access.log", folder / "report.html"
    hostile_log(log)
    result = replay([str(log)], ReplaySettings(config=Config()))
    assert result.cases is not None
    assert result.incidents
    records = [json.loads(json.dumps(i.record())) for i in result.incidents]
    cases = result.cases.told([record["incident"] for record in records])
    known = {"f" * 32: hostile_record()[1], **cases}
    write_page(page, [hostile_record()[0], *records], known, "<script>report()</script>")
    return page


def test_what_would_run_and_ask_is_seen(tmp_path: Path) -> None:
    """The same look at a page without our care: the script runs and the picture is asked for."""
    page = tmp_path / "careless.html"
    page.write_text(f"<title>x</title><body>{HOSTILE[0]}<img src=http://127.0.0.1:9/x.png></body>", "utf-8")
    seen = look(page, tmp_path)
    assert "<title>owned" in seen.document
    assert any("127.0.0.1:9" in url for url in seen.urls)


def test_nothing_runs_and_nothing_is_asked_for(hostile: Path, tmp_path: Path) -> None:
    """No script ran, no element of the log's making is there, and the network was asked for nothing."""
    seen = look(hostile, tmp_path)
    assert "owned" not in seen.document.split("<title>")[1].split("</title>")[0]
    assert seen.urls == []
    found = measured(hostile, tmp_path, 1400)
    assert found["scripts"] == 1  # the one that measures
    assert (found["images"], found["frames"], found["handlers"]) == (0, 0, 0)


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_sticks_out(hostile: Path, tmp_path: Path, width: int) -> None:
    """Neither a very long agent nor a word without spaces makes the page wider than the window."""
    found = measured(hostile, tmp_path, width)
    assert found["wide"] == []
    assert found["scroll"] <= found["width"] == width


def test_what_hides_is_shown(hostile: Path) -> None:
    """Control and bidirectional characters are told by their numbers, markup by its own characters."""
    text = hostile.read_text("utf-8")
    for letter in ESCAPES:
        assert letter not in text, f"U+{ord(letter):04X}"
        assert f"⟨U+{ord(letter):04X}⟩" in text
    assert "&lt;script&gt;" in text
    assert not [one for one in HOSTILE if "<" in one and one in text]


@pytest.mark.parametrize(
    ("width", "more"), [(1400, ()), (390, ()), (1400, ("--blink-settings=preferredColorScheme=0",))]
)
def test_it_can_be_drawn(hostile: Path, tmp_path: Path, width: int, more: tuple[str, ...]) -> None:
    """Screenshots of a desk, a telephone and a dark room are made; they were looked at when the page was built."""
    out = picture(hostile, tmp_path / "page.png", width, 2400, *more)
    assert out.stat().st_size > 20_000
