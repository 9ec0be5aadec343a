"""Which preset a log is written in, from its first lines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from detector.formats.fields import FIELD, MAX_LINE_BYTES, REASON, REASONS, Fields
from detector.formats.jsonlines import JsonFormat
from detector.formats.prefix import PREFIXES, Prefixed, stripped
from detector.formats.presets import Format, Plain, is_json, names, preset, table
from detector.formats.table import find_headers

QUOTE = '"'
ENOUGH = 0.5  # a preset that takes fewer of the lines is not the log's (judgement; half of a real log was torn)
MOST_OTHERS = 3  # formats named beside the log's own: more are no log but an archive
MIXED = 0.02  # share of lines left over from which on they are looked at: less is dirt (judgement)
# How far a scanner has come when it gives a reason: an address is looked at first, a number last.
_PROGRESS = np.array([{"layout": 1, "torn": 1, "time": 2, "status": 3, "bytes": 3, "ok": 4}.get(r, 0) for r in REASONS])
_LIST_BYTES = frozenset(b"0123456789abcdefABCDEF.:, []-_unkow%")  # addresses, ports, `unknown`, `_hidden`
_HOST_BYTES = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_[]*~")


@dataclass(frozen=True)
class Detection:
    """What :func:`detect` found.

    Attributes:
        format: the format, or None where none takes at least ENOUGH of the lines that are not blank.
        rates: format → share of those lines it takes; presets of the wrong kind (text, JSON) are left out.
        closest: the format that takes most of the lines; where none takes any, the one that gets furthest into them.
        others: formats of a mixed log, and the share of lines that only they take.
    """

    format: Format | None
    rates: dict[str, float]
    closest: str | None
    others: dict[str, float] = field(default_factory=dict)


def detect(lines: list[bytes]) -> Detection:
    """Tries every preset of the right kind on the lines (200 are plenty), and what headers among them say.

    Of two that take as many lines the one wins that finds more in them (JSON) or demands more of them (text): a line of
    ``nginx_main`` is one of ``combined`` with something behind it. A table's own header comes before any preset.
    """
    lines = [line[: MAX_LINE_BYTES + 1] for line in lines if line.strip()]
    headers = find_headers(lines)
    lines = [line for line in lines if not line.startswith(b"#")]
    if headers and not headers[0].startswith("#"):
        lines = lines[1:]
    if not lines:
        return Detection(table(*headers), {headers[0]: 0.0}, headers[0]) if headers else Detection(None, {}, None)
    found, taken = _best(lines, table(*headers) if headers else None)
    if found.format is None:
        for prefix in PREFIXES:
            behind = _behind(prefix, lines)
            other = _best(behind, None)[0] if behind else None
            if other is not None and other.format is not None:
                return replace(other, format=Prefixed(prefix, cast("Plain", other.format)))
        return found
    return replace(found, others=_others(found.format.name, lines, taken))


def _others(name: str, lines: list[bytes], taken: list[bool]) -> dict[str, float]:
    """Further formats by the share of the lines that they take and those before them do not."""
    others: dict[str, float] = {}
    left = [line for line, one in zip(lines, taken, strict=True) if not one]
    while len(left) >= MIXED * len(lines) and len(others) < MOST_OTHERS:
        other, theirs = _best(left, None)
        if other.format is None or other.format.name in (name, *others):
            break
        others[other.format.name] = sum(theirs) / len(lines)
        left = [line for line, one in zip(left, theirs, strict=True) if not one]
    return others


def _behind(prefix: str, lines: list[bytes]) -> list[bytes]:
    """The lines without a prefix, where at least half of them have it."""
    buffer, starts, lengths = _joined(lines)
    starts, lengths, found = stripped(prefix, buffer, starts, lengths)
    text = buffer.tobytes()
    rests = [text[s : s + n] for s, n in zip(starts.tolist(), lengths.tolist(), strict=True)]
    return rests if found >= ENOUGH * len(lines) else []


def _best(lines: list[bytes], own: Plain | None) -> tuple[Detection, list[bool]]:
    """The preset that takes most of the lines, or the log's ``own`` format, and which lines it takes."""
    json = sum(line.lstrip()[:1] == b"{" for line in lines) * 2 > len(lines)
    candidates = [preset(name) for name in names() if is_json(name) == json]
    if own is not None:
        candidates = [own, *candidates]
    rates: dict[str, float] = {}
    scores: dict[str, tuple[float, float, int]] = {}
    progress: dict[str, tuple[float, int]] = {}
    takes: dict[str, list[bool]] = {}
    for candidate in candidates:
        fields, buffer = _scan(candidate, lines)
        taken = fields.reason == REASON["ok"]
        rates[candidate.name], takes[candidate.name] = float(taken.mean()), taken.tolist()
        if taken.any() and _plausible(fields, buffer):
            filled = float((fields.span[taken, :, 1] >= 0).mean()) if json else 0.0
            if candidate is own and rates[own.name] >= ENOUGH:
                return Detection(own, rates, own.name), takes[own.name]
            scores[candidate.name] = (rates[candidate.name], filled, candidate.specificity)
        progress[candidate.name] = float(_PROGRESS[fields.reason].mean()), -_quotes_away(candidate, lines)
    if not scores:
        furthest = max(progress, key=lambda name: progress[name])
        return Detection(None, rates, furthest if progress[furthest][0] > 0 else None), [False] * len(lines)
    best = max(scores, key=lambda name: scores[name])
    format = own if own is not None and best == own.name else preset(best)
    return Detection(format if rates[best] >= ENOUGH else None, rates, best), takes[best]


def _quotes_away(candidate: Plain, lines: list[bytes]) -> int:
    """How many quotation marks the layout has more or fewer than the first line: what the eye sees first."""
    if isinstance(candidate, JsonFormat):
        return 0
    return abs(candidate.layouts[0].text.count(QUOTE) - lines[0].count(QUOTE.encode()))


def _scan(candidate: Plain, lines: list[bytes]) -> tuple[Fields, bytes]:
    buffer, starts, lengths = _joined(lines)
    fields = candidate.columns(buffer, starts, lengths)
    return fields, buffer.tobytes()


def _joined(lines: list[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    data = b"\n".join(lines) + b"\n"
    lengths = np.array([len(line) for line in lines], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]).astype(np.int64)
    return np.frombuffer(bytearray(data), np.uint8), starts, lengths


def _plausible(fields: Fields, buffer: bytes) -> bool:
    """Whether what is called a list of addresses, or a host, could be one, as far as these lines tell."""
    for name, allowed in (("forwarded", _LIST_BYTES), ("host", _HOST_BYTES)):
        for start, length in fields.span[:, FIELD[name]]:
            if length > 0 and not allowed.issuperset(buffer[start : start + length]):
                return False
    return True
