"""One POST to a server outside, and what its answer means for whoever may try again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import urllib3

from detector import __version__
from detector.errors import SinkError
from detector.sinks.sink import Busy, Refused

CONNECT_S = 5.0  # a host that answers at all does so within a second; three lost packets are sent again by then
READ_BYTES = 4096  # of an answer, so that the connection can be used again; what is longer costs a new one
_COME_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def problems_of(url: str, where: str) -> list[str]:
    """What is wrong with a URL that the configuration names."""
    try:
        parsed = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return [f"{where}.url: is no URL"]
    problems = []
    if parsed.scheme not in ("http", "https") or not parsed.host:
        problems.append(f"{where}.url: needs http:// or https:// and a host")
    if parsed.auth:
        problems.append(f"{where}.url: secrets are read from files: write secret_file")
    return problems


def host_of(url: str) -> str:
    """Scheme, host and port: of a URL whose path may be a secret, what can be said."""
    parsed = urllib3.util.parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc}"


class Post:
    """Posts JSON to one URL. Certificates are verified, redirects not followed; one attempt a call.

    Args:
        url: where to.
        timeout_s: how long to wait for an answer.
        ca_file: certificates to trust in place of the system's.
        secret_file: its text goes along as ``Authorization: Bearer …``; read anew each time.
        where: the place in the configuration, for messages.
    """

    def __init__(self, url: str, timeout_s: float, ca_file: Path | None, secret_file: Path | None, where: str) -> None:
        self.url = url
        self._secret_file = secret_file
        self._where = where
        self._pool = urllib3.PoolManager(
            num_pools=1,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, timeout_s), read=timeout_s),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=None if ca_file is None else str(ca_file),
        )

    def send(self, text: str, headers: Mapping[str, str]) -> None:
        """Posts a text of ASCII.

        Raises:
            Refused: the receiver will not take it.
            SinkError: no answer, or one that says to come again.
        """
        own = {"Content-Type": "application/json", "User-Agent": f"detector/{__version__}"}
        host = host_of(self.url)
        sent = {**headers, **own, **self._authorization()}
        try:
            answer = self._pool.request(
                "POST", self.url, body=text.encode("ascii"), headers=sent, redirect=False, preload_content=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkError(f"{host}: {_cause(error)}") from None  # the library's words hold the path
        _finish(answer)
        _judge(host, answer.status, answer.headers.get("Retry-After", ""))

    def close(self) -> None:
        """Ends the connections."""
        self._pool.clear()

    def _authorization(self) -> dict[str, str]:
        path = self._secret_file
        if path is None:
            return {}
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            raise SinkError(f"{self._where}.secret_file: {path}: {reason}") from error
        if not plain(secret):
            raise SinkError(f"{self._where}.secret_file: {path}: is not one line of ASCII")
        return {"Authorization": f"Bearer {secret}"}


def _finish(answer: urllib3.BaseHTTPResponse) -> None:
    """Reads a short body, so that the connection can be used again; the status was all that counts."""
    with suppress(urllib3.exceptions.HTTPError, OSError):
        answer.read(READ_BYTES)
    if answer.length_remaining != 0:
        answer.close()
    answer.release_conn()


def _judge(host: str, status: int, retry_after: str) -> None:
    """Raises unless a status says that the incident was taken."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    said = f"{host}: answered {status}"
    if status < HTTPStatus.BAD_REQUEST:
        raise SinkError(f"{said}; redirects are not followed")
    if status in _COME_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9:
            raise Busy(f"{said}, come again in {retry_after} s", float(retry_after))
        raise SinkError(said)
    raise Refused(said)


def _cause(error: BaseException) -> str:
    """What happened, by the innermost cause that names it; never the URL."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, BaseException) else error
    cause = inner.__cause__ or inner
    if isinstance(inner, urllib3.exceptions.ProtocolError):
        return "the connection ended before the answer"
    if isinstance(inner, urllib3.exceptions.NameResolutionError):
        return "the host is not known"
    if isinstance(inner, urllib3.exceptions.NewConnectionError):
        return str(getattr(cause, "strerror", None) or "no connection")
    if isinstance(inner, urllib3.exceptions.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(inner, urllib3.exceptions.ReadTimeoutError):
        return "no answer in time"
    if isinstance(inner, urllib3.exceptions.SSLError):
        return f"TLS: {cause}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(inner).__name__


def plain(text: str) -> bool:
    """Whether a text is printable ASCII: what may stand in a header."""
    return text.isascii() and text.isprintable()
