"""Keys and hashes: the kernels' arithmetic against the readable one, and that against the papers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.errors import UsageError
from detector.records.keys import REPLAY_KEY, HashKey, siphash
from detector.records.resolve import Resolver
from tests.record_lines import get, resolved


def test_siphash_agrees_with_the_paper() -> None:
    """The vector of SipHash-2-4 in the paper's appendix A."""
    key = HashKey.from_bytes(bytes(range(16)))
    assert siphash(bytes(range(15)), key, 2, 4) == 0xA129CA6149BE45E5


@pytest.mark.parametrize("key", [REPLAY_KEY, HashKey(1, 2**64 - 1)])
def test_kernels_hash_as_the_reference_does(key: HashKey) -> None:
    """Texts of every length modulo eight, at the end of the buffer and before it, and numbers."""
    values = ["x" * n for n in range(1, 40)]
    batch = resolved(get(*(f"/a?id={value}" for value in values)), Resolver(key=key))
    assert batch.object.tolist() == [key.of_text(value.encode()) for value in values]
    numbers = [0, 1, 7, 10**17, 999_999_999_999_999_999]
    batch = resolved(get(*(f"/a/{number}" for number in numbers)), Resolver(key=key))
    assert batch.object.tolist() == [key.of_number(number) for number in numbers]
    assert batch.number.tolist() == numbers


def test_another_key_gives_other_hashes() -> None:
    """Nothing in a row can be foretold without the key."""
    request = get("/users/7/x")
    request[0]["agent"] = b"curl"
    one = resolved(request)
    other = resolved(request, Resolver(key=HashKey(3, 4)))
    for column in ("client", "source", "agent", "network", "object"):
        assert np.all(getattr(one, column) != getattr(other, column)), column
    assert one.tokens[0, 0] != other.tokens[0, 0]


def test_keys_come_from_files(tmp_path: Path) -> None:
    """Sixteen bytes as they are, longer secrets hashed, white space around them ignored, short ones refused."""
    file = tmp_path / "key"
    file.write_bytes(bytes(range(33, 49)) + b"\n")
    assert HashKey.from_file(file) == HashKey.from_bytes(bytes(range(33, 49)))
    file.write_bytes(b"x" * 64)
    assert HashKey.from_file(file) != HashKey.from_bytes(b"x" * 16)
    file.write_bytes(b"short")
    with pytest.raises(UsageError, match="at least 16"):
        HashKey.from_file(file)
    with pytest.raises(UsageError, match="No such file"):
        HashKey.from_file(tmp_path / "none")
