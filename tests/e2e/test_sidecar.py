"""The sidecar through what happens to it: poison, brokers that go away, records that are gone, dead sinks, signals."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from detector.clock import monotonic
from detector.engines.intake import MOST_HELD_LINES
from tests.e2e.broker import Broker, Unavailable, free_port, skip_or_fail
from tests.e2e.differences import differences
from tests.e2e.stream import (
    Member,
    Setting,
    feed,
    incidents_of,
    latest,
    make_topic,
    pause,
    read_to_end,
    replayed,
    wait,
    wait_for_end,
)
from tests.e2e.traffic import walkers_among_readers
from tests.e2e.walked import LATENESS, PARTITIONS, Walked, committed, ends, on_topic, produce
from tests.receiver import Receiver

pytestmark = pytest.mark.e2e

POISON: list[tuple[bytes | None, str]] = [
    (b"this is not a log line", "layout"),
    (b"x" * 100_000, "too_long"),
    (b"", "empty"),
    (b"\xff\xfe\x80 \xc3( \xed\xa0\x80", "layout"),
    (None, ""),  # a tombstone
]
ONLY_POISON = 50  # records of the partition that holds nothing else
STOP_S = 10.0  # what a supervisor may count on


def wait_until_read(member: Member, requests: int, seconds: float = 60) -> None:
    """Until this process has parsed so many requests, and has nothing left to read."""
    wait(lambda: member.metric("detector_requests_total") == requests, seconds, f"{requests} requests", member)
    wait_for_end(member, 1, seconds)


def found_in(setting: Setting, *names: str) -> dict[str, dict[str, object]]:
    """What members wrote, by id."""
    return latest(incidents_of(*(setting.incidents(name) for name in names or ("a",))))


def wait_until_told(member: Member, due: Iterable[str]) -> None:
    """Until the folder of this process has these incidents: the last rows wait for their order."""
    wait(lambda: found_in(member.setting).keys() >= set(due), 20, "incidents", member)


def test_poison(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """First, in the middle, last, and nothing else in a partition: each is counted once, and nothing stands still."""
    setting = on_topic(tmp_path, broker, [], PARTITIONS + 1)
    bad = [value for value, _ in POISON]
    everywhere = [(partition, value) for partition in range(PARTITIONS) for value in bad]
    half = len(walked.lines) // 2
    lines = [(n % PARTITIONS, line) for n, line in enumerate(walked.lines)]
    alone = [(PARTITIONS, bad[n % len(bad)]) for n in range(ONLY_POISON)]
    records = [*everywhere, *lines[:half], *everywhere, *alone, *lines[half:], *everywhere]
    with Member(setting) as member:
        produce(broker.bootstrap, setting.topic, records)
        wait_until_read(member, len(walked.lines))
        wait_until_told(member, walked.due)
        last = ends(setting)
        wait(lambda: committed(setting) == last, 20, "commits up to the end", member)
        each = 3 * PARTITIONS + ONLY_POISON // len(POISON)
        due = Counter({reason: 0 for _, reason in POISON})
        for _, reason in POISON:
            due[reason] += each
        pause(1.1)  # metrics are renewed once a second
        counted = {r: member.metric("detector_requests_rejected_total", reason=r) for r in due if r}
        assert counted == {reason: count for reason, count in due.items() if reason}
        assert member.metric("detector_requests_rejected_total") == sum(counted.values())
        assert member.metric("detector_tombstones_total") == due[""]
        assert member.metric("detector_records_lost_total") == 0
        assert member.stop() == 0
        said = Counter(event["event"] for event in member.events() if event["event"] != "incident")
        assert max(said.values()) == 1, said
    assert not differences(found_in(setting), walked.due)


def test_nothing_but_poison(tmp_path: Path, broker: Broker) -> None:
    """Where the configuration names the format, a topic without one good record is read, counted and committed."""
    setting = on_topic(tmp_path, broker, [], 1)
    produce(broker.bootstrap, setting.topic, [(0, b"this is not a log line")] * (MOST_HELD_LINES + 1))
    with Member(setting) as member:
        wait(lambda: committed(setting) == ends(setting), 60, "commits up to the end", member)
        reached = MOST_HELD_LINES + 1
        wait(lambda: member.metric("detector_requests_rejected_total", reason="layout") == reached, 5, "counts", member)
        assert member.stop() == 0


def test_broker_restarted(tmp_path: Path, walked: Walked) -> None:
    """While it is away readiness says so; half a minute after it is back at the latest, reading has gone on."""
    try:
        own = Broker.start(tmp_path / "broker")
    except Unavailable as why:
        skip_or_fail(why)
    if not own.owned:
        pytest.skip("needs a broker of its own to stop")
    with own:
        setting = on_topic(tmp_path, own, walked.before, 1)
        with Member(setting) as member:
            wait_until_read(member, walked.cut)
            own.stop()
            wait(lambda: member.get("/-/ready")[0] == 503, 40, "word of the broker's absence", member)
            assert member.get("/-/ready")[1] == "the source does not answer\n"
            assert member.get("/-/healthy")[0] == 200
            own.resume()
            wait(lambda: member.get("/-/ready")[0] == 200, 30, "readiness", member)
            feed(own.bootstrap, setting.topic, walked.behind)
            wait_until_read(member, len(walked.lines))
            wait_until_told(member, walked.due)
            last = ends(setting)
            wait(lambda: committed(setting) == last, 20, "commits up to the end", member)
            assert member.events("unreachable")
            assert member.stop() == 0, member.tail()
        assert not differences(found_in(setting), walked.due)


def complaint_of(setting: Setting, code: int) -> str:
    """What a sidecar that cannot go on says, in its only line that is no event."""
    with Member(setting, environment={"DETECTOR_TRACEBACK": ""}) as member:
        wait(lambda: not member.alive, 30, "end", member)
        assert member.process.returncode == code, member.tail()
        return member.complaint()


def test_records_gone(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """Deleted while nobody read: an error that counts them, or a count and on; a topic made anew is said as such."""
    from kafka import KafkaAdminClient
    from kafka.structs import TopicPartition

    setting = on_topic(tmp_path, broker, walked.before)
    read_to_end(setting)
    read_up_to = committed(setting)
    feed(broker.bootstrap, setting.topic, walked.behind)
    unread = {number: end - read_up_to[number] for number, end in ends(setting).items()}
    where = max(unread, key=lambda number: unread[number])  # a producer spreads records without a key as it likes
    gone = unread[where] // 2
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(setting.topic, where): read_up_to[where] + gone})
    said = complaint_of(setting, 3)
    for part in (
        f"topic {setting.topic}, partition {where}",
        f"{gone} records are gone",
        "`source.kafka.gap: continue`",
    ):
        assert part in said
    left = sum(ends(setting).values()) - sum(committed(setting).values())  # of others some were read
    setting.gap = "continue"
    with Member(setting) as member:
        wait_until_read(member, left - gone)
        # Told of once a second, like the lag; until then there is neither.
        wait(lambda: member.metric("detector_records_lost_total") == gone, 10, "count of what is gone", member)
        assert len(member.events("restored")) == 1
        assert member.stop() == 0
    admin.delete_topics([setting.topic])
    wait(lambda: setting.topic not in admin.list_topics(), 20, "deletion")
    admin.close()
    make_topic(broker.bootstrap, setting.topic, PARTITIONS)
    feed(broker.bootstrap, setting.topic, walked.behind)
    setting.gap = "error"
    said = complaint_of(setting, 3)
    for part in (f"topic {setting.topic}", "deleted and made anew", "`source.kafka.gap: continue`"):
        assert part in said
    setting.gap = "continue"
    with Member(setting) as member:
        wait_until_read(member, len(walked.behind))
        last = ends(setting)
        wait(lambda: committed(setting) == last, 20, "commits up to the end", member)
        assert member.stop() == 0


def test_dead_sink(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """A receiver that is away delays no other sink and no reading; what waited it gets once, also after a restart."""
    port = free_port()
    setting = on_topic(tmp_path, broker, walked.before, webhook=f"http://127.0.0.1:{port}/hook/s3cret")
    early = walked.raised_before()
    with Member(setting) as member:
        wait_until_read(member, walked.cut)
        wait_until_told(member, early)
        waiting = {"sink": "webhook"}
        wait(lambda: member.metric("detector_outbox_pending", **waiting) == len(early), 20, "outbox", member)
        assert member.metric("detector_sink_failures_total", **waiting) > 0
        assert member.metric("detector_outbox_pending", sink="jsonl") == 0
        assert member.get("/-/ready")[0] == 200
        assert member.stop() == 0
    feed(broker.bootstrap, setting.topic, walked.behind)
    with Member(setting) as member:
        wait_until_read(member, len(walked.behind))
        with Receiver(port=port) as receiver:
            wait(lambda: len({_key(one)[0] for one in receiver.received}) == len(walked.due), 40, "delivery", member)
            wait(lambda: member.metric("detector_outbox_pending", **waiting) == 0, 20, "empty outbox", member)
            keys = [_key(one) for one in receiver.received]
            assert member.stop() == 0
    assert len(set(keys)) == len(keys)
    assert {identity for identity, _ in keys} == set(walked.due)
    assert not differences(found_in(setting), walked.due)


def _key(one: object) -> tuple[str, str]:
    identity, _, revision = one.headers["idempotency-key"].partition(":")  # type: ignore[attr-defined]
    return identity, revision


def test_signals_under_load(tmp_path: Path, broker: Broker) -> None:
    """SIGTERM and SIGINT in the middle of a full topic: ended in time, with their exit codes, and nothing lost."""
    lines, walkers = walkers_among_readers(400_000, 4, seed=8)
    log = tmp_path / "long.log"
    log.write_bytes(b"\n".join(lines) + b"\n")
    small = {"group_instance_id": "a", "max_partition_fetch_bytes": "65536"}  # or it were all read in half a second
    setting = on_topic(tmp_path, broker, lines, consumer=small)
    due = replayed(setting, [log])
    assert len(due) == len(walkers)
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        with Member(setting) as member:
            member.wait_for("assigned")
            pause(0.3)
            member.signal(number)
            begun = monotonic()
            assert member.process.wait(STOP_S) == code, member.tail()
            assert monotonic() - begun < STOP_S
            summary = member.events("stopped")[0]
            assert 0 < summary["lines"] < len(lines)
    read_to_end(setting)
    assert sum(committed(setting).values()) == len(lines)
    assert not differences(found_in(setting), due)


def test_following_a_file(tmp_path: Path, walked: Walked) -> None:
    """A growing log, rotated in its middle, its reader killed once: what replay says of both files."""
    log = tmp_path / "access.log"
    older = Path(f"{log}.1")
    setting = Setting(tmp_path, "", "", lateness=LATENESS)
    third = walked.cut // 2
    log.write_bytes(_text(walked.lines[:third]))
    with Member(setting, options=[str(log)]) as member:
        wait(lambda: member.metric("detector_requests_total") == third, 30, "first third", member)
        wait(lambda: member.metric("detector_snapshot_last_success_timestamp_seconds") > 0, 10, "snapshot", member)
        with log.open("ab") as file:
            file.write(_text(walked.lines[third : walked.cut])[:-30])  # the last line is torn as yet
            file.flush()
            os.fsync(file.fileno())
            pause(0.2)
            member.kill()
    with Member(setting, options=[str(log)]) as member:
        member.wait_for("restored")
        log.rename(older)
        with older.open("ab") as file:
            file.write(_text(walked.lines[third : walked.cut])[-30:])
        log.write_bytes(_text(walked.behind))
        wait_for_end(member, 1, 30)
        wait_until_told(member, walked.due)
        assert member.stop() == 0
    assert not differences(found_in(setting), replayed(setting, [older, log]))
    assert not differences(found_in(setting), walked.due)


def _text(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"
