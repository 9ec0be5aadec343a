"""Looks up a batch's records in a thread of its own while the batch before it is judged.

The judge is the slowest step of a replay, and a look-up in the table of objects needs nothing from it. Routes are found
in the judge's own thread, always one batch ahead, so that what comes out does not depend on the speed of either.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import numpy.typing as npt

from detector.pipeline import Pipeline
from detector.records.batch import Batch

_Found = Future[npt.NDArray[np.uint8]]


class Ahead:
    """A pipeline that is given batches without changes of a consent ledger, and judges each when the next has come.

    A context manager: the last batch is judged at its end, unless that is an error.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._thread = ThreadPoolExecutor(1, "look-up")
        self._next: tuple[Batch, _Found] | None = None

    def take(self, batch: Batch) -> None:
        """Takes the next batch, and judges the one before; see `Pipeline.take`."""
        if not len(batch):
            return
        self._pipeline.find_routes(batch)
        before, self._next = self._next, (batch, self._thread.submit(self._pipeline.look_up, batch))
        self._weigh(before)

    def _weigh(self, given: tuple[Batch, _Found] | None) -> None:
        if given is not None:
            batch, found = given
            self._pipeline.weigh(batch, found.result())

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._weigh(self._next)
        finally:
            self._thread.shutdown(cancel_futures=True)
