"""The list of records exposed, made from what a sidecar kept when the topic it read is deleted: as the truth has it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.simulate.truth import Truth
from tests.e2e.broker import Broker
from tests.e2e.stream import Setting, feed, lines_of, make_topic, read_to_end
from tests.e2e.test_told_later import delete_topic, detector, found_in

pytestmark = pytest.mark.e2e

READ = re.compile(rb'- (\S+) \[[^]]+\] "GET (/api/v1/reviews\?item=(\d+)\S*) HTTP/1.1" 200 ')
CREW = ("--variant", "shared", "--identities", "1500", "--attack-rate", "30", "--attack-duration", "15m")
P4 = ("--duration", "7h", "--rate", "5", "--attack-start", "390m", *CREW)


def simulated(folder: Path, pattern: str, *options: str) -> tuple[Path, Truth]:
    """A log and its truth."""
    log, truth = folder / f"{pattern}.log", folder / f"{pattern}.truth.json"
    done = CliRunner().invoke(program.app, ["simulate", pattern, "--out", str(log), "--truth", str(truth), *options])
    assert done.exit_code == 0, done.output
    return log, Truth.read(truth)


def streamed(folder: Path, broker: Broker, log: Path) -> Setting:
    """The log read from a topic, which is deleted afterwards."""
    topic = folder.name.replace("_", "-")
    make_topic(broker.bootstrap, topic, 1)
    feed(broker.bootstrap, topic, lines_of(log))
    setting = Setting(folder, broker.bootstrap, topic)
    read_to_end(setting)
    delete_topic(setting)
    return setting


def listed(setting: Setting, out: Path) -> tuple[list[dict[str, str]], str]:
    """The rows of the list, and what the command says of it."""
    cases = setting.folder / "a" / "state" / "cases"
    said = detector("report", setting.incidents(), "--cases", cases, "--exposed", out)
    return rows_of(out), said


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a list."""
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_a_campaigns_named_clients_are_listed_exactly(broker: Broker, tmp_path: Path) -> None:
    """Of a distributed crawl, whose clients are named one after the other, the list has what the truth says the named
    ones read, record by record, though most were named after they had begun; a replay of the file lists the same."""
    log, truth = simulated(tmp_path, "P4", *P4)
    attack = truth.attack
    assert attack is not None
    setting = streamed(tmp_path / "exposed-p4", broker, log)
    campaign = max(found_in(setting).values(), key=lambda record: int(record["client_count"]))
    assert campaign["pattern"] == "campaign"
    named = set(campaign["clients"])
    assert len(named) > 1_000
    assert named <= set(attack.clients)
    theirs = {at for at, name in enumerate(attack.clients) if name in named}
    due = {int(record) for client, record in zip(attack.client, attack.record, strict=True) if client in theirs}
    due.discard(-1)
    rows, said = listed(setting, tmp_path / "gone.csv")
    own = [row for row in rows if row["incident"] == campaign["incident"] and row["by_named_client"] == "yes"]
    assert len(own) == len(due)
    read = (found for line in lines_of(log) if (found := READ.search(line)) and found[1].decode() in named)
    items = {found[2]: int(found[3]) for found in read}
    assert Counter(int(row["record"]) for row in own) == Counter(items.values())
    assert f"the {len(due):,} that its named clients have read are all listed" in said
    again = tmp_path / "again.csv"
    detector("replay", log, "-q", "--config", setting.write("replay"), "--exposed", again)
    hashed = {row["record_hash"] for row in rows_of(again) if row["by_named_client"] == "yes"}
    assert hashed >= {row["record_hash"] for row in own}


def test_a_single_walk_is_listed_exactly(broker: Broker, tmp_path: Path) -> None:
    """Of one address that reads by number the list is the truth, no record more and none less."""
    options = ("--duration", "2h", "--rate", "3", "--attack-start", "90m", "--attack-duration", "3m")
    log, truth = simulated(tmp_path, "P1", *options)
    assert truth.attack is not None
    setting = streamed(tmp_path / "exposed-p1", broker, log)
    rows, said = listed(setting, tmp_path / "gone.csv")
    walk = next(one for one in found_in(setting).values() if one["clients"] == truth.attack.clients)
    records = truth.attack.record
    due = sorted(set(records[records >= 0].tolist()))
    assert sorted(int(row["record"]) for row in rows if row["incident"] == walk["incident"]) == due
    assert "not complete" not in said
