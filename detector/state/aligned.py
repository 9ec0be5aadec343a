"""Tables that begin where a line of cache begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LINE = 64  # bytes of memory that come into a cache together


def aligned(slots: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Empty slots from the start of a line of cache on: numpy's own arrays begin 16 bytes behind one, so that each
    slot of 64 bytes would lie in two."""
    size = slots * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    skip = -room.ctypes.data % LINE
    return room[skip : skip + size].view(dtype)
