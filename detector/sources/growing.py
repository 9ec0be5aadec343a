"""One file of a growing log: read from where it was left, and never mistaken for what has been put in its place."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from hashlib import blake2b

from detector.errors import InputError
from detector.sources.files import shown
from detector.sources.inflate import MAGIC_BYTES, STEP_BYTES, Inflated, Raw, codec_of

HEAD_BYTES = 1024  # six log lines with their times: no other log begins with them
DIGEST_BYTES = 16  # two of a billion heads are taken for one another with a chance of 1e-21


@dataclass(frozen=True)
class Mark:
    """What a file is known by when it has been renamed, copied or compressed.

    Attributes:
        device, inode: what it was on disk; a copy has others.
        head_bytes: how many of its first bytes were looked at, 0 to HEAD_BYTES.
        head: their BLAKE2b digest in hexadecimal.
        written_ns: when it was last written to, as far as is known.
    """

    device: int
    inode: int
    head_bytes: int
    head: str
    written_ns: int


class GrowingFile:
    """A plain file that grows, or a compressed one that does not. A ``ByteStream`` up to what :meth:`look` has seen.

    Args:
        path: what to open.
        offset: byte of the text to begin at.
        rotated: it may be compressed; the file that is written to is not.

    Attributes:
        device, inode: of the file opened.
        offset: byte of the text that is read next.
        size: bytes of text there were when last looked; of a compressed file an estimate until its end is reached.
        written_ns: its time of modification then.
        replaced: whether what was read is no longer there: it was cut, and perhaps written anew.
        settled: nothing is written to it any more, as to compressed files; it may end before ``offset``.
        loss: what of a compressed file could not be read; empty = nothing.

    Raises:
        OSError: it cannot be opened.
        InputError: it is no regular file.
    """

    def __init__(self, path: str, offset: int = 0, rotated: bool = False) -> None:
        self.path = path
        self.replaced = False
        self.loss = ""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe without a writer would hold the open up
        self._file = io.FileIO(path, "rb", opener=lambda name, _: os.open(name, flags))
        try:
            seen = os.fstat(self._file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise InputError(f"{shown(path)}: not a regular file: only files that grow can be followed")
            self.device, self.inode = seen.st_dev, seen.st_ino
            self.size, self.written_ns = seen.st_size, seen.st_mtime_ns
            self.offset = 0
            self._head = b""
            self._raw = Raw(self._file)
            codec = codec_of(self._raw.peek(MAGIC_BYTES)) if rotated else None
            self._text = Inflated(self._raw, codec) if codec else None
            self.settled = codec is not None
            self._ended = False
            self._ahead = b""  # inflated and not read yet
            if self._text:
                self._skip(self._text, offset)
            else:
                self._head = os.pread(self._file.fileno(), HEAD_BYTES, 0)
                self.offset = offset
        except BaseException:
            self._file.close()
            raise

    @property
    def packed(self) -> bool:
        """Whether it is compressed."""
        return self._text is not None

    @property
    def unread(self) -> int:
        """Bytes known to be there and not read; of a compressed file 0 only at its end."""
        if self._text is not None:
            return 0 if self._ended else max(self.size - self._raw.consumed, 1)
        return max(self.size - self.offset, 0)

    @property
    def key(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    @property
    def mark(self) -> Mark:
        """What it is known by."""
        head = blake2b(self._head, digest_size=DIGEST_BYTES).hexdigest()
        return Mark(self.device, self.inode, len(self._head), head, self.written_ns)

    @property
    def head(self) -> bytes:
        """Its first bytes of text, HEAD_BYTES at most, as of the last look."""
        return self._head

    def look(self) -> None:
        """Sees how far the file has grown by now, and whether it is still the one that was read so far."""
        if self._text is not None:
            return
        seen = os.fstat(self._file.fileno())
        head = os.pread(self._file.fileno(), HEAD_BYTES, 0)
        if not head.startswith(self._head):
            self.replaced = True
        else:
            self._head, self.size, self.written_ns = head, seen.st_size, seen.st_mtime_ns

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 where there are no more or they are no more."""
        if self._text is not None:
            return self._inflate(view)
        size = min(len(view), self.unread)
        if size == 0 or self.replaced:
            return 0
        got = os.preadv(self._file.fileno(), [view[:size]], self.offset)
        # Looked at after reading: the file may have been cut and written anew since `look`.
        if os.pread(self._file.fileno(), len(self._head), 0) != self._head:
            self.replaced = True
            return 0
        self.offset += got
        return got

    def close(self) -> None:
        """Closes it; may be called twice."""
        self._file.close()

    def _inflate(self, view: memoryview) -> int:
        assert self._text is not None
        if self._ahead:
            got = min(len(view), len(self._ahead))
            view[:got] = self._ahead[:got]
            self._ahead = self._ahead[got:]
        else:
            got = self._text.readinto(view)
        self.offset += got
        if got == 0:
            self._ended = True
            self.loss = self._text.loss
        return got

    def _skip(self, text: Inflated, offset: int) -> None:
        """Inflates the head, to know the file by, and what stands before ``offset``."""
        view = memoryview(bytearray(STEP_BYTES))
        while len(self._head) < HEAD_BYTES and (got := text.readinto(view[: HEAD_BYTES - len(self._head)])):
            self._head += bytes(view[:got])
        self._ahead = self._head
        while self.offset < offset and self._inflate(view[: min(STEP_BYTES, offset - self.offset)]):
            pass


def begins_as(path: str, mark: Mark) -> bool:
    """Whether the text of a file, compressed or not, begins with what the mark has noted. False where it cannot be
    read, and where nothing was noted."""
    if mark.head_bytes == 0:
        return False
    try:
        file = GrowingFile(path, rotated=True)
    except (OSError, InputError):
        return False
    with_head = file._head[: mark.head_bytes]
    file.close()
    digest = blake2b(with_head, digest_size=DIGEST_BYTES).hexdigest()
    return len(with_head) == mark.head_bytes and digest == mark.head


def text_bytes(path: str) -> int:
    """Bytes of text in a finished file, compressed or not.

    Raises:
        OSError: it cannot be opened.
    """
    file = GrowingFile(path, rotated=True)
    try:
        if not file.packed:
            return file.size
        view = memoryview(bytearray(STEP_BYTES))
        while file.readinto(view):
            pass
        return file.offset
    finally:
        file.close()
