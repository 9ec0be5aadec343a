"""What a run has read: the figures every report ends with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from detector.engines.moments import Moments
from detector.formats.fields import REASONS, Fields
from detector.records.batch import KINDS, Batch

NAMED = 20  # files told by name


@dataclass
class Coverage:
    """Counters of lines and requests; every line is parsed or rejected under one reason.

    Attributes:
        lines: lines read.
        bytes: of text, uncompressed, without line ends.
        parsed: lines understood, torn and filtered ones included.
        rejected: lines not understood, by reason (``formats.fields.REASONS``); reasons that did not occur are left out.
        torn: lines understood although they end inside their last field.
        filtered: lines understood but outside ``--since``, ``--until`` or ``--vhost``.
        requests: requests handed on: ``parsed - filtered``.
        with_object: of those, with a record known that they read.
        by_kind: of those, by the kind of client (``records.batch.KINDS``).
        omitted: requests that have no line because the log is a sample, thousandths.
        doubled: requests a second proxy logged too, counted once.
        late, future: of those, too old or dated ahead (see ``engines.moments``).
        first_us, last_us: log time of the first and last request that is not future, microseconds UTC; None = none.
        files: files that gave at least one line.
        skipped: (path, reason) of files that were not read.
        mixed: path to other formats in the file, and how many of the rejected lines are theirs; of a stream ``source``
            to about how many.
        lost: (path, what) of files that could be read only in part, or not at all.
        changes: changes of the consent ledger that were read.
        changes_rejected: lines of it that are none, by reason; ``unknown``: no action is called so, or it names nobody.
    """

    lines: int = 0
    bytes: int = 0
    parsed: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    torn: int = 0
    filtered: int = 0
    requests: int = 0
    with_object: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    omitted: int = 0
    doubled: int = 0
    late: int = 0
    future: int = 0
    first_us: int | None = None
    last_us: int | None = None
    files: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    mixed: dict[str, dict[str, int]] = field(default_factory=dict)
    lost: list[tuple[str, str]] = field(default_factory=list)
    changes: int = 0
    changes_rejected: dict[str, int] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As plain data, for cases; of files skipped and lost the first `NAMED`."""
        plain = ("lines", "bytes", "parsed", "torn", "filtered", "requests", "with_object", "late", "future", "files")
        moments = {name: _moment(getattr(self, f"{name}_us")) for name in ("first", "last")}
        return {
            **{name: getattr(self, name) for name in plain},
            **moments,
            "rejected": dict(self.rejected),
            "by_kind": dict(self.by_kind),
            "skipped": [list(one) for one in self.skipped[:NAMED]],
            "lost": [list(one) for one in self.lost[:NAMED]],
        }

    def count_lines(self, text_bytes: int, fields: Fields) -> int:
        """Adds the lines of one chunk, before any filter; returns how many were parsed."""
        counts = np.bincount(fields.reason, minlength=len(REASONS)).tolist()
        self.lines += len(fields.reason)
        self.bytes += text_bytes
        self.parsed += counts[0]
        self.torn += int(np.count_nonzero(fields.torn[fields.reason == 0])) if fields.torn.any() else 0
        for reason, count in zip(REASONS[1:], counts[1:], strict=True):
            if count:
                self.rejected[reason] = self.rejected.get(reason, 0) + count
        return int(counts[0])

    def count_ledger(self, fields: Fields, unknown: int) -> None:
        """Adds lines of the consent ledger."""
        counts = np.bincount(fields.reason, minlength=len(REASONS)).tolist()
        self.changes += counts[0] - unknown
        for reason, count in zip((*REASONS[1:], "unknown"), (*counts[1:], unknown), strict=True):
            if count:
                self.changes_rejected[reason] = self.changes_rejected.get(reason, 0) + count

    def count_requests(self, batch: Batch) -> None:
        """Adds the requests of one batch."""
        first = batch.requests > 0
        kinds = np.bincount(batch.kind[first], minlength=len(KINDS)).tolist()
        self.requests += sum(kinds)
        self.omitted += int(batch.omitted[first].sum(dtype=np.int64))
        for kind, count in zip(KINDS, kinds, strict=True):
            if count:
                self.by_kind[kind] = self.by_kind.get(kind, 0) + count

    def count_objects(self, batch: Batch) -> None:
        """Adds the objects of one batch, after its routes were assigned: slugs are objects from then on."""
        self.with_object += int(np.count_nonzero((batch.object != 0) & (batch.requests > 0)))

    def count_moments(self, batch: Batch, moments: Moments) -> None:
        """Adds what the clock of a file said of a batch's rows."""
        first = batch.requests > 0
        self.late += int(np.count_nonzero(moments.late & first))
        self.future += int(np.count_nonzero(moments.future & first))
        honest = batch.time_us[~moments.future] if moments.future.any() else batch.time_us
        if len(honest):
            low, high = int(honest.min()), int(honest.max())
            self.first_us = low if self.first_us is None else min(self.first_us, low)
            self.last_us = high if self.last_us is None else max(self.last_us, high)


def covered(coverage: Coverage, partitions: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """What the manifests of a stream's cases say: what was read so far, and what positions count in."""
    return {"coverage": coverage.told(), "sources": [f"{topic}/{number}" for topic, number in partitions]}


def _moment(time_us: int | None) -> str | None:
    return None if time_us is None else datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat()
