"""Ids that are texts in the list of records exposed: the words where the files still have them, else that is said."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from detector.cli import main as program
from detector.sinks.case_files import read_records

DAY_HOURS, OTHERS = 12, 300


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


def written(path: Path) -> set[str]:
    """A log of people who read a few documents by UUID, and of one who reads several hundred nobody else reads; returns
    those."""
    chance = np.random.default_rng(3)
    popular = [str(uuid.UUID(bytes=chance.bytes(16), version=4)) for _ in range(400)]
    taken = [str(uuid.UUID(bytes=chance.bytes(16), version=4)) for _ in range(900)]
    rows = [
        (
            int(chance.integers(0, DAY_HOURS * 3600)),
            f"203.0.{n % OTHERS // 250}.{n % 250}",
            popular[chance.integers(400)],
        )
        for n in range(OTHERS * 20)
    ]
    rows += [(8 * 3600 + 12 * n, "198.51.100.9", one) for n, one in enumerate(taken)]
    lines = [
        f"{who} - - [03/Mar/2026:{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d} +0000] "
        f'"GET /docs/{what}?v=2 HTTP/1.1" 200 900 "-" "Mozilla/5.0"\n'
        for s, who, what in sorted(rows)
    ]
    path.write_text("".join(lines), encoding="ascii")
    return set(taken)


def test_text_ids_are_listed(tmp_path: Path) -> None:
    """Every record the incident exposed stands with its id as the log has it, in the list and in the case; from a case
    without them the list says how many are told by their hash alone."""
    taken = written(tmp_path / "access.log")
    options = ("--incidents", tmp_path / "i.jsonl", "--cases", tmp_path / "cases")
    done = run("replay", tmp_path / "access.log", *options, "--exposed", tmp_path / "e.csv")
    assert done.exit_code == 0, done.output
    with (tmp_path / "e.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    listed = {row["record_text"] for row in rows}
    assert len(rows) > 100, done.output
    assert "" not in listed
    assert len(listed & taken) > 0.9 * len(rows)
    assert "hash alone" not in done.output
    incident = rows[0]["incident"]
    kept = read_records(tmp_path / "cases", incident)
    assert kept is not None
    assert set(kept[0]["texts"].values()) <= listed

    assert run("replay", tmp_path / "access.log", *options).exit_code == 0  # as a stream would have left it
    again = run("report", tmp_path / "i.jsonl", "--exposed", tmp_path / "again.csv")
    assert again.exit_code == 0, again.output
    assert f"{len(rows):,} are listed by a hash alone" in again.output
