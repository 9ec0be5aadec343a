"""The replay of an earlier commit, checked out beside this tree, to be measured in turn with today's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.measure import ROOT, Program, run

TREES = ROOT / "build" / "against"


def tree(commit: str) -> Path:
    """A working tree of the commit under ``build/against``, made unless it lies there.

    Raises:
        RuntimeError: there is no such commit here; the message is git's own.
    """
    digest = _git("rev-parse", "--verify", "--quiet", "--short=12", f"{commit}^{{commit}}")
    if not digest:
        raise RuntimeError(f"--against {commit}: this repository has no such commit")
    path = TREES / digest
    if not path.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--quiet", "--detach", str(path), digest)
    return path


def program(commit: str, log: Path, lines: int, scratch: Path) -> Program:
    """A row of the table: the commit's own replay of the log, with two threads."""
    result = scratch / "against.jsonl"
    return Program(f"detector replay at {commit}", _replaying(tree(commit), log, result), lines)


def compile_kernels(commit: str, short: Path, scratch: Path, environment: dict[str, str]) -> None:
    """Lets the commit compile its kernels on a short log, so that no measured run has to."""
    run(_replaying(tree(commit), short, scratch / "short-against.jsonl"), environment)


def _replaying(path: Path, log: Path, result: Path) -> list[str]:
    """The command; -P keeps the folder it is started in, this tree, out of the way of the other one's modules."""
    inside = ["env", f"PYTHONPATH={path}", sys.executable, "-P", "-m", "detector"]
    return [*inside, "replay", str(log), "--incidents", str(result), "--quiet"]


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True, text=True)
    if done.returncode and words[0] == "worktree":
        raise RuntimeError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
