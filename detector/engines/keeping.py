"""Snapshots of a stream: what is put into one, when it counts as durable, and what is done without a usable one.

A snapshot is everything that decides later results: the judging side (`pipeline`), the reading side (`intake`: offsets,
clocks, rows read and not yet judged) and the incidents not yet delivered, together in one checked file. Beside it lies
what was learnt over weeks (`learnt`), in a form that other versions read: where the snapshot cannot be used, the stream
is rewound by the longest window and read again on top of that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

import numpy.typing as npt

from detector import __version__, clock
from detector.config import Config
from detector.crash import crash_here
from detector.errors import DetectorError, SnapshotError, SnapshotVersion
from detector.packing import Saved
from detector.state.archive import pack, unpack

Partition = tuple[str, int]

WINDOW, LEARNT = "window", "learnt"
LAYOUT = 3  # of what a window snapshot holds; another layout is answered by a rewind
LONGEST_WINDOW_US = 2 * 86_400_000_000  # clients remember the running day of log time and the one before
Order = tuple[int, int]  # of snapshots: generation of the group, number


class Store(Protocol):
    """Where snapshots lie: `state.store.FolderStore`, `sources.kafka_store.TopicStore`."""

    def put(self, name: str, order: Order, data: bytes) -> None:
        """Keeps it; durable on return."""

    def newest(self, name: str) -> Iterator[tuple[Order, bytes]]:
        """What is kept, newest first."""

    def names(self) -> list[str]:
        """Under which names something is kept."""


@dataclass(frozen=True)
class Restored:
    """A snapshot read back.

    Attributes:
        name: under which it was kept.
        order: group generation and sequence number, for those to come.
        reading, judging: the two sides.
        undelivered: incidents (JSON lines) no sink had confirmed.
    """

    name: str
    order: Order
    reading: Saved
    judging: Saved
    undelivered: list[str]

    @property
    def warm_at(self) -> list[tuple[str, int, int]]:
        """Topic, partition and offset from which on a stream that had been rewound counts as new again."""
        return [(str(topic), int(number), int(offset)) for topic, number, offset in self.reading.meta["warm_at"]]


def fingerprint(config: Config, key: bytes) -> str:
    """What a snapshot depends on beside the records: with another key, other sizes or another ladder its tables mean
    nothing."""
    identity, state = config.identity, config.state
    said = (identity.ladder, identity.trusted_proxies, config.routes.slug_after, state.clients, state.objects)
    return blake2b(repr(said).encode(), key=key[:64], digest_size=16).hexdigest()


@dataclass
class Keeper:
    """Writes snapshots in a thread of its own, one at a time.

    Args:
        store: where.
        mark: the fingerprint snapshots must carry.
        warn: told of what cannot be used or written, as an event and its facts.

    Attributes:
        failures: snapshots that could not be written since the last that could.
        last_success: wall clock of the last durable one, seconds since 1970.
    """

    store: Store
    mark: str
    warn: Callable[..., None]
    failures: int = 0
    last_success: float = 0.0
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "snapshot"))
    _durable: deque[Mapping[Partition, int]] = field(default_factory=deque)
    _busy: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether a snapshot is being made; the next one waits."""
        return self._busy

    def begin(self) -> None:
        """A snapshot has been asked for."""
        self._busy = True

    def skip(self) -> None:
        """The snapshot asked for is not made after all."""
        self._busy = False

    def write(
        self,
        name: str,
        order: Order,
        parts: list[tuple[str, Saved]],
        offsets: Mapping[Partition, int],
        undelivered: list[str],
        learnt: Saved | None,
    ) -> Future[None]:
        """Packs and stores what was copied; `committable` gives the offsets once it is durable."""
        return self._writer.submit(self._write, name, order, parts, offsets, undelivered, learnt)

    def _write(
        self,
        name: str,
        order: Order,
        parts: list[tuple[str, Saved]],
        offsets: Mapping[Partition, int],
        undelivered: list[str],
        learnt: Saved | None,
    ) -> None:
        try:
            if learnt is not None:
                self.store.put(LEARNT, order, pack(*learnt))
            arrays = {f"{side}:{key}": array for side, saved in parts for key, array in saved.arrays.items()}
            meta = {
                "layout": LAYOUT,
                "version": __version__,
                "mark": self.mark,
                "undelivered": undelivered,
                "sides": {side: saved.meta for side, saved in parts},
            }
            self.store.put(name, order, pack(meta, arrays))
        except DetectorError as error:
            self.failures += 1
            self.warn("snapshot_failed", reason=str(error))
            return
        finally:
            self._busy = False
        crash_here("after_snapshot")
        self.failures = 0
        self.last_success = clock.wall().timestamp()
        self._durable.append(offsets)

    def committable(self) -> Mapping[Partition, int] | None:
        """Offsets whose snapshot is durable by now; each is given once."""
        return self._durable.popleft() if self._durable else None

    def usable(self, name: str) -> Iterator[Restored]:
        """Snapshots that can be used, newest first; damaged ones and those of others are said and passed over.

        Raises:
            DetectorError: the store cannot be read.
        """
        for order, data in self.store.newest(name):
            try:
                found = self._restored(name, order, data)
            except SnapshotError as error:
                self.warn("snapshot_unusable", name=name, generation=order[0], sequence=order[1], reason=str(error))
                continue
            yield found

    def _restored(self, name: str, order: Order, data: bytes) -> Restored:
        meta, arrays = unpack(data)
        if meta.get("layout") != LAYOUT:
            raise SnapshotVersion(f"its layout is {meta.get('layout')}, this version ({__version__}) reads {LAYOUT}")
        if meta["mark"] != self.mark:
            raise SnapshotVersion("it was made with another key, ladder or table size than the configuration says")
        sides: dict[str, dict[str, npt.NDArray[Any]]] = {"reading": {}, "judging": {}}
        for key, array in arrays.items():
            side, _, own = key.partition(":")
            sides[side][own] = array
        reading, judging = (Saved(meta["sides"][side], sides[side]) for side in ("reading", "judging"))
        return Restored(name, order, reading, judging, list(meta["undelivered"]))

    def learnt(self) -> Iterator[Saved]:
        """The learnt parts that can be read, newest first."""
        for order, data in self.store.newest(LEARNT):
            try:
                found = unpack(data)
            except SnapshotError as error:
                self.warn("snapshot_unusable", name=LEARNT, generation=order[0], sequence=order[1], reason=str(error))
                continue
            yield found

    def close(self, timeout_s: float) -> bool:
        """Waits for the snapshot being written; returns whether it was done in time."""
        done = self._writer.submit(lambda: None)
        try:
            done.result(timeout_s)
        except TimeoutError:
            self._writer.shutdown(wait=False, cancel_futures=True)
            return False
        self._writer.shutdown(wait=False)
        close = getattr(self.store, "close", None)
        if close is not None:
            close()
        return True
