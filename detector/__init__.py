"""Finds bulk extraction in API access logs, names who carries records away and counts how many are gone.

The program is ``detector`` or ``python -m detector``; in a notebook::

    from detector import replay

    found = replay("access.log.gz")
    found.incidents      # pandas DataFrame, one row an incident
    found.features()     # pandas DataFrame, one row a client

Importing this package imports nothing else, so that the command line answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.engines.library import Replayed

__version__ = "0.1.0"
__all__ = ["__version__", "replay"]


def replay(*paths: str | Path, config: str | Path | None = None, **options: object) -> Replayed:
    """Reads logs as ``detector replay`` does and returns what it found as pandas DataFrames.

    Args:
        paths: files, folders or globs, as on the command line.
        config: a YAML file; default settings without it.
        options: fields of :class:`detector.config.ReplaySettings`: ``log_format``, ``since``, ``until`` (ISO 8601
            text), ``vhost``, ``threads``.

    Raises:
        UsageError: an option or the configuration is wrong.
        InputError: a log cannot be read, or not one line of it could be parsed.
    """
    from detector.engines.library import replay_frames

    return replay_frames([str(path) for path in paths], config, options)
