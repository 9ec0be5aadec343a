"""What came of a batch's rows by themselves, before anybody is judged by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel
from detector.records.batch import Batch
from detector.records.shape import METHODS
from detector.state.layout import OBJECT, State
from detector.state.owners import OWNER

READING = ("-", "GET", "POST", "QUERY", "SEARCH", "REPORT", "PROPFIND")
"""Methods whose answers carry records: the safe ones with a body (RFC 9110, RFC 4918), and POST, which look-ups use."""

OUTCOMES = Kernel(
    "detector.evidence.outcome_kernel:outcomes",
    [
        *[Array(code) for code in ("i8", "u8", "u1", "u4", "u8", "u2", "i8", "u1", "u1", "u1", "u1")],
        Array(OBJECT),
        Array(OWNER),
        *[Array(code) for code in ("i8", "u1")],
    ],
    returns="",
)

_READABLE = np.array([method in READING for method in METHODS], np.uint8)


def outcomes(state: State, batch: Batch) -> npt.NDArray[np.uint8]:
    """The outcomes of a batch's rows, bits of `outcome_kernel`; the tables of objects and owners note them.

    To be called once for each batch, in log order, with routes assigned; from one thread at a time, which need not be
    that of the judge: nobody else touches those tables.
    """
    out = np.empty(len(batch), np.uint8)
    b = batch
    columns = (b.time_us, b.client, b.kind, b.route, b.object, b.status, b.bytes_out, b.requests, b.flags, b.method)
    OUTCOMES(*columns, _READABLE, state.objects, state.owners, state.counters, out)
    return out
