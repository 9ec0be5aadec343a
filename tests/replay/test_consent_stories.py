"""P14 through a replay: every breach is found, as large as it is, and no honest party is named, whatever the seed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from detector.cli.main import app
from detector.incidents.consents import FEWEST
from detector.simulate import ConsentLog, ConsentOptions, Options, simulate
from tests.replay.demo_consent import names, seconds, verdict

START = datetime(2026, 3, 3, 9, tzinfo=UTC)
SEEDS = range(1, 11)
MINUTE = 60.0


def told(folder: Path, variant: str, seed: int, **extra: Any) -> tuple[ConsentLog, list[dict[str, Any]]]:
    """A small story of half an hour and the incidents of its replay."""
    options = Options(start=START, duration_seconds=1800, rate=1.0, seed=seed, variant=variant, log_format="nginx_json")
    made = simulate("P14", options, ConsentOptions(**{"scale": 1e-5, **extra}))
    assert isinstance(made, ConsentLog)
    log, ledger, policy, found = (folder / name for name in ("a.log", "a.jsonl", "a.yaml", "found.jsonl"))
    made.write(log)
    made.write_beside(ledger, policy)
    assert yaml.safe_load(policy.read_text()) == made.policy("a.jsonl")
    done = CliRunner().invoke(app, ["replay", "--config", str(policy), "--incidents", str(found), "-q", str(log)])
    assert done.exit_code == 0, done.output
    return made, [json.loads(line) for line in found.read_text().splitlines()]


def value(incident: dict[str, Any], name: str) -> float:
    """One number of an incident's evidence."""
    return float(next(fact["value"] for fact in incident["evidence"] if fact["name"] == name))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("silent", [False, True], ids=["admitted", "silent"])
def test_sesame(tmp_path: Path, seed: int, silent: bool) -> None:
    """The smell before the first read, the reads in a minute and to the number, whether the ledger admits it or not."""
    made, incidents = told(tmp_path, "sesame", seed, silent=silent)
    said = verdict(made.truth.document(), incidents, made.options.lag_seconds)
    assert [text for good, text in said if not good] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("variant", ["amplification", "revoked", "advertiser"])
def test_a_breach_and_honest_parties(tmp_path: Path, variant: str, seed: int) -> None:
    """One incident, of the party that did it, with its reads and persons; the fewest that are told are told at once."""
    made, incidents = told(tmp_path, variant, seed)
    breach = made.truth.breaches[0]
    assert [(i["pattern"], i["partner"]) for i in incidents] == [("consent", breach["party"])]
    finding = breach["findings"][-1]
    assert set(breach["findings"]) <= names(incidents[0])
    assert value(incidents[0], finding) == breach["reads"]
    attack = made.truth.attack
    assert attack is not None
    enough = attack.second[min(FEWEST, len(attack.second)) - 1]  # fewer are held back: one read is no incident
    assert 0 <= seconds(incidents[0]["raised_at"]) - enough <= made.options.lag_seconds + 2 * MINUTE
    assert incidents[0]["clients"] == breach["accounts"]
    persons = incidents[0]["persons_exposed"]
    assert persons["low"] <= breach["persons"] <= persons["high"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changes_that_come_late_and_out_of_order(tmp_path: Path, seed: int) -> None:
    """With a ledger two minutes behind, changes still count at their own second, and nobody honest suffers."""
    made, incidents = told(tmp_path, "revoked", seed, lag_seconds=120.0)
    assert {i["partner"] for i in incidents} == {"money-coach"}
    reads = value(incidents[0], "reads_after_revocation")
    assert 0.5 * made.truth.breaches[0]["reads"] <= reads <= made.truth.breaches[0]["reads"]
