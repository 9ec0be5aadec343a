"""Percent, records a second and the time left, on a terminal; silent anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from detector.clock import monotonic

OnProgress = Callable[[int, int, int], None]
"""Called with bytes done, bytes in all (0 = unknown) and lines read, some times a second, by the engine's thread."""


@contextmanager
def progress(wanted: bool) -> Iterator[OnProgress | None]:
    """A bar on standard error while the block runs; None where nobody looks."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from detector.cli.table import console

    bar = Progress(
        TextColumn("reading"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("reading", total=None, speed="")
        began = monotonic()

        def report(done: int, total: int, lines: int) -> None:
            speed = lines / max(monotonic() - began, 1e-3)
            bar.update(task, completed=done, total=total or None, speed=f"{lines:,} lines, {speed:,.0f}/s")

        yield report
