"""Client slots on their way out of one process's table and into another's, where a partition changes hands."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.packing import adopted
from detector.records.batch import NAME_BYTES
from detector.records.probing import places
from detector.state.layout import CLIENT, COUNTER, State

CLIENTS, EVICTED = COUNTER["clients"], COUNTER["clients_evicted"]


def take_out(state: State, part: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Frees the slots of clients that belong to a partition; the others move together.

    Returns the slots (dtype CLIENT) and names taken out, and every old slot's new number (0 for those taken out: who
    keeps a slot's number also keeps the client's key, and compares).
    """
    used = state.in_use
    going = used["part"] == part
    out = used[going].copy(), state.names[: len(used)][going].copy()
    moved = np.append(np.where(going, 0, np.cumsum(~going) - 1), 0)  # one more: an empty table is referred to as well
    stay = int(np.count_nonzero(~going))
    state.clients[:stay], state.names[:stay] = used[~going], state.names[: len(used)][~going]
    state.clients[stay : len(used)] = np.zeros(1, CLIENT)
    state.names[stay : len(used)] = 0
    state.counters[CLIENTS] = stay
    for ring in (
        state.crossings,
        state.maturity,
        state.suspects,
    ):  # clients that have left long ago have slots of others already
        ring["slot"] = moved[np.minimum(ring["slot"], len(moved) - 1)]
    _index(state)
    return *out, moved


def put_in(state: State, clients: npt.NDArray[Any], names: npt.NDArray[np.uint8], part: int) -> npt.NDArray[np.int64]:
    """Adds slots of another process's table under a partition's number.

    A client known here keeps what says more about it, by fresh reads. Where there is no room for all, those with the
    fewest fresh reads are left out and counted as evicted.

    Args:
        clients: dtype CLIENT, also of another version.
        names: uint8 (n, NAME_BYTES).

    Returns where each lies now, -1 = it was left out.
    """
    clients, names = adopted(clients, CLIENT).copy(), names[:, :NAME_BYTES]
    clients["part"] = part
    used = state.in_use
    slots = np.full(len(clients), -1, np.int64)
    _, here, there = np.intersect1d(used["key"], clients["key"], assume_unique=True, return_indices=True)
    better = clients["fresh"][there].sum(axis=1) >= used["fresh"][here].sum(axis=1)
    slots[there[better]] = here[better]
    new = np.setdiff1d(np.arange(len(clients)), there)
    room = len(state.clients) - len(used)
    if len(new) > room:
        by_reads = np.argsort(-clients["fresh"][new].sum(axis=1).astype(np.int64), kind="stable")
        state.counters[EVICTED] += len(new) - room
        new = np.sort(new[by_reads[:room]])
    slots[new] = len(used) + np.arange(len(new))
    state.counters[CLIENTS] = len(used) + len(new)
    state.clients[slots[slots >= 0]], state.names[slots[slots >= 0]] = clients[slots >= 0], names[slots >= 0]
    _index(state)
    return slots


def _index(state: State) -> None:
    """Makes the index of client keys anew."""
    keys = state.in_use["key"]
    at = places((keys & np.uint64(len(state.index) - 1)).astype(np.int64), len(state.index))
    state.index[:] = 0
    state.index[at] = (keys >> np.uint64(32) << np.uint64(32)) | (np.arange(len(keys), dtype=np.uint64) + np.uint64(1))
