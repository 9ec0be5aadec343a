"""The suite on a tiny world: what it prints, how it goes on after a stop, and what its verdicts mean."""

from __future__ import annotations

import json
from collections import Counter as Tally
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.evaluate.cases import PLAIN, SETTINGS, Case, Target, suite
from detector.evaluate.ground import Ground, world_of
from detector.evaluate.nth import Counter
from detector.evaluate.poisson import upper_bound
from detector.evaluate.suite import Suite
from detector.evaluate.suite_table import markdown, verdict
from detector.evaluate.survival import Peaks
from detector.evaluate.trial import run
from detector.simulate.catalogue import PATTERNS
from detector.state.cells import CELL, PAST
from detector.state.layout import COUNTERS


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    """A tiny suite, run once, and the file it has kept."""
    file = tmp_path_factory.mktemp("suite") / "lines.jsonl"
    return file, Suite.of("tiny").run(file, lambda _: None)


def test_tiny_suite(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """The walk is caught within seconds and records, ordinary traffic and confusers are left alone."""
    _, lines = finished
    by_key = {line["key"]: line for line in lines}
    walk = by_key["P1/fast/plain/seed-1"]["figures"]
    assert isinstance(walk, dict)
    assert walk["pattern"] == "walk"
    assert walk["seconds"] < 5
    assert walk["records"] < 1000
    assert (walk["incidents"], walk["listed_precision"], walk["listed_recall"], walk["false"]) == (1, 1.0, 1.0, [])
    quiet = by_key["quiet/default/plain/seed-1"]["figures"]
    assert quiet == {"accused": [], "informational": []}


def test_finished_cases_are_not_run_again(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """A second run of the same code says nothing, runs nothing and gives the same lines; a torn last line is none."""
    file, lines = finished
    with file.open("a") as out:
        out.write('{"key": "P1/fa')
    said: list[str] = []
    assert Suite.of("tiny").run(file, said.append) == lines
    assert said == []


def test_what_is_kept_is_shown_whatever_code_made_it(
    finished: tuple[Path, list[dict[str, object]]], tmp_path: Path
) -> None:
    """Lines of an earlier code are not taken up, but their table can be had, and says whose digest they bear."""
    file, lines = finished
    older = tmp_path / "older.jsonl"
    older.write_text("".join(json.dumps({**line, "digest": "0" * 12}) + "\n" for line in lines), "ascii")
    arguments = ["evaluate", "--suite", "tiny", "--kept"]
    run = CliRunner().invoke(app, [*arguments, "--resume", str(older)])
    assert run.exit_code == 0
    digest = Suite.of("tiny").digest
    assert f"digest `{'0' * 12}`, put into this table by `{digest}`" in run.stdout
    assert "1 of 1 targets met" in run.stdout
    assert digest in CliRunner().invoke(app, [*arguments, "--resume", str(file)]).stdout
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_survival_of_many_runs_is_told_together(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """Five runs' clients and counts are added up under one name."""
    chosen = Suite.of("tiny")
    quiet = next(case for case in chosen.cases if case.pattern == "quiet")
    (line,) = [line for line in finished[1] if line["key"] == quiet.key]
    cases = [replace(quiet, seed=1 + n) for n in range(5)]
    text = markdown(replace(chosen, cases=cases), [{**line, "key": case.key} for case in cases], "many")
    survival = line["survival"]
    assert isinstance(survival, dict)
    assert f"| 5 runs | {5 * survival['clients']:,} clients | bulk |" in text
    assert "1 of the suite's 6 cases have not been run yet." in markdown(
        replace(chosen, cases=[*chosen.cases[:1], *cases]), [{**line, "key": case.key} for case in cases], "many"
    )


def test_a_loose_budget_is_told_beside_the_usual_one(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """Its run lasts two days at least, and its false incidents have a sentence and a bound of their own."""
    (loose,) = [case for case in suite("seeds") if case.budget == 10.0]
    setting = SETTINGS["seeds"]
    assert Ground(world_of(loose, setting), setting).options(loose).duration_seconds >= 2 * 86_400
    (line,) = [line for line in finished[1] if line["key"] == "quiet/default/plain/seed-1"]
    found = {"accused": ["bulk people x"] * 3, "informational": []}
    lines = [line, {**line, "key": loose.key, "log_seconds": 2 * 86_400, "figures": found}]
    usual = next(case for case in suite("tiny") if case.pattern == "quiet")
    text = markdown(replace(Suite.of("tiny"), cases=[usual, loose]), lines, "both")
    assert "Pooled: 0 false incidents" in text
    assert "at most 20 a day are asked: 3 false incidents above informational in 2.00 days" in text
    assert "at most 3.88 a day" in text


def test_same_seed_same_figures(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """A case run anew gives the same line but for the time it took."""
    _, lines = finished
    again = Suite.of("tiny", only="p1").run(None, lambda _: None)
    before = [line for line in lines if line["key"] != "quiet/default/plain/seed-1"]
    for line in (*before, *again):
        line.pop("processor_seconds", None)
    assert again == before


def test_table(finished: tuple[Path, list[dict[str, object]]]) -> None:
    """The table names digest, command, target, verdict, bound and rivals."""
    chosen = Suite.of("tiny")
    text = markdown(chosen, finished[1], "detector evaluate --suite tiny")
    for part in (
        chosen.digest,
        "1 of 1 targets met",
        "| pass |",
        "exact Poisson",
        "CrowdSec",
        "agent-census",
        "volume",
    ):
        assert part in text


def test_command(finished: tuple[Path, list[dict[str, object]]], tmp_path: Path) -> None:
    """The command takes up a file, writes the table and prints lines as JSON."""
    out = tmp_path / "table.md"
    arguments = [
        "evaluate",
        "--suite",
        "tiny",
        "--resume",
        str(finished[0]),
        "--markdown",
        str(out),
        "--output",
        "json",
    ]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0
    assert [json.loads(line)["key"] for line in run.stdout.split("\n") if line][1:] == [c.key for c in suite("tiny")]
    assert out.read_text("utf-8").startswith("# Evaluation, tiny")


@pytest.mark.parametrize(
    "arguments", [["--suite", "huge"], ["--suite", "tiny", "--only", "P99"], ["x.log"], ["--suite", "tiny", "x.log"]]
)
def test_wrong_options_are_refused(arguments: list[str]) -> None:
    """No such suite, no such case, a log without its truth, a log beside a suite."""
    assert CliRunner().invoke(app, ["evaluate", *arguments]).exit_code == 2


def test_fork_goes_on_where_the_warm_up_ended() -> None:
    """A fork knows the warm-up's clients, and judging in it leaves the next fork as it was."""
    case = Case("P1", seconds=30)
    ground = Ground(world_of(case, SETTINGS["tiny"]), SETTINGS["tiny"])
    warm, _ = ground.warm()
    first, resolver = ground.fork()
    play = ground.play(case)
    for part in play.batches(play.columns(resolver), ground.begin_us, ground.begin_us + 60_000_000):
        first.take(part.batch)
    second, _ = ground.fork()
    assert len(second.state.in_use) == len(warm.state.in_use) < len(first.state.in_use)
    assert second.last_us == warm.last_us < ground.begin_us


def test_suites_hold_the_whole_catalogue() -> None:
    """Every pattern in plain form, every form that makes sense, all seeds; no case twice."""
    for name in ("quick", "seeds", "large"):
        plain = suite(name)
        assert {case.pattern for case in plain} == {*PATTERNS, "quiet"}
        assert len({case.key for case in plain}) == len(plain)
        assert {case.seed for case in plain} == set(range(1, SETTINGS[name].seeds + 1))
    assert {case.budget for case in suite("seeds")} == {1.0, 10.0}
    assert {(c.pattern, c.form) for c in suite("evasive")} == {
        (p.key, form) for p in PATTERNS.values() for form in p.forms
    }
    for case in PLAIN:
        PATTERNS[case.pattern].variant(case.variant)


@pytest.mark.slow
def test_every_case_can_be_staged() -> None:
    """No case of any suite asks for more than its world has, and each attack lasts as long as its case."""
    for name in ("large", "evasive"):
        for case in suite(name, seeds=1):
            scene = Ground(world_of(case, SETTINGS[name]), SETTINGS[name]).play(case).scene
            assert (scene is None) == (case.pattern == "quiet")
            assert scene is None or scene.end_us - scene.start_us == round(case.seconds * 1e6), case.key


def test_counts_only_hides_numbers_but_not_the_truth() -> None:
    """Where the log lists no numbers of a batch, what was returned is known all the same."""
    listed = Case("P7", "fast", seconds=20)
    setting = replace(SETTINGS["tiny"], warm_hours=0.05)
    taken = []
    for case in (listed, replace(listed, listed=False)):
        _, line = run(case, Ground(world_of(case, setting), setting))
        taken.append(line["figures"]["records_taken"])
    assert taken[0] == taken[1] > 10_000


def test_only() -> None:
    """Whole parts of a key count: P1 is not P10."""
    assert {case.pattern for case in Suite.of("seeds", only="p1").cases} == {"P1"}
    assert {case.variant for case in Suite.of("quick", only="P4/shared").cases} == {"shared"}
    assert Suite.of("quick").cases == suite("quick")


def test_verdicts() -> None:
    """Under the target is a pass, at it or without an alert a miss; a metronome must be reported, and only quietly."""
    figures = {"seconds": 4.9, "records": 99, "requests": 10, "incidents": 1, "informational": 0}
    assert verdict(Case("P1", target=Target(seconds=5, records=100, requests=10)), figures) == "pass"
    assert verdict(Case("P1", target=Target(seconds=4.9)), figures) == "miss"
    assert verdict(Case("P1", target=Target(records=5)), {**figures, "records": None}) == "miss"
    assert verdict(Case("P1"), figures) == "printed"
    assert verdict(Case("P13", target=Target(quiet=True)), figures) == "miss"
    assert verdict(Case("P13", target=Target(quiet=True)), {**figures, "incidents": 0}) == "miss"
    assert verdict(Case("P13", target=Target(quiet=True)), {**figures, "incidents": 0, "informational": 1}) == "pass"


@pytest.mark.parametrize(("count", "bound"), [(0, 2.996), (1, 4.744), (3, 7.754), (20, 29.062)])
def test_upper_bound(count: int, bound: float) -> None:
    """Garwood's one-sided 95 % limits, from his table."""
    assert upper_bound(count) == pytest.approx(bound, abs=0.002)


def test_peaks_of_cells() -> None:
    """The highest score of each live cell counts, against minutes over the level; without cells there is nothing."""
    cells, past, counters = np.zeros(3, CELL), np.zeros(3, PAST), np.zeros(len(COUNTERS), np.int64)
    past["born"][:2] = 1
    peaks = Peaks()
    for minute, score in enumerate((1.0, 9.0, 2.0)):
        past["score"][0, 0] = score
        peaks.look(SimpleNamespace(cells=cells, past=past, counters=counters), minute * 60_000_000)
        peaks.look(SimpleNamespace(cells=cells, past=past, counters=counters), minute * 60_000_000 + 1)
    assert peaks.minutes == 3
    assert peaks.above() == (32, [1, 1, 0])  # ln of 300, 3,000 and 30,000
    nothing = Peaks()
    nothing.look(SimpleNamespace(), 0)
    assert nothing.above() == (0, [0, 0, 0])


def test_forms_take_the_evasive_cases_of_a_suite() -> None:
    """In the suite's setting, of the forms asked for alone, and still by the beginning of their key."""
    chosen = Suite.of("quick", only="P5", forms=("e1", "e7"))
    assert [case.key for case in chosen.cases] == ["P5/third/e1/seed-1", "P5/third/e7/seed-1"]
    assert chosen.setting == Suite.of("quick").setting


def test_nth_of_very_many_keys() -> None:
    """Numbers go on over calls, and through the merging of what is held in a dictionary into columns."""
    chance = np.random.default_rng(4)
    counter, seen = Counter(recent=50), Tally[int]()
    for _ in range(40):
        keys = chance.integers(0, 300, 60).astype(np.uint64)
        expected = []
        for key in keys.tolist():
            seen[key] += 1
            expected.append(seen[key])
        assert counter.nth(keys).tolist() == expected
