"""Named places at which a test may kill the process, as the machine might: nothing in production.

``DETECTOR_CRASH_AT=after_outbox:3`` ends the process by SIGKILL when it comes by ``after_outbox`` for the third time.
The names are the steps between reading a record and committing its offset; a test goes through all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

POINTS = (
    "after_poll",  # bytes are read, nothing is parsed
    "after_release",  # rows are sorted and on their way to be judged
    "after_judging",  # evidence has changed, incidents are not yet told
    "inside_outbox",  # an incident is written but its name is not in place
    "after_outbox",  # incidents are durable, not yet delivered
    "inside_case",  # what stands behind an incident is written but its name is not in place
    "before_delivery",  # a sink is about to be called
    "after_delivery",  # a sink has it, the outbox does not know yet
    "after_copy",  # the state is copied, nothing is written
    "inside_snapshot",  # a snapshot is written but its name is not in place
    "after_snapshot",  # the snapshot is durable, nothing is committed
    "before_commit",  # the reading thread is about to commit
    "after_commit",  # the broker knows
)

ENVIRONMENT = "DETECTOR_CRASH_AT"


def _nothing(point: str) -> None: ...


def _counting(wanted: str, times: int) -> Callable[[str], None]:
    left = times

    def crash(point: str) -> None:
        nonlocal left
        if point == wanted:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return crash


def _planned(plan: str) -> Callable[[str], None]:
    if not plan:
        return _nothing
    point, _, times = plan.partition(":")
    if point not in POINTS:
        raise ValueError(f"{ENVIRONMENT}={plan}: no such point; there are {', '.join(POINTS)}")
    return _counting(point, int(times or 1))


crash_here: Callable[[str], None] = _planned(os.environ.get(ENVIRONMENT, ""))
"""Ends the process if a test has planned it for this point; does nothing otherwise."""
