"""Declared routes: templates such as ``GET /users/{user}/orders/{id}`` and what data they hand out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from detector.errors import UsageError
from detector.records.batch import DEPTH
from detector.records.shape import METHODS

MAX_NAME = 40  # bytes of a parameter's name shown
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True)
class Template:
    """One declared route.

    Attributes:
        method: of `shape.METHODS`; ``-`` = any.
        path: as a request would name it, each parameter replaced by a number.
        parameters: depth of each parameter → its name.
        data_classes: what it hands out.
    """

    method: str
    path: str
    parameters: dict[int, str] = field(default_factory=dict)
    data_classes: tuple[str, ...] = ()


def parse_template(text: str, data_classes: Iterable[str] = ()) -> Template:
    """A template from its text: a method or none, and a path with parameters as ``{name}``, ``:name`` or ``*``.

    Raises:
        UsageError: it is no path, it has too many parts, or the method is not known.
    """
    method, _, path = text.strip().rpartition(" ")
    method = method.strip().upper() or "-"
    if method not in METHODS:
        raise UsageError(
            f"routes.templates: {text!a}: no method {method!a}; allowed: none or {', '.join(METHODS[1:-1])}"
        )
    path = path.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        raise UsageError(f"routes.templates: {text!a}: a path begins with /")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UsageError(f"routes.templates: {text!a}: without .., please")
    if len(parts) > DEPTH:
        raise UsageError(f"routes.templates: {text!a}: {len(parts)} parts; at most {DEPTH} are told apart")
    names = {depth: _parameter(part) for depth, part in enumerate(parts)}
    parameters = {depth: name for depth, name in names.items() if name}
    concrete = "/" + "/".join("0" if depth in parameters else part for depth, part in enumerate(parts))
    return Template(method, concrete, parameters, tuple(data_classes))


def _parameter(part: str) -> str:
    """The name of a parameter, empty for a literal."""
    if part == "*":
        name = "any"
    elif part.startswith(":") and len(part) > 1:
        name = part[1:]
    elif "{" in part and "}" in part:
        name = part[part.index("{") + 1 : part.rindex("}")].lstrip("+*").partition(":")[0]
    else:
        return ""
    return "".join(c if c in _NAME else "_" for c in name)[:MAX_NAME] or "any"
