"""Everything the program raises on purpose.

::

    DetectorError               one line for people; `exit_code` says how the program ends
    ├── UsageError              2   an option or a configuration is wrong
    │   ├── FormatError         2   a log format string cannot be compiled (text, place, what is allowed)
    │   └── ConfigError         2   every problem of a configuration file, each with file:line
    ├── InputError              3   a log cannot be read, or not one line of it could be parsed
    │   └── SealError           3   what lies encrypted on disk cannot be opened: no key, another one, or damaged
    ├── SnapshotError           3   what an earlier run kept cannot be used
    │   ├── SnapshotDamaged     3   it is not what was written: torn, flipped, not a snapshot at all
    │   └── SnapshotVersion     3   it was written by another version, or for other table sizes or another key
    └── SinkError               4   incidents could not be delivered
"""

from __future__ import annotations


class DetectorError(Exception):
    """A fault with a cause outside the program: what, where, what was seen, what is allowed."""

    exit_code = 70


class UsageError(DetectorError):
    """An option or a configuration is wrong."""

    exit_code = 2


class FormatError(UsageError):
    """A log format string cannot be compiled.

    Args:
        message: what is wrong and what is allowed.
        text: the format string as given.
        place: index of the offending character in ``text``; the message shows a caret under it.
    """

    def __init__(self, message: str, text: str, place: int) -> None:
        self.reason = message
        self.text = text
        self.place = place
        super().__init__(f"{message}\n  {text}\n  {' ' * place}^")


class ConfigError(UsageError):
    """Every problem of a configuration at once, a line each, with file and line number."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class InputError(DetectorError):
    """A log cannot be read, or nothing in it could be parsed."""

    exit_code = 3


class SealError(InputError):
    """What lies encrypted on disk cannot be opened: there is no key, it is another one, or the file is damaged."""


class SnapshotError(DetectorError):
    """What an earlier run kept cannot be used; the log is read again instead, as far back as the longest window."""

    exit_code = 3


class SnapshotDamaged(SnapshotError):
    """A snapshot is not what was written: torn, flipped, too long, or no snapshot at all."""


class SnapshotVersion(SnapshotError):
    """A snapshot was written by another version, or for other table sizes or another key; the message names both."""


class SinkError(DetectorError):
    """Incidents could not be delivered."""

    exit_code = 4
