"""``make bench``: how fast a whole replay is, beside the bare counting of other tools on the same file.

Prints a table and, for each bound of ``bounds.json``, whether it was held. A missed bound is said, not an error: how
long something takes depends on the machine and never decides a test.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from detector import __version__, clock
from tests.benchmarks import against
from tests.benchmarks.measure import ROOT, Program, interleaved, pin, run

HERE = Path(__file__).parent
LOGS = ROOT / "build" / "bench"
LOG_SOURCES = (HERE / "log.py", *sorted((ROOT / "detector" / "simulate").glob("*.py")))
LINES = 10_000_000
LEAST_LINES = 20_000  # as `log` has it, whose import would cost this process numpy
REGEX_LINES = 1_000_000  # what the slow loop reads; its speed does not depend on the length of the file
START_LINES = 1000
START_RUNS = 5
BUSY = 0.5  # load average of the last minute above which somebody else's work shows in the figures (judgement)
PLANTED = ("walk", "sweep")
LIBRARIES = ("duckdb", "polars", "numpy", "numba")
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True)
class Start:
    """Seconds until a log of 1,000 lines is replayed.

    Attributes:
        first: with no kernel compiled yet.
        bare: with no byte code either, as installers that do not compile it leave a machine.
        later: median of five, everything compiled.
        first_cpu: processor time of the first start, which tells compiling from waiting for others.
    """

    first: float
    bare: float
    later: float
    first_cpu: float


def main() -> None:
    """Makes the log, measures, prints."""
    wanted = arguments()
    processors = pin()
    load = os.getloadavg()[0]
    log = made(wanted.lines)
    with tempfile.TemporaryDirectory(prefix="detector-bench-") as folder:
        scratch = Path(folder)
        environment = surroundings(scratch)
        start = starts(log, scratch, environment)
        rows = programs(log, wanted.lines, scratch)
        if wanted.against:
            against.compile_kernels(wanted.against, scratch / "short.log", scratch, environment)
            rows.insert(1, against.program(wanted.against, log, wanted.lines, scratch))
        print(f"{log.stat().st_size / wanted.lines:.0f} bytes a line, {wanted.lines:,} lines; {machine(processors)}")
        if load > BUSY:
            print(f"load average {load:.1f} before the run: others use the processors, so every figure is too slow")
        interleaved(rows, wanted.runs, environment)
        found = incidents(scratch / "threads-2.jsonl")
    result = {"load_before": round(load, 2), **results(rows, start, found, wanted.lines, machine(processors))}
    if wanted.against:
        result |= beside(rows[0], rows[1], wanted.against)
    print_table(rows)
    print(f"incidents written: {', '.join(f'{n} {pattern}' for pattern, n in found.items()) or 'none'}")
    print(
        f"first start {start.first:.1f} s ({start.first_cpu:.1f} CPU s), without byte code {start.bare:.1f} s, "
        f"later {start.later:.2f} s"
    )
    for line in verdicts(result):
        print(line)
    if wanted.lines < LINES:
        print(f"the first bound is of {LINES:,} lines; a shorter log gives start and fitting more weight")
    if wanted.save:
        path = HERE / "results" / f"{__version__}-{wanted.lines}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"saved as {path.relative_to(ROOT)}")


def surroundings(scratch: Path) -> dict[str, str]:
    """What the programs see: nothing that changes how Python runs, and caches that nobody has filled before."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DETECTOR_"))}
    return kept | {
        "DETECTOR_KERNEL_CACHE": str(scratch / "kernels"),
        "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
        "PYTHONPATH": str(ROOT),
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures a whole replay beside other tools.")
    parser.add_argument("--lines", type=int, default=LINES, help="length of the log, at least 20,000 [10,000,000]")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program; the median is told [3]")
    parser.add_argument("--save", action="store_true", help="write the figures to tests/benchmarks/results")
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit, whose replay is run in turn with ours")
    wanted = parser.parse_args()
    if wanted.lines < LEAST_LINES or wanted.runs < 1:
        parser.error(f"--lines {wanted.lines} --runs {wanted.runs}: at least {LEAST_LINES:,} lines and one run")
    return wanted


def made(lines: int) -> Path:
    """The log of so many lines, made unless it lies there from a run before with the same sources."""
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in LOG_SOURCES), digest_size=4).hexdigest()
    path = LOGS / f"{lines}-{digest}.log"
    if not path.exists():
        for old in LOGS.glob(f"{lines}-*.log"):
            old.unlink()
        took = run([*PYTHON, "tests.benchmarks.log", str(lines), str(path)], dict(os.environ))
        print(f"made the log in {took.seconds:.0f} s")
    with path.open("rb") as file:
        while file.read(1 << 20):  # into the page cache, for all alike
            pass
    return path


def head(log: Path, lines: int, path: Path) -> Path:
    """The first lines of the log as a file of their own."""
    with log.open("rb") as whole, path.open("wb") as part:
        part.writelines(islice(whole, lines))
    return path


def starts(log: Path, scratch: Path, environment: dict[str, str]) -> Start:
    """How long a start takes; finds the environment's caches empty and leaves them filled."""
    short = head(log, START_LINES, scratch / "short.log")
    command = replaying(short, scratch / "short.jsonl")
    bare = run(command, environment).seconds
    shutil.rmtree(environment["DETECTOR_KERNEL_CACHE"])
    first = run(command, environment)
    later = [run(command, environment).seconds for _ in range(START_RUNS)]
    return Start(first.seconds, bare, statistics.median(later), first.cpu_seconds)


def replaying(log: Path, incidents_file: Path, *more: str) -> list[str]:
    """The command under test."""
    return [*PYTHON, "detector", "replay", str(log), "--incidents", str(incidents_file), "--quiet", *more]


def programs(log: Path, lines: int, scratch: Path) -> list[Program]:
    """Ours first, then the rivals."""
    few = min(lines, REGEX_LINES)
    part = head(log, few, scratch / "part.log")
    rival = (*PYTHON, "tests.benchmarks.rivals")
    scaled = "" if few == lines else f" (measured on {few:,} lines)"
    return [
        Program("detector replay", replaying(log, scratch / "threads-2.jsonl"), lines),
        Program("detector replay --threads 1", replaying(log, scratch / "threads-1.jsonl", "--threads", "1"), lines),
        Program("DuckDB read_csv, GROUP BY", [*rival, "duckdb", str(log)], lines, counted(lines, told)),
        Program("Polars scan_csv, group_by", [*rival, "polars", str(log)], lines, counted(lines, told)),
        Program(f"Python re{scaled}", [*rival, "re", str(part)], few, counted(few, told)),
        Program("wc -l", ["wc", "-l", str(log)], lines, counted(lines, first_word)),
    ]


def counted(lines: int, read: Callable[[str], int]) -> Callable[[str], None]:
    """A check that a program has seen every line; ``read`` finds in its output how many it has."""

    def check(output: str) -> None:
        seen = read(output)
        if seen != lines:
            raise ValueError(f"counted {seen:,} of {lines:,} lines")

    return check


def told(output: str) -> int:
    """Lines that a rival says it has read."""
    return int(json.loads(output)["lines"])


def first_word(output: str) -> int:
    """Lines that ``wc`` has counted."""
    return int(output.partition(" ")[0])


def incidents(path: Path) -> dict[str, int]:
    """How many incidents of each pattern were written.

    Raises:
        ValueError: one of those planted is missing: what was measured was not the detector at work.
    """
    with path.open(encoding="ascii") as file:
        found = Counter(json.loads(line)["pattern"] for line in file)
    missing = [pattern for pattern in PLANTED if not found[pattern]]
    if missing:
        raise ValueError(f"the replay found no {' and no '.join(missing)}; it found {dict(found)}")
    return dict(found)


def machine(processors: int) -> str:
    """Processor and versions in a line."""
    model = platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        named = [line for line in facts.read_text(encoding="utf-8").split("\n") if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{processors} of {os.cpu_count()} processors, {model}, Python {platform.python_version()}, {libraries}"


def results(rows: list[Program], start: Start, found: dict[str, int], lines: int, where: str) -> dict[str, Any]:
    """All figures, as `--save` keeps them."""
    return {
        "version": __version__,
        "measured_at": clock.wall().isoformat(timespec="seconds"),
        "machine": where,
        "lines": lines,
        "lines_per_second": round(rows[0].lines_per_second),
        "first_start_seconds": round(start.first, 2),
        "first_start_cpu_seconds": round(start.first_cpu, 2),
        "first_start_without_byte_code_seconds": round(start.bare, 2),
        "later_start_seconds": round(start.later, 3),
        "incidents": found,
        "programs": [
            {
                "name": row.name,
                "lines": row.lines,
                "seconds": [round(one.seconds, 3) for one in row.runs],
                "cpu_seconds": [round(one.cpu_seconds, 3) for one in row.runs],
                "lines_per_second": round(row.lines_per_second),
                "ratio": round(rows[0].lines_per_second / row.lines_per_second, 3),
                "peak_bytes": row.peak_bytes,
            }
            for row in rows
        ],
    }


def beside(ours: Program, earlier: Program, commit: str) -> dict[str, Any]:
    """Our speed over an earlier commit's, by wall time and by processor time, each the median of pairs of runs."""
    pairs = list(zip(ours.runs, earlier.runs, strict=True))
    return {
        "against": commit,
        "over_earlier": round(statistics.median(old.seconds / new.seconds for new, old in pairs), 3),
        "over_earlier_cpu": round(statistics.median(old.cpu_seconds / new.cpu_seconds for new, old in pairs), 3),
    }


def print_table(rows: list[Program]) -> None:
    """A row a program; the ratio is our speed over its."""
    width = max(len(row.name) for row in rows)
    print(f"\n{'':{width}}  seconds  fastest  CPU s  M lines/s  ours is  peak MB")
    for row in rows:
        ratio = rows[0].lines_per_second / row.lines_per_second
        times = f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
        speed = row.lines_per_second / 1e6
        print(
            f"{row.name:{width}}  {row.seconds:7.2f}  {row.fastest:7.2f}  {row.cpu_seconds:5.1f}"
            f"  {speed:9.3f}  {times:>7}  {row.peak_bytes / 1e6:7.0f}"
        )
    print()


def verdicts(result: dict[str, Any]) -> list[str]:
    """A line for each bound on what was measured: held, or missed by how much."""
    bounds = json.loads((HERE / "bounds.json").read_text(encoding="utf-8"))
    lines = []
    for name, bound in bounds.items():
        if name not in result:
            continue  # another benchmark's
        value = result[name]
        floor = bound.get("at least")
        short = (floor - value) / floor if floor is not None else (value - bound["below"]) / bound["below"]
        limit = f"at least {floor:,}" if floor is not None else f"below {bound['below']:g}"
        held = short <= 0 if floor is not None else short < 0
        verdict = "held" if held else f"missed by {short:.0%}"
        lines.append(f"{verdict}: {bound['of']}: {value:,} {name.replace('_', ' ')}, bound {limit}")
    return lines


if __name__ == "__main__":
    main()
