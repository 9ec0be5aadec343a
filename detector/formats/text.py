"""Text layouts as formats: the table of a layout and the kernel that runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.formats.fields import Fields
from detector.formats.layout import Layout, compile_layouts
from detector.formats.variables import FREE
from detector.formats.zone import Zone

if TYPE_CHECKING:
    from detector.sources.chunk import Chunk

CELLS = 24  # scratch of the kernel, as in stamp_kernel.py (a test holds them equal)
SCAN = Kernel(
    "detector.formats.text_kernel:scan",
    [
        Array("u1"),  # buffer
        Array("i8"),  # starts
        Array("i8"),  # lengths
        Array("i8", 2),  # table
        Array("u1"),  # literals
        Array("i8"),  # scratch
        Array("u1"),  # reason
        Array("u1"),  # torn
        Array("i8"),  # time_us
        Array("u2"),  # status
        Array("i8"),  # bytes_out
        Array("i4"),  # rows
        Array("i4", 3),  # span
    ],
    "i8",
)


@dataclass(frozen=True)
class TextFormat:
    """Lines of text that look like one of a few layouts, tried in order.

    Attributes:
        name: the preset's name, or ``custom``.
        layouts: at least one; the first is the ordinary one.
        zone: of moments that say none; None = UTC.
    """

    name: str
    layouts: tuple[Layout, ...]
    about: str = ""
    zone: Zone | None = None
    _table: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)
    _literals: npt.NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table, literals = compile_layouts(list(self.layouts))
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_literals", literals)

    def scan(self, chunk: Chunk) -> Fields:
        """Where every field of every line lies.

        Escapes stay as logged, but where a layout says that they are to be undone, which is done in the buffer: scan a
        chunk once.
        """
        return self.columns(chunk.buffer, chunk.starts, chunk.lengths)

    def columns(
        self, buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> Fields:
        """:meth:`scan` for a bare buffer: uint8 (size,), int64 (n,), int64 (n,)."""
        out = Fields.empty(len(starts))
        SCAN(
            buffer,
            starts,
            lengths,
            self._table,
            self._literals,
            np.zeros(CELLS, np.int64),
            out.reason,
            out.torn,
            out.time_us,
            out.status,
            out.bytes_out,
            out.rows,
            out.span,
        )
        if self.zone is not None:
            self.zone.settle(out)
        out.torn &= 1
        return out

    @property
    def specificity(self) -> int:
        """How much the first layout demands; of two formats that fit a log alike, the more demanding one is meant."""
        first = self.layouts[0]
        return sum(100 - 20 * (p.slot.mode == FREE) + len(p.follow) for p in first.pieces) + len(first.prefix)
