"""Raw bytes on their way in: whole lines of one origin, with the position of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass
class Chunk:
    """Whole records of one origin (a file, a topic's partition).

    Attributes:
        buffer: uint8 (size,), owned by the chunk and writable; a scanner may unescape in place.
        starts: int64 (n,), first byte of each record in ``buffer``.
        lengths: int64 (n,), its bytes without the line end (LF or CRLF).
        positions: int64 (n,), where the record stands in its origin: byte offset in the uncompressed file, or the
            offset in a partition.
        origin: index of the file or partition in the source's list.
    """

    buffer: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    origin: int
