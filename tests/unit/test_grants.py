"""The ledger's table against a plain dictionary: nothing is lost, whatever comes in whatever order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import SnapshotDamaged
from detector.state.grants import Grants, info

KEYS = st.integers(1, 40).map(lambda k: k << 58 | 1)  # near one another: long runs
CHANGES = st.lists(st.tuples(KEYS, st.integers(0, 30), st.integers(0, 3)), max_size=300)


def _put(table: Grants, changes: list[tuple[int, int, int]]) -> list[int]:
    keys = np.array([key for key, _, _ in changes], np.uint64)
    times = np.array([time for _, time, _ in changes], np.int64)
    codes = np.array([code for _, _, code in changes], np.int64)
    return table.put(keys, info(times, np.zeros(len(keys), np.uint64), codes)).tolist()


@given(CHANGES)
@settings(deadline=None)
def test_it_holds_each_change_once_in_the_order_of_its_key(changes: list[tuple[int, int, int]]) -> None:
    """What stands in the table is the set of what came, sorted."""
    table = Grants()
    said = _put(table, changes)
    expected = sorted({(key, time << 32 | code) for key, time, code in changes})
    assert list(map(tuple, table.save().tolist())) == expected
    assert said.count(1) == len({key for key, _, _ in changes})
    assert table.changes == len(expected)


@given(CHANGES, st.randoms())
@settings(deadline=None)
def test_the_order_in_which_changes_come_changes_nothing(changes: list[tuple[int, int, int]], chance: object) -> None:
    """Shuffled changes make the same table."""
    shuffled = list(changes)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Grants(), Grants()
    _put(one, changes)
    _put(other, shuffled)
    assert np.array_equal(one.save(), other.save())


def test_it_grows_and_keeps_under_thirty_two_bytes_a_change() -> None:
    """Two hundred thousand changes of as many persons, put in pieces."""
    rng = np.random.default_rng(3)
    keys = rng.integers(1, 1 << 63, 200_000).astype(np.uint64) * np.uint64(2)
    infos = info(rng.integers(0, 1 << 31, len(keys)), np.zeros(len(keys), np.uint64), np.ones(len(keys), np.int64))
    table = Grants()
    for start in range(0, len(keys), 7919):
        table.put(keys[start : start + 7919], infos[start : start + 7919])
    held = table.save()
    assert np.array_equal(held[:, 0], np.sort(keys))
    assert table.bytes <= 32 * len(keys)


def test_who_changes_his_mind_too_often_keeps_the_newest() -> None:
    """Of a hundred changes of one key the last sixty-four are held."""
    table = Grants()
    _put(table, [(5, time, 1) for time in range(100)])
    assert (table.save()[:, 1] >> np.uint64(32)).tolist() == list(range(36, 100))


def test_a_snapshot_brings_it_back() -> None:
    """Saved and loaded, it is the same; what is no ledger is refused."""
    table, other = Grants(), Grants()
    _put(table, [(9, 4, 1), (7, 2, 0), (9, 6, 0)])
    other.load(table.save())
    assert np.array_equal(other.save(), table.save())
    with pytest.raises(SnapshotDamaged):
        other.load(np.zeros(3, np.uint64))
