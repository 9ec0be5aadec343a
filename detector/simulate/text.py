"""Columns to log lines."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.simulate.describe import lines
from detector.simulate.layouts import HEADINGS, TEMPLATES
from detector.simulate.site import FORMS, HOST, REFERERS, TEXTS, Form
from detector.simulate.traffic import Actors, Traffic

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BLOCK_ROWS = 8192  # what a core keeps in its cache: a quarter faster than 65,536

# What stands before the address, and whether referer and agent end the line.
LAYOUTS: dict[str, tuple[str, bool]] = {
    "combined": ("", True),
    "common": ("", False),
    "vhost_combined": (f"{HOST}:443 ", True),
}


@dataclass(frozen=True)
class Writer:
    """Writes traffic as text.

    Attributes:
        actors: who the rows of the traffic speak of.
        layout: a name of LAYOUTS or `layouts.TEMPLATES`.
        forms: the requests the traffic's ``form`` column speaks of.
    """

    actors: Actors
    layout: str = "combined"
    forms: tuple[Form, ...] = tuple(FORMS.values())

    def blocks(self, traffic: Traffic) -> Iterator[bytes]:
        """The lines in the traffic's order, whole lines in blocks of up to 8,192, LF after each."""
        if self.layout in TEMPLATES:
            yield from self._described(traffic)
            return
        front, full = LAYOUTS[self.layout]
        a = self.actors
        people = zip(a.addresses, a.accounts, strict=True)
        heads = np.array([f"{front}{address} - {account} [" for address, account in people], object)
        agents = np.array([f'{agent}"\n' if full else "\n" for agent in a.agents], object)
        referers = np.array([f' "{text}" "' if full else "" for text in REFERERS], object)
        before = np.array([f"{form.method} {form.before}" for form in self.forms], object)
        between = np.array([form.between for form in self.forms], object)
        after = np.array([f'{form.after} HTTP/1.1" ' for form in self.forms], object)
        statuses = np.array([f"{status:03d} " for status in range(1000)], object)
        for first in range(0, len(traffic), _BLOCK_ROWS):
            part = traffic.take(slice(first, first + _BLOCK_ROWS))
            pieces = np.empty((len(part), 11), object)  # joining ready pieces is faster than formatting each line
            pieces[:, 0] = heads[part.actor]
            pieces[:, 1] = _stamps(part)
            pieces[:, 2] = before[part.form]
            pieces[:, 3] = self._ids(part)
            pieces[:, 4] = between[part.form]
            pieces[:, 5] = _numbers(part.page)
            pieces[:, 6] = after[part.form]
            pieces[:, 7] = statuses[part.status]
            pieces[:, 8] = _numbers(part.size)
            pieces[:, 9] = referers[part.referer]
            pieces[:, 10] = agents[part.actor]
            yield "".join(pieces.ravel().tolist()).encode("ascii")

    @property
    def heading(self) -> bytes:
        """What stands above the first line: of tables a header, else nothing."""
        return HEADINGS.get(self.layout, "").encode("ascii")

    def _described(self, traffic: Traffic) -> Iterator[bytes]:
        """The lines of the formats of `layouts`."""
        method = np.array([form.method for form in self.forms], object)
        before = np.array([form.before for form in self.forms], object)
        between = np.array([form.between for form in self.forms], object)
        after = np.array([form.after for form in self.forms], object)
        for first in range(0, len(traffic), _BLOCK_ROWS):
            part = traffic.take(slice(first, first + _BLOCK_ROWS))
            code = part.form
            target = before[code] + self._ids(part) + between[code] + _numbers(part.page) + after[code]
            yield lines(self.layout, self.actors, part, method[code], target).encode("ascii")

    def _ids(self, part: Traffic) -> npt.NDArray[np.object_]:
        """The number of each row as its form writes it: in decimal, but for e-mail addresses and tags."""
        texts = _numbers(part.number)
        for code, form in enumerate(self.forms):
            if form.reads in TEXTS:
                rows = np.flatnonzero(part.form == code)
                texts[rows] = [TEXTS[form.reads](number) for number in part.number[rows].tolist()]
        return texts

    def text(self, traffic: Traffic) -> bytes:
        """The whole log at once, its heading left out."""
        return b"".join(self.blocks(traffic))


def _stamps(part: Traffic) -> npt.NDArray[np.object_]:
    seconds, where = np.unique(part.time_us // 1_000_000, return_inverse=True)
    return np.array([_stamp(second) for second in seconds.tolist()], object)[where]


def _numbers(column: npt.NDArray[np.signedinteger[Any]]) -> npt.NDArray[np.object_]:
    """Decimal text of each number, empty for -1."""
    texts = np.full(len(column), "", object)
    rows = np.flatnonzero(column >= 0)
    texts[rows] = list(map(str, column[rows].tolist()))
    return texts


def _stamp(second: int) -> str:
    day, rest = divmod(second, 86_400)
    return f'{_date(day)}:{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} +0000] "'


@cache
def _date(day: int) -> str:
    at = datetime.fromtimestamp(day * 86_400, UTC)
    return f"{at.day:02d}/{_MONTHS[at.month - 1]}/{at.year}"


def write(path: Path, blocks: Iterator[bytes]) -> int:
    """Writes the blocks to a file, compressed where the name ends in ``.gz``; returns the bytes of text written.

    The compressed file carries neither name nor time, so that the same log gives the same file.

    Raises:
        OSError: the file cannot be written.
    """
    total = 0
    with path.open("wb") as raw:
        packed = path.suffix == ".gz"
        sink: io.BufferedIOBase = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
        for block in blocks:
            total += len(block)
            sink.write(block)
        if packed:
            sink.close()
    return total
