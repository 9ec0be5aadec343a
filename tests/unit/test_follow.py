"""Following a growing log: whole lines, each once, through rotations of every kind, and over restarts."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zstandard

from detector import clock
from detector.errors import InputError, UsageError
from detector.formats.fields import MAX_LINE_BYTES
from detector.sources.follow import FileGap, Follower
from detector.sources.lines import KEPT_BYTES
from detector.sources.rotated import history
from tests.following import OPENED, closed, following  # noqa: F401  the fixture works by being here

PACKERS = {".gz": gzip.compress, ".zst": zstandard.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def texts(follower: Follower, polls: int = 40) -> list[str]:
    """The lines that some polls bring; positions rise, and the position is where the next line begins."""
    lines: list[str] = []
    last: dict[int, int] = {}
    for _ in range(polls):
        for chunk in follower.poll(0):
            places = [last.get(chunk.origin, -(1 << 60)), *chunk.positions.tolist()]
            assert all(a < b for a, b in pairwise(places))
            last[chunk.origin] = places[-1]
            assert follower.position()[follower.partitions[chunk.origin]] > places[-1]
            text = chunk.buffer.tobytes()
            ends = chunk.starts + chunk.lengths
            lines += [text[a:b].decode() for a, b in zip(chunk.starts.tolist(), ends.tolist(), strict=True)]
    return lines


def again(follower: Follower, *paths: Path, gap: str = "error") -> Follower:
    """The follower of another process that knows what this one remembered."""
    remembered = json.loads(json.dumps(follower.remember()))
    offsets = follower.position()
    follower.close()
    other = following(*paths, gap=gap)
    other.recall(remembered)
    for partition, offset in offsets.items():
        other.seek(partition, offset)
    assert other.position() == offsets
    return other


def append(path: Path, text: str) -> None:
    """Writes as a server does."""
    with path.open("a") as file:
        file.write(text)


def test_whole_lines_as_they_come(tmp_path: Path) -> None:
    """Lines are given when their end is there; offsets count bytes."""
    path = tmp_path / "access.log"
    append(path, "one\ntw")
    follower = following(path)
    assert follower.partitions == follower.assignment == [(str(path), 0)]
    assert texts(follower) == ["one"]
    assert follower.position() == {(str(path), 0): 4}
    assert follower.lag() == {(str(path), 0): 0}
    append(path, "o\r\n\nthree\n")
    assert texts(follower) == ["two", "", "three"]
    assert follower.position() == follower.highwater() == {(str(path), 0): 16}
    assert follower.commit({(str(path), 0): 16})
    follower.close()
    follower.close()


def test_a_file_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """No error, but it is said; what is written into it counts from its first byte."""
    path = tmp_path / "later" / "access.log"
    follower = following(path)
    assert texts(follower) == []
    assert follower.status() == f"{path}: not there yet"
    assert follower.remember() == {str(path): {}}
    path.parent.mkdir()
    append(path, "one\n")
    assert texts(follower) == ["one"]
    assert follower.status() == ""


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_cannot_be_followed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A folder or a pipe is an error that names it."""
    path = tmp_path / "access.log"
    make(path)
    with pytest.raises(InputError, match=r"access\.log: "):
        following(path).poll(0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """An error that names it and says why."""
    path = tmp_path / "access.log"
    path.touch(0o000)
    with pytest.raises(InputError, match="Permission denied"):
        following(path).poll(0)


@pytest.mark.parametrize("paths", [[], ["a", "a"]])
def test_paths_that_make_no_sense(paths: list[str]) -> None:
    """None, or one twice, is a wrong configuration."""
    with pytest.raises(UsageError, match="paths"):
        Follower(paths)


def test_no_busy_loop(tmp_path: Path) -> None:
    """Between two looks at a file without news lies a quarter of a second, however often it is asked."""
    path = tmp_path / "access.log"
    append(path, "one\n")
    follower = Follower([str(path)])
    OPENED.append(follower)
    assert len(follower.poll(0)) == 1
    append(path, "two\n")
    begin = clock.monotonic()
    assert follower.poll(0) == []
    assert len(follower.poll(5)) == 1
    assert 0.05 < clock.monotonic() - begin < 2


def test_several_paths_and_pauses(tmp_path: Path) -> None:
    """Each path is a partition of its own, in the order of names; a paused one is not read."""
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    append(a, "a1\n")
    append(b, "b1\n")
    follower = following(b, a)
    assert follower.partitions == [(str(a), 0), (str(b), 0)]
    follower.pause([(str(a), 0)])
    assert texts(follower) == ["b1"]
    follower.resume([(str(a), 0)])
    assert texts(follower) == ["a1"]
    append(a, "a2\n")
    append(b, "b2\n")
    other = again(follower, a, b)
    assert sorted(texts(other)) == ["a2", "b2"]


def renamed(path: Path) -> None:
    """logrotate with ``create``."""
    shift(path)
    path.rename(f"{path}.1")
    path.touch()


def copied(path: Path) -> None:
    """logrotate with ``copytruncate``."""
    shift(path)
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)


def dated(path: Path) -> None:
    """logrotate with ``dateext``; a minute passes each time."""
    number = 202611220000 + len(list(path.parent.iterdir()))
    path.rename(f"{path}-{number}")
    path.touch()


def linked(path: Path) -> None:
    """A link that is pointed to a new file each time, as kubelet does when a container starts anew."""
    if not path.is_symlink():
        path.rename(path.parent / "0.log")
        path.symlink_to(path.parent / "0.log")
    number = max(int(p.stem) for p in path.parent.glob("[0-9]*.log")) + 1
    (path.parent / f"{number}.log").touch()
    fresh = path.parent / "fresh"
    fresh.symlink_to(path.parent / f"{number}.log")
    fresh.rename(path)


def shift(path: Path) -> None:
    """access.log.1 becomes access.log.2, and so on, compressed or not."""
    names = [p.name.removeprefix(f"{path.name}.").partition(".") for p in path.parent.glob(f"{path.name}.*")]
    for number, dot, rest in sorted(names, key=lambda name: -int(name[0])):
        Path(f"{path}.{number}{dot}{rest}").rename(f"{path}.{int(number) + 1}{dot}{rest}")


def compressed(path: Path) -> None:
    """logrotate with ``compress`` and ``delaycompress``: what was renamed before is compressed, its time kept."""
    renamed(path)
    if Path(f"{path}.2").exists():
        pack(Path(f"{path}.2"))


def pack(path: Path) -> None:
    """Compresses a file in one of the ways, by its size."""
    suffix = list(PACKERS)[path.stat().st_size % 4]
    packed = Path(f"{path}{suffix}")
    packed.write_bytes(PACKERS[suffix](path.read_bytes()))
    shutil.copystat(path, packed)
    path.unlink()


def test_the_next_file_behind_a_link_is_not_read_before_its_turn(tmp_path: Path) -> None:
    """Made, but not yet named by the link, when the file before the one the link names has been read to its end."""
    path = tmp_path / "access.log"
    path.write_text("a\n")
    linked(path)  # to 1.log
    (tmp_path / "0.log").rename(tmp_path / "gone.log")
    follower = following(path)
    append(path, "b\n")
    assert texts(follower) == ["b"]
    linked(path)  # to 2.log
    append(path, "c\n")
    (tmp_path / "3.log").touch()
    assert texts(follower) == ["c"]
    append(path, "d\n")
    assert texts(follower) == ["d"]
    append(tmp_path / "3.log", "e\n")
    assert texts(follower) == []
    path.unlink()
    path.symlink_to(tmp_path / "3.log")
    assert texts(follower) == ["e"]


STYLES = [renamed, copied, dated, linked, compressed]


@pytest.mark.parametrize("rotate", STYLES)
def test_rotation_while_following(tmp_path: Path, rotate: Callable[[Path], None]) -> None:
    """Everything written before, between and after a few rotations is read once, in order."""
    path = tmp_path / "access.log"
    append(path, "a\nb\n")
    follower = following(path)
    assert texts(follower) == ["a", "b"]
    append(path, "c\n")
    rotate(path)
    append(path, "d\n")
    assert texts(follower) == ["c", "d"]
    for n in range(5):
        append(path, f"{n}\n")
        rotate(path)
        append(path, f"{n}!\n")
        if n % 2:
            rotate(path)
    rotate(path)
    assert texts(follower) == [f"{n}{end}" for n in range(5) for end in ("", "!")]
    assert follower.position() == follower.highwater() == {(str(path), 0): 8 + 5 * 5}


@pytest.mark.parametrize("rotate", STYLES)
def test_rotation_while_stopped(tmp_path: Path, rotate: Callable[[Path], None]) -> None:
    """The file that was being read is found again, read on, and those after it follow, whatever they are called now."""
    path = tmp_path / "access.log"
    append(path, "a\nb\n")
    follower = following(path)
    assert texts(follower) == ["a", "b"]
    for rounds in range(4):
        follower.close()
        append(path, f"{rounds}c\n")
        for n in range(rounds):
            rotate(path)
            append(path, f"{rounds}.{n}\n")
        follower = again(follower, path)
        assert texts(follower) == [f"{rounds}c", *(f"{rounds}.{n}" for n in range(rounds))]
        assert follower.status() == ""


def test_the_rest_of_a_line_follows_into_the_renamed_file(tmp_path: Path) -> None:
    """A line begun before a rotation and ended after it, in the same file, is one line."""
    path = tmp_path / "access.log"
    with path.open("w") as file:
        file.write("one\ntw")
        file.flush()
        follower = following(path, quiet_s=0.2)
        assert texts(follower) == ["one"]
        renamed(path)
        append(path, "three\n")
        assert texts(follower) == []
        file.write("o\n")
        file.flush()
        assert texts(follower) == ["two"]
        assert follower.lag() == {(str(path), 0): 6}
    clock.sleep(0.25)
    assert texts(follower) == ["three"]


def test_a_line_never_ended_counts_when_its_file_is_left(tmp_path: Path) -> None:
    """Rotated away and quiet: what is there is the line."""
    path = tmp_path / "access.log"
    append(path, "one\ntw")
    follower = following(path)
    assert texts(follower) == ["one"]
    renamed(path)
    append(path, "three\n")
    assert texts(follower) == ["tw", "three"]
    assert follower.position() == {(str(path), 0): 12}


def test_a_copy_continues_the_line_begun(tmp_path: Path) -> None:
    """Cut in the middle of a line that ends in the copy."""
    path = tmp_path / "access.log"
    append(path, "one\ntw")
    follower = following(path)
    assert texts(follower) == ["one"]
    append(path, "o\nmore\n")
    copied(path)
    append(path, "three\n" * 20)
    assert texts(follower) == ["two", "more", *["three"] * 20]


def test_an_empty_file_copied_between_two_looks(tmp_path: Path) -> None:
    """Of a file that was empty when last seen nothing is known, but its copy is new."""
    path = tmp_path / "access.log"
    append(Path(f"{path}.1"), "old\n")
    path.touch()
    clock.sleep(0.02)
    follower = following(path)
    assert texts(follower) == []
    append(path, "one\n")
    copied(path)
    append(path, "two\n")
    copied(path)
    append(path, "three\n")
    assert texts(follower) == ["one", "two", "three"]


def test_a_removed_file_is_read_to_its_end(tmp_path: Path) -> None:
    """Renamed is not needed: what is open stays."""
    path = tmp_path / "access.log"
    append(path, "one\n")
    follower = following(path)
    assert texts(follower) == ["one"]
    append(path, "two\n")
    path.unlink()
    assert texts(follower) == ["two"]
    assert "no new file yet" in follower.status()
    append(path, "three\n")
    assert texts(follower) == ["three"]


def test_emptied_with_everything_read(tmp_path: Path) -> None:
    """A file emptied by hand is read on from its new beginning, and that is counted."""
    path = tmp_path / "access.log"
    append(path, "one\n")
    follower = following(path)
    assert texts(follower) == ["one"]
    path.write_text("t\n")
    assert texts(follower) == ["t"]
    path.write_text("three is longer\n")
    assert texts(follower) == ["three is longer"]
    assert follower.cuts == 2
    assert follower.lost == {}
    assert follower.position() == {(str(path), 0): 4 + 2 + 16}


def test_a_shortened_file_goes_on_at_its_end(tmp_path: Path) -> None:
    """Where the beginning is still there, what is gone had been read, and offsets do not fall."""
    path = tmp_path / "access.log"
    append(path, "x" * 2000 + "\ntwo\n")
    follower = following(path)
    assert len(texts(follower)) == 2
    os.truncate(path, 2001)
    assert texts(follower) == []
    append(path, "three\n")
    assert texts(follower) == ["three"]
    assert follower.position() == {(str(path), 0): 2005 + 6}


@pytest.mark.parametrize("gap", ["error", "continue"])
def test_a_file_gone_for_good(tmp_path: Path, gap: str) -> None:
    """Missing bytes are an error that names the file, or are counted, and reading goes on behind them."""
    path = tmp_path / "access.log"
    append(path, "a\nb\n")
    follower = following(path)
    assert texts(follower) == ["a", "b"]
    follower.seek((str(path), 0), 2)
    texts(follower, 0)
    old = Path(f"{path}.1")
    append(old, "older\n")
    os.utime(old, (1, 1))
    follower.seek((str(path), 0), 2)
    append(path, "c\n")
    follower.poll(0)
    follower.seek((str(path), 0), 4)
    other = again(follower, path, gap=gap)
    path.unlink()
    append(path, "new\n")
    if gap == "error":
        for _ in range(2):
            with pytest.raises(FileGap, match=r"access\.log: .*at least 2 bytes") as caught:
                other.poll(0)
        assert (caught.value.position, caught.value.first, caught.value.missing) == (4, 6, 2)
        assert other.position() == {(str(path), 0): 4}
    else:
        assert texts(other) == ["new"]
        assert other.lost == {(str(path), 0): 2}
        assert other.position() == {(str(path), 0): 10}


def test_cut_before_it_was_read(tmp_path: Path) -> None:
    """Bytes that were seen and not read when the file was emptied are a gap."""
    path = tmp_path / "access.log"
    append(path, "a\n")
    follower = following(path, gap="continue")
    assert texts(follower) == ["a"]
    trail = follower._trails[str(path), 0]
    append(path, "unread\n")
    assert trail._file is not None
    trail._file.look()
    path.write_text("b\n")
    assert texts(follower) == ["b"]
    assert follower.lost == {(str(path), 0): 7}


def test_a_renamed_file_still_written_to(tmp_path: Path) -> None:
    """What comes to a file that was left is a gap: nobody can put it in its place any more."""
    path = tmp_path / "access.log"
    with path.open("a") as file:
        file.write("one\n")
        file.flush()
        follower = following(path, gap="continue")
        assert texts(follower) == ["one"]
        renamed(path)
        append(path, "two\n")
        assert texts(follower) == ["two"]
        file.write("late\n")
        file.flush()
        assert texts(follower) == []
        assert follower.lost == {(str(path), 0): 5}


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_files_are_read_on(tmp_path: Path, suffix: str) -> None:
    """A bookmark in the middle of a file that has been compressed since, its name and inode others."""
    path = tmp_path / "access.log"
    lines = [f"{n} " + "x" * (n % 90) for n in range(5_000)]
    append(path, "\n".join(lines) + "\n")
    follower = following(path)
    assert texts(follower) == lines
    half = sum(len(line) + 1 for line in lines[:2_500])
    follower.seek((str(path), 0), half)
    other = again(follower, path)
    Path(f"{path}.3{suffix}").write_bytes(PACKERS[suffix](path.read_bytes()))
    append(Path(f"{path}.1"), "after\n")
    path.unlink()
    append(path, "now\n")
    assert texts(other) == [*lines[2_500:], "after", "now"]


def test_a_damaged_compressed_file_is_a_gap(tmp_path: Path) -> None:
    """What cannot be decompressed is missing: an error, or counted."""
    path = tmp_path / "access.log"
    append(path, "".join(f"{n} {n * n}\n" for n in range(5_000)))
    follower = following(path, gap="continue")
    follower.poll(0)
    follower.seek((str(path), 0), 0)
    other = again(follower, path, gap="continue")
    packed = gzip.compress(path.read_bytes())
    Path(f"{path}.1.gz").write_bytes(packed[: len(packed) // 2])
    path.unlink()
    append(path, "now\n")
    lines = texts(other)
    assert lines[0] == "0 0"
    assert lines[-1] == "now"
    assert other._trails[str(path), 0].gaps == 1


def test_seek_back_over_rotations(tmp_path: Path) -> None:
    """Any offset since the first byte can be gone back to while its file is there; before that is a gap."""
    path = tmp_path / "access.log"
    follower = following(path)
    for n in range(4):
        append(path, f"{n}\n" * 3)
        assert texts(follower) == [f"{n}"] * 3
        compressed(path)
    assert texts(follower) == []
    for offset in range(0, 24, 2):
        follower.seek((str(path), 0), offset)
        assert follower.position() == {(str(path), 0): offset}
        assert texts(follower, 20) == [f"{n}" for n in range(4) for _ in range(3)][offset // 2 :]
        assert follower.position() == {(str(path), 0): 24}
    next(tmp_path.glob("access.log.4*")).unlink()
    follower.seek((str(path), 0), 4)
    with pytest.raises(FileGap, match=r"older files are gone; at least 2 bytes"):
        follower.poll(0)


def test_long_lines_take_no_more_memory_than_allowed(tmp_path: Path) -> None:
    """A line over the longest one allowed is cut, for the scanner to reject; the next one is whole."""
    path = tmp_path / "access.log"
    follower = following(path)
    for _ in range(40):
        append(path, "x" * 100_000)
        assert texts(follower, 2) == []
    lines = follower._trails[str(path), 0]._lines
    assert lines is not None
    assert lines._head.size == KEPT_BYTES
    append(path, "\nshort\n")
    long, short = texts(follower)
    assert len(long) == KEPT_BYTES > MAX_LINE_BYTES
    assert short == "short"
    assert follower.position() == {(str(path), 0): 4_000_007}


def test_an_empty_file_compressed_while_it_is_open(tmp_path: Path) -> None:
    """Nothing is known of it but its time; the file before it, compressed too and as old, is not read again."""
    path = tmp_path / "access.log"
    append(path, "one\n")
    follower = following(path)
    assert texts(follower) == ["one"]
    renamed(path)
    renamed(path)
    os.utime(f"{path}.1", ns=(Path(f"{path}.2").stat().st_mtime_ns,) * 2)
    append(path, "two\n")
    assert follower.poll(0) == []
    trail = follower._trails[str(path), 0]
    assert trail._file is not None
    assert (trail._file.path, trail._file.size) == (f"{path}.1", 0)
    pack(Path(f"{path}.2"))
    compressed(path)
    append(path, "three\n")
    assert texts(follower) == ["two", "three"]


@pytest.mark.parametrize("rotate", STYLES)
def test_bookmarks_of_an_empty_file(tmp_path: Path, rotate: Callable[[Path], None]) -> None:
    """Noted while empty, the file is found by what it was; what was written into it and after it is read."""
    path = tmp_path / "access.log"
    append(Path(f"{path}.1" if rotate is not dated else f"{path}-202611210000"), "old\n")
    path.touch()
    follower = following(path)
    assert texts(follower) == []
    assert follower.remember()[str(path)]["mark"]["head_bytes"] == 0
    clock.sleep(0.02)  # a file system's clock ticks every four milliseconds
    follower = again(follower, path)
    append(path, "one\n")
    rotate(path)
    append(path, "two\n")
    assert texts(follower) == ["one", "two"]


def test_what_counts_as_rotated(tmp_path: Path) -> None:
    """Files of the log by their names, oldest first; others beside it are left alone."""
    path = tmp_path / "access.log"
    foreign = ["access.log.bak", "access.log.1.swp", "access.logs", "my-access.log.1", "access.log.12x", "error.log.1"]
    for name in [
        *foreign,
        "access.log",
        "access.log.10",
        "access.log.2.gz",
        "access.log.1",
        "access.log.9",
        "access.log.2",
    ]:
        append(tmp_path / name, "x\n")

    def names() -> list[str]:
        return [Path(file.path).name for file in history(str(path))]

    assert names() == [f"access.log{rest}" for rest in (".10", ".9", ".2", ".1", "")]
    for rest in ("10", "9", "2", "2.gz", "1"):
        (tmp_path / f"access.log.{rest}").unlink()
    for name in ("access.log-20261122", "access-20261121.log.gz", "access.log.2026-11-20", "access.log-20261122.gz"):
        append(tmp_path / name, "x\n")
    assert names() == ["access.log.2026-11-20", "access-20261121.log.gz", "access.log-20261122", "access.log"]


def test_numbers_that_rise(tmp_path: Path) -> None:
    """log4j counts upwards: the times tell, but not those that a compressor may have changed."""
    path = tmp_path / "app.log"
    for n, second in ((1, 100), (2, 200), (3, 300)):
        append(Path(f"{path}.{n}"), "x\n")
        os.utime(f"{path}.{n}", (second, second))
    assert [Path(file.path).suffix for file in history(str(path))] == [".1", ".2", ".3"]
    Path(f"{path}.3").unlink()
    Path(f"{path}.2").rename(f"{path}.2.gz")
    assert [Path(file.path).name for file in history(str(path))] == ["app.log.2.gz", "app.log.1"]


@pytest.mark.parametrize("rotate", STYLES)
@pytest.mark.parametrize("seed", range(4))
def test_restarts_and_rotations_at_random(tmp_path: Path, rotate: Callable[[Path], None], seed: int) -> None:
    """Writing, rotating, reading, stopping, dying and going on from an older bookmark: each line once, in order."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "access.log"
    append(path, "-1\n")
    follower = following(path)
    read = texts(follower)
    kept, at = follower.remember(), len(read)
    written = 0
    for _ in range(150):
        match int(rng.integers(7)):
            case 0 | 1:
                count = int(rng.integers(1, 40))
                append(path, "".join(f"{n}\n" for n in range(written, written + count)))
                written += count
            case 2:
                clock.sleep(0.005)  # a file system's clock ticks every four milliseconds
                rotate(path)
                append(path, f"{written}\n")
                written += 1
            case 3:
                read += texts(follower, int(rng.integers(1, 8)))
            case 4:
                follower = again(follower, path)
            case 5:
                kept, at = json.loads(json.dumps(follower.remember())), len(read)
            case _:
                follower.close()
                follower = following(path)
                follower.recall(kept)
                del read[at:]
    read += texts(follower, 200)
    assert read == [str(n) for n in range(-1, written)]
    assert follower.lost == {}
    assert follower.lag() == {(str(path), 0): 0}
