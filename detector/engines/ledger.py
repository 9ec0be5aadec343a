"""The consent ledger on its way into the order of log time: beside the logs, a source like them, with its own clock."""

from __future__ import annotations

from typing import Any

from detector.engines.coverage import Coverage
from detector.engines.feed import END, Filter, Resolving, lines_of
from detector.engines.ledger_clock import LedgerClock
from detector.engines.order import Part, Pending
from detector.errors import InputError
from detector.formats.ledger import NAMES, json_ledger, ledger_format
from detector.formats.text import TextFormat
from detector.records.ledger import LedgerResolver
from detector.sources.chunk import Chunk
from detector.sources.files import LogFile, shown


class LedgerFeed:
    """A ledger's file being read, like `feed.Feed`.

    Args:
        file: the file.
        resolver: what makes rows of its lines.

    Raises:
        InputError: it is no ledger, or cannot be read.
    """

    def __init__(self, file: LogFile, resolver: LedgerResolver) -> None:
        self.file = file
        self.finished = False
        self._resolver = resolver
        self._pending = Pending(LedgerClock())
        head = next(iter(heads := file.heads()), None)
        heads.close()
        first = lines_of(head, 1) if head is not None else []
        scanner = ledger_format(first[0]) if first else json_ledger()
        if scanner is None:
            wanted = ", ".join(NAMES[field].split()[0] for field in ("time", "target", "account", "subject"))
            raise InputError(
                f"{shown(file.path)}: no consent ledger: its first line is {shown(first[0])!r}; "
                f"a header with {wanted} at least, or JSON with these, is"
            )
        self._scanner = scanner
        self._skip_header = isinstance(scanner, TextFormat)

    @property
    def watermark(self) -> int:
        """No change still to come of this file has a moment before it."""
        return END if self.finished else self._pending.watermark

    def step(self, chunk_bytes: int, _resolver: Resolving, _filters: Filter, coverage: Coverage) -> list[Part]:
        """Reads one chunk; returns the changes in it."""
        chunk = self.file.read(chunk_bytes)
        if chunk is None:
            self.finished = True
            if self.file.loss:
                coverage.lost.append((self.file.path, self.file.loss))
            return self._pending.finish()
        if self._skip_header:
            self._skip_header = False
            chunk = Chunk(chunk.buffer, chunk.starts[1:], chunk.lengths[1:], chunk.positions[1:], chunk.origin)
        return changes(chunk, self._scanner, self._resolver, self._pending, coverage)


def changes(chunk: Chunk, scanner: Any, resolver: LedgerResolver, pending: Pending, coverage: Coverage) -> list[Part]:
    """The changes in a chunk, counted."""
    unknown = resolver.unknown
    fields = scanner.scan(chunk)
    batch = resolver.resolve(chunk, fields)
    coverage.count_ledger(fields, resolver.unknown - unknown)
    return pending.push(batch) if len(batch) else []
