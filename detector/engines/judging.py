"""The judging thread of a stream: one after the other it takes rows, and whatever else must happen between rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Full, Queue
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")

QUEUED = 8  # parcels of rows waiting, of at most 65,536 rows each
WAIT_S = 0.1

Work = Callable[[], object]


class Judging:
    """A thread that does what it is given, in that order.

    What fails in `give` is raised by the next call of the thread that gives work, and nothing more is done; what fails
    in `ask` is raised there, and the thread goes on.
    """

    def __init__(self) -> None:
        self._queue: Queue[tuple[Work, Future[object] | None] | None] = Queue(QUEUED)
        self._fault: BaseException | None = None
        self._thread = Thread(target=self._run, name="judge", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether as much waits as may."""
        return self._queue.full()

    @property
    def is_alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive() and self._fault is None

    def give(self, work: Work) -> None:
        """Queues work; waits while the queue is full."""
        self._put((work, None))

    def ask(self, work: Callable[[], Result], timeout_s: float | None = None) -> Result:
        """Queues work and waits for what it returns.

        Raises:
            TimeoutError: it was not done in ``timeout_s`` seconds.
        """
        done: Future[object] = Future()
        self._put((work, done))
        return done.result(timeout_s)  # type: ignore[return-value]

    def _put(self, parcel: tuple[Work, Future[object] | None] | None) -> None:
        while True:
            if self._fault is not None:
                raise self._fault
            try:
                self._queue.put(parcel, timeout=WAIT_S)
            except Full:
                continue
            return

    def stop(self, timeout_s: float) -> bool:
        """Lets the thread finish what is queued; returns whether it did in time."""
        if self._fault is None:
            self._put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            parcel = self._queue.get()
            if parcel is None:
                return
            work, done = parcel
            try:
                result = work()
            except BaseException as fault:  # noqa: BLE001  it crosses to the thread that gave the work
                if done is None:
                    self._fail(fault)
                    return
                done.set_exception(fault)
            else:
                if done is not None:
                    done.set_result(result)

    def _fail(self, fault: BaseException) -> None:
        self._fault = fault
        while True:
            try:
                parcel = self._queue.get_nowait()
            except Empty:
                return
            if parcel is not None and parcel[1] is not None:
                parcel[1].set_exception(fault)
