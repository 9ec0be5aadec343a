"""What a format makes of lines: where each field lies in the buffer, and the few numbers every line has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIELDS = (
    "address",  # the peer as logged: IPv4, IPv6, host name, with or without a port
    "forwarded",  # X-Forwarded-For, Forwarded or X-Real-IP as logged: a list, the client's own words on its left
    "account",  # authenticated user, consumer, token subject
    "key",  # API key or its id
    "session",  # session or device id
    "method",
    "target",  # path with query as sent, or path alone where `query` is logged apart
    "query",
    "agent",
    "referer",
    "host",  # virtual host
    "request_id",
    "subject",  # whose record was read
    "purpose",
    "consent",  # id of the consent the data was handed out under
    "certificate",  # subject of the client's TLS certificate (mTLS)
    "ja4",  # fingerprint of the TLS handshake
    "verified",  # what the edge proved a bot to be: Web Bot Auth's signature agent, a category of verified bots
    "upstream",  # where a proxy of a mesh sent the request: Envoy's cluster, `inbound|8080||`
    "sample_rate",  # of a sampled log: the share of requests that get a line, or one in how many
)
FIELD = {name: code for code, name in enumerate(FIELDS)}

REASONS = (
    "ok",
    "empty",  # no byte but white space
    "too_long",  # longer than MAX_LINE_BYTES
    "torn",  # the line ends before its last required field
    "layout",  # a literal of the format is missing where it must stand
    "time",  # not a moment between 1970 and 2100
    "status",  # not a number between 0 and 999
    "bytes",  # not a number of at most 18 digits, nor "-"
    "address",  # empty
    "binary",  # a NUL byte
    "json",  # not a JSON object, or deeper than 32
    "comment",  # begins with "#": what W3C logs say about themselves
)
REASON = {name: code for code, name in enumerate(REASONS)}

ZONELESS = 2  # bit of ``torn``

MAX_LINE_BYTES = 65_536  # nginx takes request lines of 8 kB and headers of 32 kB; twice that is no log line


@dataclass
class Fields:
    """n lines as columns.

    Attributes:
        reason: uint8 (n,), index into REASONS; 0 = parsed.
        torn: uint8 (n,), 1 = accepted although the line ends inside its last quoted field. A scanner's kernel also sets
            ZONELESS where the moment has no zone; it is gone before anybody else sees it.
        time_us: int64 (n,), microseconds since 1970 UTC.
        status: uint16 (n,), 0 where the log has none.
        bytes_out: int64 (n,), 0 where the log says "-".
        rows: int32 (n,), records in the response where the log says so, else 1.
        span: int32 (n, len(FIELDS), 2), start in the buffer and length; length -1 = absent, also where the log
            says "-" or nothing. JSON strings are unescaped in place; the escapes of text layouts stay as logged.
    """

    reason: npt.NDArray[np.uint8]
    torn: npt.NDArray[np.uint8]
    time_us: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint16]
    bytes_out: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    span: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, n: int) -> Fields:
        """Columns for ``n`` lines, every field absent."""
        absent = np.full((n, len(FIELDS)), -1 << 32, np.int64)  # start 0, length -1 in one word: half the time
        span = absent.view(np.int32).reshape(n, len(FIELDS), 2)
        return cls(
            np.zeros(n, np.uint8),
            np.zeros(n, np.uint8),
            np.zeros(n, np.int64),
            np.zeros(n, np.uint16),
            np.zeros(n, np.int64),
            np.ones(n, np.int32),
            span,
        )
