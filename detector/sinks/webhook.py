"""Incidents posted to a URL as JSON, with a key by which the receiver can tell what it has had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import urllib3

from detector import __version__
from detector.errors import ConfigError, SinkError
from detector.incidents.incident import SEVERITIES
from detector.sinks.sink import Busy, Refused, Revisions

CONNECT_S = 5.0  # a host that answers at all does so within a second; three lost packets are sent again by then
READ_BYTES = 4096  # of an answer, so that the connection can be used again; what is longer costs a new one
_COME_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_OURS = {"content-type", "content-length", "host", "idempotency-key", "authorization", "transfer-encoding"}


@dataclass(frozen=True)
class WebhookSettings:
    """Where and how to post.

    Attributes:
        url: ``http`` or ``https``; certificates are verified, redirects not followed.
        secret_file: its text goes along as ``Authorization: Bearer …``; read anew for every delivery.
        headers: sent along; not for secrets.
        min_severity: the least severe that is posted; what has been posted once is followed to its end.
        timeout_s: how long to wait for an answer.
        ca_file: certificates to trust in place of the system's.
        where: the place in the configuration, for messages.

    Raises ``ConfigError`` with every problem, a line each.
    """

    url: str = field(repr=False)
    secret_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    min_severity: str = "informational"
    timeout_s: float = 10.0
    ca_file: Path | None = None
    where: str = "sinks.webhook"

    def __post_init__(self) -> None:
        problems = []
        try:
            url = urllib3.util.parse_url(self.url)
            if url.scheme not in ("http", "https") or not url.host:
                problems.append(f"{self.where}.url: needs http:// or https:// and a host")
            if url.auth:
                problems.append(f"{self.where}.url: secrets are read from files: write secret_file")
        except urllib3.exceptions.LocationParseError:
            problems.append(f"{self.where}.url: is no URL")
        if self.min_severity not in SEVERITIES:
            problems.append(f"{self.where}.min_severity: {self.min_severity!r}; allowed: {', '.join(SEVERITIES)}")
        for name, value in self.headers.items():
            if name.lower() in _OURS:
                problems.append(f"{self.where}.headers.{name}: cannot be set")
            elif not (name.isascii() and name.replace("-", "").isalnum() and _plain(value)):
                problems.append(f"{self.where}.headers.{name}: names are letters, digits and -, values ASCII")
        for name, path in (("secret_file", self.secret_file), ("ca_file", self.ca_file)):
            if path is not None and not path.is_file():
                problems.append(f"{self.where}.{name}: {path}: no such file")
        if problems:
            raise ConfigError(problems)

    @property
    def host(self) -> str:
        """Scheme, host and port: of a URL whose path may be a secret, what can be said."""
        url = urllib3.util.parse_url(self.url)
        return f"{url.scheme}://{url.netloc}"


class Webhook:
    """A URL that incidents are posted to (a ``Sink``). One attempt a delivery: the outbox waits and tries again.

    Taken is what is answered by 2xx. ``408``, ``425``, ``429``, ``5xx``, a redirect, and no answer are tried again, and
    not before the time that ``Retry-After`` asks for; any other answer is a refusal. The header ``Idempotency-Key`` is
    ``incident:revision``.

    Args:
        settings: where and how.
        name: of the sink.
    """

    def __init__(self, settings: WebhookSettings, name: str = "webhook") -> None:
        self.settings = settings
        self.name = name
        self._least = SEVERITIES.index(settings.min_severity)
        self._posted = Revisions()
        self._pool = urllib3.PoolManager(
            num_pools=1,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, settings.timeout_s), read=settings.timeout_s),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=None if settings.ca_file is None else str(settings.ca_file),
        )

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Posts one incident, unless it is less severe than what is asked for.

        Raises:
            Refused: the receiver will not take it.
            SinkError: no answer, or one that says to come again.
        """
        if self._posted.has(incident, revision) or not self._asked_for(incident_json, incident):
            return
        headers = {
            **self.settings.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": f"{incident}:{revision}",
            "User-Agent": f"detector/{__version__}",
            **self._authorization(),
        }
        host = self.settings.host
        try:
            answer = self._pool.request(
                "POST",
                self.settings.url,
                body=incident_json.encode("ascii"),
                headers=headers,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkError(f"{host}: {_cause(error)}") from None  # the library's words hold the path
        _finish(answer)
        _judge(host, answer.status, answer.headers.get("Retry-After", ""))
        self._posted.add(incident, revision)

    def close(self) -> None:
        """Ends the connections."""
        self._pool.clear()

    def _asked_for(self, incident_json: str, incident: str) -> bool:
        """Severe enough and not suppressed, or posted before: that is followed to its end."""
        if self._posted.has(incident, 1):
            return True
        told = json.loads(incident_json)
        return not told.get("suppressed_by") and SEVERITIES.index(told["severity"]) >= self._least

    def _authorization(self) -> dict[str, str]:
        path = self.settings.secret_file
        if path is None:
            return {}
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            raise SinkError(f"{self.settings.where}.secret_file: {path}: {reason}") from error
        if not _plain(secret):
            raise SinkError(f"{self.settings.where}.secret_file: {path}: is not one line of ASCII")
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


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
