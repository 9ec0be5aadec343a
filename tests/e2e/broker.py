"""A real Apache Kafka for tests: brokers in KRaft mode, their jars from Maven Central, started and ended by the test.

::

    with Broker.start(folder) as broker:
        KafkaConsumer(bootstrap_servers=broker.bootstrap)
    with Cluster.start(folder, 3) as cluster:
        cluster.broker(2).kill()

``KAFKA_BOOTSTRAP_SERVERS`` names a broker that runs already; such a one cannot be stopped, killed or restarted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self

import pytest

from detector.clock import monotonic

VERSION = "4.3.1"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka" / VERSION
START_SECONDS = 60  # measured: 4 s on two free cores
SHORT_LIVED = ("-XX:TieredStopAtLevel=1",)  # starts with half the work, and ends before better code would pay
STOP_SECONDS = 20  # a clean stop takes 2 s; after that it is killed

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.num.partitions=1
transaction.state.log.min.isr={in_sync}
min.insync.replicas={in_sync}
default.replication.factor={replicas}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=200
log.retention.ms=-1
"""
_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"


class Unavailable(Exception):
    """This machine cannot run a broker; the message says what is missing."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def jars(cache: Path = CACHE) -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time (43 MB, half a minute).

    Raises:
        Unavailable: Java or Maven is missing, or Maven failed.
    """
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    libs = cache / "libs"
    if "java" in missing or (missing and not libs.is_dir()):
        raise Unavailable(f"needs {' and '.join(missing)} (on Debian: apt install openjdk-17-jre-headless maven)")
    if not libs.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        (cache.parents[1] / ".gitignore").write_text("*\n", encoding="utf-8")
        (cache / "pom.xml").write_text(_POM, encoding="utf-8")
        scratch = cache / f"libs.{os.getpid()}"
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={scratch}"]
        done = subprocess.run(command, cwd=cache, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"Maven could not fetch Kafka {VERSION}:\n{done.stdout[-2000:]}")
        scratch.rename(libs)
    return libs


@dataclass
class Broker:
    """A broker process, or one that runs elsewhere.

    Attributes:
        bootstrap: ``host:port`` to give to clients.
        folder: where its configuration, its data and its output (``broker.log``) lie; None for one elsewhere.
        java_options: of the process, beside the usual ones.
    """

    bootstrap: str
    folder: Path | None = None
    java_options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def start(
        cls, folder: Path, properties: Mapping[str, str] | None = None, format_options: Sequence[str] = ()
    ) -> Broker:
        """Formats ``folder`` and starts a broker there; returns when it listens.

        Args:
            folder: an empty folder.
            properties: broker settings beside or in place of the usual ones; ``{port}``, ``{controller}`` and
                ``{folder}`` in them are filled in.
            format_options: for Kafka's storage tool (``--add-scram`` makes users).

        Raises:
            Unavailable: Java or Maven is missing.
            TimeoutError: it did not listen in ``START_SECONDS``; the message holds the end of its output.
        """
        elsewhere = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if elsewhere:
            return cls(elsewhere)
        broker = cls.formatted(folder, 1, [(free_port(), free_port())], properties, format_options)
        broker.resume()
        return broker

    @classmethod
    def formatted(
        cls,
        folder: Path,
        node: int,
        ports: Sequence[tuple[int, int]],
        properties: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> Broker:
        """A broker that is not started yet.

        Args:
            folder: an empty folder.
            node: its id, from 1.
            ports: of every node of the cluster in the order of their ids, the broker's and the controller's.
            properties: as for :meth:`start`.
            format_options: as for :meth:`start`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        port, controller = ports[node - 1]
        places = {"port": port, "controller": controller, "folder": folder}
        text = _PROPERTIES.format(
            **places,
            node=node,
            voters=",".join(f"{n}@127.0.0.1:{two}" for n, (_, two) in enumerate(ports, 1)),
            replicas=len(ports),
            in_sync=min(len(ports), 2),
        )
        text += "".join(f"{name}={value.format(**places)}\n" for name, value in (properties or {}).items())
        settings = folder / "server.properties"
        settings.write_text(text, encoding="utf-8")
        identity = ["-t", _CLUSTER_ID, "-c", str(settings), *format_options]
        command = [*_java(jars(), SHORT_LIVED), "kafka.tools.StorageTool", "format", *identity]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"Kafka could not format its folder:\n{done.stdout}{done.stderr}")
        return cls(f"127.0.0.1:{port}", folder)

    @property
    def owned(self) -> bool:
        """Whether this process started it and may stop it."""
        return self.folder is not None

    def resume(self) -> None:
        """Starts the process on the data that is there; returns when it listens."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts the process on the data that is there."""
        assert self.folder is not None, "a broker elsewhere cannot be started"
        with (self.folder / "broker.log").open("ab") as log:
            command = [*_java(jars(), self.java_options), "kafka.Kafka", str(self.folder / "server.properties")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Returns when it listens.

        Raises:
            TimeoutError: it did not in ``START_SECONDS``; the message holds the end of its output.
        """
        assert self.folder is not None
        assert self._process is not None, "it was not launched"
        host, _, port = self.bootstrap.rpartition(":")
        deadline = monotonic() + START_SECONDS
        pause = threading.Event()
        while self._process.poll() is None and monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            pause.wait(0.1)
        self.kill()
        tail = (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise TimeoutError(f"Kafka does not listen on {self.bootstrap} after {START_SECONDS} s:\n{tail}")

    def stop(self) -> None:
        """Ends it cleanly (SIGTERM); does nothing where it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once (SIGKILL); does nothing where it has ended."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Ends it cleanly and starts it on the same port and data."""
        self.stop()
        self.resume()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@dataclass
class Cluster:
    """Brokers that replicate to one another: every topic with as many replicas as there are brokers, two in sync.

    Attributes:
        brokers: node 1 first; each can be stopped, killed and restarted alone.
    """

    brokers: list[Broker]

    @classmethod
    def start(cls, folder: Path, count: int = 3) -> Cluster:
        """Formats and starts ``count`` brokers, each in a folder of its own; returns when all listen.

        Raises:
            Unavailable: Java or Maven is missing, or the tests are to use a broker elsewhere.
        """
        if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            raise Unavailable("needs brokers of its own to kill; KAFKA_BOOTSTRAP_SERVERS names another's")
        jars()
        ports = [(free_port(), free_port()) for _ in range(count)]
        with ThreadPoolExecutor(count) as pool:  # the tool takes a second of one core each
            made = [pool.submit(Broker.formatted, folder / str(n), n, ports) for n in range(1, count + 1)]
        cluster = cls([one.result() for one in made])
        try:
            for broker in cluster.brokers:
                broker.java_options = SHORT_LIVED
                broker.launch()
            for broker in cluster.brokers:
                broker.wait()
        except BaseException:
            cluster.kill()
            raise
        return cluster

    @property
    def bootstrap(self) -> str:
        """``host:port`` of all, by commas."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def broker(self, node: int) -> Broker:
        """The broker of this id, from 1."""
        return self.brokers[node - 1]

    def kill(self) -> None:
        """Ends all of them at once."""
        for broker in self.brokers:
            broker.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _java(libs: Path, options: Sequence[str]) -> list[str]:
    return ["java", "-Xmx512m", "-XX:+UseSerialGC", *options, "-cp", f"{libs}/*"]


def skip_or_fail(why: Unavailable) -> NoReturn:
    """Skips the test where the machine lacks something, fails it where the machine is to have everything (``CI``)."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI must run a real Kafka: {why}")
    pytest.skip(str(why))
