"""Line feeds are found sixty-four bytes at a time: all of them, wherever they stand."""

from __future__ import annotations

import numpy as np
import pytest

from detector.sources.lines import USUAL_BYTES, _line_feeds


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1_000, 4_096])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_all_are_found(size: int, share: float) -> None:
    """The places are those numpy finds, in texts of any length, with few of them and with nothing else."""
    text = np.where(np.random.default_rng(size).random(size) < share, 10, 97).astype(np.uint8)
    assert _line_feeds(text).tolist() == np.flatnonzero(text == 10).tolist()


def test_a_text_of_blank_lines_is_more_than_there_is_room_for() -> None:
    """Where lines are shorter than room was made for, none is lost."""
    text = np.full(100 * USUAL_BYTES, 10, np.uint8)
    assert _line_feeds(text).tolist() == list(range(text.size))


def test_bytes_in_front_of_a_slice_are_not_looked_at() -> None:
    """Places count from the beginning of what was given."""
    text = np.frombuffer(b"\n\na\nb\n", np.uint8)
    assert _line_feeds(text[2:]).tolist() == [1, 3]
