"""The commands `simulate` and `evaluate` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli.main import app

SMALL = ["--duration", "30m", "--rate", "1", "--clients", "500", "--attack-duration", "60s"]


def files(folder: Path, name: str) -> list[str]:
    """The options that name a log and its truth."""
    return ["--out", str(folder / f"{name}.log"), "--truth", str(folder / f"{name}.json")]


def test_truth_holds_the_command_that_makes_the_log(tmp_path: Path) -> None:
    """Running the recorded command again gives the same log."""
    run = CliRunner().invoke(app, ["simulate", "P1", *files(tmp_path, "a"), *SMALL, "--plain"])
    assert run.exit_code == 0, run.output
    assert "6,000 requests by 1 client on GET /api/v1/users/{id}" in run.output
    command = json.loads((tmp_path / "a.json").read_bytes())["command"].split()
    assert command[:2] == ["detector", "simulate"]
    assert str(tmp_path) not in " ".join(command)
    at = command.index("--out")
    again = CliRunner().invoke(app, [*command[1:at], *files(tmp_path, "b"), *command[at + 4 :]])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "a.log").read_bytes() == (tmp_path / "b.log").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["P99"], "no pattern 'P99'"),
        (["P1", "--form", "e9"], "form 'e9'"),
        (["P2", "--form", "e4"], "P2 makes no sense as e4"),
        (["P4", "--variant", "sly"], "it has nothing, shared"),
        (["quiet", "--confusers", "N99"], "no confuser 'N99'"),
        (["P1", "--duration", "soon"], "--duration 'soon'"),
        (["P1", "--start", "noon"], "--start 'noon'"),
        (["P1", "--log-format", "xml"], "log format 'xml'"),
    ],
)
def test_wrong_options_end_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    """The message names the option, what was seen and what is allowed."""
    run = CliRunner().invoke(app, ["simulate", *arguments, *files(tmp_path, "a")])
    assert run.exit_code == 2
    assert said in run.output


def test_an_evasive_log_is_made_again_by_its_command(tmp_path: Path) -> None:
    """A streamed log holds the form, variant and confusers asked for; its recorded command makes the same bytes."""
    asked = ["--form", "e7", "--variant", "shared", "--confusers", "n3,N9", "--ids", "200000", "--people", "2000"]
    run = CliRunner().invoke(app, ["simulate", "P4", *files(tmp_path, "a"), *SMALL, *asked])
    assert run.exit_code == 0, run.output
    assert "on GET /api/v1/reviews?item={id}&page={page}" in run.output
    truth = json.loads((tmp_path / "a.json").read_bytes())
    assert (truth["pattern"], truth["form"]) == ("P4", "e7")
    command = truth["command"].split()
    at = command.index("--out")
    again = CliRunner().invoke(app, [*command[1:at], *files(tmp_path, "b"), *command[at + 4 :]])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "a.log").read_bytes() == (tmp_path / "b.log").read_bytes()


def test_unwritable_log_is_an_error(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    run = CliRunner().invoke(app, ["simulate", "quiet", *files(tmp_path / "none", "a"), *SMALL])
    assert run.exit_code == 2
    assert "cannot write" in run.output


def test_evaluate_judges_given_incidents(tmp_path: Path) -> None:
    """Incidents of a file are judged without replaying, as a table and as JSON, escapes in them escaped."""
    CliRunner().invoke(app, ["simulate", "P1", *files(tmp_path, "a"), *SMALL])
    attack = json.loads((tmp_path / "a.json").read_bytes())["attack"]
    incident = {
        "incident": "\x1b[31m",
        "severity": "high",
        "suppressed_by": None,
        "raised_at": attack["start"],
        "clients": attack["clients"],
        "client_count": 1,
        "selector": None,
        "endpoints": [attack["route"]],
        "records_exposed": {"estimate": attack["records"], "low": 0, "high": 10**6},
    }
    found = tmp_path / "incidents.jsonl"
    found.write_text(json.dumps(incident) + "\n")
    command = ["evaluate", str(tmp_path / "a.log"), "--truth", str(tmp_path / "a.json"), "--incidents", str(found)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "precision 100.0%, recall 100.0%" in shown.output
    assert "\x1b[31m" not in shown.output
    as_json = json.loads(CliRunner().invoke(app, [*command, "--output", "json"]).output)
    assert as_json["detected"] is True
    assert as_json["minutes"] == 0
    assert as_json["records_taken"] == attack["records"]


def test_evaluate_without_truth_ends_with_3(tmp_path: Path) -> None:
    """A truth that is not there is an input error."""
    run = CliRunner().invoke(app, ["evaluate", "a.log", "--truth", str(tmp_path / "none.json")])
    assert run.exit_code == 3
    assert "No such file" in run.output
