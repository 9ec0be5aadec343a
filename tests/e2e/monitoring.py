"""Prometheus and Alertmanager for tests: Debian's programs, found on the path or unpacked from their packages.

::

    with Alertmanager.start(folder, CONFIG) as alertmanager, Prometheus.start(folder, config) as prometheus:
        prometheus.query("up")
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import urllib3

from detector.clock import monotonic
from tests.e2e.broker import Unavailable, free_port
from tests.e2e.stream import pause

CACHE = Path(__file__).parents[2] / ".cache" / "debian"
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
START_SECONDS = 30  # measured: half a second
STOP_SECONDS = 15


def program(name: str) -> str:
    """Where a program is; its package is fetched and unpacked below .cache/ where it is not installed.

    Raises:
        Unavailable: it is neither there nor to be had.
    """
    try:
        return installed(name)
    except Unavailable:
        _unpack(PACKAGES[name])
        return installed(name)


def installed(name: str) -> str:
    """Where a program is, if it is there without being fetched.

    Raises:
        Unavailable: it is not.
    """
    found = shutil.which(name) or shutil.which(str(CACHE / "usr" / "bin" / name))
    if found is None:
        raise Unavailable(f"needs {name} (on Debian: apt install {PACKAGES[name]}; `make e2e` fetches it)")
    return found


def _unpack(package: str) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(f"needs {package}, and there is no apt-get to fetch it with")
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    for command in (["apt-get", "download", package], ["apt-get", "update"], ["apt-get", "download", package]):
        done = subprocess.run(command, cwd=CACHE, check=False, capture_output=True, text=True)
        files = sorted(CACHE.glob(f"{package}_*.deb"))
        if files:
            subprocess.run(["dpkg-deb", "-x", str(files[-1]), str(CACHE)], check=True)
            return
    raise Unavailable(f"{package} could not be fetched: {done.stderr[-500:]}")


@dataclass
class _Server:
    """One of the two while it runs."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def get(self, path: str) -> Any:
        """The JSON at a path of its interface."""
        return json.loads(urllib3.request("GET", self.url + path, timeout=10).data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _started(name: str, folder: Path, arguments: Sequence[str], port: int) -> tuple[subprocess.Popen[bytes], str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program(name), *arguments], cwd=folder, stdout=out, stderr=out, env=os.environ | {"GOMAXPROCS": "1"}
        )
    url, end = f"http://127.0.0.1:{port}", monotonic() + START_SECONDS
    while True:
        try:
            if urllib3.request("GET", f"{url}/-/ready", timeout=2, retries=False).status == 200:
                return process, url, log
        except urllib3.exceptions.HTTPError:
            pass
        if process.poll() is not None or monotonic() > end:
            process.kill()
            raise RuntimeError(f"{name} did not start:\n{log.read_text()[-2000:]}")
        pause(0.1)


class Prometheus(_Server):
    """A server with its data in a folder."""

    @classmethod
    def start(cls, folder: Path, config: Path, *more: str) -> Prometheus:
        """Starts one; ``config`` is its file, ``more`` further options."""
        port = free_port()
        options = (f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", *more)
        data = (
            ()
            if any(one.startswith("--storage.tsdb.path") for one in more)
            else (f"--storage.tsdb.path={folder}/data",)
        )
        return cls(*_started("prometheus", folder, (*options, *data), port))

    def query(self, expression: str, **more: str) -> list[dict[str, Any]]:
        """The samples an expression gives now, or at ``time``."""
        rest = "".join(f"&{name}={quote(value)}" for name, value in more.items())
        answer = self.get(f"/api/v1/query?query={quote(expression)}{rest}")
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


class Alertmanager(_Server):
    """A server that forgets everything when it ends."""

    @classmethod
    def start(cls, folder: Path, config: Path) -> Alertmanager:
        """Starts one."""
        port = free_port()
        options = (
            f"--config.file={config}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.path={folder}/alertmanager",
            "--cluster.listen-address=",
        )
        return cls(*_started("prometheus-alertmanager", folder, options, port))

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts it has and that are not over."""
        found: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return found
