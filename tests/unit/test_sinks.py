"""Sinks that need no broker: a file that is appended to, and a URL, against a real server that misbehaves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.clock import monotonic
from detector.errors import ConfigError, SinkError
from detector.incidents.incident import Incident
from detector.sinks.jsonl import JsonLinesLog, json_line
from detector.sinks.sink import Busy, Refused, Revisions
from detector.sinks.webhook import Webhook, WebhookSettings
from tests.receiver import Receiver

Make = Callable[..., Incident]


def deliver(sink: Any, incident: Incident) -> None:
    """Gives an incident to a sink."""
    sink.deliver(json_line(incident), incident.incident, incident.revision)


def told(path: Path) -> list[tuple[str, int]]:
    """The incidents and revisions of a file, line by line."""
    text = path.read_text(encoding="ascii")
    assert text == "" or text.endswith("\n")
    return [(found["incident"], found["revision"]) for found in map(json.loads, text.split("\n")[:-1])]


def test_a_log_keeps_what_is_new(tmp_path: Path, make_incident: Make) -> None:
    """Each revision is a line; what is repeated or older is left out, also by one that opens the file later."""
    path = tmp_path / "incidents.jsonl"
    log = JsonLinesLog(path)
    for incident, revision in (("a", 1), ("a", 1), ("b", 3), ("a", 2), ("a", 1), ("b", 2)):
        deliver(log, make_incident(incident=incident, revision=revision))
    log.close()
    assert told(path) == [("a", 1), ("b", 3), ("a", 2)]
    again = JsonLinesLog(path)
    for incident, revision in (("a", 2), ("b", 3), ("b", 4)):
        deliver(again, make_incident(incident=incident, revision=revision))
    again.close()
    again.close()
    assert told(path) == [("a", 1), ("b", 3), ("a", 2), ("b", 4)]


@pytest.mark.parametrize("kind", ["pipe", "socket", "file"])
def test_a_log_to_standard_output(kind: str, tmp_path: Path) -> None:
    """Whatever standard output is: a pipe, a socket as under a service manager, or a file behind what is there."""
    script = """
from pathlib import Path
from detector.sinks.jsonl import JsonLinesLog
print("first", flush=True)
log = JsonLinesLog(Path("/dev/stdout"))
log.deliver("{}", "a", 1)
log.close()
print("last", flush=True)
"""
    command = [sys.executable, "-c", script]
    if kind == "socket":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run(command, check=True, stdout=theirs.fileno(), timeout=60)
            text = ours.recv(100)
    elif kind == "file":
        with (tmp_path / "out").open("wb") as file:
            subprocess.run(command, check=True, stdout=file, timeout=60)
        text = (tmp_path / "out").read_bytes()
    else:
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    assert text == b"first\n{}\nlast\n"


@pytest.mark.parametrize("missing", [1, 2, 40, 300])
def test_a_line_cut_short_is_mended(tmp_path: Path, make_incident: Make, missing: int) -> None:
    """A last line that is whole but for its end is kept, one that is not is taken away and written again."""
    path = tmp_path / "incidents.jsonl"
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="a", revision=1))
    deliver(log, make_incident(incident="a", revision=2))
    log.close()
    os.truncate(path, path.stat().st_size - missing)
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="a", revision=2))
    deliver(log, make_incident(incident="b", revision=1))
    log.close()
    assert told(path) == [("a", 1), ("a", 2), ("b", 1)]


def test_what_is_not_ours_is_not_taken_away(tmp_path: Path, make_incident: Make) -> None:
    """Text without a line end that no incident begins with stays; zeros left by a loss of power go."""
    path = tmp_path / "incidents.jsonl"
    path.write_text("# my notes", encoding="ascii")
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="a", revision=1))
    log.close()
    with path.open("ab") as file:
        file.write(b"\0" * 100)
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="b", revision=1))
    log.close()
    lines = path.read_text(encoding="ascii").split("\n")
    assert lines[0] == "# my notes"
    assert [json.loads(line)["incident"] for line in lines[1:-1]] == ["a", "b"]


def test_a_log_is_rotated(tmp_path: Path, make_incident: Make) -> None:
    """A file that was renamed, removed or emptied: the next line goes to the file of that name, repeats still none."""
    path = tmp_path / "incidents.jsonl"
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="a", revision=1))
    path.rename(tmp_path / "incidents.jsonl.1")
    deliver(log, make_incident(incident="a", revision=1))
    deliver(log, make_incident(incident="a", revision=2))
    assert told(path) == [("a", 2)]
    path.unlink()
    deliver(log, make_incident(incident="a", revision=3))
    os.truncate(path, 0)
    deliver(log, make_incident(incident="a", revision=4))
    log.close()
    assert told(path) == [("a", 4)]


def test_a_log_to_a_pipe(tmp_path: Path, make_incident: Make) -> None:
    """What is no regular file takes the lines as they come."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(path.read_bytes()))
    thread.start()
    log = JsonLinesLog(path)
    deliver(log, make_incident(incident="a", revision=1))
    log.close()
    thread.join()
    assert json.loads(read[0])["incident"] == "a"


def test_a_log_that_cannot_be_written(tmp_path: Path, make_incident: Make) -> None:
    """A missing folder and a full disk are errors to be tried again; half a line is mended by the next attempt."""
    with pytest.raises(SinkError, match=r"none/x: incidents cannot be appended: No such file"):
        deliver(JsonLinesLog(tmp_path / "none" / "x"), make_incident())
    with pytest.raises(SinkError, match="No space left"):
        deliver(JsonLinesLog(Path("/dev/full")), make_incident())
    script = """
import json, resource, signal, sys
from pathlib import Path
from detector.errors import SinkError
from detector.sinks.jsonl import JsonLinesLog
line = json.dumps({"incident": "a", "revision": 1, "pad": "x" * 500}, separators=(",", ":"))
log = JsonLinesLog(Path(sys.argv[1]))
log.deliver(line, "a", 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (800, resource.RLIM_INFINITY))
try:
    log.deliver(line.replace('"a"', '"b"'), "b", 1)
except SinkError:
    assert Path(sys.argv[1]).stat().st_size == 800
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.deliver(line.replace('"a"', '"b"'), "b", 1)
"""
    path = tmp_path / "incidents.jsonl"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=60)
    assert told(path) == [("a", 1), ("b", 1)]


def test_revisions_are_bounded() -> None:
    """Only the newest incidents are remembered, and the highest revision of each."""
    seen = Revisions(3)
    for n in range(5):
        seen.add(f"{n % 4}", n + 1)
    assert seen.items() == [("2", 3), ("3", 4), ("0", 5)]
    seen.add("2", 1)
    assert seen.has("2", 3)
    assert not seen.has("2", 4)
    seen.forget("2")
    assert not seen.has("2", 1)


def test_a_webhook_posts(tmp_path: Path, make_incident: Make) -> None:
    """JSON with an idempotency key, the secret from its file, over one connection; repeats are not sent."""
    secret = tmp_path / "secret"
    secret.write_text("t0ken\n", encoding="ascii")
    with Receiver(lambda _: (200, {})) as receiver:
        hook = Webhook(WebhookSettings(receiver.url, secret, {"X-Team": "blue"}))
        for revision in (1, 1, 2):
            deliver(hook, make_incident(incident="a", revision=revision))
        hook.close()
    assert [request.headers["idempotency-key"] for request in receiver.received] == ["a:1", "a:2"]
    first = receiver.received[0]
    assert first.path == "/hook/s3cret"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["authorization"] == "Bearer t0ken"
    assert first.headers["x-team"] == "blue"
    assert first.headers["user-agent"].startswith("detector/")
    assert json.loads(first.body) == json.loads(json_line(make_incident(incident="a", revision=1)))


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        ((400, {}), Refused, "answered 400"),
        ((401, {}), Refused, "answered 401"),
        ((413, {}), Refused, "answered 413"),
        ((429, {"Retry-After": "7"}), Busy, "answered 429, come again in 7 s"),
        ((429, {}), SinkError, "answered 429"),
        ((408, {}), SinkError, "answered 408"),
        ((500, {}), SinkError, "answered 500"),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), SinkError, "answered 503"),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}), SinkError, "answered 302; redirects are not followed"),
        ((0, {}), SinkError, "the connection ended before the answer"),
    ],
)
def test_a_webhook_is_answered(answer: Any, kind: type[SinkError], says: str, make_incident: Make) -> None:
    """Each answer is a refusal for good, a request to come again, or a failure; the path of the URL is never said."""
    with Receiver(lambda _: answer) as receiver:
        hook = Webhook(WebhookSettings(receiver.url))
        with pytest.raises(SinkError, match=says) as caught:
            deliver(hook, make_incident())
        assert type(caught.value) is kind
        assert "s3cret" not in str(caught.value)
        assert str(caught.value).startswith(f"http://127.0.0.1:{receiver.port}: ")
        if isinstance(caught.value, Busy):
            assert caught.value.wait_s == 7
        receiver.answer = lambda _: (202, {})
        deliver(hook, make_incident())
        hook.close()
    assert len(receiver.received) == 2


def test_a_webhook_that_does_not_answer(make_incident: Make) -> None:
    """Nobody there, one who says nothing, and one whose answer never ends: all within the time that was set."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hook = Webhook(WebhookSettings(f"http://127.0.0.1:{port}/x", timeout_s=0.3))
        begin = monotonic()
        with pytest.raises(SinkError, match="no answer in time"):
            deliver(hook, make_incident())
        assert monotonic() - begin < 2
    with pytest.raises(SinkError, match="Connection refused"):
        deliver(hook, make_incident())
    hook.close()
    with Receiver(lambda _: (200, {"Content-Length": "1000000"})) as receiver:
        hook = Webhook(WebhookSettings(receiver.url, timeout_s=0.3))
        deliver(hook, make_incident(revision=1))
        deliver(hook, make_incident(revision=2))
        hook.close()
    assert len(receiver.received) == 2


def test_a_webhook_verifies_certificates(tmp_path: Path, make_incident: Make) -> None:
    """A server without TLS or with a certificate that nobody trusted has signed gets nothing."""
    with Receiver() as receiver:
        hook = Webhook(WebhookSettings(f"https://127.0.0.1:{receiver.port}/x", timeout_s=2))
        with pytest.raises(SinkError, match="TLS: "):
            deliver(hook, make_incident())
        hook.close()
    assert not receiver.received
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    files = str(tmp_path / "certificate"), str(tmp_path / "key")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    with Receiver(tls=files) as receiver:
        hook = Webhook(WebhookSettings(receiver.url, timeout_s=2))
        with pytest.raises(SinkError, match=r"TLS: .*certificate verify failed"):
            deliver(hook, make_incident())
        hook.close()
        assert not receiver.received
        hook = Webhook(WebhookSettings(receiver.url, timeout_s=2, ca_file=Path(files[0])))
        deliver(hook, make_incident())
        hook.close()
    assert len(receiver.received) == 1


def test_a_webhook_asks_for_severity(make_incident: Make) -> None:
    """Less severe incidents are not posted, but what was posted once is followed to its end."""
    with Receiver() as receiver:
        hook = Webhook(WebhookSettings(receiver.url, min_severity="high"))
        for incident, revision, severity in (("a", 1, "medium"), ("b", 1, "high"), ("b", 2, "low"), ("a", 2, "high")):
            deliver(hook, make_incident(incident=incident, revision=revision, severity=severity))
        hook.close()
    assert [request.headers["idempotency-key"] for request in receiver.received] == ["b:1", "b:2", "a:2"]


def test_a_secret_that_cannot_be_read(tmp_path: Path, make_incident: Make) -> None:
    """A secret's file that vanishes, or holds what no header can, is a failure that names the setting."""
    secret = tmp_path / "secret"
    secret.write_text("a\nb", encoding="ascii")
    hook = Webhook(WebhookSettings("http://127.0.0.1:1/x", secret))
    with pytest.raises(SinkError, match=r"sinks\.webhook\.secret_file: .*: is not one line of ASCII"):
        deliver(hook, make_incident())
    secret.unlink()
    with pytest.raises(SinkError, match=r"sinks\.webhook\.secret_file: .*: No such file"):
        deliver(hook, make_incident())
    hook.close()


def test_webhook_settings_are_checked() -> None:
    """Every problem at once, none with a secret in it."""
    with pytest.raises(ConfigError) as caught:
        WebhookSettings(
            "ftp://user:hunter2@example.net/",
            Path("/none/secret"),
            {"Authorization": "Bearer hunter2", "X\n": "y", "X-A": "b\r\nX-Evil: 1"},
            "grave",
        )
    assert caught.value.problems == [
        "sinks.webhook.url: needs http:// or https:// and a host",
        "sinks.webhook.url: secrets are read from files: write secret_file",
        "sinks.webhook.min_severity: 'grave'; allowed: informational, low, medium, high, critical",
        "sinks.webhook.headers.Authorization: cannot be set",
        "sinks.webhook.headers.X\n: names are letters, digits and -, values ASCII",
        "sinks.webhook.headers.X-A: names are letters, digits and -, values ASCII",
        "sinks.webhook.secret_file: /none/secret: no such file",
    ]
    assert "hunter2" not in str(caught.value)
    assert "s3cret" not in repr(WebhookSettings("http://127.0.0.1/s3cret"))
