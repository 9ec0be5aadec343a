"""The report for people: what it says, how large it is, and that it never fails on a strange record."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.report.page import MOST_TOLD, chosen, page
from detector.report.visible import visible
from detector.report.words import sentence, stopped
from detector.simulate.truth import Truth
from tests.report_lines import hostile_record

ABOUT = {"made_at": "now", "version": "1", "source": "test"}


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


def told(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record and a case as large as they get."""
    minute = "2026-03-03T09:{:02d}:00Z"
    record = {
        "incident": f"{number:032x}",
        "pattern": "walk",
        "severity": "high",
        "clients": [f"198.51.100.{n}" for n in range(200)],
        "client_count": 5000,
        "client_kind": "address",
        "endpoints": ["GET /users/{id}"],
        "records_exposed": {"estimate": 1000 + number, "low": 1000, "high": 2000},
        "records_at_alert": 12,
        "first_seen": "2026-03-03T09:00:00Z",
        "last_seen": "2026-03-03T09:40:00Z",
        "raised_at": "2026-03-03T09:05:00Z",
        "evidence": [{"name": f"evidence_{n}", "value": 5, "expected": 1, "weight": 3.25} for n in range(6)],
    }
    case = {
        "exposed": [[minute.format(n // 2), n * 9] for n in range(120)],
        "minutes": [[minute.format(n), n * 37 % 91 + 1] for n in range(60)],
        "points": [[minute.format(n // 9), n * 7919 % 99_991] for n in range(500)],
        "hours": list(range(24)),
        "agents": [
            [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0", 0.05] for n in range(20)
        ],
        "networks": [[f"198.51.{n}.0/24", 0.05] for n in range(20)],
        "samples": [{"request": "GET /users/5", "agent": "a" * 150, "time": minute.format(1)}] * 10,
        "ordinary": {"clients": 50, "records_a_day": [3, 60]},
        "limits": [{"kind": "client", "limit": 200, "exposed": 200, "ordinary": 900, "hit": 0}],
    }
    return record, case


def test_it_fits_a_mail() -> None:
    """Fifty incidents in full are below two megabytes; of thousands the worst are told in full, all are listed."""
    both = [told(n) for n in range(3000)]
    records = [record for record, _ in both]
    cases = {record["incident"]: case for record, case in both}
    assert len(page(records[:50], cases, ABOUT).encode()) < 2_000_000
    text = page(records, cases, ABOUT, most_told=2)
    assert text.count("<article") == 2
    assert text.count('<span class="badge') == 3000 + 2
    assert chosen(records)[0] == records[-1]["incident"]
    assert len(chosen(records)) == MOST_TOLD


def test_the_same_incidents_make_the_same_page() -> None:
    """Nothing in it depends on the moment or on chance."""
    record, case = told(1)
    assert page([record], {record["incident"]: case}, ABOUT) == page([record], {record["incident"]: case}, ABOUT)


@pytest.mark.parametrize("missing", list(told(0)[0]))
def test_a_record_may_lack_anything(missing: str) -> None:
    """A field that is missing, or a case that is, leaves a gap and no error."""
    record, case = told(0)
    del record[missing]
    assert "<article" in page([record], {}, ABOUT)
    assert "<article" in page([record], {f"{0:032x}": dict.fromkeys(case, "strange")}, ABOUT)


def test_hostile_texts_are_inert() -> None:
    """No tag of theirs is in the page, and nothing outside of it is named in an attribute."""
    record, case = hostile_record()
    text = page([record], {record["incident"]: case}, ABOUT)
    assert text.count("<script") == text.count("<img") == text.count("<base") == text.count("<link") == 0
    assert re.search(r"<[^>]*(?:src|onload|onerror|xlink:href)=", text) is None
    assert "<!--" not in text
    assert 'href="http' not in text
    assert "url(http" not in text


def test_what_does_not_show_is_told_by_its_number() -> None:
    """Format and control characters by their numbers, letters of any script as they are, long texts cut."""
    assert visible("a\u202eb\x1b[0m") == "a⟨U+202E⟩b⟨U+001B⟩[0m"
    assert visible("Zoë 淘宝 😀") == "Zoë 淘宝 😀"
    assert visible("a\u00a0b\u0336") == "a⟨U+00A0⟩b⟨U+0336⟩"
    assert visible("x" * 400).endswith("… (100 more characters)")


def test_the_sentence_and_what_would_have_stopped_it() -> None:
    """What happened is one sentence with who, where, how much and how late; limits say whom else they hit."""
    record, case = told(0)
    assert sentence(record) == (
        "5,000 addresses read ids in order on GET /users/{id}: 1,000 (between 1,000 and 2,000) records went out within "
        "40 minutes, 12 before it was raised."
    )
    assert stopped(case["limits"], record) == [
        "A limit of 200 records a client and day: 200 records instead of 1,000 (20 % of it); of 900 ordinary clients "
        "looked at none would have met it."
    ]
    assert stopped([], record)[0].startswith("No limit")


@pytest.fixture(scope="module")
def replayed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that a replay of the sample log leaves."""
    folder = tmp_path_factory.mktemp("replayed")
    done = run(
        *("replay", root / "sample_logs" / "p1.log.gz", "--config", root / "configs" / "demo.yaml", "-q"),
        *("--incidents", folder / "incidents.jsonl", "--cases", folder / "cases"),
        *("--report", folder / "report.html", "--exposed", folder / "gone.csv"),
    )
    assert done.exit_code == 0, done.output
    return folder


def test_the_records_listed_equal_the_truth(replayed: Path, root: Path) -> None:
    """The records of the walk, by replay as CSV and later from its case as Parquet, are the simulator's, exactly."""
    attack = Truth.read(root / "sample_logs" / "p1.truth.json").attack
    assert attack is not None
    truth = sorted(set(attack.record[attack.record >= 0].tolist()))
    rows = [line.split(",") for line in (replayed / "gone.csv").read_text().splitlines()]
    assert sorted(int(row[rows[0].index("record")]) for row in rows[1:]) == truth
    done = run("report", replayed / "incidents.jsonl", "--exposed", replayed / "gone.parquet", "--incident", "latest")
    assert done.exit_code == 0, done.output
    table = pq.read_table(replayed / "gone.parquet")
    assert sorted(table["record"].to_pylist()) == truth
    assert all(table["by_named_client"].to_pylist())


def test_a_report_made_later_says_the_same(replayed: Path) -> None:
    """Made of the file and its cases it has the plots and limits that the replay's own has."""
    done = run("report", replayed / "incidents.jsonl", "--out", replayed / "later.html")
    assert done.exit_code == 0, done.output
    first, later = ((replayed / name).read_text() for name in ("report.html", "later.html"))
    assert later.count("<svg") == first.count("<svg") == 5
    assert "What would have stopped it" in later
    assert "140,258 lines" in later


def test_what_cannot_be_is_said_before_reading(tmp_path: Path) -> None:
    """No folder, another ending, nothing asked for: exit 2 and a line that says so."""
    for arguments, said in (
        (("replay", "x.log", "--report", tmp_path / "no" / "r.html"), "no such folder"),
        (("replay", "x.log", "--exposed", tmp_path / "r.txt"), ".csv or .parquet"),
        (("report", tmp_path / "i.jsonl"), "--out"),
        (("report", tmp_path / "i.jsonl", "--out", "r.html", "--since-revision", "2"), "--notice"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert said in done.output
    (tmp_path / "i.jsonl").write_text(json.dumps(told(0)[0]) + "\n")
    assert run("report", tmp_path / "i.jsonl", "--out", tmp_path / "r.html").exit_code == 0
    assert "There is no case" in (tmp_path / "r.html").read_text()


def test_the_lines_behind_an_incident(replayed: Path, root: Path) -> None:
    """The lines that the case names are printed as the log has them, secrets masked; without a case that is said."""
    file = replayed / "incidents.jsonl"
    done = run("explain", file, "latest", "--lines")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert len(lines) == 100
    assert all('"GET /api/v1/users/' in line for line in lines)
    assert lines[0].startswith(str(root / "sample_logs" / "p1.log.gz"))
    (replayed / "nothing").mkdir()
    done = run("explain", file, "latest", "--lines", "--cases", replayed / "nothing")
    assert (done.exit_code, "there is no case" in done.output) == (3, True)
