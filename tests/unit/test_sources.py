"""Log files: found by path, opened by content, split into lines in constant memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import InputError
from detector.formats.fields import MAX_LINE_BYTES
from detector.sources.files import LogFile, discover, shown
from detector.sources.inflate import Raw
from detector.sources.lines import KEPT_BYTES, Lines

TEXT = b"".join(b"%d " % i + b"x" * (i * 37 % 300) + b"\n" for i in range(4_000))
PACKERS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def lines_of(file: LogFile, chunk_bytes: int = 4 << 20) -> list[tuple[int, bytes]]:
    """(position, line) of a whole file."""
    out = []
    for chunk in file.chunks(chunk_bytes):
        assert chunk.buffer.flags.writeable
        for position, start, length in zip(chunk.positions, chunk.starts, chunk.lengths, strict=True):
            out.append((int(position), chunk.buffer[start : start + length].tobytes()))
    return out


def expected(text: bytes) -> list[tuple[int, bytes]]:
    """The slow, obviously right splitter."""
    out = []
    position = 0
    pieces = text.split(b"\n")
    for n, piece in enumerate(pieces):
        if n < len(pieces) - 1 or piece:
            line = piece[:-1] if piece.endswith(b"\r") else piece
            out.append((position, line[:KEPT_BYTES]))
        position += len(piece) + 1
    return out


def one(tmp_path: Path, data: bytes, name: str = "a.log") -> LogFile:
    """A file of these bytes, discovered."""
    (tmp_path / name).write_bytes(data)
    (file,) = discover([tmp_path / name])
    return file


@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_known_by_content(tmp_path: Path, packer: str) -> None:
    """Every compression gives the same lines and positions whatever the file is called."""
    file = one(tmp_path, PACKERS[packer](TEXT), "access.txt")

    assert expected(TEXT) == lines_of(file)
    assert file.loss == ""
    assert file.consumed() == file.size


@pytest.mark.parametrize("packer", [p for p in PACKERS if p != "plain"])
def test_members_follow_each_other(tmp_path: Path, packer: str) -> None:
    """Concatenated members, also empty ones, are read as one text."""
    pack = PACKERS[packer]
    data = pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:5000]) + pack(TEXT[5000:])

    assert expected(TEXT) == lines_of(one(tmp_path, data))


@pytest.mark.parametrize("packer", [p for p in PACKERS if p != "plain"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_truncated_file_counts_up_to_the_loss(tmp_path: Path, packer: str, share: float) -> None:
    """Whole lines before the place where a compressed file breaks off are read, the rest is said to be lost."""
    text = np.random.default_rng(1).bytes(300_000).hex().encode() + b"\n" + TEXT
    data = PACKERS[packer](text)
    file = one(tmp_path, data[: max(7, min(int(len(data) * share), len(data) - 1))])

    seen = lines_of(file)

    assert "truncated" in file.loss
    assert expected(text)[: len(seen)] == seen


@pytest.mark.parametrize("packer", [p for p in PACKERS if p != "plain"])
def test_foreign_bytes_behind_the_end_are_a_loss(tmp_path: Path, packer: str) -> None:
    """Text counts, and what stands behind the last member is named as lost."""
    file = one(tmp_path, PACKERS[packer](TEXT) + b"this is not compressed at all")

    assert expected(TEXT) == lines_of(file)
    assert "corrupt" in file.loss


def test_zero_padding_behind_gzip_is_no_loss(tmp_path: Path) -> None:
    """Tapes and block devices pad with zeros."""
    file = one(tmp_path, gzip.compress(TEXT) + bytes(100_000))

    assert expected(TEXT) == lines_of(file)
    assert file.loss == ""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([p for p in PACKERS if p != "plain"]), st.integers(0, 10**9), st.integers(1, 255))
def test_a_flipped_byte_never_raises(tmp_path_factory: pytest.TempPathFactory, packer: str, at: int, bit: int) -> None:
    """A damaged compressed file gives some lines and a loss or other text, never an exception."""
    data = bytearray(PACKERS[packer](TEXT))
    data[at % len(data)] ^= bit
    file = one(tmp_path_factory.mktemp("flip"), bytes(data))

    seen = lines_of(file)

    assert file.loss or at % len(data) < 16 or seen


def test_damage_late_in_a_file_keeps_what_came_before(tmp_path: Path) -> None:
    """All but the last step of text before a corrupt place counts."""
    text = b"".join(b"%x some text %d\n" % (i * i, i) for i in range(200_000))
    data = bytearray(gzip.compress(text, 1))
    data[len(data) * 3 // 4] ^= 0xFF
    data[len(data) * 3 // 4 + 1] ^= 0xFF
    file = one(tmp_path, bytes(data))

    seen = lines_of(file)

    assert "corrupt" in file.loss
    assert len(seen) > 100_000


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"bc", b"\x85", b"\xe2\x80\xa8", b"\x0b\x0c\x1c\0"])),
    st.integers(1, 9),
)
def test_cutting_changes_no_line(pieces: list[bytes], chunk_bytes: int) -> None:
    """Only a line feed ends a line, wherever the chunks are cut."""
    text = b"".join(pieces)

    assert expected(text) == _split(text, chunk_bytes)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(MAX_LINE_BYTES - 3, MAX_LINE_BYTES + 4) | st.integers(0, 5) | st.integers(200_000, 300_000),
            st.sampled_from([b"\n", b"\r\n"]),
        ),
        max_size=5,
    ),
    st.sampled_from([1_000, 65_535, 65_536, 65_537, 65_538, 100_000, 1 << 20]),
    st.booleans(),
)
def test_giant_lines_are_cut(sizes: list[tuple[int, bytes]], chunk_bytes: int, ended: bool) -> None:
    """A line over the limit arrives one byte over it, with the right position, and the next line is whole."""
    text = b"".join(b"y" * size + end for size, end in sizes)
    text = text if ended else text[:-1]

    assert expected(text) == _split(text, chunk_bytes)


def _split(text: bytes, chunk_bytes: int) -> list[tuple[int, bytes]]:
    lines = Lines(Raw(io.BytesIO(text)), 3)
    out = []
    while (chunk := lines.read(chunk_bytes)) is not None:
        assert chunk.origin == 3
        for position, start, length in zip(chunk.positions, chunk.starts, chunk.lengths, strict=True):
            out.append((int(position), chunk.buffer[start : start + length].tobytes()))
    return out


def test_heads_do_not_consume(tmp_path: Path) -> None:
    """First lines can be looked at and are read again, from a file and from a pipe."""
    file = one(tmp_path, gzip.compress(TEXT * 3))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(TEXT * 3),))
    writer.start()
    (piped,) = discover([pipe])
    for source in (file, piped):
        heads = source.heads()
        head = next(heads)
        assert head.positions[0] == 0
        head.buffer[:] = 0
        heads.close()

        assert expected(TEXT * 3) == lines_of(source)
    writer.join()


def test_standard_input(tmp_path: Path) -> None:
    """``-`` reads standard input, compressed or not."""
    program = (
        "from detector.sources.files import discover\n"
        "f, = discover(['-'])\n"
        "h = f.heads(); next(h); h.close()\n"
        "print(sum(len(c.starts) for c in f.chunks()), f.loss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=gzip.compress(TEXT), capture_output=True, check=True, timeout=60
    )

    assert done.stdout.split() == [b"4000"]


def test_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    """Folders are walked with their subfolders, always in the same order; the same file counts once."""
    for name in ("b.log", "a.log", "sub/c.log", "sub/a.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "z.log").symlink_to(tmp_path / "a.log")
    os.mkfifo(tmp_path / "fifo")

    files = discover([tmp_path, str(tmp_path / "sub" / "*.log")])

    assert [str(Path(f.path).relative_to(tmp_path)) for f in files] == [
        "a.log",
        "b.log",
        "fifo",
        "z.log",
        "sub/a.log",
        "sub/c.log",
        "sub/a.log",
        "sub/c.log",
    ]
    assert list(range(8)) == [f.origin for f in files]
    assert [f.origin for f in files if f.skip] == [2, 3, 6, 7]
    assert not any(f.direct for f in files)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A path or a pattern that means nothing is an input error that shows it, escaped."""
    with pytest.raises(InputError, match=r"no\\x1b2J\.log: cannot be read: No such file"):
        discover([tmp_path / "no\x1b2J.log"])
    with pytest.raises(InputError, match="no file matches"):
        discover([str(tmp_path / "*.log")])


def test_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without permission is an error when named, a loss when found in a folder."""
    (tmp_path / "a.log").write_bytes(b"x\n")

    def refuse(path: str, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(InputError, match=r"a\.log: cannot be read: Permission denied"):
        discover([tmp_path / "a.log"])
    (found,) = discover([tmp_path])
    assert found.loss == "cannot be read: Permission denied"


def test_archives_are_recognised(tmp_path: Path) -> None:
    """A zip file is not taken for a log: the message says what it is and what can be read."""
    with pytest.raises(InputError, match="zip data; plain text, gzip, zstd, xz and bzip2 are read"):
        lines_of(one(tmp_path, b"PK\x03\x04abcdef"))


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a\x1b[2J", "a\\x1b[2J"), ("ü\\", "\\xc3\\xbc\\x5c"), ("x" * 200, "x" * 157 + "...")],
)
def test_shown_text_is_printable(text: str, plain: str) -> None:
    """Nothing but printable ASCII of a limited length leaves for a terminal."""
    assert plain == shown(text)


BOMBS = {
    "gzip": "import gzip; pack = gzip.compress(bytes(1 << 20), 9) * 256",
    "zstd": "import zstandard; c = zstandard.ZstdCompressor(19).compressobj()\n"
    "pack = b''.join(c.compress(bytes(1 << 20)) for _ in range(256)) + c.flush()",
    "line": "pack = b'y' * (256 << 20)",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_take_no_memory(tmp_path: Path, kind: str) -> None:
    """256 MiB on one line, compressed up to 30,000 : 1, grow the process by less than 64 MiB; the next line is read."""
    program = f"{BOMBS[kind]}\nopen('bomb', 'wb').write(pack + pack[:0] + TAIL)".replace(
        "TAIL",
        {"gzip": "gzip.compress(b'\\nnext\\n')", "zstd": "zstandard.compress(b'\\nnext\\n')"}.get(
            kind, "b'\\nnext\\n'"
        ),
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60)
    reader = (
        "import resource\n"
        "from detector.sources.files import discover\n"
        "f, = discover(['bomb'])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sizes = [n for c in f.chunks() for n in c.lengths.tolist()]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, *sizes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", reader],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    grown, *sizes = map(int, done.stdout.split())

    assert sizes == [KEPT_BYTES, 4]
    assert grown < 64 << 10
