"""With a key for pseudonyms no identity of a run leaves in any output, and unmask gives exactly them back."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.engines.unmasking import PSEUDONYM
from detector.errors import SealError
from detector.incidents.pseudonyms import LETTERS, Pseudonyms
from detector.sinks.case_files import read_records
from tests.followed import Followed, told

LINES = 4_000
ACCOUNT, ADDRESS = "zoe.harvest-77", "198.51.100.77"
CONFIG = """
privacy: {pseudonym_key_file: names.key, encryption_key_file: cases.key}
routes: {templates: [{route: "GET /api/v1/users/{id}", data_classes: [phone]}]}
"""


def run(*arguments: object) -> Any:
    """The program in this process."""
    return CliRunner().invoke(program.app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A folder with a log, its configuration and keys, and every identity in it: an account and an address that read by
    number, in turn, among others."""
    folder = tmp_path_factory.mktemp("named")
    names, lines = {ACCOUNT, ADDRESS, "198.51.100.", "203.0.113.", "192.0.2.8"}, []
    for n in range(LINES):
        second = f"[03/Mar/2026:{9 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d} +0000]"
        if n % 4 == 0:
            who = f"192.0.2.8 - {ACCOUNT}", f"/api/v1/users/{5000 + n}"
        elif n % 4 == 1:
            who = f"{ADDRESS} - -", f"/api/v1/orders/{9000 + n}"
        else:
            name = f"visitor-{n % 97:04d}x"
            names.add(name)
            who = f"203.0.113.{n % 200} - {name}", f"/api/v1/users/{(n * 7919) % 90_000}"
        lines.append(f'{who[0]} {second} "GET {who[1]} HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n')
    (folder / "access.log").write_text("".join(lines), encoding="ascii")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "names.key").write_text("the key of all pseudonyms\n")
    (folder / "cases.key").write_text("the key of all the cases\n")
    return folder, names


def test_no_identity_leaves_a_replay(logged: tuple[Path, set[str]], tmp_path: Path) -> None:
    """Table, JSON, OCSF, ECS, Parquet, report, cases, records, features, ranking, readers, explanation, notice: none
    names anybody; a block list is refused; unmask gives exactly the clients that the same run names without a key."""
    folder, names = logged
    log, file, cases = folder / "access.log", tmp_path / "incidents.jsonl", tmp_path / "cases"
    replay = ("replay", log, "--config", folder / "config.yaml")
    opens = ("--key-file", folder / "cases.key")
    printed = []
    for arguments in (
        (
            *replay,
            "--incidents",
            file,
            "--cases",
            cases,
            "--report",
            tmp_path / "r.html",
            "--exposed",
            tmp_path / "e.csv",
        ),
        (*replay, "--features", tmp_path / "f.parquet", "--top", "5", "--output", "json"),
        (*replay, "--incidents", tmp_path / "ocsf.jsonl", "--incident-schema", "ocsf", "-q"),
        (*replay, "--incidents", tmp_path / "ecs.jsonl", "--incident-schema", "ecs", "-q"),
        (*replay, "--incidents", tmp_path / "incidents.parquet", "-q"),
        ("reads", log, "--config", folder / "config.yaml", "--class", "phone", "--output", "json"),
        ("report", file, "--notice", "latest", "--cases", cases, *opens),
        ("report", file, "--out", tmp_path / "again.html", "--exposed", tmp_path / "again.csv", *opens),
        ("explain", file, "latest", *opens),
        ("incidents", "list", "--cases", cases, *opens),
        ("incidents", "show", "latest", "--cases", cases, *opens),
    ):
        done = run(*arguments)
        assert done.exit_code == 0, (arguments, done.output)
        printed.append(done.output)
    for table in ("f.parquet", "incidents.parquet"):
        printed.append(pd.read_parquet(tmp_path / table).to_csv())
    found = [json.loads(line) for line in file.read_text().splitlines()]
    for record in found:
        records = read_records(cases, record["incident"], _seal(folder))
        assert records is not None
        printed.append(json.dumps(records[0]))
    left = "\n".join(printed).encode() + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert {name for name in names if name.encode() in left} == set()
    hidden = {client for record in found for client in record["clients"]}
    assert all(PSEUDONYM.fullmatch(client) for client in hidden), hidden
    refused = run("incidents", "block", "latest", "--cases", cases, *opens)
    assert (refused.exit_code, "unmask ID --block" in refused.output) == (2, True)
    assert run("explain", file, "latest", "--lines", *opens).exit_code == 3
    missing = run("explain", file, "latest")
    assert (missing.exit_code, "is encrypted; --key-file" in missing.output) == (3, True)

    plain = tmp_path / "plain.jsonl"
    assert run("replay", log, "--incidents", plain, "-q").exit_code == 0
    named = [json.loads(line)["clients"] for line in plain.read_text().splitlines()]
    assert {ACCOUNT, ADDRESS} <= {name for clients in named for name in clients}
    unmask = ("unmask", file, "--key-file", folder / "names.key", "--reason", "notice 4711", "--cases", cases)
    joined = run(*unmask)
    assert joined.exit_code == 0, joined.output
    assert [json.loads(line)["clients"] for line in joined.output.splitlines()] == named


def _seal(folder: Path) -> Any:
    from detector.sinks.case_files import key_of

    return key_of(folder / "cases.key")


def test_no_identity_leaves_a_sidecar(logged: tuple[Path, set[str]], tmp_path: Path) -> None:
    """File, topic, webhook, Alertmanager with clients, metrics, pages, cases, snapshots and log: none names anybody,
    and who was named in the file is joined again from what lies beside the cases."""
    folder, names = logged
    for name in ("access.log", "names.key", "cases.key"):
        shutil.copy(folder / name, tmp_path / name)
    with Followed(tmp_path, CONFIG) as sidecar:
        sidecar.wait_for(LINES)
    outputs = sidecar.outputs
    seen = {kind: [name for name in names if name.encode() in text] for kind, text in outputs.items()}
    assert {kind: some for kind, some in seen.items() if some} == {}
    assert b"pn-account-" in outputs["alertmanager"]
    assert any(name.endswith("/nginx") and b"are pseudonyms" in text for name, text in outputs.items())
    assert any(name.startswith("state/snapshots/") for name in outputs)
    hidden = {client for record in told(outputs) for client in record["clients"]}
    state = tmp_path / "state" / "cases"
    joined = run("unmask", *sorted(hidden), "--key-file", tmp_path / "names.key", "--reason", "r", "--cases", state)
    assert joined.exit_code == 0, joined.output
    assert {line.split("\t")[2] for line in joined.output.splitlines()} >= {ACCOUNT, ADDRESS}


def test_each_use_is_written_down(logged: tuple[Path, set[str]], tmp_path: Path) -> None:
    """Who, when, for what and why; without a reason, under another key or with nowhere to write, nothing is shown."""
    folder, _ = logged
    cases, key = tmp_path / "cases", ("--key-file", folder / "names.key")
    assert run("replay", folder / "access.log", "--config", folder / "config.yaml", "--cases", cases).exit_code == 0
    opens = ("--case-key", folder / "cases.key", "--cases", cases)
    done = run("unmask", "latest", *key, "--reason", "GDPR notice", *opens)
    assert done.exit_code == 0, done.output
    who = done.output.split()[2]
    assert who in (ACCOUNT, ADDRESS)
    line = json.loads((cases / "custody.jsonl").read_text())
    assert (line["action"], line["reason"], line["asked"], line["found"]) == ("unmask", "GDPR notice", ["latest"], 1)
    assert line["at"]
    assert line["by"]
    block = run("unmask", "latest", *key, "--reason", "block", *opens, "--block", "plain")
    assert block.output == (f"{who}\n" if who == ADDRESS else block.output)
    assert who in block.output
    for arguments, said in (
        (("unmask", "latest", *key, "--reason", " ", *opens), "--reason is empty"),
        (("unmask", "latest", "--key-file", folder / "cases.key", "--reason", "r", *opens), "another key"),
    ):
        refused = run(*arguments)
        assert refused.exit_code != 0
        assert said in refused.output
        assert who not in refused.output
    written = (cases / "custody.jsonl").read_text()
    assert written.count('"unmask"') == 2
    (cases / "custody.jsonl").unlink()
    (cases / "custody.jsonl").mkdir()
    blind = run("unmask", "latest", *key, "--reason", "r", *opens)
    assert (blind.exit_code, who in blind.output) == (4, False)


def test_names_can_be_tried(logged: tuple[Path, set[str]], tmp_path: Path) -> None:
    """Without a case: a list of names or the log itself finds who it is; what is not found is counted."""
    folder, _ = logged
    pseudonyms = Pseudonyms.from_file(folder / "names.key")
    one, two = pseudonyms.of("account", ACCOUNT), pseudonyms.of("network", "198.51.100.0/24")
    nobody = pseudonyms.of("account", "not in the log")
    (tmp_path / "names.txt").write_text(f"somebody\n{ACCOUNT}\n")
    (tmp_path / "mail.txt").write_text(f"Who are {one} and {nobody}?\n")
    key = ("--key-file", folder / "names.key", "--reason", "r", "--cases", tmp_path)
    done = run("unmask", one, "--names", tmp_path / "names.txt", *key)
    assert (done.exit_code, done.output) == (0, f"{one}\taccount\t{ACCOUNT}\n")
    done = run("unmask", one, two, "--log", folder / "access.log", *key)
    assert done.exit_code == 0, done.output
    assert "198.51.100.0/24" in done.output
    done = run("unmask", tmp_path / "mail.txt", "--names", tmp_path / "names.txt", *key)
    assert done.exit_code == 4
    assert f"Who are {ACCOUNT} and {nobody}?" in done.output
    assert "1 of 2 pseudonyms" in done.output


def test_a_pseudonym(tmp_path: Path) -> None:
    """The same under one key, another for another kind, name or key; its form; what is behind it opens by its key."""
    (tmp_path / "key").write_text("0123456789abcdef\n")
    here, there = Pseudonyms.from_file(tmp_path / "key"), Pseudonyms(b"0123456789abcdeg")
    made = here.of("account", "zoe")
    assert re.fullmatch(rf"pn-account-[a-z2-7]{{{LETTERS}}}", made)
    assert made == Pseudonyms(b"0123456789abcdef").of("account", "zoe")
    assert len({made, here.of("address", "zoe"), here.of("account", "zoe2"), there.of("account", "zoe")}) == 4
    assert here.of_network("AS64500 Example") == "AS64500 Example"
    assert here.of_network("2001:db8::/48").startswith("pn-network-")
    with here.noting() as names:
        assert here.of("account", "zoe") == made
        here.of_network("192.0.2.0/24")
    here.of("account", "after")
    assert set(names.values()) == {("account", "zoe"), ("network", "192.0.2.0/24")}
    data = here.seal_names(names, "aa")
    assert here.open_names(data, "aa") == names
    for other, incident in ((there, "aa"), (here, "bb")):
        with pytest.raises(SealError):
            other.open_names(data, incident)
