"""The named formats: YAML files, one each, read when they are asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from detector.errors import UsageError
from detector.formats.jsonlines import JsonFormat, compile_map
from detector.formats.layout import parse_layout
from detector.formats.text import TextFormat

Format = TextFormat | JsonFormat


@cache
def folder() -> Path:
    """Where the presets are: inside the installed package, or ``configs/formats`` of a checkout."""
    installed = Path(__file__).parent / "presets"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "configs" / "formats"


@cache
def names() -> tuple[str, ...]:
    """The presets' names, sorted; no file is read."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml")))


@cache
def _read(name: str) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load((folder() / f"{name}.yaml").read_bytes(), loader)
    return document


@cache
def aliases() -> dict[str, str]:
    """Other names a preset goes by (GoAccess's among them), lower case → preset."""
    return {alias: name for name in names() for alias in _read(name).get("aliases", [])}


@cache
def preset(name: str) -> Format:
    """The preset of exactly that name."""
    document = _read(name)
    about = str(document.get("about", ""))
    if document["kind"] == "json":
        return JsonFormat(name, compile_map(document, f"configs/formats/{name}.yaml"), about)
    return TextFormat(name, tuple(parse_layout(text) for text in document["layouts"]), about)


def load(name: str) -> Format:
    """The format called ``name`` (a preset, or an alias of one), or compiled from a log format string.

    Args:
        name: preset or alias in any case; or a string with ``$`` (nginx ``log_format``) or ``%`` (``LogFormat``).

    Raises:
        FormatError: the string cannot be compiled; the message shows where.
        UsageError: no preset of that name; the message lists them.
    """
    if "$" in name or "%" in name:
        return TextFormat("custom", (parse_layout(name),))
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in names():
        return preset(wanted)
    if wanted in aliases():
        return preset(aliases()[wanted])
    shown = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in name[:80])
    known = ", ".join(names())
    raise UsageError(f"no log format is called '{shown}'; there are {known}, or give the log_format string")
