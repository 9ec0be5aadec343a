"""A real Chromium without a window: what a page does, what it asks of the network, and what it looks like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.broker import Unavailable
from tests.e2e.monitoring import PACKAGES, program

QUIET = ("chrome://", "chrome-extension://", "data:", "about:")
OWN = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")
NARROWEST = 500  # of a window; what is narrower is shown in a frame
SECONDS = 60  # measured: two to four
PACKAGES.setdefault("chromium", "chromium")
PROBE = """
<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(e => {
    const r = e.getBoundingClientRect();
    return r.right > innerWidth + 1 && !e.closest(".scroll") && !e.closest("svg") && e.checkVisibility();
  }).map(e => e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right));
  parent.postMessage(document.title = "probe " + JSON.stringify({
    width: innerWidth, scroll: document.documentElement.scrollWidth, wide: wide.slice(0, 5),
    scripts: document.scripts.length, images: document.images.length, frames: frames.length,
    handlers: [...document.querySelectorAll("*")].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith("on"))
      .length,
  }), "*");
});
</script>
"""


def chromium() -> str:
    """Where it is.

    Raises:
        Unavailable: neither here nor to be had.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser") or program("chromium")
    if not found:
        raise Unavailable("needs chromium (on Debian: apt install chromium)")
    return found


@dataclass(frozen=True)
class Seen:
    """What came of opening a page.

    Attributes:
        document: the document after everything that runs has run.
        urls: what the network was asked for; the page's own is not among them.
    """

    document: str
    urls: list[str]


def look(page: Path | str, folder: Path, *more: str, width: int = 1400, height: int = 1200) -> Seen:
    """Opens a page of the disk with scripts allowed, as whoever double-clicks it does; or one of a server."""
    log, address = folder / "net.json", _address(page)
    done = _run(folder, [f"--log-net-log={log}", "--dump-dom", f"--window-size={width},{height}", *more, address])
    return Seen(done, _urls(log, address))


def _address(page: Path | str) -> str:
    return page if isinstance(page, str) else page.as_uri()


def picture(page: Path, out: Path, width: int, height: int, *more: str) -> Path:
    """A screenshot."""
    window = f"--window-size={width},{height}"
    if width < NARROWEST:
        window = f"--window-size={NARROWEST},{height}"
        page = _framed(page, width, height)
    _run(out.parent, [f"--screenshot={out}", "--hide-scrollbars", window, *more, page.as_uri()])
    return out


def _framed(page: Path, width: int, height: int) -> Path:
    """A page that shows another as wide as a telephone is, and takes over what its probe has found for a title."""
    outer = page.with_name(f"framed-{width}.html")
    hear = "<script>addEventListener('message', e => { document.title = e.data })</script>"
    frame = f'<iframe src="{page.name}" style="border:0;width:{width}px;height:{height}px"></iframe>'
    outer.write_text(f'<!doctype html><title>-</title>{hear}<body style="margin:0">{frame}</body>', "utf-8")
    return outer


def measured(page: Path, folder: Path, width: int) -> dict[str, Any]:
    """What a script that we add finds in a copy of the page: its width, what sticks out, what could run."""
    text = page.read_text("utf-8")
    copy = folder / "probed.html"
    relaxed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'", 1)
    copy.write_text(relaxed.replace("</body>", f"{PROBE}</body>", 1), "utf-8")
    seen = look(copy if width >= NARROWEST else _framed(copy, width, 900), folder, width=max(width, NARROWEST))
    title = seen.document.split("<title>", 1)[1].split("</title>", 1)[0]
    assert title.startswith("probe "), title
    return dict(json.loads(title.removeprefix("probe ").replace("&quot;", '"').replace("&amp;", "&")))


def _run(folder: Path, arguments: list[str]) -> str:
    profile = folder / "profile"
    command = [
        *(chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *(
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=3000",
        ),
        *(f"--user-data-dir={profile}", *arguments),
    ]
    done = subprocess.run(
        command, capture_output=True, timeout=SECONDS, check=True, env=os.environ | {"HOME": str(folder)}
    )
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout.decode("utf-8", "replace")


def _urls(log: Path, own: str) -> list[str]:
    """Every URL that a request was begun for, and every name that was looked up."""
    try:
        told = json.loads(log.read_text("utf-8"))
    except ValueError:  # the browser ended before it wrote the last brackets
        told = json.loads(log.read_text("utf-8").rstrip().rstrip(",") + "]}")
    found = []
    for event in told["events"]:
        parameters = event.get("params") or {}
        for name in ("url", "host", "original_url"):
            value = parameters.get(name)
            if (
                isinstance(value, str)
                and value
                and not own.startswith(value)
                and not value.startswith((own.rpartition("/")[0], *QUIET))
                and not _is_own(value)
            ):
                found.append(value)
    return found


def _is_own(url: str) -> bool:
    """Whether the browser asked on its own account: for the time, for updates of itself."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    return host.endswith(OWN)
