"""The container of snapshots and the folder they lie in: what comes back, and that nothing else ever does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from detector import clock
from detector.errors import InputError, SinkError, SnapshotDamaged, SnapshotVersion, UsageError
from detector.state import archive
from detector.state.archive import pack, unpack
from detector.state.cells import CELL
from detector.state.layout import CLIENT, OBJECT
from detector.state.store import ABANDONED_S, FolderStore

PLAIN = {"version": 1, "names": ["a", None], "share": 0.1, "deep": {"yes": True}}


def small() -> dict[str, npt.NDArray[Any]]:
    """Arrays of every kind that occurs, short enough to try each byte."""
    clients = np.zeros(3, CLIENT)
    clients["key"], clients["cold_expected"], clients["registers"][1] = [1, 2**63, 3], 0.5, 7
    return {
        "clients": clients,
        "cells": np.zeros((3, 2), CELL),
        "none": np.zeros(0, CLIENT),
        "number": np.array(5),
        "texts": np.array([b"abc", b""]),
        "yes": np.array([True, False]),
    }


def test_everything_comes_back_as_it_was() -> None:
    """Plain data, types, shapes and bytes, gaps between fields included."""
    meta, arrays = unpack(pack(PLAIN, small()))
    assert meta == PLAIN
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in small().items()
    }


NUMBERS = st.one_of(arrays_of.integer_dtypes(endianness="<"), arrays_of.floating_dtypes(endianness="<", sizes=(32, 64)))


@settings(max_examples=60, deadline=None)
@given(array=arrays_of.arrays(NUMBERS, arrays_of.array_shapes(min_dims=0, min_side=0)))
def test_any_array_comes_back(array: npt.NDArray[Any]) -> None:
    """Whatever its shape, its order in memory and its numbers."""
    back = unpack(pack({}, {"a": array, "turned": array.T})).arrays
    assert (back["a"].shape, back["a"].tobytes()) == (array.shape, array.tobytes())
    assert back["turned"].tobytes() == array.T.tobytes()


def test_every_flipped_byte_is_noticed() -> None:
    """A change of any single byte, by one bit or by all, makes a snapshot damaged: not old, and never readable."""
    data = pack(PLAIN, small())
    for place in range(len(data)):
        for bits in (0x01, 0x80, 0xFF):
            bad = bytearray(data)
            bad[place] ^= bits
            with pytest.raises(SnapshotDamaged):
                unpack(bytes(bad))


def test_every_truncation_and_any_tail_is_noticed() -> None:
    """Cut short anywhere, or with something behind it, a snapshot is damaged."""
    data = pack(PLAIN, small())
    for bad in [*(data[:length] for length in range(len(data))), data + b"\0", data + data]:
        with pytest.raises(SnapshotDamaged):
            unpack(bad)


def test_another_format_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole snapshot of a later format is told apart from damage, and both formats are named."""
    monkeypatch.setattr(archive, "FORMAT", 7)
    later = pack(PLAIN, small())
    monkeypatch.undo()
    with pytest.raises(SnapshotVersion, match=r"format 7.*format 1"):
        unpack(later)


def test_no_size_is_trusted() -> None:
    """Arrays larger than allowed are refused before memory is asked for, and so are sizes that contradict the data."""
    data = pack({}, {"zeros": np.zeros(1 << 20, np.uint64)})
    assert len(data) < 2000
    with pytest.raises(SnapshotDamaged):
        unpack(data, most_bytes=1 << 20)
    for shape in ([1 << 62], [-1], [1 << 40, 1 << 40], [2]):
        with pytest.raises(SnapshotDamaged):
            unpack(_forged(lambda manifest, shape=shape: manifest["arrays"][0].update(shape=shape)))
    for said in ("O", "|O8", ">u8", "V0", {"fields": [], "size": 1 << 60}, [["a", "u8"]], None):
        with pytest.raises(SnapshotDamaged):
            unpack(_forged(lambda manifest, said=said: manifest["arrays"][0].update(type=said)))


def _forged(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A snapshot whose checksum is right and whose manifest lies."""
    import json

    data = pack({}, {"zeros": np.zeros(8, np.uint64)})
    begin = archive._HEAD + 4
    size = int.from_bytes(data[begin - 4 : begin], "little")
    manifest = json.loads(data[begin : begin + size])
    change(manifest)
    text = json.dumps(manifest).encode()
    body = len(text).to_bytes(4, "little") + text + data[begin + size :]
    head = archive._BEGIN.pack(archive.MAGIC, archive.FORMAT, archive._HEAD + len(body))
    return head + archive._digest(head, body) + body


@pytest.mark.parametrize("bad", [np.array([object()]), np.zeros(2, ">u4"), np.zeros(2, "M8[us]"), np.array(["text"])])
def test_what_cannot_be_kept_is_refused(bad: npt.NDArray[Any]) -> None:
    """Python objects, foreign byte orders, dates and wide texts do not get in."""
    with pytest.raises(ValueError, match="cannot be kept"):
        pack({}, {"bad": bad})


def test_a_table_of_objects_that_is_mostly_empty_is_small_and_quick() -> None:
    """134 MB with a thousandth in use take a few hundred kilobytes and well under half a second of the processor."""
    table = np.zeros(1 << 23, OBJECT)
    rng = np.random.default_rng(1)
    table["tag"][rng.integers(0, len(table), 8000)] = rng.integers(1, 2**32, 8000)
    started = os.times()
    data = pack({}, {"objects": table})
    ended = os.times()
    assert len(data) < 400_000
    assert ended.user + ended.system - started.user - started.system < 0.5
    assert unpack(data).arrays["objects"].tobytes() == table.tobytes()


def test_a_folder_keeps_the_last_two_of_each_name(tmp_path: Path) -> None:
    """The newest first; a member of an older generation cannot push out what its successor wrote."""
    store = FolderStore(tmp_path / "new" / "folder")
    for order in ((1, 1), (1, 2), (2, 3), (1, 9)):
        store.put("state", order, repr(order).encode())
    store.put("learnt", (1, 1), b"learnt")
    assert list(store.newest("state")) == [((2, 3), b"(2, 3)"), ((1, 9), b"(1, 9)")]
    assert list(store.newest("nothing")) == []
    assert store.names() == ["learnt", "state"]
    assert len(list(store.folder.iterdir())) == 3


def test_names_with_points_are_told_apart(tmp_path: Path) -> None:
    """``state`` and ``state.0000000001-0000000000000001.snapshot`` are two names."""
    store = FolderStore(tmp_path)
    odd = "state.0000000001-0000000000000001.snapshot"
    store.put("state", (1, 1), b"plain")
    store.put(odd, (2, 2), b"odd")
    assert store.names() == ["state", odd]
    assert list(store.newest("state")) == [((1, 1), b"plain")]
    assert list(store.newest(odd)) == [((2, 2), b"odd")]


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """What is not called as a snapshot is neither read nor removed; what a crash left half written is, in time."""
    store = FolderStore(tmp_path)
    foreign = [tmp_path / name for name in ("README", "state.1-1.snapshot", ".hidden")]
    young, old = (tmp_path / f".state.0000000001-000000000000000{n}.snapshot.99" for n in (1, 2))
    for path in (*foreign, young, old):
        path.write_bytes(b"half")
    long_ago = clock.wall().timestamp() - ABANDONED_S - 5
    os.utime(old, (long_ago, long_ago))
    assert store.names() == []
    store.put("state", (1, 3), b"whole")
    assert list(store.newest("state")) == [((1, 3), b"whole")]
    assert all(path.exists() for path in (*foreign, young))
    assert not old.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "State", ".state", "a" * 101, "a\n"])
def test_names_that_are_no_names(tmp_path: Path, name: str) -> None:
    """Nothing is written or read under a name that could leave the folder or hide in it."""
    store = FolderStore(tmp_path)
    with pytest.raises(UsageError):
        store.put(name, (1, 1), b"")
    with pytest.raises(UsageError):
        list(store.newest(name))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_had_or_read_is_said(tmp_path: Path) -> None:
    """The error names the place."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(SinkError, match=str(path)):
        FolderStore(path)
    store = FolderStore(tmp_path / "gone")
    store.folder.rmdir()
    with pytest.raises(SinkError, match="gone"):
        store.put("state", (1, 1), b"")
    with pytest.raises(InputError, match="gone"):
        list(store.newest("state"))


def test_snapshots_are_for_their_owner(tmp_path: Path) -> None:
    """They hold the names of clients."""
    store = FolderStore(tmp_path / "folder")
    store.put("state", (1, 1), b"")
    assert [oct(p.stat().st_mode & 0o777) for p in (store.folder, *store.folder.iterdir())] == ["0o700", "0o600"]
