"""The sidecar and its configuration: read again in the middle of an incident, and wrong from the start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from detector.clock import monotonic
from tests.e2e.broker import Broker, free_port
from tests.e2e.differences import differences
from tests.e2e.stream import ROOT, Member, Setting, feed, incidents_of, latest, wait, wait_for_end
from tests.e2e.walked import LAST_NETWORK, LAST_WALKER, PARTITIONS, Walked, on_topic

pytestmark = pytest.mark.e2e

SIGNALS = 200
END_S = 30.0  # for all of them at once, on two cores


def test_reload_in_the_middle_of_an_incident(tmp_path: Path, broker: Broker, walked: Walked) -> None:
    """New partners count at once, the open incident stays the one it is, and a wrong configuration changes nothing."""
    setting = on_topic(tmp_path, broker, walked.before, 1)
    due = {identity: record for identity, record in walked.due.items() if LAST_WALKER not in record["clients"]}
    with Member(setting) as member:
        wait(lambda: {r["incident"] for r in incidents_of(setting.incidents())} == set(due), 30, "incidents", member)
        before = member.wait_for("started")["config"]
        setting.partner = LAST_NETWORK
        setting.write("a")
        member.signal(signal.SIGHUP)
        event = member.wait_for("reloaded", 10)
        assert event["config"] != before
        assert event["needs_restart"] == []
        assert member.metric("detector_config_last_reload_successful") == 1
        feed(broker.bootstrap, setting.topic, walked.behind)
        wait(lambda: member.metric("detector_requests_total") == len(walked.lines), 30, "requests", member)
        wait_for_end(member, 1, 30)
        try_wrong_ones(member)
        assert member.metric("detector_incidents_total") == len(due)
        assert member.stop() == 0
    records = incidents_of(setting.incidents())
    assert max(Counter((record["incident"], record["revision"]) for record in records).values()) == 1
    assert {record["detector"]["config"] for record in records} == {before, event["config"]}
    assert Counter(event["incident"] for event in member.events("incident") if event["new"]) == dict.fromkeys(due, 1)
    assert not differences(latest(records), due)


def try_wrong_ones(member: Member) -> None:
    """A configuration that is none is refused and said; any number of signals does no harm."""
    path = member.setting.folder / "a" / "detector.yaml"
    path.write_text("detection: [\n", encoding="utf-8")
    member.signal(signal.SIGHUP)
    assert f"{path}:" in member.wait_for("reload_failed", 10)["reason"]
    assert member.metric("detector_config_last_reload_successful") == 0
    assert member.get("/-/ready")[0] == 200
    member.setting.write("a")
    for _ in range(SIGNALS):
        member.signal(signal.SIGHUP)
        assert member.get("/-/healthy")[0] == 200
    wait(lambda: member.metric("detector_config_last_reload_successful") == 1, 10, "reload", member)
    assert member.metric("detector_partitions_assigned") == 1


class Wrong(NamedTuple):
    """A mistake: how it gets into the configuration, how the program ends, and what it must name."""

    name: str
    change: Callable[[str, Places], str]
    code: int
    named: tuple[str, ...]


class Places(NamedTuple):
    """What others have taken."""

    port: int
    folder: Path


def unreachable(text: str, _places: Places) -> str:
    """A broker where nobody listens."""
    before, _, rest = text.partition('bootstrap_servers: "')
    quick = ", bootstrap_timeout_ms: 3000"  # 20 s by default
    return f'{before}bootstrap_servers: "127.0.0.1:{free_port()}"{quick}{rest[rest.index(chr(34)) + 1 :]}'


WRONG = [
    Wrong("topic", lambda t, _: t.replace("topics: [", "topics: [no-such-"), 3, ("source.kafka.topics", "no-such-")),
    Wrong("broker", unreachable, 3, ("source.kafka.consumer.bootstrap_servers", "no broker answers")),
    Wrong("format", lambda t, _: t.replace("format: combined", "format: combinde"), 2, ("source.format", "combinde")),
    Wrong(
        "envelope",
        lambda t, _: t.replace("format: combined", 'format: combined\n  envelope: "a\\nb"'),
        2,
        ("source.envelope", "none, lines, array"),
    ),
    Wrong(
        "address",
        lambda t, places: t.replace("127.0.0.1:0", f"127.0.0.1:{places.port}"),
        2,
        ("web.listen_address", "in use"),
    ),
    Wrong(
        "folder",
        lambda t, places: t.replace(t[t.index("{folder: ") + 9 : t.index(", key_file")], str(places.folder)),
        2,
        ("state.folder", "another detector"),
    ),
    Wrong("yaml", lambda t, _: t + "\nsinks: {jsonl: [\n", 2, ("detector.yaml:", "not YAML")),
    Wrong("key", lambda t, _: t.replace("sharing: one", "shering: one"), 2, ("detector.yaml:", "source.kafka.shering")),
]


def test_wrong_from_the_start(tmp_path: Path, broker: Broker) -> None:
    """Each mistake ends the program with one clear complaint that names the setting, in half a minute."""
    setting = on_topic(tmp_path, broker, [])
    with Member(setting) as running:
        wait(lambda: running.metric("detector_partitions_assigned") == PARTITIONS, 30, "assignment", running)
        places = Places(running.port, setting.folder / "a" / "state")
        started = {wrong.name: start(setting, wrong, places) for wrong in WRONG}
        until = monotonic() + END_S
        ended = {name: (one, one.communicate(timeout=until - monotonic())[1]) for name, one in started.items()}
        assert running.get("/-/ready")[0] == 200
    for wrong in WRONG:
        process, said = ended[wrong.name]
        assert process.returncode == wrong.code, (wrong.name, process.returncode, said)
        lines = [line for line in said.split("\n") if line and not line.startswith("{")]
        assert lines[0].startswith("detector: "), (wrong.name, said)
        assert all(name in lines[0] for name in wrong.named), (wrong.name, said)


def start(setting: Setting, wrong: Wrong, places: Places) -> subprocess.Popen[str]:
    """A process with this mistake in its configuration, and a place of its own in another group."""
    other = Setting(setting.folder, setting.bootstrap, setting.topic, group=wrong.name)
    path = other.write(f"wrong-{wrong.name}")
    path.write_text(wrong.change(path.read_text(encoding="utf-8"), places), encoding="utf-8")
    command = [sys.executable, "-m", "detector", "run", "--config", str(path)]
    environment = {name: value for name, value in os.environ.items() if name != "DETECTOR_TRACEBACK"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
