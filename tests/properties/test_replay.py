"""Whatever the cutting, packing, threading or shuffling of a log, a replay tells the same incidents to the byte."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config import Config, ReplaySettings
from detector.engines.local import make_resolver, read_settings, replay, rules, sizes
from detector.engines.reading import Reader
from detector.incidents.incident import Incident
from detector.incidents.render import incidents
from detector.pipeline import Pipeline
from detector.simulate.traffic import Traffic
from detector.sinks.jsonl import json_line
from tests.replay.nine_cases import PROFILE, START_S, USERS, World

LATENESS_S = 60  # ReplaySettings' default
MAKER = {"version": "test", "config": "test"}
FILES = 4


@cache
def log() -> tuple[bytes, ...]:
    """The lines, in order, of ten minutes of ordinary traffic with a walk, a second one and a sweep of 25 addresses."""
    world = World(11)
    for n, rate, first_id, identities, form in (
        (1500, 5, 1, 1, PROFILE),
        (700, 2, 9_000, 1, USERS),
        (2000, 20, 40_000, 25, USERS),
    ):
        seconds = 60 + np.arange(n) / rate
        world.parts.append(
            Traffic.of(
                ((START_S + seconds) * 1e6).astype(np.int64),
                actor=world.rng.choice(world.visitors(identities), n),
                form=form,
                number=first_id + np.arange(n),
                attack=True,
            )
        )
    return tuple(line + b"\n" for line in world.case("property").text.split(b"\n")[:-1])


def packed(folder: Path, parts: Sequence[Sequence[bytes]], gz: Sequence[bool]) -> list[Path]:
    """The parts as files, in order; some compressed."""
    paths = []
    for number, (lines, zipped) in enumerate(zip(parts, gz, strict=False)):
        path = folder / f"{number}.log"
        text = b"".join(lines)
        path.write_bytes(gzip.compress(text, 1) if zipped else text)
        paths.append(path)
    return paths


def told(paths: list[Path], threads: int = 1, chunk_bytes: int = 1 << 22) -> list[str]:
    """The incidents as JSON lines, read in chunks of a given size."""
    config = Config()
    resolver, routes = make_resolver(config)
    reading = replace(read_settings(ReplaySettings(config=config, threads=threads)), chunk_bytes=chunk_bytes)
    pipeline = Pipeline(rules(config), sizes(config), routes)
    for released in Reader(paths, reading, resolver):
        pipeline.take(replace(released.batch, time_us=released.moment_us))
    pipeline.finish()
    return lines_of(incidents(pipeline.book, MAKER))


def lines_of(found: list[Incident]) -> list[str]:
    """Incidents as they are written, whatever program and configuration found them."""
    return [json_line(replace(i, detector={"name": i.detector["name"]})) for i in found]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the engine itself tells of the log in one file."""
    paths = packed(tmp_path_factory.mktemp("whole"), [log()], [False])
    return lines_of(replay(paths, ReplaySettings(threads=1)).incidents)


def test_the_log_holds_what_is_compared(whole: list[str]) -> None:
    """There are two walks and a sweep to be told alike."""
    patterns = sorted(line.split('"pattern":"')[1].split('"')[0] for line in whole)
    assert patterns == ["sweep", "walk", "walk"]


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(log())), max_size=FILES - 1).map(sorted),
    gz=st.lists(st.booleans(), min_size=FILES, max_size=FILES),
    chunk_bytes=st.one_of(st.integers(3_000, 30_000), st.integers(30_000, 2_000_000)),
    threads=st.sampled_from([1, 2]),
)
def test_cutting_packing_and_threads_change_nothing(
    whole: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    gz: list[bool],
    chunk_bytes: int,
    threads: int,
) -> None:
    """A log cut into rotated files anywhere, packed or not, read in chunks of any size: the same incidents."""
    edges = [0, *cuts, len(log())]
    parts = [log()[a:b] for a, b in pairwise(edges)]
    assert told(packed(tmp_path_factory.mktemp("cut"), parts, gz), threads, chunk_bytes) == whole


@pytest.mark.parametrize(("threads", "chunk_bytes"), [(1, 100), (1, 1_000), (2, 1_000), (2, 1 << 20)])
def test_chunks_of_a_line_and_of_everything(whole: list[str], tmp_path: Path, threads: int, chunk_bytes: int) -> None:
    """Chunks shorter than a line and longer than the log: the same incidents."""
    assert told(packed(tmp_path, [log()], [False]), threads, chunk_bytes) == whole


def test_the_engine_with_two_threads(whole: list[str], tmp_path: Path) -> None:
    """``replay`` as users call it, reading beside judging: the same incidents."""
    assert lines_of(replay(packed(tmp_path, [log()], [True]), ReplaySettings(threads=2)).incidents) == whole


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threads=st.sampled_from([1, 2]))
def test_rows_out_of_order_within_the_lateness_change_nothing(
    whole: list[str], tmp_path_factory: pytest.TempPathFactory, seed: int, threads: int
) -> None:
    """Lines written up to a minute late, as slow requests are: the same incidents.

    What a client does within one second keeps its order: stamps of a second cannot restore it.
    """
    rng = np.random.default_rng(seed)
    second = np.array([_second(line) for line in log()])
    who = np.unique([_client(line) for line in log()], return_inverse=True)[1]
    _, moment = np.unique(second * (who.max() + 1) + who, return_inverse=True)
    written = second + rng.integers(0, LATENESS_S, moment.max() + 1)[moment]
    lines = [log()[row] for row in np.argsort(written, kind="stable")]
    assert lines != list(log())
    assert told(packed(tmp_path_factory.mktemp("late"), [lines], [False]), threads, 100_000) == whole


@settings(max_examples=10, deadline=None)
@given(salt=st.binary(max_size=4), gz=st.lists(st.booleans(), min_size=FILES, max_size=FILES))
def test_logs_of_several_hosts_are_one(
    whole: list[str], tmp_path_factory: pytest.TempPathFactory, salt: bytes, gz: list[bool]
) -> None:
    """Clients dealt among several servers, a log each over the same ten minutes: the same incidents."""
    parts: list[list[bytes]] = [[] for _ in range(FILES)]
    for line in log():
        parts[crc32(_client(line) + salt) % FILES].append(line)
    assert told(packed(tmp_path_factory.mktemp("hosts"), parts, gz), 2, 100_000) == whole


def _client(line: bytes) -> bytes:
    address, _, account = line.split(b" ", 3)[:3]
    return address if account == b"-" else account


def _second(line: bytes) -> int:
    hour, minute, second = line.split(b" ", 4)[3].split(b":")[1:]
    return int(hour) * 3600 + int(minute) * 60 + int(second)
