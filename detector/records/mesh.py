"""A mesh: both proxies of a hop log a request, and say by the cluster they sent it to which of the two they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Istio names clusters `inbound|PORT||` and `outbound|PORT|SUBSET|HOST` (istio.io, "Debugging Envoy and Istiod")
INBOUND, OUTBOUND = b"inbound|", b"outbound|"
_FACTORS = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)  # odd, xxHash's


def twins(
    buffer: npt.NDArray[np.uint8], span: npt.NDArray[np.int32], hashes: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """What two records of one hop have in common, uint64 (n,), see `Batch.twin`.

    Args:
        buffer, span: the lines and where each names its cluster, int32 (n, 2) of starts and lengths.
        hashes: uint64 (3, n), keyed hashes of request id, method and target; 0 = absent.
    """
    inbound, outbound = (_begins(buffer, span, word) for word in (INBOUND, OUTBOUND))
    same = np.zeros(len(span), np.uint64)
    for column, factor in zip(hashes, _FACTORS, strict=True):
        same = (same ^ column) * factor
        same ^= same >> np.uint64(29)
    same = (same & ~np.uint64(1)) | inbound
    return np.where((inbound | outbound) & (hashes[0] != 0) & (hashes[2] != 0), np.maximum(same, np.uint64(2)), 0)


def _begins(buffer: npt.NDArray[np.uint8], span: npt.NDArray[np.int32], word: bytes) -> npt.NDArray[np.bool_]:
    long = span[:, 1] >= len(word)
    at = np.minimum(span[:, 0].astype(np.int64)[:, None] + np.arange(len(word)), buffer.size - 1)
    found: npt.NDArray[np.bool_] = long & (buffer[at] == np.frombuffer(word, np.uint8)).all(axis=1)
    return found
