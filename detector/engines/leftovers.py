"""What else a stream carries: the format that its rejected records would have, told from a few of them.

Of a file its first lines tell what it mixes; a stream's format is settled once, and what comes later is rejected. Every
chunk leaves a few of its rejected records here, and once in a while these are shown to all presets.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from detector import clock
from detector.engines.feed import Scanner
from detector.engines.recognising import SAMPLE_LINES
from detector.formats.detection import MIXED
from detector.formats.envelope import Envelope, detect_envelope
from detector.formats.fields import MAX_LINE_BYTES, REASON, Fields
from detector.sources.chunk import Chunk

LOOK_S = 60.0  # between two looks, each of which costs what the detection of a log does
OF_A_CHUNK = 8  # records kept of one, evenly spread: a sample of 200 then speaks of 25 chunks
LEAST = 20  # rejected records that a look is worth: of fewer half may be anything (judgement)
_BLANK = (REASON["ok"], REASON["empty"], REASON["comment"])


class Leftovers:
    """Rejected records of one stream. Used by one thread.

    Attributes:
        formats: other formats met so far, and about how many of the rejected records were theirs.
    """

    def __init__(self) -> None:
        self.formats: dict[str, int] = {}
        self._sample: deque[bytes] = deque(maxlen=SAMPLE_LINES)
        self._records = self._rejected = 0
        self._due_s = 0.0

    def note(self, chunk: Chunk, fields: Fields) -> None:
        """Keeps some of the records that were rejected, as the scanner has left them."""
        self._records += len(fields.reason)
        if not fields.reason.any():
            return
        rows = np.flatnonzero(~np.isin(fields.reason, _BLANK))
        self._rejected += len(rows)
        for row in rows[:: max(1, -(-len(rows) // OF_A_CHUNK))].tolist():
            start, size = int(chunk.starts[row]), min(int(chunk.lengths[row]), MAX_LINE_BYTES + 1)
            self._sample.append(chunk.buffer[start : start + size].tobytes())

    def look(self, scanner: Scanner, own: Envelope, last: bool = False) -> bool:
        """Sees what the records are, where there are enough of them and the last look was a while ago; whether there
        was anything to be seen.

        Args:
            scanner: the stream's format, and
            own: its envelope: what is found in both is a record with a fault, not another format.
            last: there will be no other look.
        """
        now = clock.monotonic()
        enough = self._rejected >= max(LEAST, MIXED * self._records)
        if not enough or (now < self._due_s and not last):
            return False
        self._due_s = now + LOOK_S
        samples, rejected = list(self._sample), self._rejected
        self._sample.clear()
        self._records = self._rejected = 0
        envelope, found = detect_envelope(samples)
        if found.format is None or found.closest is None:
            return False
        wrapped = f", {envelope.about}" if envelope.key and envelope != own else ""
        shares = {found.format.name: found.rates[found.closest], **found.others}
        others = {f"{name}{wrapped}": share for name, share in shares.items() if wrapped or name != scanner.name}
        for name, share in others.items():
            self.formats[name] = self.formats.get(name, 0) + round(share * rejected)
        return bool(others)
