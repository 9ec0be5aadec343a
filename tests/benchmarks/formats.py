"""The second part of ``make bench``: whole replays of the same traffic in other formats than the common one.

Prints lines and bytes a second of each beside the combined format's, DuckDB's ``read_json`` beside JSON, and whether
the bounds were held.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Program, interleaved, pin, run
from tests.benchmarks.replay import LEAST_LINES, LOG_SOURCES, LOGS, PYTHON, counted, replaying, surroundings, told

LINES = 4_000_000
BASE, JSON = "combined", "nginx_json"
TEXTS = ("w3c", "aws_alb", "envoy_text")
JSON_LINES_PER_SECOND = 800_000  # bounds of the issue "Every gateway's log"
TEXT_OVER_COMBINED = 0.8  # of its bytes a second


def main() -> None:
    """Makes the logs, measures, prints."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures replays of other formats.")
    parser.add_argument("--lines", type=int, default=LINES, help=f"at least {LEAST_LINES:,} [{LINES:,}]")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program; the median is told [3]")
    wanted = parser.parse_args()
    pin()
    logs = {name: made(wanted.lines, name) for name in (BASE, JSON, *TEXTS)}
    with tempfile.TemporaryDirectory(prefix="detector-bench-") as folder:
        environment = surroundings(Path(folder)) | {
            "DETECTOR_KERNEL_CACHE": os.environ.get("DETECTOR_KERNEL_CACHE", "")
        }
        if not environment["DETECTOR_KERNEL_CACHE"]:
            del environment["DETECTOR_KERNEL_CACHE"]
        ours = {
            name: Program(f"replay of {name}", replaying(log, Path(folder) / f"{name}.jsonl"), wanted.lines)
            for name, log in logs.items()
        }
        rival = [*PYTHON, "tests.benchmarks.rivals", "duckdb_json", str(logs[JSON])]
        duckdb = Program("DuckDB read_json, GROUP BY", rival, wanted.lines, counted(wanted.lines, told))
        run(ours[BASE].command, environment)  # kernels compiled, files in memory
        interleaved([*ours.values(), duckdb], wanted.runs, environment)
    told_of(ours, duckdb, logs, wanted.lines)


def told_of(ours: dict[str, Program], duckdb: Program, logs: dict[str, Path], lines: int) -> None:
    """Prints a row a program, then the bounds."""
    speed = {name: logs[name].stat().st_size / program.seconds for name, program in ours.items()}
    print(f"{'':28}  seconds  CPU s  bytes/line  M lines/s   MB/s  of {BASE}'s bytes/s")
    for name, program in ours.items():
        print(
            f"{program.name:28}  {program.seconds:7.2f}  {program.cpu_seconds:5.1f}  "
            f"{logs[name].stat().st_size / lines:10.0f}  {program.lines_per_second / 1e6:9.3f}  "
            f"{speed[name] / 1e6:5.0f}  {speed[name] / speed[BASE]:.2f}"
        )
    ratio = ours[JSON].lines_per_second / duckdb.lines_per_second
    print(
        f"{duckdb.name:28}  {duckdb.seconds:7.2f}  {duckdb.cpu_seconds:5.1f}  {'':10}  "
        f"{duckdb.lines_per_second / 1e6:9.3f}  ours is {ratio:.2f} ×"
    )
    rate = ours[JSON].lines_per_second
    held = "held" if rate >= JSON_LINES_PER_SECOND else "missed"
    print(f"{held}: JSON at {rate:,.0f} lines/s, bound {JSON_LINES_PER_SECOND:,}")
    for name in TEXTS:
        share = speed[name] / speed[BASE]
        held = "held" if share >= TEXT_OVER_COMBINED else "missed"
        print(f"{held}: {name} at {share:.2f} of {BASE}'s bytes a second, bound {TEXT_OVER_COMBINED}")


def made(lines: int, name: str) -> Path:
    """The log of so many lines in a format, made unless it lies there from a run before with the same sources."""
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in LOG_SOURCES), digest_size=4).hexdigest()
    path = LOGS / f"{lines}-{name}-{digest}.log"
    if not path.exists():
        run([sys.executable, "-m", "tests.benchmarks.log", str(lines), str(path), name], dict(os.environ))
    with path.open("rb") as file:
        while file.read(1 << 20):  # into the page cache, for all alike
            pass
    return path


if __name__ == "__main__":
    main()
