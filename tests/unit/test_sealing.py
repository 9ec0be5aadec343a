"""What lies encrypted on disk: it opens under its key and name alone, and says what is wrong otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector import sealing
from detector.engines.privacy import SealedStore
from detector.errors import SealError, UsageError
from detector.sealing import MAGIC, Seal, is_sealed, opened, read_secret, sealed
from detector.state.store import FolderStore

SECRET = b"0123456789abcdef"


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_it_opens_again(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of any size comes back, also in pieces; twice encrypted it is never the same, and nothing of it shows."""
    monkeypatch.setattr(sealing, "PIECE", 100)
    data = bytes(range(256))[:size]
    seal = Seal(SECRET)
    one, two = seal.seal(data, "a"), seal.seal(data, "a")
    assert seal.open(one, "a") == seal.open(two, "a") == opened(one, "a", seal) == data
    assert one != two
    assert is_sealed(one)
    assert size < 99 or data[:20] not in one
    assert opened(data, "a", seal) == data  # what was never encrypted stays readable
    assert sealed(data, "a", None) == data


def test_what_does_not_open_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, another key or purpose, another name, a flipped bit, a piece cut off or moved: each is an error."""
    monkeypatch.setattr(sealing, "PIECE", 100)
    data = bytes(250)
    whole = Seal(SECRET).seal(data, "a")
    head = len(whole) - 250 - 3 * 16
    first, second = whole[head : head + 116], whole[head + 116 : head + 232]
    wrong: list[tuple[bytes, str, Seal | None, str]] = [
        (whole, "a", None, "is encrypted; --key-file"),
        (whole, "a", Seal(b"another secret of 16"), "another key"),
        (whole, "a", Seal(SECRET, "snapshots"), "another key"),
        (whole, "b", Seal(SECRET), "another file's content"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "a", Seal(SECRET), "damaged"),
        (whole[: head + 232], "a", Seal(SECRET), "damaged"),
        (whole[:head] + second + first + whole[head + 232 :], "a", Seal(SECRET), "damaged"),
        (MAGIC + b"short", "a", Seal(SECRET), "cut short"),
    ]
    for blob, name, seal, said in wrong:
        with pytest.raises(SealError, match=said):
            opened(blob, name, seal)


def test_a_secret_has_sixteen_bytes(tmp_path: Path) -> None:
    """White space at its ends does not count; a short one and a file that is not there name the setting."""
    (tmp_path / "key").write_bytes(SECRET + b"\n")
    assert read_secret(tmp_path / "key", "setting") == SECRET
    (tmp_path / "key").write_bytes(b"  short  \n")
    with pytest.raises(UsageError, match=r"setting: .*5 bytes, at least 16"):
        read_secret(tmp_path / "key", "setting")
    with pytest.raises(UsageError, match=r"setting: .*cannot be read"):
        read_secret(tmp_path / "none", "setting")


def kept(store: Any) -> Iterator[bytes]:
    """What a store gives back, newest first."""
    return (data for _, data in store.newest("window"))


def test_snapshots_lie_encrypted(tmp_path: Path) -> None:
    """What is put is not there to be read, comes back under the key, and beside what was kept before there was one;
    without the key or under another it is passed over and said."""
    said: list[str] = []
    plain = FolderStore(tmp_path)
    plain.put("window", (0, 1), b"before there was a key")

    def store(seal: Seal | None) -> SealedStore:
        return SealedStore(plain, seal, lambda event, **facts: said.append(f"{event} {facts['reason']}"))

    mine = store(Seal(SECRET, "snapshots"))
    mine.put("window", (0, 2), b"names of clients")
    assert b"names of clients" not in b"".join(kept(plain))
    assert list(kept(mine)) == [b"names of clients", b"before there was a key"]
    assert mine.names() == ["window"]
    assert said == []
    assert list(kept(store(None))) == list(kept(store(Seal(b"another secret of 16", "snapshots"))))
    assert [line.split(" window: ")[1] for line in said] == [
        "is encrypted; privacy names no key",
        "is encrypted with another key than the one given",
    ]
