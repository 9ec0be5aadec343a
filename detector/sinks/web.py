"""Metrics and health over HTTP: a small router on its own port, loopback unless told otherwise.

It only reads: GET and HEAD, no bodies; no names of clients but on pages of incidents, where they are turned on. Nobody
is asked who he is; who binds it to an address that others reach puts a proxy with TLS and a password in front.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from detector.errors import UsageError

WHERE = "web.listen_address"
DEFAULT = "127.0.0.1:9476"

HEADER_BYTES = 16 << 10  # a scrape's headers take 0.3 kB
BODY_BYTES = 1 << 10  # there are no bodies; a small one is read and thrown away
MOST_CHANNELS = 512  # connections; when all are taken, the one that has been silent longest makes room
SILENCE_S = 10  # Prometheus gives a scrape ten seconds
THREADS = 2  # a scrape takes 10 ms of them

_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
]
_PLAIN = "text/plain; charset=utf-8"
_REASONS = {
    200: "200 OK",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    409: "409 Conflict",
    503: "503 Service Unavailable",
}


class Page(NamedTuple):
    """An answer: status, what the body is, the body, and what a browser may do with it."""

    status: int
    content_type: str
    body: bytes
    policy: str = "default-src 'none'"


Handler = Callable[[str], Page]
"""Makes a page; is given the header ``Accept``. Runs on a thread of the server; must not block for long."""


Below = Callable[[str], Page]
"""Makes a page; is given what follows the path it stands for."""


class Rendered(Protocol):
    """What ``/metrics`` shows: ``detector.sinks.prometheus.Metrics``."""

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The text of a scrape and its content type."""


class Health(Protocol):
    """Who knows how the process is; called on threads of the server."""

    def ready(self) -> list[str]:
        """Why it is not ready, a line each without anything from a log; empty when it is."""

    def healthy(self) -> bool:
        """Whether its threads live."""


class Server:
    """Listens until it is closed.

    Attributes:
        host, port: where, as numbers; the real port where 0 was asked for.
    """

    def __init__(self, listener: TcpWSGIServer) -> None:
        self.host = str(listener.effective_host)
        self.port = int(listener.effective_port)
        self._listener = listener
        self._thread = threading.Thread(target=listener.run, name="web", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stops listening and ends all connections. A second call does nothing."""
        if self._thread.is_alive():
            self._listener.end()
            self._thread.join(timeout_s)


def serve(
    address: str,
    registry: Rendered,
    health: Health,
    pages: Mapping[str, Handler] | None = None,
    below: Mapping[str, Below] | None = None,
) -> Server:
    """Listens on ``host:port``; port 0 takes a free one.

    Args:
        address: such as ``127.0.0.1:9476``, ``[::1]:9476`` or ``0.0.0.0:9476``.
        registry: the metrics.
        health: what ``/-/healthy`` and ``/-/ready`` say.
        pages: further paths.
        below: paths that end in a slash, and who answers for all below them.

    Raises:
        UsageError: the address is none, or the port is taken.
    """
    table = {**routes(registry, health), **(pages or {})}
    adjustments = Adjustments(
        ident="",
        threads=THREADS,
        connection_limit=2 * MOST_CHANNELS,  # never reached: see _Listener
        cleanup_interval=1,
        channel_timeout=SILENCE_S,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=BODY_BYTES,
        asyncore_use_poll=True,
        log_socket_errors=False,
    )
    bound = _bound(address)
    about = (bound.family, bound.type, bound.proto, bound.getsockname())
    return Server(
        _Listener(router(table, below or {}), _sock=bound, adj=adjustments, sockinfo=about, bind_socket=False)
    )


def _bound(address: str) -> socket.socket:
    """A socket that listens; waitress itself would leave threads and files behind where the port is taken."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{WHERE}: {address!r}: write host:port, such as {DEFAULT}")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        raise UsageError(f"{WHERE}: cannot listen on {address}: {error.strerror}") from error


def routes(registry: Rendered, health: Health) -> dict[str, Handler]:
    """The pages there always are."""

    def metrics(accept: str) -> Page:
        body, content_type = registry.render(accept)
        return Page(200, content_type, body)

    def healthy(_: str) -> Page:
        return Page(200, _PLAIN, b"healthy\n") if health.healthy() else Page(503, _PLAIN, b"not healthy\n")

    def ready(_: str) -> Page:
        reasons = health.ready()
        if not reasons:
            return Page(200, _PLAIN, b"ready\n")
        return Page(503, _PLAIN, "".join(f"{reason}\n" for reason in reasons).encode("ascii", "backslashreplace"))

    return {"/metrics": metrics, "/-/healthy": healthy, "/-/ready": ready}


def router(
    table: Mapping[str, Handler], below: Mapping[str, Below]
) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """A WSGI application over a table of paths, and one of what stands above others."""

    def handler_of(path: str) -> Handler | None:
        for prefix, page in below.items():
            if path.startswith(prefix):
                return lambda _: page(path.removeprefix(prefix))
        return table.get(path)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        handler = handler_of(environ.get("PATH_INFO", ""))
        method = environ["REQUEST_METHOD"]
        headers = list(_HEADERS)
        if handler is None:
            page = Page(404, _PLAIN, b"not found\n")
        elif method not in ("GET", "HEAD"):
            page = Page(405, _PLAIN, b"only GET and HEAD\n")
            headers.append(("Allow", "GET, HEAD"))
        else:
            page = handler(environ.get("HTTP_ACCEPT", ""))
        headers += [
            ("Content-Security-Policy", page.policy),
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
        ]
        start(_REASONS[page.status], headers)
        return [] if method == "HEAD" else [page.body]

    return answer


class _Listener(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """A server that is not kept busy by connections that say nothing, or too slowly."""

    def handle_accept(self) -> None:
        """Takes a connection; where there are too many, the one that has been waited for longest is ended."""
        silent = [channel for channel in self.active_channels.values() if not channel.requests]
        if len(self.active_channels) >= MOST_CHANNELS and silent:
            min(silent, key=lambda channel: channel.creation_time).handle_close()
        super().handle_accept()

    def end(self) -> None:
        """Ends the loop from another thread."""
        self.trigger.pull_trigger(self._end)

    def _end(self) -> None:
        for channel in list(self._map.values()):
            if channel is not self.trigger and channel is not self:
                channel.handle_close()
        self.task_dispatcher.shutdown(timeout=1)
        self.close()
