"""What a consent ledger of ten million grants takes, and what looking in it costs a replay.

Three replays read the same file in the same process, in turn: without a policy, with a policy and no ledger, and with
both; the ledger is filled before. In the first log every line is a partner's read that needs a grant, the worst there
is; in the second one line in ten is, the others are people's own. What the first lines take is left out: the tables are
touched there for the first time, which takes the longer the more memory has been used before. Processor time is that of
both threads, of a machine shared with others the fairer figure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector import clock
from detector.config import Config, ReplaySettings, parse_config
from detector.engines.local import make_resolver, read_settings, rules, sizes
from detector.engines.reading import Reader
from detector.evidence.ledger import CHANGE
from detector.pipeline import Pipeline
from detector.records.keys import NUMBER_TAG, REPLAY_KEY
from detector.records.ledger import GRANT
from detector.records.persons import hash_id
from tests.benchmarks.measure import pin

GRANTS = 10_000_000
LINES = 2_000_000
PAIRS = 3
WARM = 200_000  # lines before the clock begins
MIX = 10  # one line in so many is the partner's
CHUNK = 1 << 16
START_S = 1_767_225_600
BOUNDS = Path(__file__).parent / "bounds.json"
POLICY = b"""
routes:
  templates: [{route: "GET /api/v1/bills/{user}", data_classes: [bill]}]
policy:
  parties: [{name: bank, match: {accounts: [bank]}, classes: [bill], consent: {classes: [bill]}}]
"""


def main() -> None:
    """Prints memory, load, and the ratio, beside their bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grants", type=int, default=GRANTS)
    parser.add_argument("--lines", type=int, default=LINES)
    options = parser.parse_args()
    pin()
    policy = parse_config(POLICY, "policy")
    with tempfile.TemporaryDirectory() as folder:
        ratios, kept = [], 0
        for every, said in ((1, "every line is looked up"), (MIX, f"one line in {MIX} is looked up")):
            log = Path(folder) / f"access-{every}.log"
            _write(log, options.lines, options.grants, every)
            found, kept = _compared(log, policy, options.grants)
            ratios.append(_told(said, options.lines - WARM, found))
    said = json.loads(BOUNDS.read_text())
    print(f"{options.grants:,} grants: {kept / 1e6:.0f} MB, {kept / options.grants:.1f} bytes a grant")
    print(f"ledger_megabytes: {kept / 1e6:.0f}, asked at most {said['ledger_megabytes']['at most']}")
    print(f"ledger_keeps: {ratios[0]:.2f}, asked at least {said['ledger_keeps']['at least']}")


class Took(NamedTuple):
    """Seconds of one replay, by the clock and of the processors."""

    wall: float
    cpu: float


def _compared(log: Path, policy: Config, grants: int) -> tuple[list[list[Took]], int]:
    """The three replays of a log, each several times, and bytes of the ledger."""
    found: list[list[Took]] = [[], [], []]
    _, kept = _replayed(log, replace(policy), grants)
    for _ in range(PAIRS):
        for runs, (config, held) in zip(found, ((Config(), 0), (policy, 0), (policy, grants)), strict=True):
            runs.append(_replayed(log, replace(config), held)[0])
    return found, kept


def _told(said: str, lines: int, found: list[list[Took]]) -> float:
    """Prints what the replays took; returns the share of speed that is kept, of a replay without a policy."""
    plain, declared, guarded = found
    print(f"{said}: without a policy {lines / statistics.median(run.wall for run in plain):,.0f} lines/s")
    for name, runs in (("a policy without a ledger keeps", declared), ("with its ledger", guarded)):
        wall = statistics.median(a.wall / b.wall for a, b in zip(plain, runs, strict=True))
        cpu = statistics.median(a.cpu / b.cpu for a, b in zip(plain, runs, strict=True))
        print(f"  {name} {wall:.2f} of it by the clock, {cpu:.2f} by processor time")
    both = zip(declared, guarded, strict=True)
    print(f"  the ledger alone keeps {statistics.median(a.cpu / b.cpu for a, b in both):.2f} by processor time")
    return statistics.median(a.wall / b.wall for a, b in zip(plain, guarded, strict=True))


def _write(path: Path, lines: int, grants: int, every: int) -> None:
    """One read a line of a person drawn from those who have granted it, in combined format; one in ``every`` by the
    partner, the others by the persons themselves."""
    rng = np.random.default_rng(7)
    with path.open("w", encoding="ascii") as file:
        for start in range(0, lines, CHUNK):
            n = min(CHUNK, lines - start)
            stamps = [_stamp(START_S + second) for second in range(start // 200, (start + n) // 200 + 1)]
            persons = rng.integers(1, grants + 1, n).tolist()
            readers = ["bank" if i % every == 0 else f"user{person}" for i, person in enumerate(persons)]
            file.writelines(
                f"10.0.{i & 255}.1 - {readers[i]} [{stamps[(start + i) // 200 - start // 200]}] "
                f'"GET /api/v1/bills/{person} HTTP/1.1" 200 512 "-" "client/1.0"\n'
                for i, person in enumerate(persons)
            )


def _replayed(log: Path, config: Config, grants: int) -> tuple[Took, int]:
    """What reading and judging the log took from line `WARM` on, and bytes of the ledger behind it."""
    resolver, routes = make_resolver(config)
    pipeline = Pipeline(rules(config), sizes(config), routes)
    if grants:
        _fill(pipeline, grants)
    reader = Reader([log], read_settings(ReplaySettings(config)), resolver)
    judged, begun, used = 0, clock.monotonic(), os.times()
    for released in reader:
        pipeline.take(replace(released.batch, time_us=released.moment_us))
        if judged < WARM <= judged + len(released.batch):
            begun, used = clock.monotonic(), os.times()
        judged += len(released.batch)
    pipeline.finish()
    now = os.times()
    took = Took(clock.monotonic() - begun, now.user + now.system - used.user - used.system)
    wrong = [story.pattern for story in pipeline.book.stories if story.pattern == "consent"]
    assert not wrong, "every read is granted"
    return took, pipeline.consents.ledger.grants.bytes


def _fill(pipeline: Pipeline, grants: int) -> None:
    """A grant of every person, from a year before the log on."""
    ledger = pipeline.consents.ledger
    assert hash_id("1", REPLAY_KEY) == _hashes(np.ones(1, np.uint64))[0]
    for start in range(0, grants, CHUNK):
        n = min(CHUNK, grants - start)
        new = np.zeros(n, CHANGE)
        new["subject"] = _hashes(np.arange(start + 1, start + n + 1, dtype=np.uint64))
        new["partner"], new["data_class"] = hash_id("bank", REPLAY_KEY), hash_id("bill", REPLAY_KEY)
        new["time_us"] = new["moment_us"] = (START_S - 31_536_000) * 1_000_000 + np.arange(start, start + n)
        new["action"] = GRANT
        ledger.give(new)
        ledger.advance(START_S * 1_000_000)


def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def _hashes(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """`HashKey.of_number` of a column."""
    k0, k1 = np.uint64(REPLAY_KEY.k0), np.uint64(REPLAY_KEY.k1)
    tagged = _permuted(np.full(len(numbers), NUMBER_TAG, np.uint64) ^ k0)
    found: npt.NDArray[np.uint64] = _permuted(tagged ^ numbers ^ k1) ^ k0
    return found


def _permuted(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # MurmurHash3 fmix64
        x = (x ^ (x >> np.uint64(33))) * np.uint64(factor)
    return x ^ (x >> np.uint64(33))


if __name__ == "__main__":
    main()
