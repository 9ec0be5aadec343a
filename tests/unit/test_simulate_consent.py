"""P14 as it is simulated: truth says what log and ledger say, by the letter, and nothing else tells who it is."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from detector.cli.main import app
from detector.errors import UsageError
from detector.simulate import ConsentLog, ConsentOptions, Options, Truth, simulate
from detector.simulate.consent.parties import HONEST
from detector.simulate.consent.stories import PERSONS_A_GRANT, STORIES
from tests.letter import Found, judge, moment

EXPECTED = {"sesame": "manner", "amplification": "no grant", "revoked": "revoked", "advertiser": "other class"}


def made(variant: str, seed: int = 1, silent: bool = False, lag_seconds: float = 5.0, **changes: Any) -> ConsentLog:
    """A small story."""
    asked: dict[str, Any] = {"start": datetime(2026, 3, 3, 9, tzinfo=UTC), "duration_seconds": 3600, "rate": 1.0}
    options = Options(variant=variant, seed=seed, **{"log_format": "nginx_json", **asked, **changes})
    log = simulate("p14", options, ConsentOptions(1e-5, lag_seconds, silent))
    assert isinstance(log, ConsentLog)
    return log


def ledger_of(log: ConsentLog) -> str:
    """The ledger as JSON lines."""
    return "".join(json.dumps(document) + "\n" for document in log.changes.documents())


def judged(log: ConsentLog) -> dict[str, Found]:
    """What a judge by the letter finds."""
    return judge(log.text().decode(), ledger_of(log), log.policy("ledger.jsonl"))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("variant", STORIES)
def test_truth_is_what_the_letter_says(variant: str, seed: int) -> None:
    """Every read that truth calls a breach is one by log, ledger and policy; every honest party is honest by them."""
    log = made(variant, seed)
    found = judged(log)
    breach = log.truth.breaches[0]
    theirs = found.pop(breach["party"])
    assert {fault for fault in theirs.reads if fault != "all"} == {EXPECTED[variant]}
    assert theirs.reads[EXPECTED[variant]] == breach["reads"] > 50
    assert len(theirs.persons[EXPECTED[variant]]) == breach["persons"]
    assert set(found) == {party.name for party in HONEST}
    assert {name: dict(said.reads) for name, said in found.items()} == {
        said["party"]: {"all": said["reads"]} for said in log.truth.honest
    }


def test_a_silent_ledger_admits_nothing() -> None:
    """Sesame's grants are then valid by the letter; the smell remains: a rate, a second, one referrer."""
    log = made("sesame", silent=True)
    assert set(judged(log)["sesame"].reads) == {"all"}
    changes = [json.loads(line) for line in ledger_of(log).splitlines()]
    assert not any("manner" in change for change in changes if change["partner"] == "sesame")
    assert log.truth.breaches[0]["findings"] == ["reads_on_smelling_grant"]
    grants = [change for change in changes if change["action"] == "grant"]
    for name, few, many, pages in (("sesame", 0.97, 1.0, 1), ("lender", 0.05, 0.4, 3), ("tax-aid", 0.05, 0.4, 3)):
        views = sum(change["action"] == "view" and change["partner"] == name for change in changes)
        given = [change for change in grants if change["partner"] == name]
        assert few < len(given) / views < many
        at_once = sum(moment(change["time"]) - moment(change["viewed_at"]) <= 1 for change in given)
        assert at_once == len(given) if name == "sesame" else at_once < 0.05 * len(given)
        assert len({change["referrer"] for change in given}) == pages


def test_an_app_reads_so_many_a_grant() -> None:
    """The app reads as many persons a grant as were read in the case it is drawn after, given the time."""
    log = made("amplification", duration_seconds=4 * 3600, attack_start_seconds=0)
    breach = log.truth.breaches[0]
    assert 0.6 * PERSONS_A_GRANT < breach["persons"] / breach["grants"] < PERSONS_A_GRANT


def test_changes_overtake_one_another() -> None:
    """The file is in the order in which the ledger had the changes, which is not that of their time; never too late."""
    for lag in (0.0, 300.0):
        changes = made("revoked", lag_seconds=lag).changes
        late = (changes.received_us - changes.time_us) / 1e6
        assert (np.diff(changes.received_us) >= 0).all()
        assert late.min() >= 0
        assert late.max() <= lag
        assert bool((np.diff(changes.time_us) < 0).any()) is (lag > 0)


def test_nothing_but_the_breach_tells_who_it_is() -> None:
    """Parties ask with agents of the crowd and from as many addresses each, the breaching one like the others."""
    log = made("revoked", rate=4.0, duration_seconds=2 * 3600)
    lines = [json.loads(line) for line in log.text().decode().splitlines()]
    parties = {"lender-one", "tax-aid", "birthday-app", "ad-net", "money-coach"}
    crowd = {line["http_user_agent"] for line in lines if line["remote_user"].startswith(("user", "-"))}
    assert {line["http_user_agent"] for line in lines if line["remote_user"] in parties} <= crowd
    addresses = {a: {line["remote_addr"] for line in lines if line["remote_user"] == a} for a in parties}
    assert {len(seen) for seen in addresses.values()} == {3}


def test_one_seed_one_story(tmp_path: Path) -> None:
    """The recorded command makes log, truth, ledger and policy again, byte for byte; another seed makes others."""
    names = ("out", "truth", "ledger", "policy")

    def run(folder: str, arguments: list[str]) -> list[bytes]:
        (tmp_path / folder).mkdir()
        suffix = {"out": "a.log", "truth": "a.json", "ledger": "a.csv", "policy": "a.yaml"}
        files = [word for name in names for word in (f"--{name}", str(tmp_path / folder / suffix[name]))]
        done = CliRunner().invoke(app, [*arguments, *files])
        assert done.exit_code == 0, done.output
        return [(tmp_path / folder / suffix[name]).read_bytes() for name in names]

    small = ["--duration", "10m", "--rate", "1", "--scale", "0.00001", "--start", "2026-03-03T09:00"]
    first = run("first", ["simulate", "P14", "--variant", "revoked", "--ledger-lag", "60s", *small])
    command = json.loads(first[1])["command"].split()
    again = [word for k, word in enumerate(command[1:], 1) if word[2:] not in names and command[k - 1][2:] not in names]
    assert run("again", again) == first
    assert run("other", [*again, "--seed", "9"])[:1] != first[:1]
    parsed = yaml.safe_load(first[3])
    assert parsed["policy"]["ledger"]["files"] == ["a.csv"]
    rows = list(csv.DictReader(io.StringIO(first[2].decode())))
    assert {row["action"] for row in rows} == {"view", "grant", "decline", "revoke"}
    assert {row["manner"] for row in rows if row["action"] == "grant"} == {"explicit"}


def test_truth_is_read_back() -> None:
    """Breaches and honest parties survive the file."""
    log = made("advertiser", duration_seconds=600)
    requests = log.text().count(b"\n")
    truth = log.truth
    assert Truth.parse(truth.document()).document() == truth.document()
    assert requests == log.requests == sum(truth.ordinary.values()) + truth.breaches[0]["reads"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "alipay"}, "has no variant 'alipay'; it has sesame, amplification"),
        ({"form": "e3"}, "no sense as e3"),
        ({"attack_rate": 3.0}, "no rate and length"),
        ({"log_format": "combined"}, "says what a record is read for"),
    ],
)
def test_what_p14_cannot_be(changes: dict[str, Any], said: str) -> None:
    """An option that means nothing here is refused, with what is allowed."""
    with pytest.raises(UsageError, match=said):
        made(**{"variant": "sesame", **changes})


def test_too_many_persons_are_refused() -> None:
    """A story larger than the world says so."""
    with pytest.raises(UsageError, match="raise --ids or lower --scale"):
        simulate("P14", Options(log_format="nginx_json"), ConsentOptions(1e-3))
    with pytest.raises(UsageError, match=r"scale 2\.0: allowed is above 0, at most 1\n  ledger lag 1000"):
        ConsentOptions(2.0, 1000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["P14"], "needs --ledger FILE and --policy FILE"),
        (["P1", "--scale", "0.1"], "--scale is for P14 alone"),
        (["P1", "--ledger", "x"], "--ledger is for P14 alone"),
        (["P14", "--ledger", "x", "--policy", "y", "--ledger-lag", "soon"], "--ledger-lag 'soon'"),
    ],
)
def test_wrong_files_and_options(tmp_path: Path, arguments: list[str], said: str) -> None:
    """The command says what is missing or does not belong."""
    run = CliRunner().invoke(
        app, ["simulate", *arguments, "--out", str(tmp_path / "o"), "--truth", str(tmp_path / "t")]
    )
    assert run.exit_code == 2
    assert said in run.output
