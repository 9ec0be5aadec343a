"""JSON files that are one document of many records (CloudTrail's, Azure's, OTLP's, arrays), read as JSON lines."""

from __future__ import annotations

import re

import numpy as np

from detector.compiled import Array, Kernel, Scalar
from detector.formats.envelope import RECORD_ARRAYS, packed_names
from detector.sources.inflate import ByteStream

_UNROLL = Kernel(
    "detector.sources.unroll_kernel:unroll",
    [
        Array("u1"),  # buffer
        Scalar("i8"),  # size
        Array("u1"),  # names
        Array("i8"),  # state
        Array("u1"),  # name
    ],
    "",
)
_INSIDE, _STATE_CELLS, _NAME_BYTES = 3, 8, 16  # as in unroll_kernel.py
HEAD_BYTES = 512  # of a file, to see what it is: the first key stands in the first few

_OUTER = "|".join((*RECORD_ARRAYS, "resourceLogs", "resourceSpans"))
_BLANKS = rb"[ \t\r\n]*"
_DOCUMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?%b(?:\[%b\{|\{%b\"(?:%b)\"%b:)" % (_BLANKS, _BLANKS, _BLANKS, _OUTER.encode(), _BLANKS)
)


class Unrolled:
    """A stream whose text is such a document, record by line; any other stream passes through as it is.

    Positions are those of the document: not a byte is put in or taken out.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._state: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None
        self._ahead = b""
        self._looked = False
        self._names = packed_names()
        self._name = np.zeros(_NAME_BYTES, np.uint8)

    @property
    def loss(self) -> str:
        """What part of the stream could not be had."""
        return self._stream.loss

    @loss.setter
    def loss(self, text: str) -> None:
        """Says so of the stream itself."""
        self._stream.loss = text

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 at the end."""
        if not self._looked:
            self._look()
        if self._ahead:
            got = min(len(view), len(self._ahead))
            view[:got] = self._ahead[:got]
            self._ahead = self._ahead[got:]
        else:
            got = self._stream.readinto(view)
        if self._state is not None and got:
            _UNROLL(np.frombuffer(view[:got], np.uint8), got, self._names, self._state, self._name)
        return got

    def _look(self) -> None:
        self._looked = True
        head = bytearray(HEAD_BYTES)
        filled = 0
        while filled < HEAD_BYTES:
            got = self._stream.readinto(memoryview(head)[filled:])
            if not got:
                break
            filled += got
        self._ahead = bytes(head[:filled])
        if _DOCUMENT.match(self._ahead):
            self._state = np.zeros(_STATE_CELLS, np.int64)
            self._state[_INSIDE] = -1
