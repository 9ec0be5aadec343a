"""A member's rebalances, told on the thread that polls.

kafka-python calls rebalance listeners on the thread that also sends heartbeats: whoever drains there for longer than
the session time-out is thrown out of the group, and a commit from there waits for itself. Here the client's own
coroutine parks instead, heartbeats go on, and the thread that polls is handed what happened and may judge, save, commit
and seek, up to the drain time; then the rebalance goes on, with or without it.

::

    network thread   join ──► revoked: parks ······················► goes on ──► assigned: parks ···► done
    polling thread   poll ──────────────► listener.revoked (drains, ──┘  └──────► listener.assigned ──┘  └─► records
                                          snapshot, commit)
"""

from __future__ import annotations

import queue
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from detector.clock import monotonic
from detector.sources.kafka_client import Partition, ours
from detector.sources.kafka_listener import Listener

Kind = Literal["assigned", "revoked", "lost"]


def _future() -> Any:
    from kafka.future import Future

    return Future()


@dataclass
class _Event:
    """Something the listener is to be told, and the client's coroutine that waits for it."""

    kind: Kind
    partitions: list[Partition]
    done: Any = field(default_factory=_future)
    overdue: bool = False


class Group:
    """Stands between a consumer's coordinator and whoever polls.

    Args:
        consumer: kafka-python's, not subscribed yet.
        listener: told of everything; None wants to know nothing.
        drain_s: seconds after which a rebalance no longer waits for ``revoked``.

    Attributes:
        draining: partitions whose ``revoked`` runs and is in time: offsets may still be committed.
        held: partitions the listener knows of, with where they have been read to (None: nowhere yet): those it has been
            told it has, until it has dealt with their going. The client's own assignment is ahead of that.
    """

    def __init__(self, consumer: Any, listener: Listener | None, drain_s: float) -> None:
        self.draining: frozenset[Partition] = frozenset()
        self.held: dict[Partition, int | None] = {}
        self._left = False
        self._listener = listener
        self._drain_s = drain_s
        self._coordinator = consumer._coordinator
        self._net = consumer._net
        self._subscription = consumer._subscription
        self._events: queue.SimpleQueue[_Event | None] = queue.SimpleQueue()
        self._joining: Any = None
        self._leaving = False
        self._client_poll = self._coordinator.poll
        self._coordinator.poll = self._poll
        self._coordinator.ensure_active_group = self._joined

    def rebalances(self) -> Any:
        """The listener to subscribe with."""
        from kafka import AsyncConsumerRebalanceListener

        AsyncConsumerRebalanceListener.register(_Parking)
        return _Parking(self)

    @property
    def generation(self) -> int:
        """The group's generation as this member knows it; 0 outside the group."""
        return max(int(self._coordinator._generation.generation_id), 0)

    def leave(self, timeout_ms: int) -> None:
        """Tells the listener that everything goes, and leaves the group; static members stay in it.

        A rebalance that is under way is waited for, ``timeout_ms`` at most: in the middle of one nothing can be
        committed. What it assigns is not taken up.
        """
        from kafka.errors import KafkaError

        self._leaving = True
        with suppress(KafkaError):
            self._wait(_deadline(timeout_ms))
        try:
            if self.held and self._listener is not None:
                kind: Kind = "lost" if self._coordinator._generation.is_lost() else "revoked"
                self._tell(_Event(kind, sorted(self.held)))
        finally:
            self._left = True
            while not self._events.empty():
                if (event := self._events.get()) is not None:
                    self._release(event)
            self._subscription.unsubscribe()  # so that a join that is under way is not taken up again
            self._coordinator.maybe_leave_group(timeout_ms=timeout_ms)

    def _poll(self, timeout_ms: float | None = None) -> bool:
        """In place of the coordinator's: tells what has happened before any record of it is read."""
        deadline = _deadline(timeout_ms)
        if (self._joining is not None or not self._events.empty()) and not self._wait(deadline):
            return False
        return bool(self._client_poll(timeout_ms=_left_ms(deadline)))

    def _joined(self, timeout_ms: float | None = None) -> bool:
        """In place of the coordinator's, which holds the polling thread until the rebalance is over."""
        if self._joining is None:
            self._joining = self._net.call_soon_with_future(self._join)
            self._joining.add_both(lambda _: self._events.put(None))
        return self._wait(_deadline(timeout_ms))

    async def _join(self) -> bool:
        """Joins until nothing is left to be joined: what one round revokes the next one gives to others."""
        while True:
            joined = await self._coordinator.ensure_active_group_async()
            if not self._coordinator.need_rejoin():
                return bool(joined)

    def _wait(self, deadline: float | None) -> bool:
        """Passes on events until the join is over and nothing is left to tell; False where time is out before."""
        while self._joining is not None and not self._joining.is_done:
            try:
                event = self._events.get(timeout=_left_s(deadline))
            except queue.Empty:
                return False
            if event is not None:
                self._tell(event)
        while not self._events.empty():
            event = self._events.get()
            if event is not None:
                self._tell(event)
        joining, self._joining = self._joining, None
        if joining is not None and joining.exception is not None:
            raise joining.exception
        return True

    def _tell(self, event: _Event) -> None:
        listener = self._listener
        kind: Kind = "lost" if event.overdue else event.kind
        self.draining = frozenset(event.partitions if kind == "revoked" else ())
        if kind == "assigned":
            listener = None if self._leaving else listener
            self.held |= dict.fromkeys(() if self._leaving else event.partitions)
        try:
            if listener is not None:
                getattr(listener, kind)(event.partitions)
        finally:
            if kind != "assigned":
                self.held = {key: place for key, place in self.held.items() if key not in event.partitions}
            self.draining = frozenset()
            self._release(event)

    def _release(self, event: _Event) -> None:
        """Lets the coroutine go on; a future is resolved on the client's own thread."""
        self._net.call_soon_threadsafe(lambda: None if event.done.is_done else event.done.success(None))

    async def park(self, kind: Kind, partitions: Iterable[Any]) -> None:
        """On the client's thread: waits until the listener has been told, ``revoked`` for the drain time at most."""
        if self._left:
            return
        event = _Event(kind, sorted(ours(one) for one in partitions))
        self._events.put(event)
        late = self._net.call_later(self._drain_s, lambda: self._late(event)) if kind == "revoked" else None
        try:
            await event.done
        finally:
            if late is not None:
                self._net.cancel(late)

    def _late(self, event: _Event) -> None:
        if not event.done.is_done:
            event.overdue = True
            self.draining = frozenset()
            event.done.success(None)


class _Parking:
    """kafka-python's listener: each call parks until the polling thread has dealt with it."""

    def __init__(self, group: Group) -> None:
        self._group = group

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """New partitions."""
        await self._group.park("assigned", assigned)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Partitions that go to others."""
        await self._group.park("revoked", revoked)

    async def on_partitions_lost(self, lost: Any) -> None:
        """Partitions that have gone to others."""
        await self._group.park("lost", lost)


def _deadline(timeout_ms: float | None) -> float | None:
    return None if timeout_ms is None else monotonic() + timeout_ms / 1000


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - monotonic(), 0.0)


def _left_ms(deadline: float | None) -> float | None:
    left = _left_s(deadline)
    return None if left is None else left * 1000
