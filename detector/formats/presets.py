"""The named formats: YAML files, one each, read when they are asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from detector.errors import UsageError
from detector.formats.jsonlines import JsonFormat, compile_map, pair_paths
from detector.formats.layout import Layout, parse_layout
from detector.formats.prefix import PREFIXES, Prefixed
from detector.formats.table import is_header, parse_header
from detector.formats.text import TextFormat
from detector.formats.zone import Zone

Plain = TextFormat | JsonFormat
Format = Plain | Prefixed


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


def is_json(name: str) -> bool:
    """Whether the lines of the preset of exactly that name are JSON; it is not compiled for that."""
    return bool(_read(name)["kind"] == "json")


@cache
def preset(name: str) -> Plain:
    """The preset of exactly that name."""
    document = _read(name)
    about = str(document.get("about", ""))
    where = f"configs/formats/{name}.yaml"
    if is_json(name):
        keys, pairs = compile_map(document, where), pair_paths(document, where)
        return JsonFormat(name, keys, about, pairs, bool(document.get("needs_address", True)))
    return TextFormat(name, tuple(map(_layout, document["layouts"])), about)


def _layout(text: str) -> Layout:
    return parse_header(text) if is_header(text) else parse_layout(text)


def load(name: str) -> Format:
    """The format called ``name`` (a preset, or an alias of one), or compiled from a log format string.

    Args:
        name: preset or alias in any case; or a string with ``$`` (nginx ``log_format``) or ``%`` (``LogFormat``), or
            the header of a table: ``#Fields: …`` (W3C) or ``csv:…``. In front of a name or string may stand what its
            lines stand behind, ``syslog+`` or ``cri+``; behind it ``@`` and the zone of moments that name none:
            ``syslog+haproxy@Europe/Berlin``.

    Raises:
        FormatError: the string cannot be compiled; the message shows where.
        UsageError: no preset, prefix or zone of that name; the message lists them.
    """
    prefix, plus, rest = name.partition("+")
    if plus and prefix.strip().lower() in PREFIXES:
        inner = load(rest)
        if not isinstance(inner, Prefixed):
            return Prefixed(prefix.strip().lower(), inner)
    bare, at, zone = name.rpartition("@")
    if at and "/" in zone and not any(c in zone for c in ' "$%'):
        inner = load(bare)
        if not isinstance(inner, Prefixed):
            return replace(inner, name=f"{inner.name}@{zone}", zone=Zone(zone))
    if is_header(name):
        return table(name)
    if "$" in name or "%" in name:
        return TextFormat("custom", (parse_layout(name),))
    return _named(name)


def table(*headers: str) -> TextFormat:
    """The format of a table by its headers, of which each line fits one.

    It is called by its first header, so that :func:`load` finds it again.
    """
    return TextFormat(headers[0], tuple(map(parse_header, headers)), "a table by its header")


def _named(name: str) -> Plain:
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in names():
        return preset(wanted)
    if wanted in aliases():
        return preset(aliases()[wanted])
    shown = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in name[:80])
    known = ", ".join(names())
    raise UsageError(f"no log format is called '{shown}'; there are {known}, or give the log_format string")
