"""The time zone of logs that write local time and say no zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.formats.fields import ZONELESS, Fields

_FIRST_YEAR, _LAST_YEAR = 1970, 2100  # moments outside are none (moment_kernel.LAST_US)


@dataclass(frozen=True)
class Zone:
    """A zone of the IANA database, as a table of when its clocks were set.

    Attributes:
        name: ``Europe/Berlin``.

    Raises:
        UsageError: there is no such zone.
    """

    name: str
    _starts: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _east: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts, east = _table(self.name)
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_east", east)

    def utc(self, local_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Wall-clock microseconds, int64 (n,), to UTC.

        Of the hour that comes twice in autumn the first is meant: what is read in the second one comes out an hour
        early. Of the hour that is left out in spring, the clock that was not set.
        """
        return local_us - self._east[np.searchsorted(self._starts, local_us, "right") - 1]

    def settle(self, fields: Fields) -> None:
        """Moves the moments of lines that say no zone, in place."""
        rows = np.flatnonzero((fields.torn & ZONELESS != 0) & (fields.reason == 0))
        fields.time_us[rows] = np.maximum(self.utc(fields.time_us[rows]), 0)


@cache
def _table(name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """From which wall-clock microsecond on how many microseconds east of UTC hold."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # not found is a KeyError
        shown = "".join(c if " " <= c <= "~" else "?" for c in name[:60])
        raise UsageError(f"no time zone is called '{shown}'; allowed are IANA names such as Europe/Berlin") from error
    hour, day = timedelta(hours=1), timedelta(days=1)

    def east_at(moment: datetime) -> int:
        return round((moment.astimezone(zone).utcoffset() or timedelta()) / timedelta(microseconds=1))

    at, last = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    east = [east_at(at)]
    starts = [-(1 << 62)]
    while at < last:
        if east_at(at + day) != east[-1]:
            step = at
            while east_at(step) == east[-1]:  # zones are set at whole quarters of an hour of UTC
                step += hour / 4
            since_1970 = round((step - datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
            starts.append(since_1970 + max(east[-1], east_at(step)))
            east.append(east_at(step))
        at += day
    return np.array(starts, np.int64), np.array(east, np.int64)
