"""Killed at any moment and at every step between reading and committing, the sidecar loses and doubles no incident.

The log is fed while the process dies and is started again; what the file of incidents then says is compared with what
``detector replay`` says of the same log. The oracle is this process: it lives on.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from detector import crash
from tests.e2e.broker import Broker
from tests.e2e.differences import differences
from tests.e2e.stream import (
    ROOT,
    Member,
    Setting,
    feed,
    incidents_of,
    latest,
    lines_of,
    make_topic,
    pause,
    replayed,
    wait,
    wait_for_end,
)

pytestmark = pytest.mark.e2e

LOGS = [ROOT / "sample_logs" / "p1.log.gz", ROOT / "sample_logs" / "p3.log.gz"]
POINTS = 20
LONG_POINTS = 200  # `make e2e-long`
# those that come with an incident
INCIDENT_POINTS = {"inside_outbox", "after_outbox", "inside_case", "before_delivery", "after_delivery"}


RATE = 12_000.0  # records a second fed: 311,000 of them last for some 25 kills and starts
LONGEST_LIFE_S = 2.0


@pytest.fixture(scope="module")
def log_lines() -> list[bytes]:
    """Two days with an extraction each: by one address, by three thousand."""
    return lines_of(*LOGS)


class Stream:
    """A topic that is being written, and sidecars that come and go on it.

    Args:
        folder: of the test.
        broker: the broker.
        lines: what is written.
        module: what is run in place of ``detector``.
        rate: records a second.
    """

    def __init__(
        self, folder: Path, broker: Broker, lines: list[bytes], module: str = "detector", rate: float = RATE
    ) -> None:
        again = {"group_instance_id": "a"}  # a restarted process takes its own place: no time-out of the dead one
        topic = folder.name.replace("_", "-")
        self.setting = Setting(folder, broker.bootstrap, topic, snapshot=0.3, consumer=again)
        self.module = module
        make_topic(broker.bootstrap, self.setting.topic, 3)
        self._ended = threading.Event()
        arguments = (broker.bootstrap, self.setting.topic, lines, rate)
        self._feeder = threading.Thread(target=feed, args=arguments, kwargs={"stop": self._ended.is_set})
        self._feeder.start()

    def member(self, plan: str = "") -> Member:
        """A sidecar, perhaps with a plan to die."""
        return Member(self.setting, environment={crash.ENVIRONMENT: plan}, module=self.module)

    def finish(self) -> dict[str, dict[str, object]]:
        """Reads to the end undisturbed; what was found in all lives, by id."""
        with self.member() as last:
            self._feeder.join(120)
            wait(lambda: last.metric("detector_partitions_assigned") == 3, 60, "assignment", last)
            wait_for_end(last, 3)
            pause(1.5)  # the last answers of the broker
            assert last.stop() == 0, last.tail()
        return latest(incidents_of(self.setting.folder / "a" / "incidents.jsonl"))

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._feeder.join(60)


def live_and_die(stream: Stream, kills: int, seed: int) -> None:
    """Starts the sidecar and kills it after a random time, again and again."""
    chance = np.random.default_rng(seed)
    for _ in range(kills):
        with stream.member() as member:
            member.wait_for("started")
            pause(chance.uniform(0.0, LONGEST_LIFE_S))
            member.kill()


@pytest.fixture(scope="module")
def due(log_lines: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What replay finds."""
    found = replayed(Setting(tmp_path_factory.mktemp("due"), "none:1", "none"), LOGS)
    assert len(found) == 2, found
    return found


def test_killed_at_random_points(
    tmp_path: Path, broker: Broker, log_lines: list[bytes], due: dict[str, dict[str, object]]
) -> None:
    """Twenty times kill -9 at random moments: nothing lost, nothing doubled, nothing that replay does not say."""
    with Stream(tmp_path, broker, log_lines) as stream:
        live_and_die(stream, POINTS, seed=1)
        assert not differences(stream.finish(), due)


def test_killed_at_every_step(
    tmp_path: Path, broker: Broker, log_lines: list[bytes], due: dict[str, dict[str, object]]
) -> None:
    """Killed once at every named step between reading and committing; every plan must have come to its point."""
    with Stream(tmp_path, broker, log_lines, rate=0.7 * RATE) as stream:
        landed = []
        for point in crash.POINTS:
            with stream.member(f"{point}:1") as member:
                with_incident = point in INCIDENT_POINTS
                wait(lambda m=member: not m.alive, 40 if with_incident else 20, point, member)
                landed.append(member.process.returncode == -9)
        assert all(landed), dict(zip(crash.POINTS, landed, strict=True))
        assert not differences(stream.finish(), due)


def test_committing_first_is_noticed(
    tmp_path: Path, broker: Broker, log_lines: list[bytes], due: dict[str, dict[str, object]]
) -> None:
    """The same test on a build that commits before it has told of anything does find fault with it."""
    with Stream(tmp_path, broker, log_lines, "tests.e2e.commits_first") as stream:
        live_and_die(stream, POINTS, seed=1)
        assert differences(stream.finish(), due)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_two_hundred_points(
    tmp_path: Path, broker: Broker, log_lines: list[bytes], due: dict[str, dict[str, object]]
) -> None:
    """The long form, over the log written six times slower."""
    with Stream(tmp_path, broker, log_lines) as stream:
        live_and_die(stream, LONG_POINTS, seed=2)
        assert not differences(stream.finish(), due)
