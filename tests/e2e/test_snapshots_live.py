"""Snapshots in earnest: damaged ones, those of another version, and those that another member goes on from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.engines.keeping import LEARNT, WINDOW
from detector.errors import SnapshotDamaged
from detector.state.archive import pack, unpack
from detector.state.store import FolderStore
from tests.e2e.broker import Broker
from tests.e2e.differences import differences
from tests.e2e.stream import (
    Member,
    Setting,
    feed,
    incidents_of,
    latest,
    read_to_end,
    wait,
    wait_for_end,
)
from tests.e2e.walked import PARTITIONS, Walked, on_topic

pytestmark = pytest.mark.e2e

HEAD_BYTES = 52  # magic, format, length, checksum: see detector.state.archive
POSITIONS = 10_000
FLIPS, CUTS = 30, 10


def damaged(data: bytes) -> bool:
    """Whether it is refused as damaged, and not in any other way."""
    try:
        unpack(data)
    except SnapshotDamaged:
        return True
    return False


def flipped(data: bytes, position: int, bits: int = 0xFF) -> bytes:
    """The same with other bits in one byte."""
    return data[:position] + bytes([data[position] ^ bits]) + data[position + 1 :]


def test_every_flipped_byte_is_noticed() -> None:
    """Every bit of the head, 10,000 random bytes behind it, and 1,000 lengths of a small snapshot."""
    chance = np.random.default_rng(4)
    table = chance.integers(0, 1 << 62, 3_000)
    data = pack({"layout": 1, "sides": {"reading": {"released_us": 5}}}, {"table": table, "empty": table[:0]})
    for position in range(HEAD_BYTES):
        assert all(damaged(flipped(data, position, 1 << bit)) for bit in range(8)), position
    for position, bits in chance.integers([0, 1], [len(data), 256], (POSITIONS, 2)).tolist():
        assert damaged(flipped(data, position, bits)), position
    for length in chance.integers(0, len(data), 1_000).tolist():
        assert damaged(data[:length]), length
    assert damaged(data + b"\0")
    assert np.array_equal(unpack(data).arrays["table"], table)


def snapshots(setting: Setting, name: str) -> list[Path]:
    """The files of a snapshot that the member called ``a`` keeps, newest first."""
    return sorted((setting.folder / "a" / "state" / "snapshots").glob(f"{name}.*.snapshot"), reverse=True)


def wait_until_read(member: Member, partitions: int = PARTITIONS) -> None:
    """Until this process has the topic and nothing is left to read."""
    wait(lambda: member.metric("detector_partitions_assigned") == partitions, 40, "assignment", member)
    wait(lambda: member.metric("detector_requests_total") > 0, 40, "requests", member)
    wait_for_end(member, partitions, 40)


def wait_until_told(member: Member, due: set[str], *names: str) -> None:
    """Until these incidents are in the files of the members called so."""
    files = [member.setting.incidents(name) for name in names or ("a",)]
    wait(lambda: {record["incident"] for record in incidents_of(*files)} >= due, 30, "incidents", member)


def test_damaged_snapshots_are_answered_by_a_rewind(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """Thirty flips and ten lengths of both files are noticed; with both damaged the stream is read again, and what was
    told stays what it was."""
    half = walked.cut // 2
    setting = on_topic(tmp_path, broker, walked.lines[:half], 1, snapshot=0.2)
    with Member(setting) as member:
        wait_until_read(member, 1)
        wait(lambda: len(snapshots(setting, WINDOW)) == 1, 10, "a snapshot", member)
        feed(broker.bootstrap, setting.topic, walked.lines[half : walked.cut])
        wait_until_told(member, walked.raised_before())
        wait(lambda: len(snapshots(setting, WINDOW)) == 2, 10, "two snapshots", member)
        assert member.stop() == 0
    chance = np.random.default_rng(5)
    files = snapshots(setting, WINDOW)
    for file in files:
        data = file.read_bytes()
        assert all(damaged(flipped(data, place)) for place in chance.integers(0, len(data), FLIPS).tolist())
        assert all(damaged(data[:length]) for length in chance.integers(0, len(data), CUTS).tolist())
    files[0].write_bytes(flipped(files[0].read_bytes(), 5_000))
    files[1].write_bytes(files[1].read_bytes()[:-1])
    feed(broker.bootstrap, setting.topic, walked.behind)
    with Member(setting) as member:
        wait_until_read(member, 1)
        wait_until_told(member, set(walked.due))
        assert member.metric("detector_snapshot_failures_total") == 2
        assert member.metric("detector_records_reread_total") == walked.cut
        assert member.stop() == 0
    assert member.events("snapshot_unusable")
    assert member.events("rewound")[0]["records"] == walked.cut
    assert not member.events("restored")
    records = incidents_of(setting.incidents())
    assert max(Counter((record["incident"], record["revision"]) for record in records).values()) == 1
    assert not differences(latest(records), walked.due)


def thresholds(setting: Setting) -> dict[str, Any]:
    """What the newest learnt part says of ordinary clients."""
    order, data = next(FolderStore(setting.folder / "a" / "state" / "snapshots").newest(LEARNT))
    assert order > (0, 0)
    row = unpack(data).arrays["null.row"][0]
    return {name: row[name].item() for name in row.dtype.names if name not in ("settled", "carried")}


def test_a_newer_version_in_the_middle_of_an_incident(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """Its snapshots mean nothing to it, what was learnt does: same ids, one page each, the same thresholds."""
    consumer = {"group_instance_id": "a", "max_partition_fetch_bytes": "16384"}  # slow enough to be seen warming
    setting = on_topic(tmp_path, broker, walked.before, consumer=consumer)
    early = walked.raised_before()
    with Member(setting) as member:
        wait_until_read(member)
        wait_until_told(member, early)
        assert member.stop() == 0
    pages = [event for event in member.events("incident") if event["new"]]
    learnt = thresholds(setting)
    assert learnt["clients_a_day"] > 1_000  # the log has 20,000; nothing learnt is 100
    feed(broker.bootstrap, setting.topic, walked.behind)
    with Member(setting, module="tests.e2e.newer_version") as member:
        wait(lambda: member.metric("detector_warming") == 1, 20, "warming", member)
        wait_until_read(member)
        wait(lambda: member.metric("detector_warming") == 0, 20, "end of the warming", member)
        wait_until_told(member, set(walked.due))
        assert member.metric("detector_incidents_total") == len(walked.due)  # the count goes on
        assert member.stop() == 0
    assert member.events("rewound")[0]["records"] == walked.cut
    assert "layout" in member.events("snapshot_unusable")[0]["reason"]
    assert thresholds(setting) == learnt
    pages += [event for event in member.events("incident") if event["new"]]
    assert Counter(event["incident"] for event in pages) == dict.fromkeys(walked.due, 1)
    records = incidents_of(setting.incidents())
    revisions: dict[str, list[int]] = {}
    for record in records:
        revisions.setdefault(record["incident"], []).append(record["revision"])
    assert all(numbers == sorted(set(numbers)) for numbers in revisions.values()), revisions
    assert not differences(latest(records), walked.due)
    assert {record["detector"]["version"] for record in records} >= {"99.0.0"}


@pytest.mark.parametrize(("shared", "end"), [("folder", "stop"), ("folder", "kill"), ("", "kill")])
def test_standby(tmp_path: Path, broker: Broker, walked: Walked, shared: str, end: str) -> None:
    """The second of two members is ready, waits, and goes on where the first has ended; without snapshots in common
    it reads the stream again, and says so."""
    quick = {"session_timeout_ms": "2000", "heartbeat_interval_ms": "300"}
    setting = on_topic(tmp_path, broker, walked.before, shared=shared, consumer=quick)
    early = walked.raised_before()
    with Member(setting, "a") as owner:
        wait_until_read(owner)
        wait_until_told(owner, early)
        with Member(setting, "b") as standby:
            wait(lambda: standby.get("/-/ready")[0] == 200, 30, "readiness", standby)
            assert standby.metric("detector_partitions_assigned") == 0
            assert owner.metric("detector_partitions_assigned") == PARTITIONS
            if end == "kill":
                saved = "detector_snapshot_last_success_timestamp_seconds"
                wait(lambda: owner.metric(saved) > 0, 10, "snapshot", owner)
                owner.kill()
            else:
                assert owner.stop() == 0, owner.tail()
            feed(broker.bootstrap, setting.topic, walked.behind)
            wait_until_read(standby)
            wait_until_told(standby, set(walked.due), "a", "b")
            again = standby.metric("detector_records_reread_total")
            assert standby.stop() == 0, standby.tail()
    if shared:
        assert standby.events("restored")
        assert not standby.events("rewound")
        assert again == 0
    else:
        assert standby.events("rewound")[0]["records"] == again == walked.cut
    records = incidents_of(setting.incidents("a"), setting.incidents("b"))
    # What is told again while lost state is rebuilt says so (``warming``), and is another text by that alone.
    assert not differences(latest(records, exact=bool(shared)), walked.due)


def test_an_older_snapshot_takes_the_place_of_a_damaged_one(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """With only the newest damaged, the one before is gone on from: nothing is rewound, the rest is read again."""
    setting = on_topic(tmp_path, broker, walked.before, 1, snapshot=0.2)
    with Member(setting) as member:
        wait_until_read(member, 1)
        wait(lambda: len(snapshots(setting, WINDOW)) > 0, 10, "a snapshot", member)
        feed(broker.bootstrap, setting.topic, walked.behind)
        wait_until_told(member, set(walked.due))
        assert member.stop() == 0
    newest = snapshots(setting, WINDOW)[0]
    newest.write_bytes(flipped(newest.read_bytes(), 20_000))
    member = read_to_end(setting)
    assert member.events("snapshot_unusable")
    assert member.events("restored")
    assert not member.events("rewound")
    assert not differences(latest(incidents_of(setting.incidents())), walked.due)
