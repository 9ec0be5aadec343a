"""How long cases are kept: those of ended incidents go when they are old, those on hold never; all is written down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from detector import clock
from detector.cli import main as program
from detector.engines.telling import Telling
from detector.errors import SinkError
from detector.sealing import Seal
from detector.sinks.cases import CaseFolder
from detector.sinks.custody import FILE
from detector.sinks.retention import delete, due, hold, is_held, is_open_on_disk, release


def put(folder: Path, incident: str, age_days: float, state: str = "closed", seal: Seal | None = None) -> Path:
    """A case so old."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{incident}.json"
    record = {"incident": incident, "state": state, "raised_at": "2026-03-03T00:00:00Z", "severity": "high"}
    data = json.dumps({"record": record}).encode()
    path.write_bytes(seal.seal(data, path.name) if seal else data)
    (folder / f"{incident}.records").write_bytes(b"x")
    (folder / f"{incident}.names").write_bytes(b"x")
    touched_s = clock.wall().timestamp() - age_days * 86_400
    os.utime(path, (touched_s, touched_s))
    return path


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


def custody(folder: Path) -> list[tuple[str, str]]:
    """What was written down: action and incident."""
    lines = map(json.loads, (folder / FILE).read_text().splitlines())
    return [(line["action"], line["incident"]) for line in lines]


def test_what_is_due(tmp_path: Path) -> None:
    """An ended one that is old; an open one a month later; one on hold never; the oldest of too many at any age."""
    for incident, age, state in (("aa", 11, "closed"), ("bb", 9, "closed"), ("cc", 11, "open"), ("dd", 41, "open")):
        put(tmp_path, incident, age, state)
    is_open = is_open_on_disk(tmp_path, None)
    assert due(tmp_path, 10, 100, is_open) == [("dd", "kept 10 days"), ("aa", "kept 10 days")]
    hold(tmp_path, "dd", "court order")
    assert due(tmp_path, 10, 100, is_open) == [("aa", "kept 10 days")]
    assert {one for one, _ in due(tmp_path, 10, 1, is_open)} == {"aa", "cc"}
    release(tmp_path, "dd", "settled")
    assert ("dd", "kept 10 days") in due(tmp_path, 10, 100, is_open)
    assert custody(tmp_path) == [("hold", "dd"), ("release", "dd")]


def test_an_encrypted_case_is_read_for_its_state(tmp_path: Path) -> None:
    """With the key an ended one is due; without it the case might be open, and has a month more."""
    seal = Seal(b"0123456789abcdef")
    put(tmp_path, "aa", 11, "closed", seal)
    assert due(tmp_path, 10, 100, is_open_on_disk(tmp_path, seal)) == [("aa", "kept 10 days")]
    assert due(tmp_path, 10, 100, is_open_on_disk(tmp_path, None)) == []


def test_the_sidecar_deletes_by_itself(tmp_path: Path) -> None:
    """At its first look, then once an hour, without an incident to write: the case, its records and names, its page."""
    cases, pages = tmp_path / "cases", tmp_path / "pages"
    pages.mkdir()
    for incident, age in (("aa", 11), ("bb", 9), ("cc", 12)):
        put(cases, incident, age)
        (pages / f"{incident}.json").write_text("{}")
    hold(cases, "cc", "court order")
    folder = CaseFolder(cases, {}, keep_days=10)
    gone: list[str] = []
    folder.forgotten = gone.append
    said: list[str] = []
    telling = Telling(None, folder, None, lambda event, **_: said.append(event))  # type: ignore[arg-type]
    telling.publish(SimpleNamespace(open_stories=[]))  # type: ignore[arg-type]  # as the judging thread does where there is nothing to tell
    assert (gone, said) == (["aa"], [])
    assert sorted(path.name for path in cases.iterdir() if path.name.startswith("aa")) == []
    assert sorted(path.stem for path in cases.glob("*.names")) == ["bb", "cc"]
    assert not (pages / "aa.json").exists()
    assert custody(cases) == [("hold", "cc"), ("delete", "aa")]
    assert not folder.holds("aa")
    put(cases, "bb", 20)
    folder.tidy()
    assert gone == ["aa"]  # it has just looked


def test_nothing_is_deleted_that_cannot_be_written_down(tmp_path: Path) -> None:
    """Where the journal cannot be written, the case stays and no hold is changed."""
    put(tmp_path, "aa", 11)
    (tmp_path / FILE).mkdir()
    for act in (lambda: delete(tmp_path, "aa", "old"), lambda: hold(tmp_path, "aa", "why")):
        with pytest.raises(SinkError, match="nothing was done"):
            act()
    assert (tmp_path / "aa.records").exists()
    assert not is_held(tmp_path, "aa")


def test_the_command_holds_and_deletes(tmp_path: Path) -> None:
    """hold, purge, list, release, purge: what is on hold says so and stays; what was done is written down with why."""
    put(tmp_path, "aa", 11)
    put(tmp_path, "bb", 11)
    at = ("--cases", tmp_path)
    assert run("incidents", "hold", "aa", *at, "--note", "case 12 U 3/26").output == "aa: on hold\n"
    done = run("incidents", "purge", *at, "--keep-days", "10")
    assert (done.exit_code, done.output) == (0, "bb: deleted, kept 10 days\n1 case deleted\n")
    assert "new held" in run("incidents", "list", *at).output
    assert run("incidents", "release", "aa", *at).exit_code == 0
    assert run("incidents", "purge", *at).output == "0 cases deleted\n"  # 400 days where nothing is said
    assert "aa: deleted" in run("incidents", "purge", *at, "--keep-days", "0").output
    assert custody(tmp_path) == [("hold", "aa"), ("delete", "bb"), ("release", "aa"), ("delete", "aa")]
    assert json.loads((tmp_path / FILE).read_text().splitlines()[0])["reason"] == "case 12 U 3/26"
    assert run("incidents", "purge", "aa", *at).exit_code == 2
    assert run("incidents", "purge", "--cases", tmp_path / "none").exit_code == 3
