"""What became of the clients that read a route's newest ids: asked before their order convicts anybody."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.sweep import Company
from detector.evidence.constants import BLOCK_IDS
from detector.incidents.recent import Recent
from detector.packing import picked
from detector.state.layout import State

AGE_US = 30_000_000  # after which a client of a block is looked at again: see detectors.sweep
LOOK_BACK_US = 600_000_000
HOUR_US = 3_600_000_000

YOUNG_US = 60_000_000
"""Age up to which a client counts as made for what it reads: within it fall a home page with its assets and a decoy on
either side of the read, and of a person's visit of seven pages (simulated) the first few."""

KNOWN_US = 2 * HOUR_US
"""Log before which nobody can say that a route's newest id used to stand still: its marks are an hour apart."""

SUDDEN = 10.0
"""Times the pace of the hour before at which new ids would have to appear for growth to be sudden. Over a day ordinary
traffic varies by three to five from its trough to its peak, from one hour to the next by less than two."""


def company(state: State, recent: Recent, block: Any, begin_us: int) -> Company:
    """Looks at the clients of a block's route whose hits are half a minute old.

    Args:
        state: the tables, as of the block's last hit.
        recent: the last record reads.
        block: the block's slot (dtype BLOCK).
        begin_us: log time of the first row of all.
    """
    until = int(block["last_us"]) - AGE_US
    reads = recent.of_route(int(block["route"]), until - LOOK_BACK_US)
    reads = picked(reads, (reads["time_us"] <= until) & reads["cold"] & ~reads["own"])
    clients = picked(state.clients, reads["slot"])
    requests = clients["requests"].sum(axis=1)
    only = (clients["lead"] == block["route"]) & (5 * clients["lead_margin"].astype(np.int64) >= 3 * requests)
    sample = state.sample()
    others = sample["requests"][(sample["first_us"] <= until) & (sample["lead"] != block["route"])]
    single = float(np.mean(others.sum(axis=1) == 1)) if len(others) else 0.0
    pure = int(np.count_nonzero(only & (clients["key"] == reads["client"])))
    young = int(np.count_nonzero(_is_young(state, reads["time_us"], reads["slot"], reads["client"])))
    other = recent.elsewhere(int(block["route"]), until - LOOK_BACK_US)
    usual = float(np.mean(_is_young(state, *other))) if len(other[0]) else 1.0
    return Company(len(reads), pure, single, _is_sudden(state, block, begin_us), young, usual)


def _is_young(
    state: State, time_us: npt.NDArray[np.int64], slot: npt.NDArray[np.int32], client: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Whether reads are by clients first seen at most `YOUNG_US` before; whose slot is gone is not."""
    held = state.clients["key"][slot] == client
    return np.asarray(held & (time_us - state.clients["first_us"][slot] <= YOUNG_US))


def _is_sudden(state: State, block: Any, begin_us: int) -> bool:
    """Whether a route's newest id stood still, or nearly, in the hour before the ids of a block were read in order."""
    last_us = int(block["last_us"])
    if last_us - begin_us < KNOWN_US:
        return False
    route = state.routes[block["route"]]
    grown = max(0, int(route["high_then"]) - int(route["high_before"]))
    span = max(last_us - int(block["begin_us"]), 1)
    pace = min(int(block["hits"]), BLOCK_IDS) * HOUR_US / span
    return SUDDEN * grown <= pace
