"""Which pages of memory large tables lie on, and which are kept when what lay there is let go.

numpy asks the machine for pages of 2 MiB under every large array. Over a long log they pay: fewer of them to look up.
Over a short one each of a few thousand rows touches pages of its own, and clearing 2 MiB for each of them takes longer
than judging (a log of 1,000 lines: 220 ms of zeroing, and up to a second where memory is scattered, since the kernel
then moves pages together first). What lies on which page changes no result.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable
from threading import Thread
from typing import Any

import numpy.typing as npt

LARGE_BYTES = 4 << 20  # from here on numpy asks for pages of 2 MiB (numpy/_core/src/multiarray/alloc.c)
# Of glibc's <malloc.h>, see mallopt(3). Left to itself it gives large blocks back to the machine when they are freed,
# the sooner in a heap that belongs to one thread; asking anew costs a fault and a clearing a page.
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
KEPT_BYTES = 256 << 20  # three times what a replay holds between its two threads, 4 batches of 20 MB
MOST_OWN_BYTES = 32 << 20  # the largest threshold glibc takes (HEAP_MAX_SIZE / 2); the tables of a state are larger
NO_HUGE_PAGES = 15  # MADV_NOHUGEPAGE of Linux' <asm-generic/mman-common.h>; Python's mmap names it only where it is
STEP_BYTES = 8 << 20  # cleared at once: the machine lets no thread have memory meanwhile, for 2 ms at 4 GB/s
POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of the same file, from Linux 5.14 on


def on_small_pages(arrays: Iterable[npt.NDArray[Any]]) -> int:
    """Asks for pages of the machine's smallest size under what is not yet touched of large arrays.

    Returns how many arrays the machine agreed for; where it does not know the request, nothing has changed.
    """
    return _advise(arrays, NO_HUGE_PAGES)


def clear_ahead(arrays: Iterable[npt.NDArray[Any]]) -> Thread:
    """Has the machine clear the pages under large arrays now, in a thread of its own, instead of one by one under the
    feet of whoever writes there first: hashed tables are touched everywhere by the first few thousand rows.

    What is in the arrays stays. Where the machine does not know the request, pages come as ever.
    """
    thread = Thread(target=_advise, args=(list(arrays), POPULATE_WRITE), name="pages", daemon=True)
    thread.start()
    return thread


def _advise(arrays: Iterable[npt.NDArray[Any]], advice: int) -> int:
    """How many large arrays the machine took the advice for."""
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is None or not hasattr(mmap, "MADV_NOHUGEPAGE"):
        return 0
    agreed = 0
    for array in arrays:
        if array.nbytes >= LARGE_BYTES:
            start = -(-array.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
            end = array.ctypes.data + array.nbytes
            steps = ((at, min(STEP_BYTES, end - at)) for at in range(start, end, STEP_BYTES))
            agreed += all(advise(ctypes.c_void_p(at), ctypes.c_size_t(size), advice) == 0 for at, size in steps)
    return agreed


def keep_freed_pages() -> bool:
    """Lets all threads of this process share one heap that keeps up to `KEPT_BYTES` of what was freed: chunks and
    batches come and go by the thousand, all of one size. To be called before there are threads, by a program, not by a
    library.

    Returns whether the machine's memory allocator took it; others than glibc's have no such settings.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is None:
        return False
    wanted = ((ARENA_MAX, 1), (TRIM_THRESHOLD, KEPT_BYTES), (MMAP_THRESHOLD, MOST_OWN_BYTES))
    return sum(int(change(setting, value) == 1) for setting, value in wanted) == len(wanted)
