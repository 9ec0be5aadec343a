"""What stands between the values of a record of OTLP JSON: written where protobuf is read; shared with the kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WORDS = (
    b'{"startTimeUnixNano":"',
    b'{"timeUnixNano":"',
    b'","observedTimeUnixNano":"',
    b'","traceId":"',
    b'","spanId":"',
    b'","attributes":[',
    b'{"key":"',
    b'","value":{"stringValue":"',
    b'","value":{"intValue":"',
    b'"}}',
    b"]}",
    b'],"body":{"stringValue":"',
    b'{"body":{"stringValue":"',
    b'"}}',
)
# fmt: off
(
    SPAN_BEGIN, LOG_BEGIN, OBSERVED, TRACE, SPAN, ATTRIBUTES, KEY, TEXT, INTEGER, VALUE_END, END,
    BODY, BODY_BEGIN, BODY_END,
) = range(len(WORDS))
# fmt: on

# what is written of a log record whose body is text: all but the body, all, the body alone
WITHOUT_BODY, WITH_BODY, BODY_ALONE = range(3)


def packed() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All of WORDS as bytes, uint8 (size,), and where each begins, int64 (words + 1,)."""
    places = np.cumsum([0, *(len(word) for word in WORDS)]).astype(np.int64)
    return np.frombuffer(b"".join(WORDS), np.uint8).copy(), places
