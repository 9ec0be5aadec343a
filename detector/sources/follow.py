"""Growing log files as a source: each path a partition, whole lines only, through every kind of rotation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detector import clock
from detector.errors import UsageError
from detector.sources.bookmark import FileGap
from detector.sources.chunk import Chunk
from detector.sources.trail import LOOK_S, QUIET_S, Gap, Trail

__all__ = ["FileGap", "Follower"]

Partition = tuple[str, int]  # path as given, 0

CHUNK_BYTES = 8 << 20  # as much as a chunk of a Kafka response


class Follower:
    """Follows log files from their beginning on, or from where a bookmark says. Used by one thread.

    An offset counts the bytes of a log since the first one followed, over all rotations. Whole lines are given; the
    last one of a file without a line end when the file was rotated away and nothing came to it for a while. A file that
    is not there is waited for.

    Args:
        paths: the logs; each is its own partition.
        gap: what to do when bytes not read yet are gone with their file: ``error``, or ``continue`` behind them, which
            is counted.
        quiet_s: how long a renamed file is watched for more before the new one is read.
        look_s: seconds between two looks at a file without news.

    Raises:
        UsageError: there is no path, or one comes twice.

    Attributes:
        partitions: (path, 0) of each; a chunk's ``origin`` is an index into it.
        generation: always 0: there is no group whose members take turns.
    """

    generation = 0

    def __init__(
        self, paths: Iterable[str], gap: Gap = "error", quiet_s: float = QUIET_S, look_s: float = LOOK_S
    ) -> None:
        names = list(paths)
        if not names or len(set(names)) < len(names):
            raise UsageError(f"source.files.paths: {'one comes twice' if names else 'name one at least'}")
        self.partitions: list[Partition] = [(name, 0) for name in sorted(names)]
        self._trails = {
            partition: Trail(partition[0], origin, gap, quiet_s, look_s)
            for origin, partition in enumerate(self.partitions)
        }
        self._paused: set[Partition] = set()
        self._turn = 0  # the partition that is looked at first

    @property
    def assignment(self) -> list[Partition]:
        """All partitions."""
        return list(self.partitions)

    @property
    def lost(self) -> dict[Partition, int]:
        """Bytes that were gone before they were read, by partition, as far as known (``gap: continue``)."""
        return {partition: trail.lost for partition, trail in self._trails.items() if trail.gaps}

    @property
    def cuts(self) -> int:
        """How often a file was emptied without a copy while all that was known of it had been read."""
        return sum(trail.cuts for trail in self._trails.values())

    def poll(self, timeout_s: float) -> list[Chunk]:
        """The next lines, in order within a partition, about CHUNK_BYTES at most; waits where there are none.

        Raises:
            FileGap: bytes are gone (``gap: error``).
            InputError: a file cannot be read.
        """
        end = clock.monotonic() + timeout_s
        while True:
            chunks = self._read()
            now = clock.monotonic()
            if chunks or now >= end:
                return chunks
            due = min((trail.due_s for name, trail in self._trails.items() if name not in self._paused), default=end)
            clock.sleep(max(min(due, end) - now, 0.0))

    def _read(self) -> list[Chunk]:
        chunks: list[Chunk] = []
        room = CHUNK_BYTES
        for _ in self.partitions:
            partition = self.partitions[self._turn]
            self._turn = (self._turn + 1) % len(self.partitions)
            if partition in self._paused:
                continue
            chunk = self._trails[partition].read(room)
            if chunk is not None:
                chunks.append(chunk)
                room -= int(chunk.lengths.sum())
            if room <= 0:
                break
        return chunks

    def position(self) -> dict[Partition, int]:
        """Where the first line of each stands that was not given yet."""
        return {partition: trail.position for partition, trail in self._trails.items()}

    def highwater(self) -> dict[Partition, int]:
        """Where each ends, as of the last look; equal to the position where all whole lines were given."""
        return {partition: trail.highwater for partition, trail in self._trails.items()}

    def lag(self) -> dict[Partition, int]:
        """Bytes between :meth:`position` and :meth:`highwater`."""
        return {partition: trail.highwater - trail.position for partition, trail in self._trails.items()}

    def seek(self, partition: Partition, offset: int) -> None:
        """Goes on at ``offset``, also in a file rotated since; found at the next :meth:`poll`."""
        self._trails[partition].seek(offset)

    def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Nobody else needs to know: True."""
        return True

    def committed(self) -> dict[Partition, int]:
        """Nobody else keeps offsets: none."""
        return {}

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Reads these no more until :meth:`resume`; their files stay open."""
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        """Reads these again."""
        self._paused.difference_update(partitions)

    def remember(self) -> dict[str, Any]:
        """Which file of each log is being read, as JSON, to be kept beside the offsets."""
        return {partition[0]: trail.remember() for partition, trail in self._trails.items()}

    def recall(self, remembered: Mapping[str, Any]) -> None:
        """Takes back what :meth:`remember` gave; reading goes on from there unless :meth:`seek` follows."""
        for partition, trail in self._trails.items():
            trail.recall(remembered.get(partition[0]) or {})

    def status(self) -> str:
        """What is waited for, empty where nothing is."""
        return "; ".join(trail.status for trail in self._trails.values() if trail.status)

    def close(self) -> None:
        """Closes all files; may be called twice."""
        for trail in self._trails.values():
            trail.close()
