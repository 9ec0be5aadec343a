"""What user agents and networks are called, by their hashes: the first ones of a log, in fixed memory.

A rule that selects a campaign names agents and networks, and nobody can act on a hash. The resolver keeps the text the
first time it sees one; a flood of invented agents fills the table and changes nothing in it: what comes after is told
by its hash.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.masking import masked_text
from detector.packing import adopted
from detector.records.probing import places

AGENT_SLOTS, NETWORK_SLOTS = 1 << 15, 1 << 17
"""Places; half of them may be taken: 16,384 agents (2.6 MB) and 65,536 networks (3.7 MB)."""

AGENT_BYTES, NETWORK_BYTES = 160, 48

AGENT = np.dtype([("hash", "u8"), ("text", f"S{AGENT_BYTES}")])
NETWORK = np.dtype([("hash", "u8"), ("text", f"S{NETWORK_BYTES}")])
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Looks:
    """Texts of agents and networks, printable ASCII.

    Args:
        lock: held by whoever fills the tables or reads them: the two are done by different threads.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._agents = np.zeros(AGENT_SLOTS, np.uint64), np.zeros(AGENT_SLOTS * AGENT_BYTES, np.uint8)
        self._networks = np.zeros(NETWORK_SLOTS, np.uint64), np.zeros(NETWORK_SLOTS * NETWORK_BYTES, np.uint8)
        self._sizes = np.zeros(2, np.int64)

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Everything the tables are, as the kernel takes it."""
        return *self._agents, *self._networks, self._sizes

    def agent(self, value: int) -> str:
        """The user agent of a hash, cut at `AGENT_BYTES`; where none was kept, ``~`` and the hash."""
        return self._text(self._agents, value, AGENT_BYTES) or f"~{value:016x}"

    def network(self, value: int) -> str:
        """The network of a hash, such as ``203.0.113.0/24``; where none was kept, ``~`` and the hash."""
        return self._text(self._networks, value, NETWORK_BYTES) or f"~{value:08x}"

    def _text(self, table: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]], value: int, width: int) -> str:
        keys, texts = table
        slot = ((value * _FACTOR) & _MASK) >> (64 - (len(keys).bit_length() - 1))
        with self._lock:
            while keys[slot]:
                if int(keys[slot]) == value:
                    return bytes(texts[slot * width : (slot + 1) * width]).rstrip(b"\0").decode("ascii")
                slot = (slot + 1) % len(keys)
        return ""

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy: dtype AGENT and NETWORK. To be called with the lock held."""
        return {"agents": _rows(self._agents, AGENT), "networks": _rows(self._networks, NETWORK)}

    def load(self, agents: npt.NDArray[Any], networks: npt.NDArray[Any]) -> None:
        """Takes back what `save` gave, into tables not used yet. To be called with the lock held."""
        self._sizes[:] = _fill(self._agents, adopted(agents, AGENT)), _fill(self._networks, adopted(networks, NETWORK))


def _rows(table: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    keys, texts = table
    at = np.flatnonzero(keys)
    rows = np.empty(len(at), dtype)
    rows["hash"], rows["text"] = keys[at], texts.view(dtype["text"])[at]
    if dtype is AGENT:  # who reads a snapshot is told no more than who reads an incident
        rows["text"] = [_masked(text) for text in rows["text"].tolist()]
    return rows


@lru_cache(AGENT_SLOTS // 2)
def _masked(agent: bytes) -> bytes:
    return masked_text(agent.decode("ascii")).encode("ascii")


def _fill(table: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]], rows: npt.NDArray[Any]) -> int:
    keys, texts = table
    rows = rows[: len(keys) // 2]
    shift = np.uint64(64 - (len(keys).bit_length() - 1))
    at = places(((rows["hash"] * np.uint64(_FACTOR)) >> shift).astype(np.int64), len(keys))
    keys[at], texts.view(rows.dtype["text"])[at] = rows["hash"], rows["text"]
    return len(rows)
