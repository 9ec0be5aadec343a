"""Builds the Dockerfile without an engine and runs what comes of it, as nobody in particular.

Run as a module, ``python -m tests.e2e.image [FOLDER]``, as root: Debian's buildah (isolation chroot, storage vfs) on a
base that debootstrap makes, for no registry of images need be reached. What differs from the official base: Debian 12's
own Python 3.11 in place of 3.13, and this machine's certificates.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from detector import clock
from tests.e2e.broker import free_port
from tests.e2e.stream import pause

ROOT = Path(__file__).parents[2]
BASE, IMAGE, USER = "localhost/detector-base", "localhost/detector", "10001:10001"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
STATE = "/var/lib/detector"
FIRST_RECORD_S = 3.0
LINE = '198.51.100.7 - - [03/Mar/2026:00:00:00 +0000] "GET /users/{n} HTTP/1.1" 200 812 "-" "Mozilla/5.0"\n'


class Buildah:
    """The program with its storage in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._begin = [
            "buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs",
        ]  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        """What to run."""
        return [*self._begin, *arguments]

    def __call__(self, *arguments: str) -> str:
        """Runs it and returns what it prints."""
        done = subprocess.run(self.command(*arguments), cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(
                f"buildah {' '.join(arguments)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done.stdout.strip()


def base(buildah: Buildah, folder: Path) -> None:
    """A minimal Debian with Python, unless it has been made before."""
    if BASE in buildah("images", "--format", "{{.Name}}"):
        return
    tree = folder / "root"
    if not (tree / "usr" / "bin" / "python3").exists():
        include = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", include, "bookworm", str(tree)], check=True)
    shutil.copy(CERTIFICATES, tree / CERTIFICATES[1:])
    container = buildah("from", "scratch")
    buildah("add", container, str(tree), "/")
    buildah(
        "config",
        "--env",
        f"SSL_CERT_FILE={CERTIFICATES}",
        "--env",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        container,
    )
    buildah("commit", "--rm", container, BASE)


@contextmanager
def container(buildah: Buildah) -> Iterator[tuple[str, Path]]:
    """A container of the image, its name and where its files are."""
    name = buildah("from", IMAGE)
    try:
        yield name, Path(buildah("mount", name))
    finally:
        buildah("rm", name)


def run_in(buildah: Buildah, name: str, logs: Path, *arguments: str) -> list[str]:
    """The command that runs the image's program on logs, as its user."""
    return buildah.command(
        "run",
        "--isolation",
        "chroot",
        "--user",
        USER,
        "--volume",
        f"{logs}:/logs:ro",
        name,
        "--",
        "detector",
        *arguments,
    )


def check_replay(buildah: Buildah, logs: Path) -> None:
    """It names what is planted in a sample log."""
    with container(buildah) as (name, _):
        begun = clock.monotonic()
        options = ("-q", "--output", "json", "--config", "/logs/demo.yaml")
        command = run_in(buildah, name, logs, "replay", *options, "/logs/p1.log.gz")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        found = [json.loads(line)["pattern"] for line in done.stdout.split("\n") if line]
        assert found == ["walk"], found
        print(f"replay of a sample log: {found}, {clock.monotonic() - begun:.1f} s with everything")


def check_run(buildah: Buildah, logs: Path) -> None:
    """It serves its metrics, judges its first record soon, and writes nowhere but to its state."""
    port = free_port()
    with container(buildah) as (name, tree):
        log = logs / "growing.log"
        log.write_text("".join(LINE.format(n=n) for n in range(50)))
        before = files(tree)
        listen = ("--web.listen-address", f"127.0.0.1:{port}")
        options = ("run", *listen, "--state", f"{STATE}/state", "/logs/growing.log")
        begun = clock.monotonic()
        process = subprocess.Popen(
            run_in(buildah, name, logs, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while not (seconds := judged(port)) and clock.monotonic() - begun < 60 and process.poll() is None:
                pause(0.02)
            seconds = clock.monotonic() - begun
            assert process.poll() is None, process.communicate()[0][-3000:]
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)
        written = sorted(path for path in files(tree) - before if not path.startswith(STATE))
        assert not written, written
        print(f"first record judged {seconds:.1f} s after its start; nothing written but below {STATE}")
        assert seconds < FIRST_RECORD_S, "a kernel was compiled anew?"


def judged(port: int) -> bool:
    """Whether a request has been counted."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return False
    return any(line.startswith("detector_requests_total{") and not line.endswith(" 0.0") for line in text.split("\n"))


def files(tree: Path) -> set[str]:
    """Every file of a container, with what tells that it was changed."""
    found = set()
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            found.add(f"/{path.relative_to(tree)} {about.st_size} {about.st_mtime_ns}")
    return found


def describe(buildah: Buildah) -> None:
    """Prints size and layers."""
    about: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE))
    history = about["OCIv1"]["history"]
    labels = about["OCIv1"]["config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert about["OCIv1"]["config"]["User"] == USER.partition(":")[0]
    size = buildah("images", "--format", "{{.Name}} {{.Size}}")
    print(size, f"{len(about['OCIv1']['rootfs']['diff_ids'])} layers of {len(history)} steps", sep="\n")


def main() -> None:
    """Base, image, checks."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".cache" / "image").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    buildah = Buildah(folder)
    begun = clock.monotonic()
    base(buildah, folder)
    print(f"base: {clock.monotonic() - begun:.0f} s")
    begun = clock.monotonic()
    target = os.environ.get("TARGET", "full")
    buildah("bud", "--isolation", "chroot", "--build-arg", f"BASE={BASE}", "--target", target, "-t", IMAGE, ".")
    print(f"image ({target}): {clock.monotonic() - begun:.0f} s")
    describe(buildah)
    with tempfile.TemporaryDirectory() as place:
        logs = Path(place)
        logs.chmod(0o755)
        shutil.copy(ROOT / "sample_logs" / "p1.log.gz", logs)
        shutil.copy(ROOT / "configs" / "demo.yaml", logs)
        check_replay(buildah, logs)
        check_run(buildah, logs)


if __name__ == "__main__":
    main()
