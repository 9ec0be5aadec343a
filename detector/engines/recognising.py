"""What the records of a stream are written in, told from the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detector.engines.feed import Scanner, lines_of
from detector.formats.envelope import Envelope, detect_envelope
from detector.formats.fields import MAX_LINE_BYTES
from detector.sources.chunk import Chunk

SAMPLE_LINES = 200  # a format is told from, as in replay
HEADER_LINES = 8  # always among them: a W3C log or a table begins with lines about itself
LARGE_MESSAGES = 4  # looked at where no shorter ones tell a format: a collector's requests hold thousands of records
LARGE_BYTES = 16 << 20  # of each: a collector takes 4 MiB and a broker 1 MB unless told otherwise


class Recognised(NamedTuple):
    """What was found out: the envelope that fits best, the format (None = none fits), and what was looked at."""

    envelope: Envelope
    scanner: Scanner | None
    samples: list[bytes]


def recognise(held: Sequence[Chunk], given: Scanner | None) -> Recognised:
    """Envelope and format of the records held so far.

    Args:
        held: chunks, one at least, as they came.
        given: the format they are known to have; None = found out. It is taken where it fits any of them.
    """
    first = lines_of(held[0], HEADER_LINES)
    spread = [line for chunk in held for line in lines_of(chunk, SAMPLE_LINES, spread=True)]
    seen = _of([*first, *spread[-(SAMPLE_LINES - len(first)) :]], given)
    if seen.scanner is not None:
        return seen
    large = [one for chunk in held for one in lines_of(chunk, LARGE_MESSAGES, longest=LARGE_BYTES, over=MAX_LINE_BYTES)]
    other = _of(large[:LARGE_MESSAGES], given) if large else seen
    return other if other.scanner is not None or not seen.samples else seen


def _of(samples: list[bytes], given: Scanner | None) -> Recognised:
    envelope, detection = detect_envelope(samples, given)
    if given is None:
        return Recognised(envelope, detection.format, samples)
    fits = detection.format is not None or detection.rates.get(given.name, 0.0) > 0
    return Recognised(envelope, given if fits else None, samples)
