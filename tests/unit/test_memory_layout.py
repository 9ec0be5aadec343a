"""Where tables begin, and copies of their rows as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from detector.packing import picked
from detector.state.aligned import LINE, aligned
from detector.state.layout import CLIENT, Sizes, State

SMALL = Sizes(clients=8, objects=8, blocks=8, cells=8, crossings=8, maturity=8, routes=5, sources=8, suspects=8)


@pytest.mark.parametrize("name", ["clients", "index", "objects", "blocks", "routes", "cells", "past"])
def test_tables_begin_at_a_line_of_cache(name: str) -> None:
    """What lies in one line by its size lies in one by its place, too."""
    assert getattr(State(SMALL), name).ctypes.data % LINE == 0


def test_a_table_is_empty_and_of_its_own_type() -> None:
    """Every slot is there, zero, and can be written."""
    clients = aligned(3, CLIENT)
    assert clients.dtype == CLIENT
    assert clients.nbytes == 3 * CLIENT.itemsize
    assert not clients.view(np.uint8).any()
    clients["key"][2] = 7
    assert clients["key"].tolist() == [0, 0, 7]


@pytest.mark.parametrize("rows", [np.array([2, 0, 2]), np.array([True, False, True, False])])
def test_rows_picked_are_those_numpy_picks(rows: np.ndarray) -> None:
    """By places and by a mask, from every second slot as well as from all, and as a copy."""
    whole = aligned(8, CLIENT)
    whole["key"] = np.arange(8)
    whole["registers"][:, 5] = np.arange(8)
    every_second = whole[::2]
    found = picked(every_second, rows)
    assert found["key"].tolist() == every_second["key"][rows].tolist()
    assert found["registers"].tolist() == every_second["registers"][rows].tolist()
    found["key"] = 99
    assert 99 not in whole["key"]
