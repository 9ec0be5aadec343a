"""A log followed while a process of its own writes and rotates it 200 times: each line once, in order."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from detector import clock
from detector.sources.follow import Follower
from tests.conftest import ROOT
from tests.e2e.rotating_writer import STYLES, line

pytestmark = pytest.mark.e2e

ROTATIONS = 200
SECONDS = 120  # at most
IDLE_POLLS = 30  # without a line after the writer has ended: long enough for a renamed file to be left


def lines_of(follower: Follower) -> list[bytes]:
    """The lines one poll brings, with their ends."""
    lines = []
    for chunk in follower.poll(0.02):
        text = chunk.buffer.tobytes()
        ends = chunk.starts + chunk.lengths
        lines += [text[a:b] + b"\n" for a, b in zip(chunk.starts.tolist(), ends.tolist(), strict=True)]
    return lines


class Reader:
    """Followers of one log, one after the other, and the lines they have given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[bytes] = []
        self.kills = 0
        self.follower = self._opened()
        self._kept, self._at = self.follower.remember(), 0

    def _opened(self) -> Follower:
        return Follower([str(self.path)], quiet_s=0.1, look_s=0.01)

    def poll(self) -> bool:
        """Whether there were lines."""
        more = lines_of(self.follower)
        self.lines += more
        return bool(more)

    def keep(self) -> None:
        """A snapshot."""
        if self.follower.remember()[str(self.path)]:
            self._kept, self._at = json.loads(json.dumps(self.follower.remember())), len(self.lines)

    def kill(self) -> None:
        """What was given since the last snapshot is forgotten, and who gave it."""
        if self._at:
            self.follower.close()
            self.follower = self._opened()
            self.follower.recall(self._kept)
            del self.lines[self._at :]
            self.kills += 1

    def close(self) -> None:
        """Ends."""
        self.follower.close()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kills", [False, True])
def test_two_hundred_rotations(tmp_path: Path, style: str, kills: bool) -> None:
    """With kills, the reader is thrown away at random moments and another goes on from an older bookmark."""
    path = tmp_path / "access.log"
    rng = np.random.default_rng(len(style))
    command = [sys.executable, "-m", "tests.e2e.rotating_writer", str(path), style, str(ROTATIONS)]
    reader = Reader(path)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as writer, closing(reader):
        assert writer.stdin is not None
        end, idle = clock.monotonic() + SECONDS, 0
        while clock.monotonic() < end and not reader.poll():
            pass
        writer.stdin.write(b"read\n")
        writer.stdin.close()
        while clock.monotonic() < end and idle < IDLE_POLLS:
            idle = 0 if reader.poll() or writer.poll() is None else idle + 1
            if kills and not idle and rng.random() < 0.06:
                reader.kill()
            elif rng.random() < 0.2:
                reader.keep()
        assert writer.stdout is not None
        written = [line(n) for n in range(int(writer.stdout.read()))]
        position, highwater = reader.follower.position(), reader.follower.highwater()
    assert reader.lines == written
    assert position == highwater == {(str(path), 0): sum(map(len, written))}
    assert reader.follower.lost == {}
    assert reader.kills > 2 or not kills
