"""Sidecars as processes, fed through a real broker: started, watched, killed and asked what they found."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.clock import monotonic

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
END_SECONDS = 30.0

CONFIG = """
source:
  format: {format}
{source}
identity: {{ladder: [account, key, session, address]}}
detection: {{lateness_seconds: {lateness}}}
partners:
  - {{name: acme, match: {{accounts: [partner-acme], networks: [198.51.100.0/24]}}}}
  - {{name: examplebot, match: {{networks: [{partner}]}}}}
state:
  {{folder: {folder}/state, key_file: {key}, snapshot_seconds: {snapshot}, clients: 65536, objects: 262144, {shared}}}
sinks: {{jsonl: {{path: {incidents}}}, {sinks}}}
web: {{listen_address: "127.0.0.1:0"}}
"""
KAFKA = """  kafka:
    topics: [{topic}]
    start: earliest
    gap: {gap}
    sharing: {sharing}
    consumer: {{bootstrap_servers: "{bootstrap}", group_id: {group}, fetch_max_wait_ms: 50, {consumer}}}"""


@dataclass
class Setting:
    """What the sidecars of one test have in common.

    Attributes:
        folder: for everything they write.
        bootstrap: the broker.
        topic: what they read; empty for a file, named on the command line.
        sharing: ``one`` or ``spread``.
        snapshot: seconds between snapshots.
        lateness: seconds; replays it is compared with are given the same.
        shared: whether snapshots lie in a folder of all, a topic of that name, or each one's own folder (empty).
        group: the topic's name where it is empty.
        consumer: further settings of the client.
        gap: what is done about records that are gone.
        webhook: a URL for incidents beside the file.
        partner: a network that may read in bulk.
        more: sections beside these, as YAML.
    """

    folder: Path
    bootstrap: str
    topic: str
    sharing: str = "one"
    snapshot: float = 0.5
    lateness: float = 60.0
    shared: str = ""
    group: str = ""
    format: str = "combined"
    consumer: Mapping[str, str] = field(default_factory=dict)
    gap: str = "error"
    webhook: str = ""
    partner: str = "203.0.113.0/24"
    more: str = ""

    def key(self) -> Path:
        """The key of all their hashes."""
        path = self.folder / "key"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"the key of a test, of thirty-two")
        return path

    def write(self, name: str) -> Path:
        """The configuration of the member called ``name``."""
        own = self.folder / name
        own.mkdir(parents=True, exist_ok=True)
        where = ""
        if self.shared:
            kind = f"folder: {self.folder}/shared" if self.shared == "folder" else f"topic: {self.shared}"
            where = f"shared: {{{kind}}}"
        text = CONFIG.format(
            source=self._kafka() if self.topic else "",
            lateness=self.lateness,
            partner=self.partner,
            sinks=f"webhook: {{url: {self.webhook}}}" if self.webhook else "",
            folder=own,
            key=self.key(),
            snapshot=self.snapshot,
            shared=where,
            format=self.format,
            incidents=own / "incidents.jsonl",
        )
        text += self.more
        path = own / "detector.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def _kafka(self) -> str:
        return KAFKA.format(
            topic=self.topic,
            gap=self.gap,
            sharing=self.sharing,
            bootstrap=self.bootstrap,
            group=self.group or self.topic,
            consumer=", ".join(f"{name}: {value}" for name, value in self.consumer.items()),
        )

    def incidents(self, name: str = "a") -> Path:
        """Where the member called ``name`` writes incidents."""
        return self.folder / name / "incidents.jsonl"


class Member:
    """One sidecar process.

    Args:
        setting: what it shares with others.
        name: its own, and that of its folder.
        environment: variables beside the usual ones.
        module: what is run in place of ``detector``.
        options: of the command line.
    """

    def __init__(
        self,
        setting: Setting,
        name: str = "a",
        environment: Mapping[str, str] | None = None,
        module: str = "detector",
        options: Iterable[str] = (),
    ) -> None:
        self.setting, self.name = setting, name
        config = setting.write(name)
        self.log = setting.folder / name / "log.jsonl"
        command = [sys.executable, "-m", module, "run", "--config", str(config), *options]
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(environment or {}), "DETECTOR_TRACEBACK": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What this process has logged."""
        with self.log.open("rb") as file:
            file.seek(self._begin)
            lines = file.read().split(b"\n")
        said = [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        return [event for event in said if not name or event.get("event") == name]

    def wait_for(self, name: str, seconds: float = START_SECONDS) -> dict[str, Any]:
        """The first event of that name."""
        wait(lambda: bool(self.events(name)) or not self.alive, seconds, f"event {name}", self)
        found = self.events(name)
        assert found, self.tail()
        return found[0]

    def complaint(self) -> str:
        """Its last words before it gave up: the lines that are no events."""
        with self.log.open("rb") as file:
            file.seek(self._begin)
            lines = file.read().decode("ascii").split("\n")
        said = [line for line in lines if line and not line.startswith("{")]
        assert said, self.tail()
        assert said[0].startswith("detector: "), self.tail()
        assert sum(line.startswith("detector: ") for line in said) == 1, self.tail()
        return "\n".join(said)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    @property
    def port(self) -> int:
        """Where its metrics are."""
        return int(self.wait_for("started")["port"])

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def samples(self, name: str, **labels: str) -> list[float]:
        """The samples of a metric that have these labels."""
        found = []
        for line in self.get("/metrics")[1].split("\n"):
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == name and all(f'{k}="{v}"' in head for k, v in labels.items()):
                found.append(float(value))
        return found

    def metric(self, name: str, **labels: str) -> float:
        """Their sum."""
        return sum(self.samples(name, **labels), 0.0)

    def signal(self, number: int) -> None:
        """Sends a signal."""
        if self.alive:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it at once."""
        self.signal(signal.SIGKILL)
        self.process.wait(END_SECONDS)

    def stop(self) -> int:
        """Ends it cleanly; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)

    def tail(self) -> str:
        """The end of what it said."""
        return f"{self.name}: exit {self.process.poll()}\n" + self.log.read_text(errors="replace")[-3000:]

    def __enter__(self) -> Member:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            self.kill()


def pause(seconds: float) -> None:
    """Lets time pass."""
    threading.Event().wait(seconds)


def wait(done: Callable[[], bool], seconds: float, what: str, member: Member | None = None) -> None:
    """Waits until something holds.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline = monotonic() + seconds
    while not done():
        if monotonic() > deadline:
            raise TimeoutError(f"no {what} after {seconds} s\n{member.tail() if member else ''}")
        pause(0.05)


def wait_for_end(member: Member, partitions: int, seconds: float = 60.0) -> None:
    """Until it has read these partitions to their ends. The lag of one that was just given to it is not known before
    the broker's first answer, and is not told until then."""

    def at_end() -> bool:
        lags = member.samples("detector_kafka_consumer_lag")
        return len(lags) >= partitions and not any(lags)

    wait(at_end, seconds, f"end of {partitions} partitions", member)


def incidents_of(*files: Path) -> list[dict[str, Any]]:
    """Every line of the members' incident files, in the order written."""
    return [json.loads(line) for file in files if file.exists() for line in file.read_text("ascii").split("\n") if line]


def latest(records: Iterable[dict[str, Any]], exact: bool = True) -> dict[str, dict[str, Any]]:
    """By id the highest revision; asserts that a repeated revision says what it said before, if that is promised."""
    found: dict[str, dict[str, Any]] = {}
    said: dict[tuple[str, int], dict[str, Any]] = {}
    for record in records:
        key = record["incident"], record["revision"]
        before = said.setdefault(key, record)
        assert not exact or _content(before) == _content(record), f"{key} says two things"
        if record["incident"] not in found or record["revision"] > found[record["incident"]]["revision"]:
            found[record["incident"]] = record
    return found


def _content(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "detector"}


def read_to_end(setting: Setting, name: str = "a", module: str = "detector", options: Iterable[str] = ()) -> Member:
    """A sidecar that reads all there is, judges what waited for its order, and has ended."""
    with Member(setting, name, module=module, options=["--exit-when-idle", "1.5", *options]) as member:
        wait(lambda: not member.alive, 60, "end", member)
    assert member.process.returncode == 0, member.tail()
    return member


def replayed(setting: Setting, logs: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """What ``detector replay`` finds in the same logs with the same configuration, by id."""
    out = setting.folder / "replayed.jsonl"
    config = setting.write("replay")
    command = [sys.executable, "-m", "detector", "replay", "--quiet", "--config", str(config), "--incidents", str(out)]
    done = subprocess.run([*command, *map(str, logs)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {record["incident"]: record for record in incidents_of(out)}


def lines_of(*logs: Path) -> list[bytes]:
    """The lines of logs, one behind the other."""
    found: list[bytes] = []
    for log in logs:
        data = gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes()
        found += data.rstrip(b"\n").split(b"\n")
    return found


def make_topic(bootstrap: str, name: str, partitions: int, replicas: int = 1, **configs: str) -> None:
    """Makes a topic."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    settings = {key.replace("_", "."): value for key, value in configs.items()}
    admin.create_topics([NewTopic(name, partitions, replicas, topic_configs=settings)])
    admin.close()


def feed(
    bootstrap: str,
    topic: str,
    lines: list[bytes],
    rate: float | None = None,
    keys: Callable[[bytes], bytes] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> float:
    """Writes lines, at ``rate`` a second or as fast as they go; returns the rate reached."""
    from confluent_kafka import Producer

    # Idempotent: what a new topic's leader refuses at first would otherwise be sent again behind what came after.
    settings = {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    producer = Producer({**settings, "enable.idempotence": True})
    begun = monotonic()
    for n, line in enumerate(lines):
        while True:
            try:
                producer.produce(topic, line, keys(line) if keys else None)
                break
            except BufferError:
                producer.poll(0.05)
        if n % 200 == 0:
            producer.poll(0)
            if stop():
                break
            ahead = (n / rate if rate else 0.0) - (monotonic() - begun)
            if ahead > 0.002:
                pause(ahead)
    producer.flush(60)
    return len(lines) / max(monotonic() - begun, 1e-9)
