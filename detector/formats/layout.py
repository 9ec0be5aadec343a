"""Compiles an nginx ``log_format`` or Apache ``LogFormat`` string into the table the text scanner runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.errors import FormatError
from detector.formats import variables as v
from detector.formats.fields import FIELD
from detector.formats.variables import Slot


@dataclass(frozen=True)
class Piece:
    """One variable of a layout: its slot, the text that follows it, and where it stands in the layout string.

    ``keep``: the text that follows is where the next field begins and is not eaten (``$host$request_uri``).
    """

    name: str
    slot: Slot
    follow: bytes
    place: int
    keep: bool = False


@dataclass(frozen=True)
class Layout:
    """One way a line may look: the text before the first variable, then the variables in order."""

    text: str
    prefix: bytes
    pieces: tuple[Piece, ...]


_NGINX = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+)|)")
_APACHE = re.compile(r"%(?:(%)|[!<>0-9,]*(?:\{([^}]*)\})?[!<>0-9,]*(\^\w{2}|[A-Za-z])|)")
WRITTEN_TIME = "[%{%d/%b/%Y:%H:%M:%S %z}t]"
_BARE_TIME = re.compile(r"%%|%[!<>0-9,]*t")  # Apache's %t brings its own brackets
_DIRECTIVE_NGINX = re.compile(r"\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(.*?);?\s*", re.DOTALL)
_DIRECTIVE_APACHE = re.compile(r"\s*LogFormat\s+\"((?:\\.|[^\"\\])*)\"(?:\s+\S+)?\s*", re.DOTALL)
_URI = ("target", "query")


def parse_layout(text: str) -> Layout:
    """Reads a layout string of either server, alone or as the whole directive from the configuration file.

    Raises:
        FormatError: with a caret, where a variable has no name, where two variables touch so that no scanner could tell
            where one ends, or where the line would say neither when nor what was asked.
    """
    text = _unwrap(text)
    if "$" in text:
        return _assemble(text, _nginx_items(text))
    if "%" in text:
        return _apache_layout(text)
    raise FormatError("a log format names its fields: $name (nginx) or %letter (Apache); none is in", text, 0)


def _apache_layout(text: str) -> Layout:
    """The layout of an Apache string, its bare ``%t`` written out; an error points into the string as given."""
    full = _BARE_TIME.sub(lambda m: m[0] if m[0] == "%%" else WRITTEN_TIME, text)
    try:
        return _assemble(full, _apache_items(full))
    except FormatError as error:
        place = error.place
        for match in _BARE_TIME.finditer(text):
            if match[0] != "%%" and match.start() < place:
                place = max(match.start(), place - len(WRITTEN_TIME) + len(match[0]))
        raise FormatError(error.reason, text, place) from None


def _unwrap(text: str) -> str:
    """The layout inside a ``log_format`` or ``LogFormat`` directive; ``\\"`` and ``\\t`` as the servers read them."""
    nginx = _DIRECTIVE_NGINX.fullmatch(text)
    if nginx:
        parts = re.findall(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"|(\S+)", nginx[1])
        text = "".join(a or b or c for a, b, c in parts)
    apache = _DIRECTIVE_APACHE.fullmatch(text)
    if apache:
        text = apache[1]
    return text.replace('\\"', '"').replace("\\'", "'").replace("\\t", "\t")


_Item = tuple[int, int, str, Slot]  # start and end in the text, name, slot


def _nginx_items(text: str) -> list[_Item]:
    items: list[_Item] = []
    for match in _NGINX.finditer(text):
        name = match[1] or match[2]
        if not name:
            raise FormatError("'$' must be followed by a variable's name, such as $remote_addr", text, match.start())
        items.append((match.start(), match.end(), name, v.nginx_slot(name)))
    return items


def _apache_items(text: str) -> list[_Item]:
    items: list[_Item] = []
    for match in _APACHE.finditer(text):
        percent, argument, letter = match[1], match[2], match[3]
        if percent:
            continue
        if not letter:
            raise FormatError("'%' must be followed by a directive, such as %h or %{Referer}i", text, match.start())
        items.append((match.start(), match.end(), match[0], _apache_slot(text, match.start(), argument, letter)))
    return items


def _apache_slot(text: str, place: int, argument: str | None, letter: str) -> Slot:
    if letter[0] == "^" or argument is None or letter in "aTp":
        slot = v.APACHE.get(letter)
        if slot is None:
            allowed = " ".join(f"%{known}" for known in v.APACHE)
            raise FormatError(f"%{letter} is no directive of Apache; known are {allowed} and %{{NAME}}i", text, place)
        return slot
    if letter == "t":
        slot = v.APACHE_TIMES.get(argument.removeprefix("begin:").removeprefix("end:"))
        if slot is None:
            allowed = ", ".join(f"%{{{known}}}t" for known in v.APACHE_TIMES)
            raise FormatError(f"this time cannot be read; known are %t, {allowed}", text, place)
        return slot
    name = argument.lower()
    if letter == "i":
        return v.APACHE_REQUEST_HEADERS.get(name) or v.session_slot(name)
    if letter == "o":
        return v.APACHE_RESPONSE_HEADERS.get(name) or v.session_slot("")
    if letter == "C":
        return v.session_slot(name)
    return Slot(v.SPAN, v.SKIP, v.WORD if letter in "xePLD" else v.FREE)


def _assemble(text: str, items: list[_Item]) -> Layout:
    merged = _merge_uri(text, items)
    pieces: list[Piece] = []
    for index, (start, end, name, slot) in enumerate(merged):
        following = merged[index + 1] if index + 1 < len(merged) else None
        follow = _literal(text[end : following[0] if following else len(text)])
        before = text[: merged[0][0]] if index == 0 else text[merged[index - 1][1] : start]
        keep = False
        if not follow and following:
            if following[3].kind != v.SPAN or following[3].code != FIELD["target"]:
                message = "text is needed between two variables to tell where the first ends"
                raise FormatError(message, text, following[0])
            follow, keep = b"/", True
        pieces.append(Piece(name, _mode(slot, before, follow), follow, start, keep))
    prefix = _literal(text[: merged[0][0]]) if merged else b""
    layout = Layout(text, prefix, tuple(pieces))
    require(layout)
    return layout


def _literal(text: str) -> bytes:
    return text.replace("%%", "%").encode("utf-8", "surrogateescape")


def _merge_uri(text: str, items: list[_Item]) -> list[_Item]:
    """``$uri$is_args$args`` and ``%U%q`` are one field: the target with its query."""
    merged: list[_Item] = []
    for item in items:
        if merged and merged[-1][1] == item[0]:
            start, _, name, slot = merged[-1]
            first = slot.kind == v.SPAN and slot.code == FIELD["target"]
            if first and (item[2] in ("is_args", "%q") or item[3] == v.NGINX["args"]):
                merged[-1] = (start, item[1], name, slot)
                continue
        merged.append(item)
    return merged


def _mode(slot: Slot, before: str, follow: bytes) -> Slot:
    """Quoted where quotes stand on both sides; to the end of the line where nothing follows."""
    if before.endswith('"') and follow.startswith(b'"'):
        return slot._replace(mode=v.QUOTED)
    if not follow and slot.mode == v.FREE:
        return slot._replace(mode=v.REST)
    return slot


def require(layout: Layout) -> None:
    """Raises ``FormatError`` where lines of the layout would say neither when nor what was asked."""
    kinds = {p.slot.kind for p in layout.pieces}
    if kinds & {v.DAY, v.CLOCK} == {v.CLOCK} and kinds & set(v.TIMES) == {v.CLOCK}:
        raise FormatError("a time of the day needs its day beside it: add `date`", layout.text, 0)
    targets = any(p.slot.kind == v.SPAN and p.slot.code == FIELD["target"] for p in layout.pieces)
    if not kinds & set(v.TIMES):
        raise FormatError("no moment in it: add $time_local, $time_iso8601 or $msec (Apache: %t)", layout.text, 0)
    if not kinds & {v.REQUEST, v.REQUEST_URL} and not targets:
        raise FormatError("no request in it: add $request or $request_uri (Apache: %r or %U%q)", layout.text, 0)


def compile_layouts(layouts: list[Layout]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The scanner's program: layouts one after another, each HEAD, its fields, END.

    Returns:
        table: int64 (operations, 10): kind, mode, code, offset and length of the literal that follows, keep, the two
            bytes that stop a search (eight times over), the literal's first eight bytes as a word and the mask of those
            it has. HEAD has as its code the row of the next HEAD (or -1), as its literal the text before all fields,
            as keep what is encoded (`_marks`).
        literals: uint8 (size,), the bytes of all literals.
    """
    rows: list[list[int]] = []
    literals = bytearray()

    def emit(kind: int, mode: int, code: int, literal: bytes, keep: int) -> None:
        stop = literal[0] if literal else 0
        other = {v.QUOTED: ord("\\"), v.WORD: ord(" ")}.get(mode, stop)
        word = int.from_bytes(literal[:8].ljust(8, b"\0"), "little")
        mask = (1 << 8 * min(8, len(literal))) - 1
        numbers = (stop * 0x0101010101010101, other * 0x0101010101010101, word, mask)
        rows.append([kind, mode, code, len(literals), len(literal), keep, *(_signed(n) for n in numbers)])
        literals.extend(literal)

    for index, layout in enumerate(layouts):
        following = len(rows) + len(layout.pieces) + 2 if index + 1 < len(layouts) else -1
        emit(v.HEAD, v.WORD, following, layout.prefix, _signed(_marks(layout)))
        stored = stored_times(layout)
        for piece in layout.pieces:
            kind, code, mode = piece.slot[:3]
            if kind in v.TIMES and piece not in stored:
                kind, code = (kind if kind in v.MOMENTS else v.SPAN), v.SKIP
            emit(kind, mode, code, piece.follow, int(piece.keep))
        emit(v.END, v.WORD, 0, b"", 0)
    return np.array(rows, np.int64), np.frombuffer(bytes(literals) or b"\0", np.uint8).copy()


def _marks(layout: Layout) -> int:
    """What of a layout is encoded: a bit a field whose ``+`` is a blank; from bit 16 on two a field, how often."""
    marks = 0
    for piece in layout.pieces:
        if piece.slot.kind == v.SPAN and piece.slot.code >= 0:
            marks |= int(piece.slot.plus) << piece.slot.code | piece.slot.rounds << (16 + 2 * piece.slot.code)
    return marks


def _signed(word: int) -> int:
    """The int64 of the same 64 bits."""
    return word - (1 << 64) if word >> 63 else word


def stored_times(layout: Layout) -> list[Piece]:
    """The pieces a line's time is read from: one, the most precise, or a day and a time of the day."""
    times = [piece for piece in layout.pieces if piece.slot.kind in v.TIMES]
    best = min(times, key=lambda piece: v.TIMES.index(piece.slot.kind))
    if best.slot.kind in (v.DAY, v.CLOCK):
        return [piece for piece in times if piece.slot.kind in (v.DAY, v.CLOCK)]
    return [best]
