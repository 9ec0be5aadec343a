"""A server that writes a log and has it rotated at random moments, as a program: ``PATH STYLE ROTATIONS``.

Prints how many lines it has written. After the first line it waits for one on its standard input, as what is rotated
before a reader has seen it is not the reader's to find; from then on it never stops for whoever reads.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from detector import clock

STYLES = ("renamed", "late", "copied", "linked", "compressed")
PAUSE_S = 0.01  # between two writes, at most


def line(number: int) -> bytes:
    """A line that tells its number and is as long as log lines are."""
    return b"%d %s\n" % (number, b"x" * (number * 37 % 200))


class Writer:
    """Appends lines to a log, in pieces that need not end where lines do."""

    def __init__(self, path: Path, style: str) -> None:
        self.path = path
        self.style = style
        self.lines = 0
        self._rest = b""
        self._rotations = 0
        if style == "linked":
            self._link()
        self._fd = self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, count: int, cut: int) -> None:
        """Some lines; all but the last ``cut`` bytes at once, these with the next."""
        text = self._rest + b"".join(line(n) for n in range(self.lines, self.lines + count))
        self.lines += count
        size = max(len(text) - cut, 0)
        os.write(self._fd, text[:size])
        self._rest = text[size:]

    def rotate(self) -> None:
        """Begins a new file at the path."""
        self.write(0, 0)  # the line begun ends in the file it was begun in
        self._rotations += 1
        if self.style == "linked":
            self._link()
        elif self.style == "copied":
            self._shift()
            shutil.copy(self.path, f"{self.path}.1")
            os.truncate(self.path, 0)
            return
        else:
            self._shift()
            self.path.rename(f"{self.path}.1")
            self.path.touch()
        if self.style == "late":
            for _ in range(3):
                self.write(5, 0)
                clock.sleep(0.003)
        if self.style == "compressed":
            self._compress(Path(f"{self.path}.2"))
        os.close(self._fd)
        self._fd = self._open()

    def _shift(self) -> None:
        names = [
            p.name.removeprefix(f"{self.path.name}.").partition(".") for p in self.path.parent.glob("access.log.*")
        ]
        for number, dot, rest in sorted(names, key=lambda name: -int(name[0])):
            Path(f"{self.path}.{number}{dot}{rest}").rename(f"{self.path}.{int(number) + 1}{dot}{rest}")

    def _compress(self, old: Path) -> None:
        if old.exists():
            with old.open("rb") as text, gzip.open(f"{old}.gz", "wb") as packed:
                shutil.copyfileobj(text, packed)
            shutil.copystat(old, f"{old}.gz")
            old.unlink()

    def _link(self) -> None:
        target = self.path.parent / f"{self._rotations}.log"
        target.touch()
        fresh = self.path.parent / "fresh"
        fresh.symlink_to(target)
        fresh.rename(self.path)


def main(path: str, style: str, rotations: str) -> None:
    """Writes until the log was rotated so often."""
    rng = np.random.default_rng(STYLES.index(style))
    writer = Writer(Path(path), style)
    writer.write(1, 0)
    sys.stdin.readline()
    for _ in range(int(rotations)):
        for _ in range(int(rng.integers(6))):
            writer.write(int(rng.integers(1, 60)), int(rng.integers(30)))
            clock.sleep(float(rng.uniform(0, PAUSE_S)))
        writer.rotate()
        if rng.random() < 0.5:
            clock.sleep(float(rng.uniform(0, 5 * PAUSE_S)))
    writer.write(10, 0)
    sys.stdout.write(f"{writer.lines}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
