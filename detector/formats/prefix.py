"""Lines in files that stand behind somebody else's words: a syslog header, or the prefix of a container's log (CRI)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.formats.fields import Fields
from detector.formats.jsonlines import JsonFormat
from detector.formats.text import TextFormat

if TYPE_CHECKING:
    from detector.sources.chunk import Chunk

PREFIXES = {"syslog": 0, "cri": 1}  # as in prefix_kernel.py (a test holds them equal)

_STRIP = Kernel(
    "detector.formats.prefix_kernel:strip",
    [
        Array("u1"),  # buffer
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Scalar("i8"),  # kind
        Array("i8"),  # new_starts
        Array("i8"),  # new_lengths
    ],
    "i8",
)


@dataclass(frozen=True)
class Prefixed:
    """A format whose lines stand behind a prefix.

    Attributes:
        prefix: a key of PREFIXES.
        inner: what the rest of each line is. A line without the prefix is read as it stands.
    """

    prefix: str
    inner: TextFormat | JsonFormat

    @property
    def name(self) -> str:
        """``syslog+haproxy``: `load` takes it back."""
        return f"{self.prefix}+{self.inner.name}"

    @property
    def about(self) -> str:
        """What it is, for people."""
        return f"{self.inner.about} behind a {self.prefix} prefix"

    @property
    def specificity(self) -> int:
        """As the format inside."""
        return self.inner.specificity

    def scan(self, chunk: Chunk) -> Fields:
        """Where every field of every line lies; as the format inside does to the buffer."""
        return self.columns(chunk.buffer, chunk.starts, chunk.lengths)

    def columns(
        self, buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> Fields:
        """:meth:`scan` for a bare buffer: uint8 (size,), int64 (n,), int64 (n,)."""
        new_starts, new_lengths, _ = stripped(self.prefix, buffer, starts, lengths)
        return self.inner.columns(buffer, new_starts, new_lengths)


def stripped(
    prefix: str, buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Starts and lengths, int64 (n,), behind the prefix, and how many lines have it."""
    new_starts, new_lengths = np.empty_like(starts), np.empty_like(lengths)
    found = _STRIP(buffer, starts, lengths, PREFIXES[prefix], new_starts, new_lengths)
    return new_starts, new_lengths, found
