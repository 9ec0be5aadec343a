"""The pages for those who watch: what they answer, to whom, and that nobody keeps them from answering."""

from __future__ import annotations

import http.client
import logging
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from detector.clock import monotonic
from detector.errors import UsageError
from detector.sinks.prometheus import Metrics
from detector.sinks.web import MOST_CHANNELS, Page, Server, serve


class State:
    """How the process is."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.alive = True

    def ready(self) -> list[str]:
        """Why not."""
        return self.reasons

    def healthy(self) -> bool:
        """Whether."""
        return self.alive


@pytest.fixture
def state() -> State:
    """Ready and healthy."""
    return State()


@pytest.fixture
def server(state: State) -> Iterator[Server]:
    """Listens on a free port."""
    pages = {"/more": lambda accept: Page(200, "text/html", accept.encode("ascii"))}
    started = serve("127.0.0.1:0", Metrics("0.1.0"), state, pages)
    yield started
    started.close()


Answer = tuple[int, dict[str, str], bytes]


def ask(server: Server, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_metrics_are_shown(server: Server) -> None:
    """Both formats, by what is asked for."""
    status, headers, body = ask(server, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert b"detector_incidents_total" in body
    status, headers, body = ask(server, "/metrics?a=b", Accept="application/openmetrics-text")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_health_and_readiness(server: Server, state: State) -> None:
    """Ready is 200, else 503 with the reasons, a line each, ASCII; healthy says whether it lives."""
    assert ask(server, "/-/ready")[::2] == (200, b"ready\n")
    state.reasons = ["no partition assigned", "no fetch since é"]
    assert ask(server, "/-/ready")[::2] == (503, b"no partition assigned\nno fetch since \\xe9\n")
    assert ask(server, "/-/healthy")[::2] == (200, b"healthy\n")
    state.alive = False
    assert ask(server, "/-/healthy")[::2] == (503, b"not healthy\n")


def test_nothing_else_is_answered(server: Server) -> None:
    """Other paths are 404, other methods 405; a table of further pages is served."""
    for path in ("/", "/metrics/", "/-/quit", "/-/reload", "/../metrics", "/%2e%2e/metrics", "/metrics%00"):
        assert ask(server, path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"):
        status, headers, _ = ask(server, "/metrics", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert ask(server, "/more", Accept="x")[::2] == (200, b"x")


def test_head_has_no_body(server: Server) -> None:
    """HEAD answers as GET does, without the text, and the connection goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for _ in range(2):
        connection.request("HEAD", "/-/ready")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Content-Length") == "6"
        assert answer.read() == b""
    connection.close()


def test_headers_of_caution(server: Server) -> None:
    """No sniffing, no storing, nothing to run, and no name of the server."""
    for path in ("/metrics", "/-/ready", "/nothing"):
        _, headers, _ = ask(server, path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert "server" not in headers


def test_large_requests_are_refused(server: Server) -> None:
    """A megabyte of headers or of body is cut off early."""
    assert ask(server, "/metrics", X_Long="x" * 20_000)[0] == 431
    assert ask(server, "/metrics", "POST", b"x" * 2_000)[0] == 413
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
        sent = 0
        with suppress(OSError):  # the connection ends in one way or another
            while sent < 64 << 20:
                sent += client.send(b"X-A: " + b"x" * 65_000 + b"\r\n")
        assert sent < 16 << 20


def test_a_scrape_is_answered_whoever_else_is_there(server: Server) -> None:
    """Two hundred connections that never finish their request, and then more than there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with ExitStack() as held:
        for count in (200, MOST_CHANNELS + 100):
            for n in range(count):
                client = held.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
                client.sendall(b"GET /metrics HTTP/1.1\r\nX-" + b"a" * (n % 7))
            begin = monotonic()
            assert ask(server, "/metrics")[0] == 200
            assert monotonic() - begin < 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_page_that_fails_is_500(state: State, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of a page tells nothing to the outside, and the next one is answered."""

    def fails(_: str) -> Page:
        raise RuntimeError("inner words")

    server = serve("127.0.0.1:0", Metrics("0.1.0"), state, {"/fails": fails})
    with caplog.at_level(logging.CRITICAL, "waitress"):
        status, _, body = ask(server, "/fails")
    assert status == 500
    assert b"inner words" not in body
    assert ask(server, "/-/ready")[0] == 200
    server.close()


def test_addresses(state: State) -> None:
    """A port that is taken, no port and no host are errors that name the setting; closing frees the port."""
    metrics = Metrics("0.1.0")
    server = serve("127.0.0.1:0", metrics, state)
    with pytest.raises(UsageError, match=rf"web\.listen_address: cannot listen on 127\.0\.0\.1:{server.port}: Addr"):
        serve(f"127.0.0.1:{server.port}", metrics, state)
    server.close()
    server.close()
    again = serve(f"127.0.0.1:{server.port}", metrics, state)
    assert again.port == server.port
    again.close()
    for address in ("9476", ":9476", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", ""):
        with pytest.raises(UsageError, match=r"web\.listen_address: '.*': write host:port, such as 127"):
            serve(address, metrics, state)
    with pytest.raises(UsageError, match=r"web\.listen_address: cannot listen on 192\.0\.2\.1:9476"):
        serve("192.0.2.1:9476", metrics, state)


def test_closing_leaves_nothing(state: State) -> None:
    """No thread and no descriptor is left behind, also with connections open."""
    metrics = Metrics("0.1.0")

    def held() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = held()
    for _ in range(3):
        server = serve("127.0.0.1:0", metrics, state)
        with socket.create_connection(("127.0.0.1", server.port), 5):
            assert ask(server, "/-/ready")[0] == 200
            server.close()
    deadline = monotonic() + 5
    while held() > before and monotonic() < deadline:
        threading.Event().wait(0.05)
    assert held() <= before
