"""Which pages large tables lie on."""

import ctypes
import mmap
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from detector.pages import LARGE_BYTES, clear_ahead, on_small_pages


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_large_arrays_are_asked_for_and_keep_what_they_hold() -> None:
    """Only an array numpy put on large pages is asked about, and nothing in it changes."""
    large, small = np.zeros(LARGE_BYTES + 8, np.uint8), np.zeros(64)
    large[-1] = 7
    assert on_small_pages([large, small]) == 1
    assert large.sum() == 7


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_pages_cleared_ahead_keep_what_is_written() -> None:
    """Pages are asked for while somebody writes: what he wrote is there, and the rest is zero."""
    large = np.zeros(2 * LARGE_BYTES, np.uint8)
    large[::4096] = 7
    clear_ahead([large]).join()
    assert int(large.sum()) == 7 * (2 * LARGE_BYTES // 4096)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_pages_cleared_ahead_are_in_memory() -> None:
    """The machine gives memory for an array nobody has written to."""
    if tuple(map(int, platform.release().split("-")[0].split(".")[:2])) < (5, 14):
        pytest.skip("does not know the request")
    large = np.frombuffer(mmap.mmap(-1, 8 * LARGE_BYTES), np.uint8)  # never in memory before, as numpy's own may be
    before = _resident_pages()
    clear_ahead([large]).join()
    assert _resident_pages() - before > 7 * LARGE_BYTES // mmap.PAGESIZE


def _resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


FAULTS = """
import resource, numpy as np
from detector.pages import keep_freed_pages
keep_freed_pages()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2 << 20, np.uint8)
first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2 << 20, np.uint8)
print(first - before, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first)
"""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="asks glibc")
def test_what_was_freed_is_used_again() -> None:
    """The second array of a size costs hardly any fault of a page: it lies where the first one lay."""
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    first, second = map(int, done.stdout.split())
    assert first > 300
    assert second < 50
