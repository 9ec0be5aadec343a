"""Log time as people read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 UTC, with a fraction only where there is one."""
    return (EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def isos(time_us: npt.NDArray[Any]) -> list[str]:
    """The same of many (int64), a fifth of the time each."""
    texts = np.datetime_as_string(time_us.astype("datetime64[us]"), unit="us").tolist()
    return [f"{text.removesuffix('.000000')}Z" for text in texts]
