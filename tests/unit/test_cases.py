"""Cases: what stands behind an incident, and the records it exposed, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.clock import wall
from detector.config import Config, ReplaySettings
from detector.engines.local import ReplayResult, replay
from detector.errors import InputError
from detector.incidents.recent import READS
from detector.incidents.records import ALL, RECORD, Records, first_readings
from detector.sinks.case_files import read_case, read_records
from detector.sinks.cases import CaseFolder


def reads(rng: np.random.Generator, n: int, objects: int) -> Any:
    """Reads of random objects by a few clients."""
    rows = np.zeros(n, READS)
    rows["object"] = rng.integers(1, objects, n)
    rows["number"] = rows["object"]
    rows["client"] = rng.integers(1, 5, n)
    rows["route"] = rng.integers(1, 3, n)
    rows["time_us"] = np.arange(n)
    return rows


@pytest.mark.parametrize("most", [100, 1 << 20])
def test_records_do_not_depend_on_the_portions(most: int) -> None:
    """Whatever the portions they come in, and with a copy taken in between, the same are kept."""
    rng = np.random.default_rng(7)
    rows = reads(rng, 9000, 2000)
    once, portions = Records(most), Records(most)
    once.add(rows)
    for number, part in enumerate(np.split(rows, np.sort(rng.integers(0, len(rows), 40)))):
        portions.add(part)
        if number % 7 == 3:
            kept, bound = portions.save(), portions.bound
            portions = Records(most)
            portions.load(kept, bound)
    assert np.array_equal(once.rows(), portions.rows())
    assert once.bound == portions.bound
    assert (once.bound == ALL) == (most > 9000)
    assert len(once.rows()) <= most


def test_a_sample_of_records_estimates_their_number() -> None:
    """The nominal 99 % interval covers the truth in at least 95 of 100 seeds."""
    covered = 0
    for seed in range(100):
        rows = reads(np.random.default_rng(seed), 8000, 1 << 40)
        some = Records(500)
        some.add(rows)
        told = some.estimate(some.rows())
        covered += told.low <= len(np.unique(rows["object"])) <= told.high
    print(f"covered in {covered} of 100 seeds")  # noqa: T201  said with -s
    assert covered >= 95


def test_each_record_and_client_is_kept_with_its_first_reading() -> None:
    """A record read again keeps its first moment; of a list the largest answer counts."""
    rows = np.zeros(4, READS)
    rows["object"], rows["client"], rows["time_us"] = [5, 5, 5, 6], [1, 2, 1, 1], [30, 40, 50, 60]
    rows["listed"], rows["rows"] = True, [10, 20, 30, 0]
    some = Records()
    some.add(rows)
    assert sorted(some.rows()[["client", "time_us", "rows"]].tolist()) == [(1, 30, 30), (1, 60, 1), (2, 40, 20)]
    assert sorted(first_readings(some.rows())["rows"].tolist()) == [1, 30]
    assert some.estimate(some.rows()).estimate == 31
    assert len(some.of(np.array([2], np.uint64))) == 1


@pytest.fixture(scope="module")
def sample(root: Path) -> ReplayResult:
    """The sample log of one address that reads users by number."""
    return replay([str(root / "sample_logs" / "p1.log.gz")], ReplaySettings(config=Config(), command="detector replay"))


def test_a_case_tells_what_the_contract_asks(sample: ReplayResult, tmp_path: Path) -> None:
    """Curve, points, hours, shares, masked requests, positions, limits, and a manifest that says what was read."""
    assert sample.cases is not None
    sample.cases.write(tmp_path)
    walk = next(i for i in sample.incidents if i.pattern == "walk" and i.records_exposed.estimate > 50_000)
    told = read_case(tmp_path, walk.incident)
    assert told is not None
    assert told["exposed"][-1][1] == walk.records_exposed.estimate
    assert len(told["points"]) <= 500
    assert sum(told["hours"]) == sum(n for _, n in told["minutes"]) >= walk.records_exposed.estimate
    assert told["networks"][0][1] == 1.0
    assert len(told["samples"]) == 10
    assert {one["client"] for one in told["samples"]} == set(walk.clients)
    assert all(one["request"].startswith("GET /api/v1/users/") for one in told["samples"])
    gone = walk.records_exposed.estimate
    named = {"listed": gone, "complete": True, "estimate": gone, "low": gone, "high": gone}
    assert told["records"] == {"kept": gone, "complete": True, "named": named}
    best = {one["kind"]: one for one in told["limits"]}
    assert best["client"]["exposed"] <= best["client"]["limit"]
    assert best["client"]["hit"] <= best["client"]["ordinary"] / 1000
    assert best["cut_off"]["exposed"] == walk.records_at_alert
    manifest = told["manifest"]
    assert manifest["coverage"]["lines"] == sample.coverage.lines
    assert manifest["read"][0]["bytes"] > 0
    assert len(manifest["read"][0]["blake2b"]) == 32
    assert manifest["command"] == "detector replay"
    assert manifest["noticed_at"] <= wall().isoformat()


def test_the_records_of_a_case_are_those_that_went(sample: ReplayResult, tmp_path: Path, root: Path) -> None:
    """The numbers of the records equal the simulator's truth."""
    from detector.simulate.truth import Truth

    assert sample.cases is not None
    sample.cases.write(tmp_path)
    attack = Truth.read(root / "sample_logs" / "p1.truth.json").attack
    assert attack is not None
    walk = next(i for i in sample.incidents if i.clients == attack.clients)
    found = read_records(tmp_path, walk.incident)
    assert found is not None
    meta, rows = found
    assert rows.dtype == RECORD
    assert meta["clients"] == attack.clients
    assert set(meta["routes"].values()) == {attack.route}
    assert np.array_equal(np.sort(rows["number"]), np.unique(attack.record[attack.record >= 0]))
    (tmp_path / f"{walk.incident}.records").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        read_records(tmp_path, walk.incident)


def test_the_moment_it_was_noticed_stays(sample: ReplayResult, tmp_path: Path) -> None:
    """A second replay into the same folder keeps the first one's moment; a hold outlives the limit on cases."""
    assert sample.cases is not None
    sample.cases.write(tmp_path)
    path = min(tmp_path.glob("*.json"))
    told = json.loads(path.read_text())
    told["manifest"]["noticed_at"] = "2026-01-01T00:00:00+00:00"
    path.write_text(json.dumps(told))
    sample.cases.write(tmp_path)
    assert json.loads(path.read_text())["manifest"]["noticed_at"] == "2026-01-01T00:00:00+00:00"
    path.with_suffix(".hold").touch()
    story = sample.cases.pipeline.book.stories[-1]
    folder = CaseFolder(tmp_path, {}, most=1)
    folder.write(story, sample.cases.pipeline.book, "2026-01-02T00:00:00+00:00")
    assert {path.stem} <= {p.stem for p in tmp_path.glob("*.json")}
    assert len(list(tmp_path.glob("*.json"))) <= 2
    assert len(list(tmp_path.glob("*.records"))) == len(list(tmp_path.glob("*.json")))
    assert read_case(tmp_path, "../../etc/passwd") is None
