"""The program as a library: the same paths and settings, results as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.config import ReplaySettings, load_config, parse_moment
from detector.engines.coverage import Coverage
from detector.engines.local import replay
from detector.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = ("log_format", "since", "until", "vhost", "threads")


@dataclass(frozen=True)
class Replayed:
    """What a replay found, for notebooks.

    Attributes:
        incidents: one row an incident, the contract's fields as columns.
        coverage: what was read.
        floor: what would not have been seen, a line each.
        features: makes a DataFrame with one row a client.
    """

    incidents: pd.DataFrame
    coverage: Coverage
    floor: list[str]
    features: Callable[[], pd.DataFrame]


def replay_frames(paths: Sequence[str], config: str | Path | None, options: Mapping[str, Any]) -> Replayed:
    """Replays logs and returns DataFrames; see :func:`detector.replay`."""
    import pandas as pd

    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise UsageError(f"replay() has no option {unknown[0]!r}; allowed: {', '.join(OPTIONS)}")
    since, until = options.get("since"), options.get("until")
    settings = ReplaySettings(
        config=load_config(Path(config) if config is not None else None),
        log_format=options.get("log_format"),
        since_us=parse_moment(since, "since") if since else None,
        until_us=parse_moment(until, "until") if until else None,
        vhost=options.get("vhost"),
        threads=options.get("threads", 2),
    )
    result = replay(paths, settings)

    def features() -> pd.DataFrame:
        table = pd.DataFrame(result.features())
        for column in ("client", "kind"):
            table[column] = table[column].str.decode("ascii")
        return table

    rows = [i.record() for i in result.incidents]
    return Replayed(pd.DataFrame(rows), result.coverage, result.floor, features)
