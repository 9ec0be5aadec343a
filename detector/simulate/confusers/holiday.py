"""N14: a holiday, on which everybody comes later and fewer come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.simulate.confusers.confuser import Confuser
from detector.simulate.options import Options
from detector.simulate.world import DAY_US


def _world(options: Options) -> Mapping[str, Any]:
    day = options.start_us // DAY_US * DAY_US
    return {"holiday_us": day + DAY_US if options.duration_seconds > 86_400 else day}


N14 = Confuser(
    "N14",
    "a holiday: three hours later, four in ten stay away",
    "everybody alike: all routes, cohorts and agents move together",
    world=_world,
)
