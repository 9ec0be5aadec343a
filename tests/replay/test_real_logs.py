"""Real logs beside the checkout (issue 3, must-show 2): what is read of them, and who is named."""

from __future__ import annotations

from pathlib import Path

from detector.config import ReplaySettings
from detector.engines.local import ReplayResult, replay

HARVESTER = "148.87.179.6"  # reads the whole catalogue at 17-18 h UTC every day
TORN_FRAGMENTS = 4_629  # lines of erddap that hold an agent and nothing else


def _named(result: ReplayResult) -> list[list[str]]:
    """The clients of each incident above informational."""
    return [i.clients for i in result.incidents if i.severity != "informational" and not i.suppressed_by]


def test_visitors_of_1995_behind_large_proxies_raise_nothing(shared: Path) -> None:
    """Thirteen hours of NASA's server: every line is parsed, nobody is named."""
    result = replay([shared / "nasa"], ReplaySettings())
    assert (result.coverage.lines, result.coverage.parsed) == (30_969, 30_969)
    assert _named(result) == []


def test_ten_thousand_lines_with_scrambled_stamps_are_all_parsed(shared: Path) -> None:
    """Elastic's sample: every line is parsed, the one with an unclosed agent counts as torn, nobody is named."""
    result = replay([shared / "elastic"], ReplaySettings())
    assert (result.coverage.lines, result.coverage.parsed, result.coverage.torn) == (10_000, 10_000, 1)
    assert result.coverage.rejected == {}
    assert _named(result) == []


def test_the_daily_harvest_of_a_data_server_is_named(shared: Path) -> None:
    """Four days of erddap: fragments are rejected under a reason, one incident is the harvester's, at most two more."""
    result = replay(sorted((shared / "erddap").glob("*.gz")), ReplaySettings())
    assert result.coverage.parsed == 4_851
    assert sum(result.coverage.rejected.values()) == TORN_FRAGMENTS
    assert result.coverage.lines == 4_851 + TORN_FRAGMENTS
    named = _named(result)
    assert [clients for clients in named if HARVESTER in clients] == [[HARVESTER]]
    assert len(named) <= 3


def test_a_folder_is_read_as_its_files_are(shared: Path) -> None:
    """The folder's name instead of its files gives the same incidents."""
    by_name = replay(sorted((shared / "erddap").glob("*.gz")), ReplaySettings()).incidents
    assert replay([shared / "erddap"], ReplaySettings()).incidents == by_name
