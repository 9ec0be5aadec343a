"""What a value of the configuration may be: told with each option, read by the loader and the reference table."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What a value may be, beyond its type.

    Attributes:
        help: one line for people.
        low, high: bounds of a number, both included.
        choices: the closed list a text (or each text of a list, or each key of a mapping) comes from.
        check: names a further check of the loader: ``"network"``, ``"file"`` or one of `detector.config_checks`.
        required: has no default.
    """

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    check: str = ""
    required: bool = False


def option(default: Any, rule: Rule) -> Any:
    """A dataclass field with its default and its rule."""
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"rule": rule})
    return field(default=default, metadata={"rule": rule})
