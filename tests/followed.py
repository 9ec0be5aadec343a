"""A sidecar of its own process that follows a file, with a sink of every kind: what each was handed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from detector import clock
from tests.receiver import Receiver

DRIVER = """
import sys
from types import SimpleNamespace
from detector.sinks.kafka import KafkaTopicSink

class Producer:
    config = {"delivery_timeout_ms": 1000}
    def send(self, topic, value, key):
        with open(FILE, "ab") as file:
            file.write(key + b"\\t" + value + b"\\n")
        return SimpleNamespace(get=lambda timeout: None)
    def close(self, timeout):
        pass

FILE = sys.argv.pop(1)
KafkaTopicSink._connected = lambda self: Producer()
from detector.cli.main import main
main()
"""
"""The program with a producer in place of the broker's: what it is given is what would go over the wire."""

WAIT_S = 300.0  # kernels of a stream may have to be compiled


class Followed:
    """A sidecar while used as a context; it is asked to end on leaving.

    Args:
        folder: where it works; ``access.log`` in it is followed.
        config: sections of its configuration beside source, sinks and web (YAML).

    Attributes:
        outputs: after it has ended, what each of its outputs holds, by name.
    """

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder = folder
        self.outputs: dict[str, bytes] = {}
        self._config = config
        self._hook, self._manager = Receiver(), Receiver()
        self._errors = bytearray()

    def __enter__(self) -> Self:
        self._hook.__enter__()
        self._manager.__enter__()
        (self.folder / "sidecar.yaml").write_text(
            f"{self._config}\n"
            "web: {listen_address: '127.0.0.1:0', incident_pages: true}\n"
            f"state: {{folder: {self.folder / 'state'}, clients: 4096, objects: 65536, snapshot_seconds: 1}}\n"
            "sinks:\n"
            f"  jsonl: {{path: {self.folder / 'incidents.jsonl'}}}\n"
            "  kafka: {topic: incidents, schema: ecs, producer: {bootstrap.servers: 'localhost:1'}}\n"
            f"  webhook: {{url: '{self._hook.url}', schema: ocsf, min_severity: informational}}\n"
            f"  alertmanager: {{url: 'http://127.0.0.1:{self._manager.port}', clients: true}}\n"
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", DRIVER, self.folder / "kafka.txt"),
                *("run", self.folder / "access.log", "--config", self.folder / "sidecar.yaml"),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._reading.join(10)
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._hook.__exit__()
            self._manager.__exit__()
        self.outputs |= {
            "standard error": bytes(self._errors),
            "jsonl": (self.folder / "incidents.jsonl").read_bytes(),
            "kafka": (self.folder / "kafka.txt").read_bytes(),
            "webhook": "\n".join(one.body for one in self._hook.received).encode(),
            "alertmanager": "\n".join(one.body for one in self._manager.received).encode(),
            **{
                f"state/{path.relative_to(self.folder / 'state')}": path.read_bytes()
                for path in sorted((self.folder / "state").rglob("*"))
                if path.is_file() and path.name not in ("key", "lock")
            },
        }

    def wait_for(self, requests: int) -> None:
        """Waits until so many requests were judged and something was delivered, then reads what is served."""
        end = clock.monotonic() + WAIT_S
        while clock.monotonic() < end and self._process.poll() is None:
            clock.sleep(0.2)
            port = re.search(rb'"?port"?[=: ]+(\d+)', bytes(self._errors))
            if port is None:
                continue
            text = self._ask(int(port[1]), "/metrics")
            seen = sum(float(n) for n in re.findall(rb"^detector_requests_total\{[^}]*\} (\S+)$", text, re.MULTILINE))
            if seen >= requests and b"/incidents/" in self._ask(int(port[1]), "/incidents"):
                clock.sleep(2.0)  # a snapshot, and the newest revisions
                self._read_pages(int(port[1]))
                return
        raise AssertionError(f"nothing came of it: {bytes(self._errors).decode(errors='replace')[-3000:]}")

    def _read_pages(self, port: int) -> None:
        self.outputs["metrics"] = self._ask(port, "/metrics")
        self.outputs["ready"] = self._ask(port, "/-/ready")
        self.outputs["page /incidents"] = whole = self._ask(port, "/incidents")
        for path in sorted(set(re.findall(r"/incidents/[0-9a-f]{32}", whole.decode()))):
            for below in ("", "/nginx", "/plain", "/crowdsec"):
                self.outputs[f"page {path}{below}"] = self._ask(port, path + below)

    def _ask(self, port: int, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                found: bytes = answer.read()
        except urllib.error.HTTPError as error:
            return error.read()
        return found

    def _read(self) -> None:
        assert self._process.stderr is not None
        while piece := self._process.stderr.read1(1 << 16):
            self._errors.extend(piece)


def told(outputs: dict[str, bytes]) -> list[dict[str, Any]]:
    """The incidents of the file of JSON lines, each revision."""
    return [json.loads(line) for line in outputs["jsonl"].splitlines()]
