"""How a log would be read, told from a sample of it: format, example, routes, clients; no judgement, no state.

All presets are tried on some lines spread over the sample; the best one, or the one that is given, then reads all of
it. What comes of that is what `replay` and `run` would learn from these lines alone.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector import formats
from detector.config import Config
from detector.engines.feed import lines_of, lines_of_others
from detector.engines.local import make_resolver
from detector.engines.recognising import LARGE_BYTES
from detector.formats.envelope import AUTO, LINES, NONE, Envelope, detect_envelope, foreign
from detector.formats.fields import FIELDS, MAX_LINE_BYTES, REASONS, Fields
from detector.masking import masked_field
from detector.records.batch import KINDS, MISS, STATIC, Batch
from detector.records.identity import IdentityCounts
from detector.records.routes import Routes
from detector.sources.chunk import Chunk
from detector.sources.files import discover

SAMPLE_LINES = 20_000  # enough for a route's names to become {slug}; a second's work
DETECT_LINES = 200  # shown to all presets, as in replay
SHOWN = 12  # routes and clients told by name


@dataclass(frozen=True)
class RouteSeen:
    """A route learnt from the sample: its name, its requests, and how many distinct records they asked for."""

    name: str
    requests: int
    records: int
    is_record: bool


@dataclass(frozen=True)
class ClientSeen:
    """A client of the sample: as incidents would name it, by which rung of the ladder, and its requests."""

    name: str
    kind: str
    requests: int


@dataclass
class Inspection:
    """What a sample tells.

    Attributes:
        name: the file or topics.
        lines: records looked at, as they lie in the sample, opened where something wraps them.
        envelope: what wraps them, as `source.envelope` takes it.
        envelope_about: the same in words.
        format: the format that reads them, empty where none does.
        rates: preset → share of the lines shown to it that it takes; all presets of that kind.
        others: presets of another kind (text, JSON), which take none.
        closest: the preset that comes closest where none reads them.
        rejected: lines not understood, by reason.
        mixed: other formats, and how many of those lines are theirs.
        example: field → text of the line with most fields, secrets left out; numbers among them.
        present: field → share of the parsed lines that have it; ``status``, ``bytes``, ``rows`` among them.
        period_us: first and last log time, microseconds since 1970 UTC.
        whole_seconds: whether no line has a finer time.
        routes: those learnt, most requests first.
        route_count: how many.
        clients: those seen, most requests first.
        client_count: how many.
        identities: what the resolver counted.
        trouble: why nothing could be read, else empty.
    """

    name: str
    lines: int = 0
    envelope: str = "none"
    envelope_about: str = ""
    format: str = ""
    rates: dict[str, float] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    closest: str = ""
    rejected: dict[str, int] = field(default_factory=dict)
    mixed: dict[str, int] = field(default_factory=dict)
    example: dict[str, str] = field(default_factory=dict)
    present: dict[str, float] = field(default_factory=dict)
    period_us: tuple[int, int] = (0, 0)
    whole_seconds: bool = False
    routes: list[RouteSeen] = field(default_factory=list)
    route_count: int = 0
    clients: list[ClientSeen] = field(default_factory=list)
    client_count: int = 0
    identities: IdentityCounts = field(default_factory=lambda: IdentityCounts([0] * len(KINDS)))
    trouble: str = ""


def sample_file(path: str) -> list[bytes]:
    """The first `SAMPLE_LINES` lines of the first readable file that ``path`` means.

    Raises:
        InputError: there is none.
    """
    lines: list[bytes] = []
    for file in discover([path]):
        if file.skip:
            continue
        with closing(file.heads()) as heads:
            for head in heads:
                lines += lines_of(head, SAMPLE_LINES - len(lines))
                if len(lines) >= SAMPLE_LINES:
                    break
        if lines:
            break
    return lines


def inspect(name: str, samples: list[bytes], config: Config, log_format: str | None = None) -> Inspection:
    """Reads some lines or messages the way a replay or a stream would.

    Args:
        name: what they are called.
        samples: whole lines or messages, in their order.
        config: identity and routes as they are configured; an envelope that is set is taken as it is.
        log_format: preset or format string; None = detected.

    Raises:
        FormatError: the format string cannot be compiled.
        UsageError: no format or envelope of that name.
    """
    seen = Inspection(name)
    log_format = log_format or config.source.format
    given = formats.load(log_format) if log_format else None
    spread = samples[:: max(1, -(-len(samples) // DETECT_LINES))]
    if not samples:
        seen.trouble = "empty"
        return seen
    envelope, detection = detect_envelope(spread, given)
    if config.source.envelope != AUTO:
        envelope = Envelope.named(config.source.envelope)
    seen.envelope, seen.envelope_about = envelope.name, envelope.about
    seen.rates = dict(sorted(detection.rates.items(), key=lambda item: (-item[1], item[0])))
    seen.others = [preset for preset in formats.PRESETS if preset not in seen.rates] if given is None else []
    seen.closest = detection.closest or ""
    scanner = given or (formats.load(detection.closest) if detection.closest else None)
    if scanner is None or not seen.rates.get(seen.closest or scanner.name, 0.0):
        seen.trouble = foreign(spread) or "no preset reads a line of it"
        return seen
    seen.format = scanner.name
    most = MAX_LINE_BYTES + 1 if envelope.name in (NONE, LINES) else LARGE_BYTES
    chunk = envelope.open(_chunk(samples, most))
    fields = scanner.scan(chunk)
    if given is None and detection.others:
        seen.mixed = lines_of_others(chunk, fields, [formats.load(name) for name in detection.others])
    _note_fields(seen, chunk, fields)
    if (fields.reason == 0).any():
        _note_rows(seen, chunk, fields, config)
    return seen


def _chunk(samples: list[bytes], most: int) -> Chunk:
    """The samples one behind the other, each cut to ``most`` bytes."""
    lengths = np.array([min(len(sample), most) for sample in samples], np.int64)
    starts = np.cumsum(lengths + 1) - lengths - 1
    data = b"".join(sample[:most] + b"\n" for sample in samples)
    return Chunk(np.frombuffer(bytearray(data), np.uint8), starts, lengths, np.arange(len(samples)), 0)


def _note_fields(seen: Inspection, chunk: Chunk, fields: Fields) -> None:
    """Counts what the lines have, and fills the example from the one that has most."""
    counts = np.bincount(fields.reason, minlength=len(REASONS)).tolist()
    seen.lines = len(fields.reason)
    seen.rejected = {reason: n for reason, n in zip(REASONS[1:], counts[1:], strict=True) if n}
    taken = np.flatnonzero(fields.reason == 0)
    if not len(taken):
        return
    there = fields.span[taken, :, 1] > 0
    seen.present = {name: float(there[:, code].mean()) for code, name in enumerate(FIELDS)}
    for name, column in (("status", fields.status), ("bytes", fields.bytes_out), ("rows", fields.rows != 1)):
        seen.present[name] = float((column[taken] != 0).mean())
    time_us = fields.time_us[taken]
    seen.period_us = int(time_us.min()), int(time_us.max())
    seen.whole_seconds = not (time_us % 1_000_000).any()
    best = int(taken[np.argmax(there.sum(axis=1))])
    seen.example = {
        "status": str(fields.status[best]),
        "bytes": str(fields.bytes_out[best]),
        **({"rows": str(fields.rows[best])} if fields.rows[best] != 1 else {}),
        **_example(chunk, fields.span[best]),
    }
    seen.example["time_us"] = str(fields.time_us[best])


def _example(chunk: Chunk, span: npt.NDArray[np.int32]) -> dict[str, str]:
    texts = {}
    for code, name in enumerate(FIELDS):
        start, length = (int(v) for v in span[code])
        if length > 0:
            text = chunk.buffer[start : start + length].tobytes().decode("utf-8", "surrogateescape")
            texts[name] = masked_field(name, text)
    return texts


def _note_rows(seen: Inspection, chunk: Chunk, fields: Fields, config: Config) -> None:
    """Learns routes and clients from the sample, in its order of log time."""
    resolver, routes = make_resolver(config)
    batch = resolver.resolve(chunk, fields)
    batch = batch.take(np.argsort(batch.time_us, kind="stable"))
    routes.assign(batch)
    seen.identities = resolver.counts()
    seen.routes, seen.route_count = _routes(batch, routes)
    seen.clients, seen.client_count = _clients(batch)


def _routes(batch: Batch, routes: Routes) -> tuple[list[RouteSeen], int]:
    shown = (batch.flags & STATIC == 0) & (batch.requests > 0)
    numbers, counts = np.unique(batch.route[shown], return_counts=True)
    found = []
    for number in numbers[np.lexsort((numbers, -counts))][:SHOWN].tolist():
        rows = batch.route == number
        read = rows & (batch.object != 0) & (batch.flags & MISS == 0)
        requests = int(np.count_nonzero(rows & shown))
        records = len(np.unique(batch.object[read]))
        found.append(RouteSeen(routes.name(number), requests, records, routes.is_record(number)))
    return found, len(numbers)


def _clients(batch: Batch) -> tuple[list[ClientSeen], int]:
    first = batch.requests > 0
    clients, place, counts = np.unique(batch.client[first], return_index=True, return_counts=True)
    rows = np.flatnonzero(first)[place]
    found = []
    for at in np.lexsort((rows, -counts))[:SHOWN].tolist():
        name = batch.name[rows[at]].tobytes().rstrip(b"\0").decode("ascii", "backslashreplace")
        found.append(ClientSeen(name, KINDS[int(batch.kind[rows[at]])], int(counts[at])))
    return found, len(clients)
