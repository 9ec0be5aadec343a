"""Every scenario is played and judged; the language itself says what is wrong with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config import ReplaySettings
from detector.engines.local import replay
from tests.scenarios.language import Scenario, ScenarioError, parse, seconds
from tests.scenarios.stage import play, unmet

SCENARIOS = sorted(Path(__file__).parent.glob("*.scenario"))
SEEDS = (1, 2)

WALK = """
traffic 50 clients each read 1 per 30s for 10m from GET /users/{zipf:1000}
at 2m client 198.51.100.7 reads 10 per 1s for 30s from GET /users/{next:5000}
"""


def _problems(scenario: Scenario, seed: int, folder: Path) -> list[str]:
    log = play(scenario, seed)
    path = folder / "access.log"
    path.write_bytes(log.text)
    return unmet(scenario, log, replay([path], ReplaySettings(threads=1)).incidents)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path, seed: int, tmp_path: Path) -> None:
    """What a scenario expects is found, and nothing else."""
    problems = _problems(parse(path.read_text(encoding="utf-8"), path.name), seed, tmp_path)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("expect nothing", "not expected: walk naming 198.51.100.7"),
        ("expect sweep naming 198.51.100.7 records 300 +-3%\nexpect nothing else", "not raised: sweep naming 198"),
        ("expect walk naming 198.51.100.7 records 900 +-3%\nexpect nothing else", "300 records instead of 900 +-3%"),
        (
            "expect walk naming 198.51.100.7 records 300 +-3% raised before 2m5s\nexpect nothing else",
            "s instead of 125 s",
        ),
    ],
)
def test_what_is_not_met_is_said(expected: str, problem: str, tmp_path: Path) -> None:
    """A scenario whose expectation is wrong fails, and says which."""
    (said, *_) = _problems(parse(WALK + expected, "wrong"), 1, tmp_path)
    assert problem in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("at noon client a reads 1 per 1s for 5s from GET /", "x:4: 'noon' is no time"),
        ("traffic everybody reads 1 per 1s for 5s from GET /", "x:4: 'everybody' is nobody"),
        ("traffic client a reads 1 per 1s for 5s from GET /{last:5}", "{last} chooses no id"),
        ("traffic client a reads 1 per 1s for 5s from GET / 50%, GET /b 40%", "do not sum to 100 %"),
        ("traffic client a reads 1 per 1h for 5s from GET /", "less than one"),
        ("client a walks", "is no sentence"),
        ("expect walk naming a", "is no sentence"),
        ("expect nothing\nexpect nothing", "x:5: 'expect nothing' stands behind the end"),
        ("", "x: must end with"),
    ],
)
def test_what_is_no_sentence_is_named_with_its_line(line: str, said: str) -> None:
    """A mistake in a scenario is said with file and line."""
    with pytest.raises(ScenarioError) as error:
        parse(WALK + line, "x")
    assert said in str(error.value)


def test_times() -> None:
    """Times are hours, minutes and seconds."""
    assert [seconds(text) for text in ("90s", "5m", "5m10s", "1h")] == [90, 300, 310, 3600]
