"""agent-census as a rival: whom it names in the lines of a case, held against who really made them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detector.evaluate.cases import SETTINGS, Case, suite
from detector.evaluate.census_table import ABSENT, section
from detector.evaluate.ground import Ground, world_of
from detector.evaluate.observed import Observed
from detector.evaluate.rivals.census import NAMED, AgentCensus, installed
from detector.evaluate.suite import Suite
from detector.records.batch import DECLARED

LINES = 8000
FIGURES = {"records": 41, "listed_precision": 1.0, "listed_recall": 0.5}
FIGURES |= {"selector_precision": None, "selector_recall": None}


def taken(case: Case, size: int, lines: int = LINES) -> tuple[AgentCensus, set[tuple[int, int]], set[tuple[int, int]]]:
    """A rival that has heard a case at 20 ordinary requests a second in batches of this size, and by address and agent
    who attacked and who else asked undeclared in its lines."""
    setting = replace(SETTINGS["tiny"], rate=20)
    ground = Ground(world_of(case, setting), setting)
    play = ground.play(case)
    rival = AgentCensus(play.world.agents, lines)
    attackers, others, left = set[tuple[int, int]](), set[tuple[int, int]](), lines
    declared = set[tuple[int, int]]()
    for part in play.batches(play.columns(), ground.begin_us, size=size):
        rival.take(part)
        asked = np.flatnonzero(part.rows["requests"] == 1)[:left]
        left -= len(asked)
        for row, flags in zip(part.rows[asked], part.batch.flags[asked].tolist(), strict=True):
            who = (int(row["address"]), int(row["agent"]))
            (attackers if row["actor"] >= 0 else declared if flags & DECLARED else others).add(who)
    return rival, attackers, others - attackers


@pytest.mark.parametrize("case", [Case("P1", "fast", seconds=60), Case("P7", "slow", seconds=300)])
def test_everybody_is_counted_once(case: Case) -> None:
    """Attackers and others are those of the lines written, wherever batches are cut; batched requests are one line."""
    rival, attackers, others = taken(case, 65_536)
    (record,) = rival.result(Observed())
    assert 0 < record["lines"] <= LINES
    assert record["unread"] == 0
    assert sum(record["attackers"].values()) == len(attackers) > 0
    assert sum(record["others"].values()) == len(others)
    assert 0 < sum(record["people"].values()) < len(others)
    assert "not in the census" not in {*record["attackers"], *record["others"]}
    (again,) = taken(case, 777)[0].result(Observed())
    assert {**again, "processor_seconds": 0} == {**record, "processor_seconds": 0}


def test_walker_is_named() -> None:
    """A hundred requests a second from one address are no person to it, as they are none to anybody."""
    (record,) = taken(Case("P1", "fast", seconds=60), 65_536)[0].result(Observed())
    (kind,) = record["attackers"]
    assert kind in NAMED


def test_log_is_no_longer_than_said() -> None:
    """The lines that come after the last are not looked at, nor are those who asked there."""
    case = Case("P1", "fast", seconds=60)
    rival, attackers, _ = taken(case, 65_536, lines=100)
    assert attackers == set()
    (record,) = rival.result(Observed())
    assert (record["lines"], record["attackers"]) == (100, {})


def test_nothing_heard_is_no_record() -> None:
    """A case that ended before its first line has no census."""
    assert AgentCensus([], LINES).result(Observed()) == []


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the suite runs without it, under another digest, and the table says so."""
    monkeypatch.setitem(sys.modules, "agent_census", None)
    monkeypatch.setattr("detector.evaluate.rivals.census.find_spec", lambda _: None)
    assert installed() == ""
    case = Case("P1")
    without = Suite.of("census")
    assert without._judges(case, Ground(world_of(case, SETTINGS["tiny"]), SETTINGS["tiny"]), None) == []
    monkeypatch.setattr("detector.evaluate.suite.installed", lambda: "0.4.4")
    assert Suite.of("census").digest != without.digest
    assert ABSENT in section([(case, {"figures": FIGURES, "rivals": []})], LINES)


def test_table_of_names() -> None:
    """Recall is of the attackers, precision of all named; `unknown` names nobody."""
    record: dict[str, Any] = {"rival": "agent-census 0.4.4", "as": "census", "lines": 6000, "unread": 3, "seconds": 90}
    record |= {"processor_seconds": 2.0, "attackers": {"scraper": 30, "unknown": 10}}
    record |= {"others": {"browser": 50, "spoofed_browser": 60}, "people": {"browser": 50, "spoofed_browser": 20}}
    text = "\n".join(section([(Case("P4"), {"figures": FIGURES, "rivals": [record]})], LINES))
    row = "| 6,000 (3 unread) | 1.5 | 40 | 30 | 75.0% | 33.3% | 60 of 110 | 20 of 70 | 30 scraper, 10 unknown |"
    assert row in text
    assert "| 3,000 | 100.0% / 50.0% | – | 41 |" in text
    assert "no moment and no records" in text


def test_suite_of_the_census() -> None:
    """P1 to P7 plain and three in a browser's looks; agent-census is then the only rival."""
    cases = suite("census")
    assert {c.pattern for c in cases if c.form == "plain"} == {f"P{n}" for n in range(1, 8)}
    assert {c.pattern for c in cases if c.form == "e7"} == {"P1", "P3", "P4"}
    assert len(cases) <= 10
    chosen = Suite.of("census")
    case = Case("P1")
    judges = chosen._judges(case, Ground(world_of(case, SETTINGS["tiny"]), SETTINGS["tiny"]), None)
    assert [type(judge) for judge in judges] == [AgentCensus] * bool(installed())
    assert chosen._judges(Case("quiet"), Ground(world_of(case, SETTINGS["tiny"]), SETTINGS["tiny"]), None) == []
