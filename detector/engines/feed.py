"""One log file on its way to rows: its lines scanned, filtered, resolved and given their moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.engines.coverage import Coverage
from detector.engines.moments import NEVER, FileClock
from detector.engines.order import Part, Pending
from detector.errors import InputError
from detector.formats.envelope import Envelope
from detector.formats.fields import FIELD, MAX_LINE_BYTES, Fields
from detector.masking import masked_line
from detector.records.batch import Batch
from detector.sources.chunk import Chunk
from detector.sources.files import LogFile, shown

FILTERED = 255  # stands in ``Fields.reason`` for lines understood but not asked for; no code of REASONS
END = 1 << 62  # the watermark of what has ended
SHOWN_LINES = 3  # of a file nothing could be parsed of (issue "Bad input")
SHOWN_BYTES = 400  # of each; `sources.files.shown` cuts it further, after the secrets are out


class Scanner(Protocol):
    """What reading needs of a format (``detector.formats.load``)."""

    @property
    def name(self) -> str:
        """Preset name, or ``custom``."""

    def scan(self, chunk: Chunk) -> Fields:
        """The lines of a chunk as columns."""


class Resolving(Protocol):
    """What reading needs of ``detector.records.resolve.Resolver``."""

    def resolve(self, chunk: Chunk, fields: Fields) -> Batch:
        """The rows of the lines with ``reason`` 0, in line order; a pure function of each line."""


@dataclass(frozen=True)
class Filter:
    """Which of the parsed lines are asked for: ``since_us <= time < until_us`` and this virtual host; None = all."""

    since_us: int | None = None
    until_us: int | None = None
    vhost: str | None = None

    def apply(self, chunk: Chunk, fields: Fields) -> int:
        """Sets the reason of lines that are not asked for to ``FILTERED``; returns how many."""
        wrong = np.zeros(len(fields.reason), np.bool_)
        if self.since_us is not None:
            wrong |= fields.time_us < self.since_us
        if self.until_us is not None:
            wrong |= fields.time_us >= self.until_us
        if self.vhost is not None:
            wrong |= ~_has_host(chunk, fields, self.vhost)
        wrong &= fields.reason == 0
        fields.reason[wrong] = FILTERED
        return int(np.count_nonzero(wrong))


def _has_host(chunk: Chunk, fields: Fields, vhost: str) -> npt.NDArray[np.bool_]:
    """Which lines name this host, upper and lower case alike, with or without a port."""
    wanted = np.frombuffer(vhost.lower().encode("utf-8", "surrogateescape"), np.uint8)
    start = fields.span[:, FIELD["host"], 0].astype(np.int64)
    length = fields.span[:, FIELD["host"], 1]
    right = length >= len(wanted)
    at = np.flatnonzero(right)
    text = chunk.buffer[start[at][:, None] + np.arange(len(wanted))]
    text = np.where((text >= ord("A")) & (text <= ord("Z")), text | 0x20, text)
    same = (text == wanted).all(axis=1)
    longer = length[at] > len(wanted)
    behind = chunk.buffer[np.minimum(start[at] + len(wanted), chunk.buffer.size - 1)]
    right[at] = same & (~longer | (behind == ord(":")))
    return right


class Feed:
    """A file being read.

    Args:
        file: the file.
        scanner: its format.
        first_us: the earliest time among its first lines, None = not known.
        lateness_us: see ``FileClock``.
        others: formats that share the file: how many of the rejected lines are theirs is counted.
        envelope: what wraps the records of its lines, None = nothing.
    """

    def __init__(
        self,
        file: LogFile,
        scanner: Scanner,
        first_us: int | None,
        lateness_us: int,
        others: Sequence[Scanner] = (),
        envelope: Envelope | None = None,
    ) -> None:
        self.file = file
        self._envelope = envelope
        self._others = others
        self.finished = False
        self._scanner = scanner
        self._pending = Pending(FileClock(lateness_us, NEVER if first_us is None else first_us - lateness_us))
        self._lines = 0
        self._parsed = 0
        self._first: list[bytes] = []

    @property
    def watermark(self) -> int:
        """No row still to come of this file has a moment before it."""
        return END if self.finished else self._pending.watermark

    def step(self, chunk_bytes: int, resolver: Resolving, filters: Filter, coverage: Coverage) -> list[Part]:
        """Reads one chunk; returns the rows whose moments are known by now.

        Raises:
            InputError: the file has ended, was named by the user, and had lines but not one that could be parsed.
        """
        chunk = self.file.read(chunk_bytes)
        if chunk is None:
            self._close(coverage)
            return _counted(self._pending.finish(), coverage)
        if not self._parsed and len(self._first) < SHOWN_LINES:
            self._first += lines_of(chunk, SHOWN_LINES - len(self._first))
        if self._envelope is not None:
            chunk = self._envelope.open(chunk)
        fields = self._scanner.scan(chunk)
        self._lines += len(fields.reason)
        self._parsed += coverage.count_lines(int(chunk.lengths.sum()), fields)
        if self._others:
            counts = coverage.mixed.setdefault(self.file.path, {})
            for name, count in lines_of_others(chunk, fields, self._others).items():
                counts[name] = counts.get(name, 0) + count
        coverage.filtered += filters.apply(chunk, fields)
        batch = resolver.resolve(chunk, fields)
        if not len(batch):
            return []
        coverage.count_requests(batch)
        return _counted(self._pending.push(batch), coverage)

    def _close(self, coverage: Coverage) -> None:
        self.finished = True
        if self.file.loss:
            coverage.lost.append((self.file.path, self.file.loss))
        if self._lines and not self._parsed and self.file.direct:
            raise unreadable(
                self.file.path, self._first, f"not one of its {self._lines} lines fits {self._scanner.name}"
            )
        coverage.files += self._lines > 0


def _counted(parts: list[Part], coverage: Coverage) -> list[Part]:
    for part in parts:
        coverage.count_moments(part.batch, part.moments)
    return parts


def lines_of(
    chunk: Chunk, most: int, spread: bool = False, first: int = 0, longest: int = MAX_LINE_BYTES, over: int = 0
) -> list[bytes]:
    """At most ``most`` lines of a chunk, no empty and no overlong ones: the first, or evenly spread over all, and then
    the ``first`` few always among them. ``over`` and up to ``longest`` bytes: others pass unseen."""
    usable = np.flatnonzero((chunk.lengths > over) & (chunk.lengths <= longest))
    step = -(-len(usable) // most) if spread and len(usable) else 1
    lines = np.array(sorted({*usable[:first].tolist(), *usable[::step][:most].tolist()}), np.int64)
    ends = chunk.starts[lines] + chunk.lengths[lines]
    return [chunk.buffer[a:b].tobytes() for a, b in zip(chunk.starts[lines].tolist(), ends.tolist(), strict=True)]


def lines_of_others(chunk: Chunk, fields: Fields, others: Sequence[Scanner]) -> dict[str, int]:
    """How many of the lines that a chunk's own format rejects other formats take, the first that does counting."""
    counts = {}
    rest = np.flatnonzero(fields.reason != 0)
    for other in others:
        own = Chunk(chunk.buffer, chunk.starts[rest], chunk.lengths[rest], chunk.positions[rest], chunk.origin)
        taken = other.scan(own).reason == 0
        counts[other.name] = int(np.count_nonzero(taken))
        rest = rest[~taken]
    return counts


def names_host(fields: Fields, taken: npt.NDArray[np.bool_]) -> bool:
    """Whether any of the lines taken names its virtual host."""
    return bool((fields.span[taken, FIELD["host"], 1] > 0).any())


def unreadable(path: str, lines: list[bytes], why: str) -> InputError:
    """The error for a file nothing could be parsed of: its first lines as seen, escaped, secrets left out."""
    texts = [masked_line(line[:SHOWN_BYTES].decode("latin-1")).encode("latin-1") for line in lines[:SHOWN_LINES]]
    seen = "".join(f"\n  line {n}: {shown(text)}" for n, text in enumerate(texts, 1))
    return InputError(f"{shown(path)}: {why}{seen}")
