"""Followers of growing files for tests, closed when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.sources.follow import Follower

OPENED: list[Follower] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Closes what a test has opened; at work in every module that imports it."""
    yield
    while OPENED:
        OPENED.pop().close()


def following(*paths: Path, gap: str = "error", quiet_s: float = 0.0) -> Follower:
    """A follower that looks whenever it is asked."""
    names = [str(path) for path in paths]
    OPENED.append(Follower(names, gap=gap, quiet_s=quiet_s, look_s=0.0))  # type: ignore[arg-type]
    return OPENED[-1]
