"""Which preset a log is written in, from its first lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.formats.fields import FIELD, MAX_LINE_BYTES, REASON, REASONS, Fields
from detector.formats.jsonlines import JsonFormat
from detector.formats.presets import Format, names, preset

QUOTE = '"'
ENOUGH = 0.5  # a preset that takes fewer of the lines is not the log's (judgement; half of a real log was torn)
# How far a scanner has come when it gives a reason: an address is looked at first, a number last.
_PROGRESS = np.array([{"layout": 1, "torn": 1, "time": 2, "status": 3, "bytes": 3, "ok": 4}.get(r, 0) for r in REASONS])
_LIST_BYTES = frozenset(b"0123456789abcdefABCDEF.:, []-_unkow%")  # addresses, ports, `unknown`, `_hidden`
_HOST_BYTES = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_[]*~")


@dataclass(frozen=True)
class Detection:
    """What :func:`detect` found.

    Attributes:
        format: the format, or None where no preset takes at least ENOUGH of the lines that are not blank.
        rates: preset → share of those lines it takes; presets of the wrong kind (text, JSON) are left out.
        closest: the preset that takes most of the lines; where none takes any, the one that gets furthest into them.
    """

    format: Format | None
    rates: dict[str, float]
    closest: str | None


def detect(lines: list[bytes]) -> Detection:
    """Tries every preset of the right kind on the lines (200 are plenty).

    Of two that take as many lines the one wins that finds more in them (JSON) or demands more of them (text): a line of
    ``nginx_main`` is one of ``combined`` with something behind it.
    """
    lines = [line[: MAX_LINE_BYTES + 1] for line in lines if line.strip()]
    if not lines:
        return Detection(None, {}, None)
    json = sum(line.lstrip()[:1] == b"{" for line in lines) * 2 > len(lines)
    candidates = [p for p in map(preset, names()) if isinstance(p, JsonFormat) == json]
    rates: dict[str, float] = {}
    scores: dict[str, tuple[float, float, int]] = {}
    progress: dict[str, tuple[float, int]] = {}
    for candidate in candidates:
        fields, buffer = _scan(candidate, lines)
        taken = fields.reason == REASON["ok"]
        rates[candidate.name] = float(taken.mean())
        if taken.any() and _plausible(fields, buffer):
            filled = float((fields.span[taken, :, 1] >= 0).mean()) if json else 0.0
            scores[candidate.name] = (rates[candidate.name], filled, candidate.specificity)
        progress[candidate.name] = float(_PROGRESS[fields.reason].mean()), -_quotes_away(candidate, lines)
    if not scores:
        furthest = max(progress, key=lambda name: progress[name])
        return Detection(None, rates, furthest if progress[furthest][0] > 0 else None)
    best = max(scores, key=lambda name: scores[name])
    return Detection(preset(best) if rates[best] >= ENOUGH else None, rates, best)


def _quotes_away(candidate: Format, lines: list[bytes]) -> int:
    """How many quotation marks the layout has more or fewer than the first line: what the eye sees first."""
    if isinstance(candidate, JsonFormat):
        return 0
    return abs(candidate.layouts[0].text.count(QUOTE) - lines[0].count(QUOTE.encode()))


def _scan(candidate: Format, lines: list[bytes]) -> tuple[Fields, bytes]:
    data = b"\n".join(lines) + b"\n"
    lengths = np.array([len(line) for line in lines], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.int64)
    buffer = np.frombuffer(bytearray(data), np.uint8)
    fields = candidate.columns(buffer, starts, lengths)
    return fields, buffer.tobytes()


def _plausible(fields: Fields, buffer: bytes) -> bool:
    """Whether what is called a list of addresses, or a host, could be one, as far as these lines tell."""
    for name, allowed in (("forwarded", _LIST_BYTES), ("host", _HOST_BYTES)):
        for start, length in fields.span[:, FIELD[name]]:
            if length > 0 and not allowed.issuperset(buffer[start : start + length]):
                return False
    return True
