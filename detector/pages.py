"""Which pages of memory large tables lie on.

numpy asks the machine for pages of 2 MiB under every large array. Over a long log they pay: fewer of them to look up.
Over a short one each of a few thousand rows touches pages of its own, and clearing 2 MiB for each of them takes longer
than judging (a log of 1,000 lines: 220 ms of zeroing, and up to a second where memory is scattered, since the kernel
then moves pages together first). What lies on which page changes no result.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

LARGE_BYTES = 4 << 20  # from here on numpy asks for pages of 2 MiB (numpy/_core/src/multiarray/alloc.c)
NO_HUGE_PAGES = 15  # MADV_NOHUGEPAGE of Linux' <asm-generic/mman-common.h>; Python's mmap names it only where it is


def on_small_pages(arrays: Iterable[npt.NDArray[Any]]) -> int:
    """Asks for pages of the machine's smallest size under what is not yet touched of large arrays.

    Returns how many arrays the machine agreed for; where it does not know the request, nothing has changed.
    """
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is None or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return 0
    agreed = 0
    for array in arrays:
        if array.nbytes >= LARGE_BYTES:
            start = -(-array.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
            size = array.ctypes.data + array.nbytes - start
            agreed += advise(ctypes.c_void_p(start), ctypes.c_size_t(size), NO_HUGE_PAGES) == 0
    return agreed
