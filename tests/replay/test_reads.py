"""``detector reads``: the planted readers and nobody else, and every gap by its name."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.engines.silence import Silence
from detector.engines.tally import Tally
from detector.records.batch import Batch

CONFIG = """
routes:
  templates:
    - {route: "GET /chats/{user}", data_classes: [chat]}
    - {route: "GET /chats", data_classes: [chat]}
    - {route: "GET /bills/{user}", data_classes: [bill]}
partners:
  - {name: adverts, match: {accounts: [ad-reach]}}
"""
START = datetime(2026, 3, 3, 10, tzinfo=UTC)


def line(second: float, who: str, target: str, status: int = 200, **more: str) -> str:
    """One request as JSON, nginx's names."""
    at = (START + timedelta(seconds=second)).isoformat()
    said = {"time_iso8601": at, "remote_addr": "192.0.2.7", "remote_user": who, "request_method": "GET"}
    return json.dumps({**said, "request_uri": target, "status": str(status), "body_bytes_sent": "10", **more})


def crowd(n: int = 3000, every: float = 1.0) -> list[str]:
    """Ordinary requests for things that belong to nobody."""
    return [line(k * every, f"user{k % 50}", f"/items/{k % 90}") for k in range(n)]


def planted() -> list[str]:
    """Readers of chats among the crowd, refused ones too."""
    theirs = [line(100 + k, "ad-reach", f"/chats/{k}", purpose="targeting") for k in range(40)]
    theirs += [line(200 + k, "staff-1", "/chats/7", purpose="support", consent_id="t-12") for k in range(3)]
    theirs += [line(300, "staff-1", "/chats/8", purpose="abuse")]
    theirs += [line(400, "user7", "/chats/7", status=304), line(401, "user9", "/chats/ann")]
    theirs += [line(500 + k, "thief", f"/chats/{k}", status=403) for k in range(9)]
    theirs += [line(600, "lender", "/bills/7", consent_id="c1"), line(601, "lender", "/bills/7", consent_id="c2")]
    return sorted([*crowd(), *theirs], key=lambda text: str(json.loads(text)["time_iso8601"]))


def asked(folder: Path, lines: list[str], *arguments: str, name: str = "access.log", config: str = CONFIG) -> Any:
    """The answer as JSON, and how the command ended."""
    (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "c.yaml").write_text(config)
    return run(folder / name, *arguments, "--config", str(folder / "c.yaml"))


def run(path: Path, *arguments: str, output: str = "json") -> Any:
    """The command on a file or folder."""
    done = CliRunner().invoke(app, ["reads", *arguments, "--output", output, str(path)])
    assert done.exit_code in (0, 4), done.output
    said: dict[str, Any] = json.loads(done.stdout) if output == "json" else {"text": done.stdout}
    return {**said, "code": done.exit_code}


def who(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Of each reader what tells it."""
    names = ("client", "purpose", "consent", "reads", "persons")
    return [tuple(reader[name] for name in names) for reader in answer["readers"]]


def gaps(answer: dict[str, Any]) -> dict[str, int]:
    """Gaps by kind."""
    return {gap["what"]: gap["count"] for gap in answer["gaps"]}


def test_readers_of_a_class(tmp_path: Path) -> None:
    """Exactly the planted readers of chats: who got nothing is counted, not named, and nothing is missing."""
    answer = asked(tmp_path, planted(), "--class", "chat")
    assert who(answer) == [
        ("ad-reach", "targeting", "", 40, 40),
        ("staff-1", "support", "t-12", 3, 1),
        ("staff-1", "abuse", "", 1, 1),
        ("user7", "", "", 1, 1),
        ("user9", "", "", 1, 1),
    ]
    assert answer["readers"][0]["partner"] == "adverts"
    assert (answer["readers"][0]["first"], answer["readers"][0]["last"]) == (
        "2026-03-03T10:01:40Z",
        "2026-03-03T10:02:19Z",
    )
    assert (answer["refused"], answer["gaps"], answer["code"]) == (9, [], 0)
    assert answer["routes"] == ["GET /chats/{user}"]


def test_readers_of_a_person(tmp_path: Path) -> None:
    """All who read one person's records of any class, consent by consent; items are nobody's and are said to be."""
    answer = asked(tmp_path, planted(), "--subject", "7")
    assert sorted(who(answer)) == [
        ("ad-reach", "targeting", "", 1, 1),
        ("lender", "", "c1", 1, 1),
        ("lender", "", "c2", 1, 1),
        ("staff-1", "support", "t-12", 3, 1),
        ("user7", "", "", 1, 1),
    ]
    assert gaps(answer) == {"unnamed": 3000}
    assert "GET /items/{id}" in answer["gaps"][0]["about"]
    assert [name for name, *_ in who(asked(tmp_path, planted(), "--subject", "ann"))] == ["user9"]
    assert who(asked(tmp_path, planted(), "--subject", "8888")) == []


def test_a_person_by_the_log_or_by_a_map(tmp_path: Path) -> None:
    """The log's own subject comes first; a map names the persons of records elsewhere."""
    lines = [*crowd(200), line(300, "dr", "/chats/5", subject="ann"), line(301, "nurse", "/orders/440044")]
    (tmp_path / "map.csv").write_text("record,person\n440044,ann\n")
    answer = asked(tmp_path, lines, "--subject", "ann", config=CONFIG + "policy: {persons: map.csv}\n")
    assert [name for name, *_ in who(answer)] == ["dr", "nurse"]
    assert who(asked(tmp_path, lines, "--subject", "5")) == []


def test_what_a_person_said_stands_beside(tmp_path: Path) -> None:
    """The ledger's changes about the person, in order of time, whoever else it speaks of; nothing of it is a read."""
    changes = [
        ("revoke", "7", "10:30:00", ""),
        ("grant", "7", "10:05:00", "default_ticked"),
        ("view", "7", "10:04:59", ""),
        ("grant", "8", "10:05:00", "explicit"),
        ("nonsense", "7", "10:06:00", ""),
    ]
    rows = [f"2026-03-03T{at}Z,{action},{who},lender,bill,{how},c1" for action, who, at, how in changes]
    (tmp_path / "l.csv").write_text("\n".join(["time,action,subject,partner,class,manner,consent_id", *rows]) + "\n")
    party = "policy: {parties: [{name: lender, match: {accounts: [lender]}}], ledger: {files: [l.csv]}}\n"
    answer = asked(tmp_path, planted(), "--subject", "7", config=CONFIG + party)
    assert [(said["time"][11:19], said["action"], said["manner"], said["consent"]) for said in answer["said"]] == [
        ("10:05:00", "grant", "default_ticked", "c1"),
        ("10:30:00", "revoke", "", "c1"),
    ]
    assert {(said["party"], said["data_class"]) for said in answer["said"]} == {("lender", "bill")}
    assert [reader["partner"] for reader in answer["readers"] if reader["client"] == "lender"] == ["lender"] * 2
    assert gaps(answer) == {"rejected": 1, "unnamed": 3000}
    log = tmp_path / "access.log"
    text = run(log, "--subject", "7", "--config", str(tmp_path / "c.yaml"), output="table")["text"]
    assert "said      2026-03-03 10:05:00 grant to lender of bill, default ticked, c1" in text


def test_lists_that_name_nobody(tmp_path: Path) -> None:
    """A list of a personal class may hold anybody: of a person it is a gap, of the class a read."""
    lines = [*crowd(200), line(50, "export", "/chats"), line(51, "export", "/chats?page=2")]
    assert gaps(asked(tmp_path, lines, "--subject", "7"))["lists"] == 2
    assert who(asked(tmp_path, lines, "--class", "chat")) == [("export", "", "", 2, 0)]


def test_a_stretch_of_time(tmp_path: Path) -> None:
    """Only what is asked for counts, and the bounds are no gap."""
    answer = asked(tmp_path, planted(), "--class", "chat", "--since", "2026-03-03T10:05", "--until", "2026-03-03T10:06")
    assert [name for name, *_ in who(answer)] == ["staff-1"]
    assert (answer["gaps"], answer["read"]["filtered"] > 0) == ([], True)


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    """Rejected lines are named by their reason; blank ones hide nobody."""
    lines = planted()
    lines[100] = lines[100][:60]
    lines[200] = "{}}}"
    lines[300] = ""
    answer = asked(tmp_path, lines, "--class", "chat")
    assert {gap["what"] for gap in answer["gaps"]} == {"rejected"}
    assert sum(gap["count"] for gap in answer["gaps"]) == 2
    assert all(": " in gap["about"] for gap in answer["gaps"])


def test_a_part_that_is_torn_off(tmp_path: Path) -> None:
    """A damaged archive is named, what stands before the damage is read, and the exit code is 4."""
    rng = np.random.default_rng(1)
    noise = [json.loads(text) | {"request_id": rng.bytes(12).hex()} for text in planted()]
    packed = gzip.compress("\n".join(map(json.dumps, noise)).encode() + b"\n", 6)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "access.log.gz").write_bytes(packed[: len(packed) // 2])
    answer = run(tmp_path / "access.log.gz", "--class", "chat", "--config", str(tmp_path / "c.yaml"))
    assert gaps(answer)["lost"] == 1
    assert any("access.log.gz" in gap["about"] for gap in answer["gaps"])
    assert (answer["code"], who(answer)[0][0]) == (4, "ad-reach")


def test_a_file_that_is_not_read(tmp_path: Path) -> None:
    """In a folder a file that is no log is named; an empty one, and the same one again, hide nothing."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "notes.txt").write_text("nothing\nto\nsee\n")
    (logs / "empty.log").write_text("")
    (logs / "again.log").symlink_to(logs / "access.log")
    (logs / "access.log").write_text("\n".join(planted()) + "\n")
    (tmp_path / "c.yaml").write_text(CONFIG)
    answer = run(logs, "--class", "chat", "--config", str(tmp_path / "c.yaml"))
    assert [(gap["what"], "notes.txt" in gap["about"]) for gap in answer["gaps"]] == [("skipped", True)]


def test_a_stretch_that_is_missing(tmp_path: Path) -> None:
    """Ten minutes without a line in a busy log are a gap with its moments; a quiet log has none."""
    lines = [text for text in planted() if not "10:20" < str(json.loads(text)["time_iso8601"])[11:16] < "10:31"]
    answer = asked(tmp_path, lines, "--class", "chat")
    assert gaps(answer) == {"silent": 1}
    assert "2026-03-03T10:20:59Z to 2026-03-03T10:31:00Z" in answer["gaps"][0]["about"]
    assert asked(tmp_path, crowd(40, every=600), "--class", "chat")["gaps"] == []


def test_late_lines_are_counted_and_said(tmp_path: Path) -> None:
    """A line far out of order is still a read."""
    lines = [*crowd(), line(60, "late", "/chats/1")]
    answer = asked(tmp_path, lines, "--class", "chat")
    assert (gaps(answer), who(answer)) == ({"late": 1}, [("late", "", "", 1, 1)])


def test_the_table(tmp_path: Path) -> None:
    """The terminal shows who, what for, and that nobody else did; what a client wrote cannot move the cursor."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    evil = line(700, "eve\x1b[2J", "/chats/3", purpose="\x1b]0;x\x07")
    many = [line(800, f"reader{k}", "/chats/3") for k in range(120)]
    log = tmp_path / "a.log"
    log.write_text("\n".join([*crowd(700), evil, *many]) + "\n")
    text = run(log, "--class", "chat", "--config", str(tmp_path / "c.yaml"), output="table")["text"]
    assert "\x1b" not in text
    assert "and 21 more readers with 21 reads together; --output json names them all" in text
    assert "no one else in what was read, and all of it was read" in text
    text = run(log, "--class", "bill", "--config", str(tmp_path / "c.yaml"), output="table")["text"]
    assert text.splitlines()[-1] == "no one in what was read, and all of it was read"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--class", "chats"], "routes hand out bill, chat"),
        ([], "say either --class or --subject"),
        (["--class", "chat", "--subject", "7"], "say either --class or --subject"),
    ],
)
def test_wrong_questions_end_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    """A class nobody declared would be read by nobody: it is an error instead."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "a.log").write_text("\n".join(crowd(50)) + "\n")
    files = ["--config", str(tmp_path / "c.yaml"), str(tmp_path / "a.log")]
    done = CliRunner().invoke(app, ["reads", *arguments, *files])
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("by_consent", [False, True])
def test_reads_are_added_up_as_one_by_one(by_consent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns put together now and then give what a plain dictionary gives."""
    monkeypatch.setattr("detector.engines.tally.COMPACT_ROWS", 50)
    rng = np.random.default_rng(5)
    tally = Tally(by_consent)
    plain: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for _ in range(30):
        n = int(rng.integers(0, 40))
        batch = Batch.empty(n)
        client, purpose, consent, person, time_us = (rng.integers(low, 9, n) for low in (1, 0, 0, 0, 0))
        batch.client[:], batch.purpose[:], batch.consent[:], batch.time_us[:] = client, purpose, consent, time_us
        batch.name[:, 0] = client + 64
        tally.add(batch, np.arange(n), person.astype(np.uint64))
        for row in range(n):
            key = (int(client[row]), int(purpose[row]), *([int(consent[row])] if by_consent else []))
            plain.setdefault(key, []).append((int(time_us[row]), int(person[row]), int(consent[row])))
    table, distinct = tally.readers()
    found = {
        (row["name"][0] - 64, int(row["purpose"]), *([int(row["consent"])] if by_consent else [])): (
            int(row["reads"]), int(row["first_us"]), int(row["last_us"]), persons, consents
        )
        for row, persons, consents in zip(table, distinct["person"], distinct["consent"], strict=True)
    }  # fmt: skip
    assert found == {
        key: (
            *(len(reads), min(reads)[0], max(reads)[0]),
            *(len({read[k] for read in reads} - {0}) for k in (1, 2)),
        )
        for key, reads in plain.items()
    }


def test_silence_does_not_depend_on_batches() -> None:
    """The same stretches however the rows were cut, among as many smaller ones as there may be."""
    rng = np.random.default_rng(2)
    moments = np.sort(rng.integers(0, 3_600_000_000, 20_000))
    moments = moments[(moments < 1_000_000_000) | (moments > 1_500_000_000)]
    found = []
    for parts in (1, 7, 400):
        silence = Silence()
        for part in np.array_split(moments, parts):
            silence.add(part)
        found.append(silence.stretches())
    assert found[0] == found[1] == found[2]
    assert [(first // 10**8, last // 10**8) for first, last in found[0]] == [(9, 15)]
