"""Programs run as children of their own: how long each took, and how much memory it had at most.

Whoever measures must stay small: Linux counts what the parent held at the moment of the fork as the child's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROCESSORS = 2


@dataclass(frozen=True)
class Run:
    """One program's run.

    Attributes:
        seconds: wall time from start to end of the process.
        cpu_seconds: user and system time of all its threads.
        peak_bytes: largest resident set; pages of mapped files count.
        output: standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


@dataclass
class Program:
    """One row of the table.

    Attributes:
        name: as the table prints it.
        command: program and arguments.
        lines: how many lines it reads.
        check: raises ``ValueError`` where the output shows that the work was not done.
        runs: filled by `interleaved`.
    """

    name: str
    command: Sequence[str]
    lines: int
    check: Callable[[str], None] = lambda output: None
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def fastest(self) -> float:
        """Seconds of the run least disturbed by others."""
        return min(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median of the runs."""
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def lines_per_second(self) -> float:
        """Lines over median seconds, start of the process included."""
        return self.lines / self.seconds

    @property
    def peak_bytes(self) -> int:
        """The most of all runs."""
        return max(run.peak_bytes for run in self.runs)


def run(command: Sequence[str], environment: dict[str, str]) -> Run:
    """Runs a program to its end, in the checkout's root.

    Raises:
        RuntimeError: it ended with another code than 0; the message has the end of its standard error.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=errors, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode:
            said = errors.read()[-2000:].decode("utf-8", "replace")
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}: {said}")
        text = output.read().decode("utf-8", "replace")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)


def interleaved(programs: Sequence[Program], runs: int, environment: dict[str, str]) -> None:
    """Runs all programs in turn, ``runs`` times over, so that a slower minute of the machine slows them all.

    Raises:
        RuntimeError: a program failed.
        ValueError: a program's output is not what its ``check`` wants.
    """
    for _ in range(runs):
        for program in programs:
            result = run(program.command, environment)
            program.check(result.output)
            program.runs.append(result)


def pin() -> int:
    """Keeps this process and its children to two processors where there are more; returns how many there are now."""
    chosen = sorted(os.sched_getaffinity(0))[:PROCESSORS]
    os.sched_setaffinity(0, chosen)
    return len(chosen)
