"""What a consent ledger of ten million grants takes, and what looking in it costs a replay.

Every line of the log is a partner's read that needs a grant, so the ratio printed is the worst there is: in a log of
which a hundredth is a partner's, a hundredth of it remains. Both replays read the same file in the same process, in
turn; the ledger is filled before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

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
        log = Path(folder) / "access.log"
        _write(log, options.lines, options.grants)
        _, kept = _replayed(log, replace(policy), options.grants)
        plain, guarded = [], []
        for _ in range(PAIRS):
            plain.append(_replayed(log, Config(), 0)[0])
            guarded.append(_replayed(log, replace(policy), options.grants)[0])
    ratio = statistics.median(a / b for a, b in zip(plain, guarded, strict=True))
    said = json.loads(BOUNDS.read_text())
    print(f"{options.grants:,} grants: {kept / 1e6:.0f} MB, {kept / options.grants:.1f} bytes a grant")
    print(f"replay without: {options.lines / statistics.median(plain):,.0f} lines/s; with: {ratio:.2f} of it")
    print(f"ledger_megabytes: {kept / 1e6:.0f}, asked at most {said['ledger_megabytes']['at most']}")
    print(f"ledger_keeps: {ratio:.2f}, asked at least {said['ledger_keeps']['at least']}")


def _write(path: Path, lines: int, grants: int) -> None:
    """One read a line of a person drawn from those who have granted it, in combined format."""
    rng = np.random.default_rng(7)
    with path.open("w", encoding="ascii") as file:
        for start in range(0, lines, CHUNK):
            n = min(CHUNK, lines - start)
            stamps = [_stamp(START_S + second) for second in range(start // 200, (start + n) // 200 + 1)]
            persons = rng.integers(1, grants + 1, n).tolist()
            file.writelines(
                f"10.0.{i & 255}.1 - bank [{stamps[(start + i) // 200 - start // 200]}] "
                f'"GET /api/v1/bills/{person} HTTP/1.1" 200 512 "-" "client/1.0"\n'
                for i, person in enumerate(persons)
            )


def _replayed(log: Path, config: Config, grants: int) -> tuple[float, int]:
    """Seconds of reading and judging the log, and bytes of the ledger behind it."""
    resolver, routes = make_resolver(config)
    pipeline = Pipeline(rules(config), sizes(config), routes)
    if grants:
        _fill(pipeline, grants)
    reader = Reader([log], read_settings(ReplaySettings(config)), resolver)
    begun = clock.monotonic()
    for released in reader:
        pipeline.take(replace(released.batch, time_us=released.moment_us))
    pipeline.finish()
    took = clock.monotonic() - begun
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
