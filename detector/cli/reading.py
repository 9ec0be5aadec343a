"""How one log line is read: its format, every field found in it, and who asked for what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from detector.cli.printable import printable
from detector.errors import InputError
from detector.formats.fields import FIELDS, REASONS
from detector.masking import masked_field, masked_line
from detector.records.batch import KINDS, MISS, PAGED, STATIC

if TYPE_CHECKING:
    from detector.config import Config
    from detector.formats import Format
    from detector.formats.fields import Fields
    from detector.sources.chunk import Chunk

ANSWERED = 200


def reading_lines(line: str, log_format: str | None, config: Config) -> list[str]:
    """What is read from ``line``, a line a fact, printable, secrets left out.

    Raises:
        FormatError: the format string is wrong.
        InputError: no preset reads the line.
    """
    raw = line.rstrip("\r\n").encode("utf-8", "surrogateescape")
    reader = _format(raw, log_format)
    chunk = _chunk(raw)
    fields = reader.scan(chunk)
    lines = [f"format    {printable(reader.name)}"]
    reason = REASONS[int(fields.reason[0])]
    if reason != "ok":
        return [*lines, f"rejected  {reason}", f"line      {printable(masked_line(line))}"]
    return [*lines, *_field_lines(chunk, fields), "", *_row_lines(chunk, fields, config)]


def _format(raw: bytes, log_format: str | None) -> Format:
    from detector.formats import PRESETS, detect, load

    if log_format is not None:
        return load(log_format)
    found = detect([raw])
    if found.format is None:
        raise InputError(
            f"no preset reads this line: {masked_line(raw[:200].decode('utf-8', 'replace'))}\n"
            f"closest: {found.closest or 'none'}; say --log-format with one of {', '.join(PRESETS)} "
            "or with the log_format string of the server's configuration"
        )
    return found.format


def _chunk(raw: bytes) -> Chunk:
    from detector.sources.chunk import Chunk

    one = np.zeros(1, np.int64)
    buffer = np.frombuffer(bytearray(raw + b"\n"), np.uint8)
    return Chunk(buffer, one, np.array([len(raw)], np.int64), one, 0)


def _field_lines(chunk: Chunk, fields: Fields) -> list[str]:
    moment = datetime.fromtimestamp(int(fields.time_us[0]) / 1e6, UTC).isoformat()
    lines = [f"time      {moment}", f"status    {fields.status[0]}", f"bytes     {fields.bytes_out[0]}"]
    if fields.torn[0]:
        lines.append("torn      the line ends inside its last field; taken all the same")
    for code, name in enumerate(FIELDS):
        start, length = (int(v) for v in fields.span[0, code])
        if length >= 0:
            text = chunk.buffer[start : start + length].tobytes().decode("utf-8", "surrogateescape")
            lines.append(f"{name:<9} {printable(masked_field(name, text))}")
    return lines


def _row_lines(chunk: Chunk, fields: Fields, config: Config) -> list[str]:
    """Who asked, by which rung of the ladder, for which object of which route."""
    from detector.engines.local import make_resolver

    resolver, routes = make_resolver(config)
    flags = int(resolver.resolve(chunk, fields).flags[0])
    fields.status[:] = ANSWERED  # a request that was refused teaches no route; shown is what it asked for
    row = resolver.resolve(chunk, fields)
    routes.assign(row)
    name = row.name[0].tobytes().rstrip(b"\0").decode("ascii", "backslashreplace")
    kind = KINDS[int(row.kind[0])]
    lines = [
        f"client    {printable(name)} ({kind})" if kind != "none" else "client    nobody can be told",
        f"route     {printable(routes.name(int(row.route[0])))}",
        f"object    {_object(int(row.object[0]), int(row.number[0]), flags)}",
    ]
    if not row.object[0] and not flags & STATIC:
        after = config.routes.slug_after
        lines.append(f"          a name becomes an object once {after} different ones were seen in its place")
    if flags & MISS:
        lines.append("          not found: it counts as a try, not as a record read")
    return lines


def _object(identity: int, number: int, flags: int) -> str:
    if not identity:
        return "an asset, no record" if flags & STATIC else "none known"
    what = "page of a list" if flags & PAGED else "record"
    return f"{what} {number}" if number >= 0 else f"{what} {identity:016x} (hash of its id)"
