"""The command line: endings, printing, start-up."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from detector import __version__
from detector.cli import main as program
from detector.engines.coverage import Coverage
from detector.errors import InputError
from detector.incidents.incident import SEVERITIES, Incident

Run = Callable[..., Any]

FEATURES = np.array([(b"203.0.113.9", 34_720.0), (b"bob", 3.0)], [("client", "S48"), ("distinct", "f8")])


@pytest.fixture
def run() -> Run:
    """Runs the program in this process; gives exit code, standard output and standard error."""

    def invoke(*arguments: object) -> Any:
        return CliRunner().invoke(program.app, [str(a) for a in arguments])

    return invoke


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a result of its own in place of the engine's; records what the engine was asked."""
    stand_in = types.ModuleType("detector.engines.local")
    result = types.SimpleNamespace(
        incidents=[],
        coverage=Coverage(lines=10, bytes=1500, parsed=9, rejected={"layout": 1}, requests=9, with_object=8, files=1),
        floor=["a single client below 128 records a day"],
        notes=["format: combined"],
        features=lambda: FEATURES,
        skipped=[],
        lost=[],
        unusual=[],
    )

    def replay(paths: list[str], settings: Any, *, on_progress: Any = None) -> Any:
        result.asked = (paths, settings, on_progress)
        return result

    stand_in.replay = replay  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "detector.engines.local", stand_in)
    return result


def _detector(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "detector", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_help_imports_nothing_heavy() -> None:
    """Showing help loads typer and no library of a command's own."""
    heavy = ("numpy", "numba", "pandas", "pyod", "kafka", "rich", "yaml", "pyarrow", "llvmlite")
    code = f"import sys, detector.cli.main; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_help_answers_at_once() -> None:
    """``detector --help`` takes under 0.3 s of processor time, the best of five: others may be working, too."""
    times = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _detector("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times[1:]) < 0.3  # the first one may compile what was changed


def test_version(run: Run) -> None:
    """The version is the package's."""
    assert run("--version").stdout == f"detector {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("replay",), ("replay", "x", "--threads", "9"), ("replay", "--no-such-option", "x")]
)
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    """What cannot be understood is refused before anything is done."""
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "2026-11-21", "--until", "2026-11-20"), "--since must lie before --until"),
        (("--since", "soon"), "--since: 'soon' is not a moment"),
        (("--features", "x.csv"), "must end in .parquet"),
        (("--features", "no/such/x.parquet"), "no such folder"),
        (("--config", "no/such.yaml"), "no/such.yaml: cannot be read"),
    ],
)
def test_wrong_values_end_with_2(run: Run, engine: Any, arguments: tuple[str, ...], said: str) -> None:
    """An option's value is judged before hours of reading."""
    ended = run("replay", "x.log", *arguments)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert not hasattr(engine, "asked")


def test_options_reach_the_engine(run: Run, engine: Any) -> None:
    """What was said on the command line is what the engine is asked."""
    ended = run("replay", "a", "b", "--format", "common", "--since", "1970-01-02", "--vhost", "h", "--threads", 1)
    assert ended.exit_code == 0, ended.stderr
    paths, settings, on_progress = engine.asked
    assert paths == ["a", "b"]
    assert (settings.log_format, settings.since_us, settings.until_us) == ("common", 86_400_000_000, None)
    assert (settings.vhost, settings.threads, settings.features) == ("h", 1, False)
    assert on_progress is None


def test_every_run_says_coverage_and_floor(run: Run, engine: Any) -> None:
    """What was read, parsed and known, and what could not have been seen, stand at the end."""
    out = run("replay", "x").stdout
    assert "no incidents" in out
    assert "format: combined" in out
    assert "read      10 lines, 1.5 kB, one file" in out
    assert "parsed    9 (90.0%); rejected 1: layout 1" in out
    assert "floor     a single client below 128 records a day" in out
    assert run("replay", "x", "--quiet").stdout == "no incidents\n"


def test_table(run: Run, engine: Any, make_incident: Callable[..., Incident], monkeypatch: pytest.MonkeyPatch) -> None:
    """One block an incident, within 100 columns, with what was gone, why, and the next command."""
    monkeypatch.delenv("COLUMNS", raising=False)
    many = [f"203.0.113.{i}" for i in range(30)]
    engine.incidents += [
        make_incident(),
        make_incident(pattern="sweep", clients=many, client_count=29_984, incident="aa" * 8),
        make_incident(severity="informational", clients=["curious"]),
        make_incident(suppressed_by="known", clients=["partner"]),
    ]
    out = run("replay", "x", "--quiet").stdout
    lines = out.split("\n")
    assert max(map(len, lines)) <= 100
    assert "2 incidents (1 informational and 1 suppressed not shown)" in lines
    assert "high      walk        34,720 (34,100-35,300)       1,204   2026-11-21 16:01:02  203.0.113.9" in lines
    assert "          on    GET /api/v1/users/{id}" in lines
    assert "          why   ids in order 4,210 (ordinary: 59); share of stretch read 0.998 (ordinary: 0)" in lines
    assert "          next  detector explain FILE 3f9a1c5e7b2d (after replay --incidents FILE)" in lines
    assert "29,984 addresses" in out
    assert "          who   203.0.113.0, 203.0.113.1, 203.0.113.2, +29,981 more" in lines
    assert "curious" not in out
    assert "partner" not in out


def test_nothing_from_a_log_reaches_the_terminal_unescaped(
    run: Run, engine: Any, make_incident: Callable[..., Incident], tmp_path: Path
) -> None:
    """Control characters and anything but ASCII are written as escapes, in tables, JSON, notes, losses and stories."""
    evil = "a\x1b[2Jb\x07\x7f\u202e\x9b\ud800\r\n"
    engine.incidents.append(make_incident(clients=[evil], endpoints=[f"GET /{evil}"], client_count=1))
    engine.notes.append(evil)
    engine.coverage.skipped = [(evil, "no access log")]
    engine.coverage.lost = [(evil, "truncated")]
    file = tmp_path / "i.jsonl"
    ended = [
        run("replay", "x", "--incidents", file),
        run("replay", "x", "--output", "json"),
        run("explain", file, "latest"),
        run("explain", "--line", f'1.2.3.4 - - [21/Nov/2026:16:01:02 +0000] "GET /{evil[:8]} HTTP/1.1" 200 1 "-" "-"'),
        run("explain", "--line", evil),
        run("explain", file, evil),
    ]
    for one in ended:
        text = one.stdout + one.stderr
        assert text
        assert all(c == "\n" or " " <= c <= "~" for c in text)


def test_json_is_one_incident_a_line_and_nothing_else(
    run: Run, engine: Any, make_incident: Callable[..., Incident]
) -> None:
    """Standard output carries the records alone; coverage goes to standard error."""
    engine.incidents += [make_incident(), make_incident(incident="bb" * 8)]
    ended = run("replay", "x", "--output", "json")
    assert [json.loads(line)["incident"] for line in ended.stdout.split("\n")[:-1]] == ["3f9a1c5e7b2d4860", "bb" * 8]
    assert "parsed" in ended.stderr


@pytest.mark.parametrize("asked", SEVERITIES)
@pytest.mark.parametrize("found", SEVERITIES)
def test_fail_on(run: Run, engine: Any, make_incident: Callable[..., Incident], asked: str, found: str) -> None:
    """Code 1 if and only if an incident is at least as severe as asked."""
    engine.incidents.append(make_incident(severity=found))
    expected = int(SEVERITIES.index(found) >= SEVERITIES.index(asked))
    assert run("replay", "x", "--fail-on", asked).exit_code == expected


def test_suppressed_incidents_do_not_fail(run: Run, engine: Any, make_incident: Callable[..., Incident]) -> None:
    """What is known and accepted does not end a run with 1."""
    engine.incidents.append(make_incident(severity="critical", suppressed_by="known"))
    assert run("replay", "x", "--fail-on", "low").exit_code == 0


def test_losses_end_with_4_and_are_said(run: Run, engine: Any) -> None:
    """What could not be read is said even to who wants it quiet."""
    engine.lost = engine.coverage.lost = [("a.gz", "truncated after 12 MB")]
    ended = run("replay", "x", "--quiet")
    assert ended.exit_code == 4
    assert ended.stderr == "lost      a.gz: truncated after 12 MB\n"


def test_features_are_written_and_told(
    run: Run, engine: Any, make_incident: Callable[..., Incident], tmp_path: Path
) -> None:
    """One row a client in Parquet; one client's row and incidents on the terminal."""
    import pyarrow.parquet as pq

    engine.incidents.append(make_incident())
    file = tmp_path / "f.parquet"
    out = run("replay", "x", "--features", file, "--client", "203.0.113.9").stdout
    assert pq.read_table(file).to_pydict() == {"client": ["203.0.113.9", "bob"], "distinct": [34720.0, 3.0]}
    assert "  distinct                 34,720" in out
    assert "  incident 3f9a1c5e7b2d4860 (walk, high)" in out
    assert "not among the 2 clients remembered" in run("replay", "x", "--client", "nobody").stdout


def test_incident_file_is_replaced_as_a_whole(
    run: Run, engine: Any, make_incident: Callable[..., Incident], tmp_path: Path
) -> None:
    """The file holds the last run's incidents in the record's order, and no scratch file stays behind."""
    file = tmp_path / "i.jsonl"
    file.write_text("old\n")
    engine.incidents.append(make_incident())
    assert run("replay", "x", "--incidents", file).exit_code == 0
    (line,) = file.read_text().split("\n")[:-1]
    assert list(json.loads(line)) == list(make_incident().record())
    assert list(tmp_path.iterdir()) == [file]


def test_incident_file_that_cannot_be_written_ends_with_4(run: Run, engine: Any, tmp_path: Path) -> None:
    """A sink that fails is said, with its name."""
    ended = run("replay", "x", "--incidents", tmp_path / "no" / "i.jsonl")
    assert ended.exit_code == 4
    assert "incidents cannot be written" in ended.stderr


def test_input_that_cannot_be_read_ends_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors on purpose are one line and their own code."""
    _failing(monkeypatch, InputError("x: no such file"))
    ended = run("check", "x")
    assert (ended.exit_code, ended.stderr) == (3, "detector: x: no such file\n")


def test_a_fault_of_the_program_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is shown a traceback who did not ask."""
    _failing(monkeypatch, KeyError("b\x1bug"))
    ended = run("check", "x")
    assert ended.exit_code == 70
    assert ended.stderr == "detector: fault of the program: KeyError: 'b\\x1bug' (DETECTOR_TRACEBACK=1 shows where)\n"
    monkeypatch.setenv("DETECTOR_TRACEBACK", "1")
    assert isinstance(run("check", "x").exception, KeyError)


def test_an_interrupt_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is an ending, not a fault."""
    _failing(monkeypatch, KeyboardInterrupt())
    assert run("check", "x").exit_code == 130


def _failing(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def load(_: object) -> None:
        raise fault

    monkeypatch.setattr("detector.config.load_config", load)


def test_a_closed_pipe_is_quiet(root: Path, tmp_path: Path) -> None:
    """``detector ... | head`` ends without a word."""
    (tmp_path / "c").write_text("")
    arguments = [sys.executable, "-m", "detector", "check", *["c"] * 5000]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"valid" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_check_tells_every_problem(run: Run, tmp_path: Path) -> None:
    """Each file's problems, with file and line, and code 2; a sound file says so."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("routes: {slug_after: 64}\n")
    bad.write_text("rutes: {}\nstate: {clients: 1}\n")
    ended = run("check", good, bad)
    assert ended.exit_code == 2
    assert f"{good}: valid (digest " in ended.stdout
    assert f"{bad}:1: rutes: unknown key; did you mean routes?" in ended.stderr
    assert f"{bad}:2: state.clients: 1 is out of range" in ended.stderr
    assert ended.stderr.endswith("2 problems\n")


@pytest.fixture
def incident_file(make_incident: Callable[..., Incident], tmp_path: Path) -> Path:
    """Three lines: two incidents, the first in two revisions."""
    from detector.sinks.jsonl import json_line

    file = tmp_path / "incidents.jsonl"
    older = make_incident(revision=1, requests=5)
    other = make_incident(incident="3fff", raised_at="2026-11-22T00:00:00Z", pattern="sweep", client_count=30)
    file.write_text("".join(json_line(i) + "\n" for i in (older, make_incident(), other)))
    return file


def test_explain_tells_an_incident(run: Run, incident_file: Path) -> None:
    """By the beginning of its id: a sentence, the figures of the newest revision, the evidence."""
    out = run("explain", incident_file, "3f9").stdout
    assert out.startswith("incident 3f9a1c5e7b2d4860  (high, confidence 0.99, closed, revision 2)\n")
    assert "Address 203.0.113.9 read ids in order on GET /api/v1/users/{id}" in out
    assert "records gone   34,720 (between 34,100 and 35,300)" in out
    assert "at the alert   1,204" in out
    assert "requests       34,800" in out
    assert "ids in order                            4,210           59       2918" in out


def test_explain_latest(run: Run, incident_file: Path) -> None:
    """``latest`` is the one raised last."""
    assert run("explain", incident_file, "latest").stdout.startswith("incident 3fff ")


@pytest.mark.parametrize(
    ("wanted", "said"), [("3f", "2 incidents begin with '3f'"), ("zz", "no incident begins with 'zz'")]
)
def test_explain_needs_one_incident(run: Run, incident_file: Path, wanted: str, said: str) -> None:
    """None or several are refused, and those there are, are named."""
    ended = run("explain", incident_file, wanted)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert "3f9a1c5e7b2d4860" in ended.stderr


def test_explain_of_what_is_no_incident_file(run: Run, tmp_path: Path) -> None:
    """A missing file and a line that is no incident end with 3."""
    assert run("explain", tmp_path / "none", "x").exit_code == 3
    (tmp_path / "bad").write_text('{"incident":"a"}\n[1]\n')
    ended = run("explain", tmp_path / "bad", "x")
    assert ended.exit_code == 3
    assert "bad:2: not an incident" in ended.stderr


def test_explain_a_line(run: Run) -> None:
    """A line's format and fields; a line nobody reads ends with 3."""
    line = '203.0.113.9 - bob [21/Nov/2026:16:01:02 +0000] "GET /api/v1/users/17 HTTP/1.1" 200 512 "-" "curl/8.9.1"'
    out = run("explain", "--line", line).stdout
    assert "format    combined" in out
    assert "time      2026-11-21T16:01:02+00:00" in out
    assert "account   bob" in out
    assert "client    bob (account)" in out
    assert "route     GET /api/v1/users/{id}" in out
    assert "object    record 17" in out
    assert run("explain", "--line", "nothing of the kind").exit_code == 3


def test_commands_have_help(run: Run) -> None:
    """Every command is listed with a short help that is not cut, and explains each option."""
    listing = run("--help").stdout
    for name, (_, short) in program.COMMANDS.items():
        assert f"{name}  " in listing
        assert short in listing
        for parameter in typer.main.get_command(program.app).commands[name].params:  # type: ignore[attr-defined]
            assert parameter.help, f"{name} {parameter.name}"
