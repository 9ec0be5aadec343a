"""Which pages large tables lie on."""

import sys

import numpy as np
import pytest

from detector.pages import LARGE_BYTES, on_small_pages


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_large_arrays_are_asked_for_and_keep_what_they_hold() -> None:
    """Only an array numpy put on large pages is asked about, and nothing in it changes."""
    large, small = np.zeros(LARGE_BYTES + 8, np.uint8), np.zeros(64)
    large[-1] = 7
    assert on_small_pages([large, small]) == 1
    assert large.sum() == 7
