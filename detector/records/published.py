"""Who a crawler is, out of files: the ranges its owner publishes, and the names DNS gave to addresses.

Nothing is asked of the network here. Ranges are the JSON that Google, Microsoft, OpenAI and others publish (prefixes
under keys such as ``ipv4Prefix``), or a list, one a line. Names are those that a reverse look-up gave and a forward
look-up confirmed, as whoever made the file vouches: the way Google and Microsoft tell owners to verify their bots.
"""

from __future__ import annotations

import csv
import ipaddress
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detector.errors import UsageError

MOST = 100_000  # networks of one file; the largest list published (a cloud's) has some ten thousand
PREFIX_KEYS = ("ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix", "prefix", "cidr")


def read_networks(path: Path) -> list[str]:
    """The networks of a file, in its order.

    Raises:
        UsageError: it cannot be read, or something in it is no network; with its line or entry.
    """
    text = _text(path)
    if text.lstrip()[:1] in ("{", "["):
        try:
            found = list(_prefixes(json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: no JSON: {error}") from error
        entries = [(f"entry {at}", value) for at, value in enumerate(found, 1)]
    else:
        rows = [(f"{at}", row.partition("#")[0].strip()) for at, row in enumerate(text.split("\n"), 1)]
        entries = [(at, row) for at, row in rows if row]
    return _checked(path, entries)


def read_names(path: Path, ends: Sequence[str]) -> list[str]:
    """The addresses of a CSV file ``address,name`` whose name is one of ``ends`` or lies below one.

    Raises:
        UsageError: it cannot be read, or an address is none; with its line.
    """
    wanted = tuple("." + end.strip(".").lower() for end in ends)
    entries = []
    for at, row in enumerate(csv.reader(_text(path).split("\n")), 1):
        if len(row) >= 2 and row[0].strip() != "address" and f".{row[1].strip().strip('.').lower()}".endswith(wanted):
            entries.append((str(at), row[0].strip()))
    return _checked(path, entries)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def _prefixes(value: Any) -> Iterator[str]:
    """Every text under a key that names a prefix, and every text of a bare list."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                yield item
            else:
                yield from _prefixes(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in PREFIX_KEYS and isinstance(item, str):
                yield item
            elif isinstance(item, dict | list):
                yield from _prefixes(item)


def _checked(path: Path, entries: list[tuple[str, str]]) -> list[str]:
    if len(entries) > MOST:
        raise UsageError(f"{path}: {len(entries)} networks; at most {MOST}")
    for at, text in entries:
        try:
            wide = ipaddress.ip_network(text, strict=False).prefixlen == 0
        except ValueError as error:
            raise UsageError(f"{path}:{at}: not a network such as 192.0.2.0/24: {error}") from error
        if wide:
            raise UsageError(f"{path}:{at}: {text} is everybody")
    return [text for _, text in entries]
