"""Kernels compiled in one pass are those numba makes, and numba is left as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest

from detector import compiled, compiling
from detector.compiled import Array, Kernel, Scalar
from detector.records.keys import REPLAY_KEY
from detector.records.resolve import WHOSE

LINE = b"alice payroll"
SPAN = [0, 5, 6, 7]  # two fields, start and length each
DECLARED: list[Array | Scalar] = [
    Array("u1"),
    Array("i4"),
    Scalar("i8"),
    Array("i8"),
    Array("u8"),
    Scalar("i8"),
    Array("u8", 2),
]


def found() -> list[list[int]]:
    """What a kernel with helpers makes of a line, compiled anew."""
    kernel = Kernel("detector.records.whose_kernel:whose", DECLARED)
    out = np.zeros((2, 1), np.uint64)
    kernel(
        np.frombuffer(LINE, np.uint8), np.array(SPAN, np.int32), 4, np.zeros(1, np.int64), REPLAY_KEY.words(), 0, out
    )
    return [[int(word) for word in row] for row in out]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No object code is found or kept."""
    monkeypatch.setattr(compiled, "_read", lambda kernel: None)
    monkeypatch.setattr(compiled, "_write", lambda kernel, code: None)


def test_one_pass_gives_what_numba_gives(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes are the key's own, whether LLVM optimised once or numba compiled in its own way."""
    expected = [[REPLAY_KEY.of_text(word)] for word in LINE.split()]
    assert found() == expected

    @contextmanager
    def another_numba() -> Iterator[None]:
        yield None

    monkeypatch.setattr(compiling, "_front_end", another_numba)
    assert found() == expected


def test_numba_compiles_as_ever_afterwards(fresh: None) -> None:
    """A function of somebody else's, compiled behind a kernel in the same process, can be called."""
    found()
    assert numba.njit(lambda x: x + 1)(41) == 42


def test_a_numba_without_what_is_replaced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where numba's libraries have no separate step of optimising, numba is asked to do all of it."""
    from numba.core.registry import cpu_target

    monkeypatch.setattr(
        cpu_target.target_context.codegen(), "_library_class", lambda codegen, name: object(), raising=False
    )
    with compiling._front_end() as machine_code:
        assert machine_code is None


def test_a_first_call_waits_for_the_compiler_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being compiled by another process is not compiled a second time: the object is looked for behind it."""
    done: list[str] = []
    gate = threading.Event()

    def apart(name: str, places: threading.BoundedSemaphore) -> None:
        gate.wait(10)
        done.append(name)

    def read(kernel: Kernel) -> None:
        done.append("looked for")
        raise KeyError

    monkeypatch.setattr(compiled, "_UNDER_WAY", {})
    monkeypatch.setattr(compiled, "_object_path", lambda kernel: Path("/nonexistent"))
    monkeypatch.setattr(compiled, "_compile_apart", apart)
    monkeypatch.setattr(compiled, "_read", read)
    monkeypatch.setattr(WHOSE, "_function", None)
    assert compiled.prepare(["detector.records.resolve:WHOSE"], wait=False) == 1
    threading.Timer(0.2, gate.set).start()
    with pytest.raises(KeyError):
        WHOSE.load()
    assert done == ["detector.records.resolve:WHOSE", "looked for"]
