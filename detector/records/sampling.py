"""Sampled logs: how many requests without a line each line stands for besides itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNIT = 1_000  # thousandths: whole numbers add up to the same sum in whatever portions
MOST = 1_000_000  # one in a million, as the configuration's least rate
_TEXT_BYTES = 24  # of a rate; what is longer says nothing


def omitted_by(rate: float) -> int:
    """Thousandths of a request that a line stands for besides itself at a rate above 0: a share of all requests up to
    1, one in so many above."""
    times = 1 / rate if rate <= 1 else rate
    return round(UNIT * (min(times, MOST) - 1))


def omitted(buffer: npt.NDArray[np.uint8], span: npt.NDArray[np.int32], default: int) -> npt.NDArray[np.uint32]:
    """The same, uint32 (n,), by the rates that lines say, int32 (n, 2) of starts and lengths; ``default`` where a line
    says none, or nothing that is one."""
    length = span[:, 1]
    said = np.flatnonzero((length > 0) & (length <= _TEXT_BYTES))
    result = np.full(len(span), default, np.uint32)
    if not len(said):
        return result
    place = np.arange(_TEXT_BYTES)
    at = np.minimum(span[said, 0].astype(np.int64)[:, None] + place, buffer.size - 1)
    texts = np.where(place < length[said][:, None], buffer[at], 0).astype(np.uint8)
    values, which = np.unique(texts.view(f"S{_TEXT_BYTES}").ravel(), return_inverse=True)
    result[said] = np.array([_read(bytes(value), default) for value in values], np.uint32)[which]
    return result


def _read(text: bytes, default: int) -> int:
    try:
        rate = float(text)
    except ValueError:
        return default
    return omitted_by(rate) if 0 < rate <= MOST else default
