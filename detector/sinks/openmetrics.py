"""A file of OpenMetrics whose samples come series by series in any order of time, in bounded memory.

The text format wants all samples of a series together and all series of a family together, while a replay meets them
in the order of log time. So each series' text is held apart, spilled to a scratch file when all of it together grows
large, and put in order at the end: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from detector.errors import SinkError

SPILL_BYTES = 8 << 20  # of text held for all series together: a day of samples every 15 s has 4 MB
COPY_BYTES = 1 << 20
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True)
class Family:
    """A metric as the file declares it.

    Attributes:
        name: of the family: a counter's without ``_total``.
        kind: ``counter``, ``gauge``, or ``unknown`` for a part of a histogram: blocks of Prometheus keep no kinds, and
            a histogram with more than one moment is not read by every parser (prometheus_client 0.26 takes the second
            moment's buckets for repeats of the first's).
        help: one sentence.
    """

    name: str
    kind: str
    help: str

    @property
    def sample(self) -> str:
        """The name of its samples."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def header(self) -> bytes:
        """The lines above its samples."""
        text = self.help.translate(_ESCAPES)
        return f"# HELP {self.name} {text}\n# TYPE {self.name} {self.kind}\n".encode()


@dataclass
class _Held:
    """One series' text: what was spilled, as (offset, length), then what was not."""

    family: Family
    spilled: list[tuple[int, int]] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as they stand behind a metric's name."""
    inside = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def number_text(value: float) -> str:
    """A value as both readers of the format take it."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(value)


class OpenMetricsFile:
    """Takes samples and becomes a file when it is closed; used by one thread.

    Args:
        path: the file; replaced as a whole when all is written.
        spill_bytes: text held in memory.

    Raises:
        SinkError: the folder cannot be written; so do `add` and `close`.
    """

    def __init__(self, path: Path, spill_bytes: int = SPILL_BYTES) -> None:
        self.path = path
        self._spill_bytes = spill_bytes
        self._held: dict[str, _Held] = {}
        self._in_memory = 0
        try:
            self._scratch: IO[bytes] = tempfile.TemporaryFile(dir=path.absolute().parent)  # noqa: SIM115  `close` ends it
        except OSError as error:
            raise self._refused(error) from error

    def add(self, family: Family, series: str, text: str) -> None:
        """Appends sample lines of one series, each ending in a line end, none older than those it has.

        Args:
            family: what the series belongs to.
            series: tells it from the others of the file; families and series stand in the order of their first sample.
            text: the lines.
        """
        held = self._held.get(series)
        if not text:
            return
        if held is None:
            held = self._held[series] = _Held(family)
        data = text.encode()
        held.text += data
        self._in_memory += len(data)
        if self._in_memory >= self._spill_bytes:
            self._spill()

    def _spill(self) -> None:
        try:
            for held in self._held.values():
                if held.text:
                    held.spilled.append((self._scratch.tell(), len(held.text)))
                    self._scratch.write(held.text)
                    held.text = bytearray()
        except OSError as error:
            raise self._refused(error) from error
        self._in_memory = 0

    def close(self) -> None:
        """Writes the file: families in the order of their first sample, each series' samples in order, ``# EOF``."""
        special = self.path.exists() and not self.path.is_file()  # a pipe, /dev/stdout
        beside = self.path if special else self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as out:
                self._write(out)
            if not special:
                beside.replace(self.path)
        except OSError as error:
            if not special:
                beside.unlink(missing_ok=True)
            raise self._refused(error) from error
        finally:
            self._scratch.close()

    def _write(self, out: IO[bytes]) -> None:
        families: dict[Family, list[_Held]] = {}
        for held in self._held.values():
            families.setdefault(held.family, []).append(held)
        for family, series in families.items():
            out.write(family.header())
            for held in series:
                for offset, length in held.spilled:
                    self._copy(out, offset, length)
                out.write(held.text)
        out.write(b"# EOF\n")

    def _copy(self, out: IO[bytes], offset: int, length: int) -> None:
        self._scratch.seek(offset)
        while length:
            piece = self._scratch.read(min(length, COPY_BYTES))
            if not piece:
                raise OSError(0, "its scratch file has become shorter")
            out.write(piece)
            length -= len(piece)

    def _refused(self, error: OSError) -> SinkError:
        return SinkError(f"{self.path}: metrics cannot be written: {error.strerror or error}")
