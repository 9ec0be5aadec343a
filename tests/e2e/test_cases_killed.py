"""A burst of incidents whose process is killed while it writes their cases: in the end each can be told in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector import crash
from detector.sinks.case_files import read_case, read_records
from tests.e2e.broker import Broker
from tests.e2e.stream import Member, incidents_of, latest, read_to_end, replayed, wait
from tests.e2e.traffic import WALK, walkers_among_readers
from tests.e2e.walked import on_topic

pytestmark = pytest.mark.e2e

RECORDS, WALKERS = 120_000, 40
PLANS = ("inside_case:1", "inside_case:9", "after_copy:1", "after_snapshot:1", "inside_case:30")


def test_no_case_is_lost_by_a_kill(broker: Broker, tmp_path: Path) -> None:
    """Killed in the middle of a case, between two, before and behind a snapshot: no incident is committed without its
    case, and at the end every case lists every record of its walk; what was half written is passed over."""
    lines, _ = walkers_among_readers(RECORDS, WALKERS, seed=7)
    log = tmp_path / "walks.log"
    log.write_bytes(b"\n".join(lines) + b"\n")
    setting = on_topic(tmp_path / "cases-killed", broker, lines, partitions=1, snapshot=0.2)
    due = replayed(setting, [log])
    assert len(due) == WALKERS
    landed = []
    for plan in PLANS:
        with Member(setting, environment={crash.ENVIRONMENT: plan}) as member:
            wait(lambda m=member: not m.alive, 40, plan, member)
            landed.append(member.process.returncode)
    assert landed == [-9] * len(PLANS), dict(zip(PLANS, landed, strict=True))
    read_to_end(setting)
    found = latest(incidents_of(setting.incidents()))
    assert found.keys() == due.keys()
    folder = setting.folder / "a" / "state" / "cases"
    for identity, record in due.items():
        number = int(str(record["clients"][0]).split(".")[2])
        case, records = read_case(folder, identity), read_records(folder, identity)
        assert case is not None, identity
        assert records is not None, identity
        assert case["records"]["complete"] is True
        assert sorted(records[1]["number"].tolist()) == [1_000_000 * (number + 1) + step for step in range(WALK)]
