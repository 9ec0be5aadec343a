"""One log cut into files as partitions cut a topic: its lines in turn, so that those of one second lose their order."""

from __future__ import annotations

from pathlib import Path

from detector.config import ReplaySettings
from detector.engines.local import replay
from tests.e2e.traffic import walkers_among_readers

WALKERS = 5


def test_walks_are_found_over_three_partitions(tmp_path: Path) -> None:
    """Four reads a second, of which a second's third, first and second follow one another: each of five walks is told,
    with the record it is told with in one file."""
    lines, walkers = walkers_among_readers(60_000, WALKERS, seed=7)
    paths = [tmp_path / f"{part}.log" for part in range(3)]
    for part, path in enumerate(paths):
        path.write_bytes(b"\n".join(lines[part::3]) + b"\n")
    whole = tmp_path / "whole.log"
    whole.write_bytes(b"\n".join(lines) + b"\n")
    found = replay(paths, ReplaySettings()).incidents
    assert sorted(one.clients[0] for one in found) == sorted(walkers)
    assert {one.records_exposed.estimate for one in found} == {400}
    assert len(replay([whole], ReplaySettings()).incidents) == WALKERS
