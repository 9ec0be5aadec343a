"""Following a growing file of OpenTelemetry's requests: whole ones, each once, however it is cut, and over restarts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import InputError
from detector.sources.delimited import MAX_REQUEST_BYTES
from detector.sources.follow import FileGap, Follower
from detector.sources.requests import is_framed
from tests import otlp_requests as otlp
from tests.following import closed, following  # noqa: F401  the fixture works by being here

ONE, TWO, THREE = (otlp.bodies(*[f"line {n}\n"] * n).SerializeToString() for n in (1, 20, 300))


def read(follower: Follower, polls: int = 20) -> list[tuple[int, bytes]]:
    """Positions and requests that some polls bring; the position of the source is behind them."""
    found: list[tuple[int, bytes]] = []
    for _ in range(polls):
        for chunk in follower.poll(0):
            text = chunk.buffer.tobytes()
            places = zip(chunk.positions.tolist(), chunk.starts.tolist(), chunk.lengths.tolist(), strict=True)
            found += [(position, text[start : start + size]) for position, start, size in places]
            assert follower.position()[follower.partitions[0]] > found[-1][0]
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([ONE, TWO, THREE]), min_size=1, max_size=5), st.lists(st.integers(0, 60_000), max_size=6)
)
def test_wherever_it_is_cut(tmp_path_factory: pytest.TempPathFactory, requests: list[bytes], cuts: list[int]) -> None:
    """A file that grows by any pieces gives its requests, each at its place; between any two a new process goes on."""
    path = tmp_path_factory.mktemp("cut") / "logs.otlp"
    data = otlp.framed(*requests)
    follower, found = following(path), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        with path.open("ab") as file:
            file.write(data[begin:end])
        found += read(follower, 3)
        remembered, offsets = follower.remember(), follower.position()
        follower.close()
        follower = following(path)
        follower.recall(remembered)
        for partition, offset in offsets.items():
            follower.seek(partition, offset)
    found += read(follower)
    places = [sum(len(one) + 4 for one in requests[:n]) for n in range(len(requests))]
    assert found == list(zip(places, requests, strict=True))
    assert follower.lag() == {(str(path), 0): 0}


@pytest.mark.parametrize("packed", [False, True])
def test_rotation(packed: bool, tmp_path: Path) -> None:
    """The requests of a file that is renamed, and then compressed, are all read before those of the new one; what is
    cut off at its end is one message that cannot be opened."""
    path, old = tmp_path / "logs.otlp", tmp_path / "logs.otlp.1"
    path.write_bytes(otlp.framed(ONE))
    follower = following(path)
    assert [one for _, one in read(follower)] == [ONE]
    with path.open("ab") as file:
        file.write(otlp.framed(TWO, THREE)[:-7])
    remembered, offsets = follower.remember(), follower.position()
    path.rename(old)
    if packed:
        follower.close()
        old.with_suffix(".1.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
        follower = following(path)
        follower.recall(remembered)
        follower.seek((str(path), 0), offsets[str(path), 0])
    path.write_bytes(otlp.framed(THREE, ONE))
    assert [one for _, one in read(follower)] == [TWO, otlp.framed(THREE)[:-7], THREE, ONE]


def test_a_damaged_length(tmp_path: Path) -> None:
    """What stands behind a length that cannot be is a gap: an error, or counted, and the next file is read."""
    path = tmp_path / "logs.otlp"
    good, bad = otlp.framed(ONE, TWO), (MAX_REQUEST_BYTES + 1).to_bytes(4, "big") + b"abc"
    path.write_bytes(good + bad)
    follower = following(path)
    assert [one for _, one in read(follower, 1)] == [ONE, TWO]
    with pytest.raises(FileGap, match=r"logs\.otlp: a request of 67108865 bytes"):
        follower.poll(0)
    assert follower.position() == {(str(path), 0): len(good)}
    patient = following(path, gap="continue")
    assert [one for _, one in read(patient)] == [ONE, TWO]
    with path.open("ab") as file:
        file.write(otlp.framed(ONE))
    assert read(patient) == []
    assert patient.lost == {(str(path), 0): len(bad) + len(ONE) + 4}
    path.rename(tmp_path / "logs.otlp.1")
    path.write_bytes(otlp.framed(THREE))
    assert [one for _, one in read(patient)] == [THREE]


def test_text_is_text() -> None:
    """Lines, and the hole that a writer leaves in a file that was emptied under it, are no lengths."""
    for head in (
        b"1.2.3.4 - -",
        b"\n\n\n\n\n",
        b"{",
        b"[",
        b"\0" * 5,
        b"\0\0\0\0\0\n",
        b"",
        b"\x05",
        b"\xff\xff\xff\xff\n",
    ):
        assert not is_framed(head)
    assert all(is_framed(otlp.framed(ONE)[:size]) for size in range(1, 40))


def test_other_lengths_are_named(tmp_path: Path) -> None:
    """A file of requests with varints in front is an error that says what is followed."""
    path = tmp_path / "spans.bin"
    path.write_bytes(bytes([len(TWO) & 127 | 128, len(TWO) >> 7]) + TWO)
    with pytest.raises(InputError, match=r"spans\.bin: requests with varints in front; four bytes"):
        following(path).poll(0)
